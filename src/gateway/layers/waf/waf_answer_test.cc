#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "gateway/layers/waf/waf_testing.h"

namespace gatehouse::gateway {
namespace {

// As version 3 of the Core Rule Set counts: what an answer shows is added to the request's sum, too.
constexpr const char* kRules = R"(
SecAction "id:1,phase:1,pass,nolog,setvar:tx.outbound_anomaly_score=0"
SecRule ARGS "@contains bad" "id:2,phase:2,pass,log,setvar:'tx.anomaly_score_pl1=+5'"
SecRule TX:anomaly_score_pl1 "@ge 5" "id:949110,phase:2,deny,log,msg:'sum'"
SecRule RESPONSE_STATUS "@streq 500" "id:3,phase:3,pass,log,setvar:'tx.outbound_anomaly_score_pl2=+4'"
SecRule RESPONSE_HEADERS:X-Stop "@streq 1" "id:4,phase:3,deny,status:418,log"
SecRule RESPONSE_HEADERS:Content-Encoding "@rx ." "id:5,phase:3,pass,log"
SecRule RESPONSE_HEADERS:Content-Length "@streq 7" "id:6,phase:3,pass,log"
SecRule RESPONSE_BODY "@rx leak(ed)?" "id:7,phase:4,pass,log,capture,\
  setvar:'tx.anomaly_score_pl1=+5',setvar:'tx.outbound_anomaly_score_pl1=+5'"
SecAction "id:8,phase:4,pass,nolog,setvar:'tx.outbound_anomaly_score=+%{tx.outbound_anomaly_score_pl1}'"
SecRule TX:outbound_anomaly_score "@ge %{tx.outbound_anomaly_score_threshold}" "id:959100,phase:4,deny,log,msg:'out'"
)";

class WafAnswer : public WafLayerTest {
 protected:
  WafAnswer() {
    config_.waf.response_body = 100;
    load(kRules);
  }

  static http::ResponseHead html(int status = 200, std::string_view coding = {}) {
    http::ResponseHead answer;
    answer.status = status;
    answer.fields.add("content-type", "text/html; charset=utf-8");
    if (!coding.empty()) answer.fields.add("content-encoding", coding);
    return answer;
  }

  // The request with this query, and its answer.
  WafDecision decide(SampleRequest& sample, const http::ResponseHead& answer, std::string_view body,
                     bool complete = true, std::string_view query = "") {
    sample.request.message.query = query;
    sample.request.message.has_query = !query.empty();
    layer_->inspect_head(sample.request, "/orders", false, shard_, inspection_);
    layer_->inspect_body(sample.request, {}, true, {}, shard_, inspection_);
    const WafDecision head = layer_->inspect_answer_head(sample.request, answer, inspection_);
    if (head.verdict != Verdict::pass) return head;
    return layer_->inspect_answer_body(sample.request, answer, body, complete, shard_, inspection_);
  }
};

TEST_F(WafAnswer, ItsScoreIsItsOwn) {
  SampleRequest sample(config_, clock_);
  http::ResponseHead answer = html(500);
  answer.content_length = 7;
  const WafDecision refused = decide(sample, answer, "it leaked", true);
  EXPECT_EQ(refused.verdict, Verdict::deny);
  EXPECT_EQ(refused.reason, "waf.response_score");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.evidence, "the answer's score 5, denied from 4: 3 in RESPONSE_STATUS, 7 in RESPONSE_BODY");
  ASSERT_THAT(rules(sample), testing::ElementsAre(3, 6, 7, 959100));
  EXPECT_TRUE(sample.record.waf->outbound);
  EXPECT_EQ(sample.record.waf->threshold, 4);
  EXPECT_THAT(sample.record.waf->levels, testing::ElementsAre(5, 4, 0, 0));
  EXPECT_EQ(sample.record.waf->hits[2].score, 5) << "counted once";
}

TEST_F(WafAnswer, WhatTheRequestShowedIsNotActedUponAgain) {
  SampleRequest passed(config_, clock_);
  EXPECT_EQ(decide(passed, html(), "fine", true, "a=bad").verdict, Verdict::pass);
  EXPECT_THAT(rules(passed), testing::ElementsAre(2, 949110));
  EXPECT_FALSE(passed.record.waf->outbound);

  SampleRequest leaked(config_, clock_);
  EXPECT_EQ(decide(leaked, html(), "leak", true, "a=bad").reason, "waf.response_score");
  EXPECT_THAT(rules(leaked), testing::ElementsAre(2, 949110, 7, 959100));
  EXPECT_TRUE(leaked.record.waf->outbound);
  EXPECT_THAT(leaked.record.waf->levels, testing::ElementsAre(5, 0, 0, 0));
}

TEST_F(WafAnswer, ARuleOfTheHead) {
  SampleRequest sample(config_, clock_);
  http::ResponseHead answer = html();
  answer.fields.add("x-stop", "1");
  const WafDecision refused = decide(sample, answer, "leak");
  EXPECT_EQ(refused.reason, "waf.response_rule");
  EXPECT_EQ(refused.status, 418);
  EXPECT_THAT(rules(sample), testing::ElementsAre(4)) << "and not phase 4";
}

std::string deflated(std::string_view text) {
  std::string out(compressBound(text.size()), '\0');
  uLongf size = out.size();
  compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(), 9);
  out.resize(size);
  return out;
}

TEST_F(WafAnswer, CodingsAreDecodedWithinBounds) {
  const std::string leak = deflated("it leaked"), fine = deflated("fine"), bomb = deflated(std::string(100'000, 'x'));
  const std::string late = deflated(std::string(200, 'x') + "leak"), early = deflated("leak" + std::string(200, 'x'));
  struct Case {
    const char* name;
    const char* coding;
    std::string_view body;
    bool complete;
    std::string_view reason, in_part;  // with on_exceed deny, and with partial
    bool told = false;                 // rules see that it is compressed
  };
  for (const Case& c : {
           Case{"a leak", "deflate", leak, true, "waf.response_score", "waf.response_score"},
           Case{"none", "deflate", fine, true, "", ""},
           Case{"identity", "identity", "leak", true, "waf.response_score", "waf.response_score"},
           Case{"a bomb", "deflate", bomb, true, "waf.response_too_large", ""},
           Case{"a late leak", "deflate", late, true, "waf.response_too_large", ""},
           Case{"an early leak", "deflate", early, true, "waf.response_score", "waf.response_score"},
           Case{"cut", "deflate", std::string_view(fine).substr(0, 6), false, "", ""},
           Case{"broken", "deflate", std::string_view(fine).substr(0, 6), true, "waf.response_coding", ""},
           Case{"malformed", "gzip", "leak", true, "waf.response_coding", ""},
           Case{"unknown", "zstd", "leak", true, "waf.response_coding", "", true},
           Case{"unknown, and empty", "zstd", "", true, "", "", true},
       }) {
    for (const WafOnExceed on_exceed : {WafOnExceed::deny, WafOnExceed::partial}) {
      config_.waf.response_on_exceed = on_exceed;
      load(kRules);
      SampleRequest sample(config_, clock_);
      const WafDecision decision = decide(sample, html(200, c.coding), c.body, c.complete);
      EXPECT_EQ(decision.reason, on_exceed == WafOnExceed::deny ? c.reason : c.in_part) << c.name;
      const auto fired = rules(sample);
      EXPECT_EQ(std::count(fired.begin(), fired.end(), 5u), c.told ? 1 : 0) << c.name;
    }
  }
}

TEST_F(WafAnswer, TextIsRead) {
  struct Case {
    std::string_view type;
    bool read;
  };
  for (const Case& c : {
           Case{"text/html", true},
           Case{"Text/Plain; charset=x", true},
           Case{"application/json", true},
           Case{"application/problem+json", true},
           Case{"image/svg+xml ;a=b", true},
           Case{"application/xml", true},
           Case{"text/event-stream", false},
           Case{"TEXT/EVENT-STREAM;x", false},
           Case{"image/png", false},
           Case{"application/grpc", false},
           Case{"application/octet-stream", false},
           Case{"text/htmlx", false},
       }) {
    http::ResponseHead answer;
    answer.fields.add("content-type", c.type);
    EXPECT_EQ(layer_->reads_answer_body(answer), c.read) << c.type;
  }
  EXPECT_TRUE(layer_->reads_answer_body({}));
  load(std::string(kRules) + "SecResponseBodyMimeType text/x-one text/event-stream\n");
  EXPECT_FALSE(layer_->reads_answer_body(html()));
  EXPECT_FALSE(layer_->reads_answer_body({}));
  http::ResponseHead one, events;
  one.fields.add("content-type", "text/X-One; a=b");
  events.fields.add("content-type", "text/event-stream");
  EXPECT_TRUE(layer_->reads_answer_body(one));
  EXPECT_FALSE(layer_->reads_answer_body(events));
}

TEST_F(WafAnswer, RulesWithoutAWordOnAnswersNeedNone) {
  SampleRequest sample(config_, clock_);
  EXPECT_EQ(layer_->route(sample.request).response_body, 100u);
  load(R"(SecAction "id:1,phase:2,pass")");
  EXPECT_EQ(layer_->route(sample.request).response_body, 0u);
}

TEST_F(WafAnswer, TheAnswersRulesHaveAPlaceInTheRecord) {
  std::string many = kRules;
  for (int i = 0; i < 40; ++i) {
    many += "SecRule ARGS \"@contains x\" \"id:" + std::to_string(100 + i) + ",phase:2,pass,log\"\n";
  }
  load(many);
  SampleRequest sample(config_, clock_);
  EXPECT_EQ(decide(sample, html(500), "leak", true, "a=x").reason, "waf.response_score");
  const auto told = rules(sample);
  EXPECT_EQ(told.size(), telemetry::WafRecord::kHitsMax);
  EXPECT_THAT(std::vector(told.end() - 3, told.end()), testing::ElementsAre(3, 7, 959100));
  EXPECT_EQ(sample.record.waf->omitted, 43 - telemetry::WafRecord::kHitsMax);
}

}  // namespace
}  // namespace gatehouse::gateway
