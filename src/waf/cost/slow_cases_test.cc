// Four times the bytes cost four times as much, whatever they are: the named cases under every transformation and the
// operators that are no patterns. With GATEHOUSE_LONG=1 the same under the whole Core Rule Set.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "waf/cost/meter.h"
#include "waf/cost/slow_cases.h"
#include "waf/differential/engine_under_test.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kSmall = 4 * 1024, kFactor = 4;
// Quadratic would be 16, linear is 4; what remains of a noisy machine in the least of several turns lies between.
constexpr double kGrowthMax = 9;

std::string all_transformations() {
  std::string rules;
  int id = 1;
  for (const char* chain : {"none",
                            "lowercase",
                            "urlDecodeUni",
                            "htmlEntityDecode",
                            "jsDecode",
                            "cssDecode",
                            "base64Decode",
                            "hexDecode",
                            "escapeSeqDecode",
                            "removeNulls",
                            "removeWhitespace",
                            "compressWhitespace",
                            "replaceComments",
                            "removeComments",
                            "removeCommentsChar",
                            "normalizePath",
                            "normalizePathWin",
                            "cmdLine",
                            "utf8toUnicode",
                            "trim",
                            "length",
                            "sha1",
                            "urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode,t:lowercase,t:removeNulls"}) {
    rules += fmt::format(
        "SecRule REQUEST_URI|ARGS_NAMES|ARGS|REQUEST_COOKIES|REQUEST_COOKIES_NAMES|REQUEST_HEADERS|XML:/*|XML://@*|"
        "MULTIPART_PART_HEADERS \"@rx nevertherex\" \"id:{},phase:2,pass,nolog,t:none,t:{}\"\n",
        id++, chain);
  }
  for (const char* check : {"@detectSQLi", "@detectXSS", "@validateUtf8Encoding", "@validateUrlEncoding",
                            "@validateByteRange 1-255", "@pm never there", "@contains nevertherex"}) {
    rules += fmt::format(
        "SecRule ARGS_NAMES|ARGS|REQUEST_HEADERS|REQUEST_COOKIES|XML:/* \"{}\" \"id:{},phase:2,pass\"\n", check, id++);
  }
  return rules;
}

void expect_linear(const RuleEngine& engine) {
  Meter meter(engine, 4);
  meter.forget_values();  // how many values are remembered is no matter of bytes
  for (const SlowCase& slow : slow_cases()) {
    const RawRequest small = render(slow.payload, kSmall), large = render(slow.payload, kFactor * kSmall);
    double growth = 0;
    for (int round = 0; round < 4; ++round) {  // another process in one of the measurements is not the engine's fault
      growth = meter.least_ns(large, 3) / meter.least_ns(small, 3);
      if (growth < kGrowthMax) break;
    }
    EXPECT_LT(growth, kGrowthMax) << slow.name;
  }
}

TEST(SlowCases, AreLinearInTheirBytes) {
  const auto rules = std::filesystem::temp_directory_path() / fmt::format("slow-cases-{}.conf", ::getpid());
  ASSERT_TRUE(write_file_atomically(rules.string(), all_transformations()));
  const auto engine = load_rule_engine({rules.string()}, {});
  std::filesystem::remove(rules);
  ASSERT_TRUE(engine) << engine.error().message;
  expect_linear(**engine);
}

TEST(SlowCases, AreLinearUnderTheCoreRuleSet) {
  if (!std::getenv("GATEHOUSE_LONG")) GTEST_SKIP() << "compiles a whole rule set: GATEHOUSE_LONG=1";
  if (crs_debian().empty()) GTEST_SKIP() << "the package modsecurity-crs is not installed";
  const auto engine = load_rule_engine({"crs"}, plan_cache_file("debian"));
  ASSERT_TRUE(engine) << engine.error().message;
  expect_linear(**engine);
}

// The test above could not fail if requests were not what they are meant to be.
TEST(SlowCases, HaveTheSizeAskedFor) {
  for (const SlowCase& slow : slow_cases()) {
    for (const std::size_t bytes : {1024u, 8192u, 65536u}) {
      const RawRequest request = render(slow.payload, bytes);
      std::size_t size = request.body.size();
      if (request.method == "GET")
        size = request.uri.size() > 1 ? request.uri.size() : request.headers.back().second.size();
      EXPECT_LE(size, bytes) << slow.name;
      EXPECT_GE(size, bytes * 9 / 10 - 100) << slow.name;
    }
  }
}

}  // namespace
}  // namespace gatehouse::waf
