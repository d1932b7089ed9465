// ECS, OCSF and CEF against golden files: src/telemetry/testdata/<format>.golden, a line for each case, its name and a
// tab before it. GATEHOUSE_GOLDEN=write writes them anew, for somebody to read. tests/e2e/test_formats.py holds them
// against the schemas.

#include "telemetry/record_formats.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "telemetry/access_log.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHostile =
    "/a|b\\c=d\"e<script>\r\nHTTP/1.1 200 OK\n\x1b[31m\x07\x7f\xc2\x9b\xff\xc0\xaf\xed\xa0\x80 src=1.2.3.4 "
    "\xe2\x80\xae\xf0\x9f\x92\xa9";

struct Case {
  std::string name;
  DecisionRecord record;
};

DecisionRecord decided(Layer layer, Verdict verdict, std::string_view reason, std::string_view evidence, int status) {
  DecisionRecord record = sample_record();
  record.layer_count = 3;
  record.add({layer, verdict, Mode::enforce, 900, reason, evidence});
  record.status = status;
  record.endpoint = {};
  record.upstream_us = 0;
  return record;
}

std::vector<Case> cases() {
  static const WafRecord waf = sample_waf();
  static const std::string long_path = "/" + std::string(kPathBytesMax, 'p') + "€";
  static const std::string long_user = std::string(kTextBytesMax - 1, 'u') + "€uro";
  static const WafRecord hostile_waf = [] {
    WafRecord made = sample_waf();
    made.hits[0].matched = made.hits[0].variable = made.hits[0].message = kHostile;
    made.hits[0].tags[0] = kHostile;
    return made;
  }();
  std::vector<Case> all;
  all.push_back({"pass", sample_record()});
  all.push_back({"anonymous", sample_record()});
  all.back().record.user = {}, all.back().record.auth = "none", all.back().record.method = "PATCH";
  all.push_back(
      {"rate", decided(Layer::rate, Verdict::deny, "rate.exceeded", "client_ip 203.0.113.9: 201 of 200", 429)});
  all.push_back({"expired", decided(Layer::authentication, Verdict::deny, "auth.expired", "jwt main: exp", 401)});
  all.push_back({"missing", decided(Layer::authentication, Verdict::deny, "auth.missing", "", 401)});
  all.back().record.user = {};
  all.push_back({"delay", decided(Layer::penalties, Verdict::delay, "penalty.delay", "2 s", 401)});
  all.push_back({"answer", decided(Layer::cors, Verdict::answer, "cors.preflight", "", 204)});
  all.back().record.method = "OPTIONS";
  all.push_back({"attack", decided(Layer::waf, Verdict::deny, "waf.score", "score 10 of 5", 403)});
  all.back().record.waf = &waf;
  all.push_back({"upstream", decided(Layer::upstream, Verdict::deny, "upstream.connect_failure", "refused", 502)});
  all.push_back({"gone", sample_record()});
  all.back().record.status = 0;
  all.push_back({"ipv6", sample_record()});
  all.back().record.client_ip = *IpAddress::parse("2001:db8::1");
  all.back().record.host = "[2001:db8::2]:8443";
  all.push_back({"hostile", decided(Layer::rate, Verdict::deny, kHostile, kHostile, 400)});
  DecisionRecord& hostile = all.back().record;
  hostile.path = hostile.user = hostile.host = hostile.method = hostile.route = hostile.service = kHostile;
  hostile.protocol = hostile.tls = hostile.auth = hostile.zone = hostile.listener = hostile.request_id = kHostile;
  all.push_back({"hostile-attack", hostile});
  all.back().record.waf = &hostile_waf;
  all.push_back({"empty", DecisionRecord{}});
  all.push_back({"long", sample_record()});
  all.back().record.path = long_path, all.back().record.user = long_user;
  return all;
}

std::string rendered(AccessLogFormat format, const DecisionRecord& record) {
  std::string line;
  append_record(format, record, line);
  // The version changes with every release, the golden files need not.
  constexpr std::string_view kVersion = GATEHOUSE_VERSION;
  for (std::size_t at = 0; (at = line.find(kVersion, at)) != std::string::npos; at += 9) {
    line.replace(at, kVersion.size(), "@VERSION@");
  }
  return line;
}

class Formats : public testing::TestWithParam<std::pair<AccessLogFormat, std::string>> {};

TEST_P(Formats, Golden) {
  const auto& [format, name] = GetParam();
  const std::string path = GATEHOUSE_SOURCE_DIR "/src/telemetry/testdata/" + name + ".golden";
  std::ostringstream got;
  for (const Case& c : cases()) got << c.name << '\t' << rendered(format, c.record) << '\n';
  if (const char* mode = std::getenv("GATEHOUSE_GOLDEN"); mode != nullptr && std::string_view(mode) == "write") {
    std::ofstream(path) << got.str();
    GTEST_SKIP() << "written: " << path;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  std::map<std::string, std::string> expected;
  for (std::string line; std::getline(in, line);) {
    const std::size_t tab = line.find('\t');
    expected[line.substr(0, tab)] = line.substr(tab + 1);
  }
  EXPECT_EQ(expected.size(), cases().size());
  for (const Case& c : cases()) EXPECT_EQ(rendered(format, c.record), expected[c.name]) << c.name;
}

TEST_P(Formats, NothingThatDrivesATerminalOrEndsALine) {
  for (const Case& c : cases()) {
    const std::string line = rendered(GetParam().first, c.record);
    for (const char byte : line) {
      ASSERT_GE(static_cast<unsigned char>(byte), 0x20) << c.name << ": " << line;
    }
    EXPECT_EQ(line.find("\xc2\x9b"), std::string::npos) << c.name << ": U+009B begins a sequence as ESC [ does";
  }
}

INSTANTIATE_TEST_SUITE_P(All, Formats,
                         testing::Values(std::pair(AccessLogFormat::ecs, "ecs"),
                                         std::pair(AccessLogFormat::ocsf, "ocsf"),
                                         std::pair(AccessLogFormat::cef, "cef")),
                         [](const auto& one) { return one.param.second; });

TEST(AppendEcs, HostileTextComesBackAsItWas) {
  for (const Case& c : cases()) {
    const Json json = Json::parse(rendered(AccessLogFormat::ecs, c.record));
    if (c.name != "hostile") continue;
    EXPECT_EQ(json["http"]["request"]["method"], json["url"]["path"]);
    const std::string path = json["url"]["path"];
    EXPECT_EQ(path.substr(0, 20), kHostile.substr(0, 20));
    EXPECT_NE(path.find("\xef\xbf\xbd"), std::string::npos);
  }
}

TEST(AppendOcsf, ClassOfARecord) {
  const std::map<std::string, int> classes = {
      {"pass", 6003},  {"anonymous", 4002}, {"rate", 4002},           {"expired", 3002},  {"missing", 4002},
      {"delay", 6003}, {"answer", 6003},    {"attack", 2004},         {"upstream", 4002}, {"gone", 6003},
      {"ipv6", 6003},  {"hostile", 4002},   {"hostile-attack", 2004}, {"empty", 4002},    {"long", 6003}};
  for (const Case& c : cases()) {
    const Json json = Json::parse(rendered(AccessLogFormat::ocsf, c.record));
    EXPECT_EQ(json["class_uid"], classes.at(c.name)) << c.name;
    EXPECT_EQ(json["type_uid"], json["class_uid"].get<int>() * 100 + json["activity_id"].get<int>()) << c.name;
  }
}

// As a reader of the format does it: values end before " key=", and backslashes escape.
std::map<std::string, std::string> read_extension(std::string_view text) {
  std::map<std::string, std::string> values;
  std::string word, key;
  std::size_t last_space = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      const char next = text[++i];
      word += next == 'n' ? '\n' : next == 'r' ? '\r' : next;
    } else if (text[i] == '=') {
      last_space = word.rfind(' ');
      if (!key.empty()) values[key] = word.substr(0, last_space == std::string::npos ? 0 : last_space);
      key = last_space == std::string::npos ? word : word.substr(last_space + 1);
      word.clear();
    } else {
      word += text[i];
    }
  }
  if (!key.empty()) values[key] = word;
  return values;
}

TEST(AppendCef, NoValueBecomesAnotherKey) {
  for (const Case& c : cases()) {
    const std::string line = rendered(AccessLogFormat::cef, c.record);
    std::size_t bars = 0, at = 0;
    for (; bars < 7 && at < line.size(); ++at) {
      if (line[at] == '\\') {
        ++at;
      } else if (line[at] == '|') {
        ++bars;
      }
    }
    ASSERT_EQ(bars, 7u) << line;
    const auto values = read_extension(std::string_view(line).substr(at));
    if (c.name != "hostile") continue;
    EXPECT_EQ(values.at("src"), "203.0.113.9") << "a path that says src= changes nothing";
    EXPECT_EQ(values.at("suser").substr(0, 19), kHostile.substr(0, 19));
    EXPECT_EQ(values.at("cn1"), "400");
  }
}

}  // namespace
}  // namespace gatehouse::telemetry
