// Bodies made to hurt: the time that a transaction takes grows with their size, the rules' own flags are set, and there
// is a verdict.

#include <gtest/gtest.h>

#include <ctime>

#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {
namespace {

std::chrono::nanoseconds cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

constexpr const char* kRules = R"x(
SecRule ARGS|ARGS_NAMES|XML:/*|REQUEST_HEADERS "@rx (?i)\bunion\b.{1,40}\bselect\b" "id:1,phase:2,deny,t:none,t:urlDecodeUni,t:lowercase"
SecRule ARGS|XML:/* "@detectSQLi" "id:2,phase:2,deny,t:none,t:urlDecodeUni"
SecRule ARGS "!@validateUtf8Encoding" "id:3,phase:2,pass,nolog"
SecRule REQBODY_ERROR "!@eq 0" "id:10,phase:2,deny,status:400,logdata:'%{REQBODY_ERROR_MSG}'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:11,phase:2,deny,status:400"
)x";

struct Verdict {
  bool denied = false;
  std::string data;
  std::chrono::nanoseconds spent{};
};

class Hostile : public testing::Test {
 protected:
  void SetUp() override {
    ParseResult parsed = parse_rules(std::vector<RuleSource>{{"test.conf", kRules}});
    ASSERT_TRUE(parsed.errors.empty());
    auto compiled = Program::compile(std::move(parsed.rules));
    rules_.program = std::move(compiled.program);
    ASSERT_TRUE(rules_.program);
    auto plan = MatchPlan::build(*rules_.program, {});
    ASSERT_TRUE(plan);
    rules_.plan = std::move(*plan);
    workspace_ = std::make_unique<Workspace>(rules_);
    transaction_ = std::make_unique<Transaction>(*workspace_, SystemClock::instance());
  }

  Verdict run(const std::string& type, std::string body, std::size_t arguments_max = 1000) {
    const RawRequest request{"POST", "/", "HTTP/1.1", {{"Host", "a"}, {"Content-Type", type}}, std::move(body)};
    const auto start = cpu_time();
    transaction_->begin({.arguments_max = arguments_max});
    inspect(*transaction_, request, nullptr);
    Verdict verdict{transaction_->interruption() != nullptr, {}, cpu_time() - start};
    if (!transaction_->fired().empty()) verdict.data = transaction_->fired().back().data;
    return verdict;
  }

  RuleEngine rules_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Transaction> transaction_;
};

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string parts(std::size_t count) {
  return repeated("--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n", count) + "--b--\r\n";
}

std::string json_of(std::size_t count) {
  std::string out = "[1";
  for (std::size_t i = 1; i < count; ++i) out += ",1234567";
  return out + "]";
}

struct Case {
  const char* name;
  const char* type;
  std::string (*body)(std::size_t size);
  std::size_t size;
};

const Case kCases[] = {
    {"JSON nested", "application/json", [](std::size_t n) { return repeated("[", n) + repeated("]", n); }, 10'000},
    {"JSON nested, never closed", "application/json", [](std::size_t n) { return repeated("{\"a\":", n); }, 10'000},
    {"arguments", "application/x-www-form-urlencoded", [](std::size_t n) { return repeated("a=1&", n); }, 100'000},
    {"JSON values", "application/json", json_of, 100'000},
    {"parts", "multipart/form-data; boundary=b", parts, 10'000},
    {"XML nested", "text/xml", [](std::size_t n) { return repeated("<a>", n); }, 100'000},
    {"XML entities", "text/xml",
     [](std::size_t n) {
       return "<!DOCTYPE a [<!ENTITY b \"" + repeated("c", n) + "\"><!ENTITY d \"" + repeated("&b;", 1000) +
              "\">]><a>" + repeated("&d;", 1000) + "</a>";
     },
     10'000},
};

TEST_F(Hostile, IsRefusedInTimeThatGrowsWithItsSize) {
  for (const Case& c : kCases) {
    const Verdict whole = run(c.type, c.body(c.size));
    EXPECT_TRUE(whole.denied) << c.name;
    EXPECT_FALSE(whole.data.empty()) << c.name;
    EXPECT_LT(whole.spent, std::chrono::seconds(5)) << c.name;
    // Ten times the size must not be a hundred times the work. Generous, and with a floor below which time says
    // nothing.
    const Verdict tenth = run(c.type, c.body(c.size / 10));
    EXPECT_LT(whole.spent, 40 * tenth.spent + std::chrono::milliseconds(50)) << c.name;
  }
}

TEST_F(Hostile, AHundredThousandValuesAreLookedAtInLinearTime) {
  constexpr std::size_t kAll = 1'000'000;
  const Verdict whole = run("application/json", json_of(100'000), kAll);
  const Verdict tenth = run("application/json", json_of(10'000), kAll);
  EXPECT_FALSE(whole.denied);
  EXPECT_LT(whole.spent, 40 * tenth.spent + std::chrono::milliseconds(50));
  // The last value counts as the first.
  std::string body = json_of(100'000);
  body.back() = ',';
  EXPECT_TRUE(run("application/json", body + "\"1 union all select 2\"]", kAll).denied);
}

TEST_F(Hostile, ABoundaryOfAMegabyteIsFlagged) {
  const std::string boundary(1 << 20, 'b');
  const Verdict verdict = run("multipart/form-data; boundary=" + boundary, "--" + boundary + "\r\n\r\nx\r\n");
  EXPECT_TRUE(verdict.denied);
  EXPECT_LT(verdict.spent, std::chrono::seconds(5));
}

TEST_F(Hostile, EveryByteInEveryPlaceHasAVerdict) {
  std::string bytes;
  for (int c = 1; c < 256; ++c) bytes += static_cast<char>(c);
  for (const char* type : {"application/x-www-form-urlencoded", "application/json", "text/xml",
                           "multipart/form-data; boundary=b", "text/plain", ""}) {
    const Verdict verdict = run(type, bytes);
    EXPECT_LT(verdict.spent, std::chrono::seconds(5)) << type;
    const bool has_grammar = std::string_view(type).find("json") != std::string_view::npos ||
                             std::string_view(type).find("xml") != std::string_view::npos ||
                             std::string_view(type).find("multipart") != std::string_view::npos;
    EXPECT_TRUE(verdict.denied || !has_grammar) << type;
  }
}

}  // namespace
}  // namespace gatehouse::waf
