#include "telemetry/render.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "telemetry/record_sample.h"

namespace gatehouse::telemetry {
namespace {

using Json = nlohmann::ordered_json;

std::string json_of(const DecisionRecord& record) {
  std::string out;
  append_json(record, out);
  return out;
}
std::string common_of(const DecisionRecord& record) {
  std::string out;
  append_common(record, out);
  return out;
}

TEST(AppendJson, Golden) {
  DecisionRecord record = sample_record();
  record.layer_count = 4;
  EXPECT_EQ(
      json_of(record),
      R"({"time":"2025-06-15T15:06:40.123456Z","request_id":"01jxt1rqwvh7r3k9w2m4d8c6f5",)"
      R"("trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","client_ip":"203.0.113.9","zone":"external",)"
      R"("listener":"public","route":"orders-read","service":"orders","endpoint":"http://127.0.0.1:9001",)"
      R"("method":"GET","host":"shop.example","path":"/orders/1234/items","protocol":"HTTP/2","status":200,)"
      R"("bytes_in":412,"bytes_out":1833,"duration_us":2750,"upstream_us":2610,"gatehouse_us":64,)"
      R"("user":"alice@shop.example","auth":"jwt","tls":"TLSv1.3","verdict":"pass","layer":"upstream","reason":"",)"
      R"("layers":[{"layer":"bans","verdict":"pass","mode":"enforce","reason":"","ns":41,"evidence":""},)"
      R"({"layer":"zone","verdict":"pass","mode":"enforce","reason":"","ns":23,"evidence":""},)"
      R"({"layer":"limits","verdict":"pass","mode":"enforce","reason":"","ns":18,"evidence":""},)"
      R"({"layer":"rate","verdict":"pass","mode":"enforce","reason":"","ns":136,)"
      R"("evidence":"client_ip 203.0.113.9: 12 of 1000 in the burst"}]})");
}

// The fields are a contract: these names, in this order, always all of them.
TEST(AppendJson, FieldsOfTheContract) {
  const std::vector<std::string> fields = {
      "time",     "request_id", "trace_id",    "client_ip",   "zone",         "listener", "route",
      "service",  "endpoint",   "method",      "host",        "path",         "protocol", "status",
      "bytes_in", "bytes_out",  "duration_us", "upstream_us", "gatehouse_us", "user",     "auth",
      "tls",      "verdict",    "layer",       "reason",      "layers"};
  for (const DecisionRecord& record : {sample_record(), DecisionRecord{}}) {
    const Json json = Json::parse(json_of(record));
    std::vector<std::string> found;
    for (const auto& [name, value] : json.items()) found.push_back(name);
    EXPECT_EQ(found, fields);
  }
}

TEST(AppendJson, HostileText) {
  DecisionRecord record = sample_record();
  record.path = "/a\"},{\"verdict\":\"pass\"}\n\x1b[31m\xff";
  record.user = "\\";
  record.layers[3].evidence =
      "ARGS:q=\"><script>\0x"
      "\x01";
  const std::string line = json_of(record);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  const Json json = Json::parse(line);
  EXPECT_EQ(json["path"], "/a\"},{\"verdict\":\"pass\"}\n\x1b[31m\xef\xbf\xbd");
  EXPECT_EQ(json["user"], "\\");
  EXPECT_EQ(json["layers"][3]["evidence"], std::string(record.layers[3].evidence));
}

TEST(AppendJson, LongTextIsCutAtACharacter) {
  DecisionRecord record = sample_record();
  std::string user(kTextBytesMax - 1, 'u');
  user += "€uro";
  const std::string path(kPathBytesMax + 1, 'p');
  record.user = user;
  record.path = path;
  const Json json = Json::parse(json_of(record));
  EXPECT_EQ(json["user"], std::string(kTextBytesMax - 1, 'u') + "…");
  EXPECT_EQ(json["path"], std::string(kPathBytesMax, 'p') + "…");
}

TEST(AppendJson, Addresses) {
  for (const char* text : {"1.2.3.4", "255.255.255.255", "2001:db8::1", "0.0.0.0"}) {
    DecisionRecord record;
    record.client_ip = *IpAddress::parse(text);
    EXPECT_EQ(Json::parse(json_of(record))["client_ip"], text);
  }
  EXPECT_EQ(Json::parse(json_of(DecisionRecord{}))["client_ip"], "") << "a Unix socket has no address";
}

TEST(FormatTime, Cases) {
  const struct {
    std::int64_t micros;
    const char* text;
  } cases[] = {
      {0, "1970-01-01T00:00:00.000000Z"},
      {-5, "1970-01-01T00:00:00.000000Z"},
      {1'750'000'000'000'001, "2025-06-15T15:06:40.000001Z"},
      {1'750'000'000'999'999, "2025-06-15T15:06:40.999999Z"},
      {1'750'000'001'000'000, "2025-06-15T15:06:41.000000Z"},
      {951'782'400'000'000, "2000-02-29T00:00:00.000000Z"},
  };
  for (const auto& c : cases) {
    char buffer[kTimeBytes];
    EXPECT_EQ(format_time(WallTime(std::chrono::microseconds(c.micros)), buffer), c.text);
  }
}

TEST(AppendCommon, Golden) {
  DecisionRecord record = sample_record();
  EXPECT_EQ(
      common_of(record),
      R"(203.0.113.9 - alice@shop.example [15/Jun/2025:15:06:40 +0000] "GET /orders/1234/items HTTP/2" 200 1833 "-" "-")");
  record.user = "a b";
  record.path = "/\"\n\\x";
  EXPECT_EQ(common_of(record),
            R"(203.0.113.9 - a\x20b [15/Jun/2025:15:06:40 +0000] "GET /\x22\x0a\x5cx HTTP/2" 200 1833 "-" "-")");
  EXPECT_EQ(common_of(DecisionRecord{}), R"(- - - [01/Jan/1970:00:00:00 +0000] "- - -" 0 0 "-" "-")");
}

TEST(DecisionRecord, TheFirstLayerThatActsDecides) {
  DecisionRecord record;
  const auto add = [&](Layer layer, Verdict verdict, Mode mode, const char* reason) {
    record.add({layer, verdict, mode, 1, reason, {}});
  };
  add(Layer::bans, Verdict::pass, Mode::enforce, "");
  add(Layer::rate, Verdict::deny, Mode::monitor, "rate.exceeded");
  EXPECT_EQ(record.verdict, Verdict::pass) << "monitor never acts";
  add(Layer::penalties, Verdict::delay, Mode::enforce, "penalty.failed_logins");
  EXPECT_EQ(record.verdict, Verdict::delay);
  add(Layer::authentication, Verdict::deny, Mode::enforce, "auth.expired");
  EXPECT_EQ(record.verdict, Verdict::deny);
  add(Layer::waf, Verdict::deny, Mode::enforce, "waf.score");
  EXPECT_EQ(record.layer, Layer::authentication);
  EXPECT_EQ(record.reason, "auth.expired");
  EXPECT_EQ(record.layer_count, 5);
}

TEST(DecisionRecord, FullRecordStillDecides) {
  DecisionRecord record;
  for (int i = 0; i < 40; ++i) record.add({Layer::zone, Verdict::pass, Mode::enforce, 1, {}, {}});
  record.add({Layer::waf, Verdict::deny, Mode::enforce, 1, "waf.score", {}});
  EXPECT_EQ(record.layer_count, DecisionRecord::kLayersMax);
  EXPECT_EQ(record.verdict, Verdict::deny);
}

TEST(Names, EveryLayerHasOne) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Layer::count_); ++i) {
    EXPECT_FALSE(name_of(static_cast<Layer>(i)).empty());
  }
  EXPECT_EQ(name_of(Layer::header_policy), "header_policy");
  EXPECT_EQ(name_of(Verdict::answer), "answer");
  EXPECT_EQ(name_of(Mode::off), "off");
}

}  // namespace
}  // namespace gatehouse::telemetry
