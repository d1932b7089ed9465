#include "telemetry/explain.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "base/temp_dir.h"
#include "telemetry/reasons.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

std::string json_of(const DecisionRecord& record) {
  std::string out;
  append_json(record, out);
  return out;
}

TEST(Explain, ADeniedRequest) {
  DecisionRecord record = sample_record();
  record.layer_count = 3;
  record.status = 429;
  record.add({Layer::rate, Verdict::deny, Mode::enforce, 136, "rate.exceeded",
              "client_ip 203.0.113.9: 1001 of 1000 in the burst"});
  record.layers[1] = {Layer::zone, Verdict::deny, Mode::monitor, 23, "zone.forbidden", "zone external"};
  const auto text = explain(json_of(record), {});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, R"(Request 01jxt1rqwvh7r3k9w2m4d8c6f5: denied by rate (rate.exceeded), status 429

  GET shop.example/orders/1234/items   HTTP/2, TLSv1.3
  at       2025-06-15T15:06:40.123456Z
  from     203.0.113.9, zone external, listener public
  to       route orders-read, service orders at http://127.0.0.1:9001
  as       alice@shop.example, proved by jwt
  took     2.75 ms: 2.61 ms waiting for the upstream, 64 µs in the gateway
  carried  412 B in, 1.8 KiB out
  trace    4bf92f3577b34da6a3ce929d0e0e4736

Layers, in the order they decided
  - bans            pass                   41 ns
  ! zone            would deny    monitor  23 ns     zone.forbidden: zone external
  - limits          pass                   18 ns
  x rate            deny                   136 ns    rate.exceeded: client_ip 203.0.113.9: 1001 of 1000 in the burst
    218 ns in all

What it means
  rate.exceeded: the key has used up its rate and its burst.
    The client should wait as Retry-After says. If the limit is too low, raise `rate` or `burst`; to see first whom it hits, set the layer to monitor.
  zone.forbidden: not acted on, because the layer only monitors: the route may not be called from the client's zone.
    Add the zone to the route's `zones`, or the client's network to the right zone under `zones`.
)");
}

TEST(Explain, WhatTheRulesFound) {
  DecisionRecord record = sample_record();
  WafRecord waf = sample_waf();
  waf.hits[0].matched = waf.hits[1].matched = "1' OR 1=1\x1b[2J";
  waf.hits[1].limit_reached = true;
  waf.hits[1].also = {"ARGS:b", "ARGS:c"};
  waf.hits[1].also_count = 2;
  waf.hits[1].elsewhere = 2;
  waf.omitted = 2;
  waf.levels[1] = 3;
  record.add({Layer::waf, Verdict::deny, Mode::enforce, 12'345, "waf.score", "score 10, denied from 5"});
  record.waf = &waf;
  const auto text = explain(json_of(record), {});
  ASSERT_TRUE(text);
  EXPECT_NE(text->find(R"(
What the inspection rules found: a score of 10, where 5 denies
  942100  +5  SQL Injection Attack Detected via libinjection (critical)
              in ARGS:id: 1' OR 1=1\x1b[2J
              attack-sqli, paranoia-level/1
  942190  +5  Detects MSSQL code execution and information gathering attempts (critical)
              in ARGS:id: 1' OR 1=1\x1b[2J, and 1 more like it
              also in ARGS:b, ARGS:c and 2 others
              its pattern reached its bound of work, which counts as a match
  949110      Inbound Anomaly Score Exceeded (Total Score: 10)
              in TX:anomaly_score: 10
  and 2 rules more
  paranoia 1: 5 + 5 = 10
  paranoia 2: 3 = 3
)"),
            std::string::npos)
      << *text;
}

TEST(Explain, TheAnswersScoreIsItsOwn) {
  DecisionRecord record = sample_record();
  WafRecord waf = sample_waf();
  waf.outbound = true;
  waf.score = 4, waf.threshold = 4, waf.levels = {4, 0, 0, 0};
  waf.hits[1].phase = 4, waf.hits[1].score = 4;
  record.waf = &waf;
  const auto text = explain(json_of(record), {});
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("found: the answer has a score of 4, where 4 denies\n"), std::string::npos) << *text;
  EXPECT_NE(text->find("  paranoia 1: 4 = 4\n"), std::string::npos) << *text;
}

TEST(Explain, APlainPassAndARefusedMessage) {
  const auto pass = explain(json_of(sample_record()), {});
  ASSERT_TRUE(pass);
  EXPECT_NE(pass->find(": passed, status 200"), std::string::npos);
  EXPECT_NE(pass->find("Every layer let it pass"), std::string::npos);

  DecisionRecord refused;
  refused.verdict = Verdict::deny;
  refused.layer = Layer::http;
  refused.reason = "http.te_and_cl";
  refused.status = 400;
  const auto text = explain(json_of(refused), {});
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("denied by http (http.te_and_cl), status 400"), std::string::npos);
  EXPECT_NE(text->find("smuggling"), std::string::npos);
  EXPECT_NE(text->find("before it became a request"), std::string::npos);
}

TEST(Explain, ColoursOnlyWhenAsked) {
  const std::string line = json_of(sample_record());
  EXPECT_EQ(explain(line, {.colour = false})->find('\x1b'), std::string::npos);
  EXPECT_NE(explain(line, {.colour = true})->find('\x1b'), std::string::npos);
}

TEST(Explain, WhatIsNoRecord) {
  for (const char* line : {"", "{}", "[]", "null", "{\"verdict\":1}", "GET / HTTP/1.1", "{\"verdict\":\"deny\"} x"}) {
    EXPECT_FALSE(explain(line, {})) << line;
  }
  EXPECT_TRUE(explain(R"({"verdict":"deny","layers":[1,null,{"layer":2}],"duration_us":-5})", {}))
      << "odd, but readable";
}

TEST(Explain, AStrangersBytesDoNotReachTheTerminal) {
  DecisionRecord record = sample_record();
  record.path = "/\x1b]0;owned\x07\r\n";
  record.user = "\xc2\x9b[2J\xe2\x80\xae";
  const std::string text = *explain(json_of(record), {});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_NE(text.find(R"(/\x1b]0;owned\x07\x0d\x0a)"), std::string::npos);
}

TEST(Printable, Cases) {
  const auto printable = [](std::string_view text) {
    std::string out;
    append_printable(text, out);
    return out;
  };
  EXPECT_EQ(printable("plain é€😀"), "plain é€😀");
  EXPECT_EQ(printable("\x7f\xff\xc3"), R"(\x7f\xff\xc3)");
  EXPECT_EQ(printable("\xc2\x80\xc2\xa0"), "\\xc2\\x80\xc2\xa0");
  EXPECT_EQ(printable("\xe2\x81\xa6"), R"(\xe2\x81\xa6)");
}

TEST(Texts, DurationsAndSizes) {
  EXPECT_EQ(duration_text(0), "0 ns");
  EXPECT_EQ(duration_text(999), "999 ns");
  EXPECT_EQ(duration_text(2'610'000), "2.61 ms");
  EXPECT_EQ(duration_text(12'345), "12.3 µs");
  EXPECT_EQ(duration_text(61'200'000'000), "61.20 s");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(5ull << 40), "5.0 TiB");
}

TEST(Reasons, ExactFamilyUnknown) {
  EXPECT_EQ(text_of_reason("rate.exceeded").code, "rate.exceeded");
  EXPECT_EQ(text_of_reason("waf.something_new").code, "waf.");
  EXPECT_NE(text_of_reason("nonsense").meaning, "");
  EXPECT_NE(text_of_reason("").meaning, "");
  EXPECT_FALSE(has_reason_text("rate.nonsense"));
}

// Every reason that the data path writes down has a text of its own.
TEST(Reasons, NoCodeOfTheDataPathIsMissing) {
  const std::regex literal(
      R"re("((ban|zone|route|limits|rate|penalty|auth|access|cors|waf|schema|upstream|client|websocket|http)\.[a-z0-9_]+)")re");
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(GATEHOUSE_SOURCE_DIR "/src/gateway")) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".cc") || name.ends_with("_test.cc") || name.ends_with("_bench.cc")) continue;
    std::ifstream in(entry.path());
    const std::string source((std::istreambuf_iterator<char>(in)), {});
    for (std::sregex_iterator at(source.begin(), source.end(), literal), end; at != end; ++at, ++found) {
      EXPECT_TRUE(has_reason_text((*at)[1].str())) << (*at)[1] << " in " << entry.path();
    }
  }
  EXPECT_GT(found, 20u);
}

TEST(FindInLog, InTheFileTheRotatedOneAndNowhere) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  const auto line = [](int number) {
    return "{\"time\":\"x\",\"request_id\":\"id" + std::to_string(number) + "\",\"path\":\"" +
           std::string(static_cast<std::size_t>(number % 700), 'p') + "\"}";
  };
  {
    std::ofstream out(path), old(path + ".1");
    for (int i = 10000; i < 13000; ++i) out << line(i) << '\n';
    out << line(13000);  // not ended yet
    old << line(1) << '\n';
  }
  for (int i : {10000, 10001, 11234, 12999, 13000, 1}) EXPECT_EQ(find_in_log(path, "id" + std::to_string(i)), line(i));
  EXPECT_EQ(find_in_log(path, "id9").error().code, ErrorCode::not_found);
  EXPECT_FALSE(find_in_log(folder / "none", "id1"));
}

}  // namespace
}  // namespace gatehouse::telemetry
