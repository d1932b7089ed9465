#include "gateway/layers/waf/waf_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/layers/waf/waf_testing.h"

namespace gatehouse::gateway {
namespace {

constexpr const char* kRules = R"(
SecAction "id:1,phase:1,pass,nolog,setvar:tx.critical_anomaly_score=5,setvar:tx.anomaly_score=0"
SecRule REQUEST_HEADERS:Host "@streq shop.example" "id:2,phase:1,pass,nolog,setvar:tx.host=1"
SecRule TX:HOST "!@streq 1" "id:3,phase:2,deny,status:500,msg:'no host'"
SecRule REQUEST_URI_RAW "@contains .." "id:4,phase:1,pass,log,msg:'raw'"
SecRule REQUEST_FILENAME "@streq /admin" "id:5,phase:1,deny,status:404,msg:'canonical'"
SecRule REQUEST_PROTOCOL "@streq HTTP/2.0" "id:6,phase:1,pass,log,msg:'two'"
SecRule REQUEST_HEADERS:Transfer-Encoding "@streq chunked" "id:7,phase:1,pass,log,msg:'chunked'"
SecRule REQUEST_HEADERS:Content-Length "@streq 3" "id:8,phase:1,pass,log,msg:'length'"
SecRule ARGS "@contains bad" "id:9,phase:2,pass,log,msg:'bad',setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule ARGS:slow "@rx (?:a|aa)+(?=x)b" "id:12,phase:2,deny,log,msg:'slow'"
SecRule ARGS:drop "@streq 1" "id:10,phase:2,drop,log,msg:'drop'"
SecAction "id:11,phase:2,pass,nolog,setvar:'tx.anomaly_score=+%{tx.anomaly_score_pl1}'"
SecRule TX:ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" "id:949110,phase:2,deny,status:403,log,msg:'sum'"
)";

class Waf : public WafLayerTest {
 protected:
  Waf() {
    config_.waf.request_body = 100;
    load(kRules);
  }

  WafDecision head(SampleRequest& sample, std::string_view raw = "/orders", bool chunked = false) {
    return layer_->inspect_head(sample.request, raw, chunked, shard_, inspection_);
  }
  WafDecision body(SampleRequest& sample, std::string_view bytes, bool complete = true) {
    return layer_->inspect_body(sample.request, bytes, complete, {}, shard_, inspection_);
  }
  static void form(SampleRequest& sample) {
    sample.request.message.fields.add("content-type", "application/x-www-form-urlencoded");
  }
};

TEST_F(Waf, TheRulesSeeTheCanonicalRequest) {
  SampleRequest sample(config_, clock_);
  sample.request.message.version = http::Version::http2;
  sample.request.message.content_length = 3;
  EXPECT_EQ(head(sample, "/x/../orders").verdict, Verdict::pass);
  EXPECT_EQ(body(sample, "").verdict, Verdict::pass);
  EXPECT_THAT(rules(sample), testing::ElementsAre(4, 6, 8));

  SampleRequest disguised(config_, clock_);
  disguised.request.message.path = "/admin";
  const WafDecision refused = head(disguised, "/x/..//%61dmin", true);
  EXPECT_EQ(refused.verdict, Verdict::deny);
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.reason, "waf.rule");
  EXPECT_THAT(rules(disguised), testing::ElementsAre(4, 5));
}

TEST_F(Waf, ABodyAddsUp) {
  SampleRequest sample(config_, clock_);
  form(sample);
  EXPECT_EQ(head(sample, "/orders", true).verdict, Verdict::pass);
  EXPECT_EQ(sample.record.waf, nullptr) << "told with the body";
  const WafDecision refused = body(sample, "a=bad&b=bad");
  EXPECT_EQ(refused.verdict, Verdict::deny);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.reason, "waf.score");
  EXPECT_EQ(refused.evidence, "score 10, denied from 5: 9 in ARGS:a");
  ASSERT_THAT(rules(sample), testing::ElementsAre(7, 9, 949110));
  EXPECT_EQ(sample.record.waf->hits[1].score, 10);
  EXPECT_EQ(sample.record.waf->hits[1].times, 2);
  EXPECT_EQ(sample.record.waf->levels[0], 10);
}

// Each place once, the first with its bytes; of more than are listed, how many values.
TEST_F(Waf, EveryPlaceOfARuleIsTold) {
  SampleRequest sample(config_, clock_);
  form(sample);
  EXPECT_EQ(head(sample, "/orders", true).verdict, Verdict::pass);
  EXPECT_EQ(body(sample, "a=bad&b=good&c=bad&a=bad&d=bad").verdict, Verdict::deny);
  const telemetry::WafHit& hit = sample.record.waf->hits[1];
  EXPECT_EQ(hit.rule, 9u);
  EXPECT_EQ(hit.variable, "ARGS:a");
  EXPECT_EQ(hit.times, 4);
  ASSERT_EQ(hit.also_count, 2);
  EXPECT_EQ(hit.also[0], "ARGS:c");
  EXPECT_EQ(hit.also[1], "ARGS:d");
  EXPECT_EQ(hit.elsewhere, 0);
  inspection_.transaction.give_back();

  SampleRequest many(config_, clock_);
  form(many);
  EXPECT_EQ(head(many, "/orders", true).verdict, Verdict::pass);
  EXPECT_EQ(body(many, "a=bad&b=bad&c=bad&d=bad&e=bad&f=bad&e=bad").verdict, Verdict::deny);
  EXPECT_EQ(many.record.waf->hits[1].also_count, telemetry::WafHit::kAlsoMax);
  EXPECT_EQ(many.record.waf->hits[1].elsewhere, 3);
}

// A value made to keep a pattern busy is not let through for it, and the record says why.
TEST_F(Waf, APatternThatGivesUpCountsAsAMatch) {
  SampleRequest sample(config_, clock_);
  form(sample);
  EXPECT_EQ(head(sample, "/orders", true).verdict, Verdict::pass);
  EXPECT_EQ(body(sample, "slow=" + std::string(40, 'a') + "b").verdict, Verdict::deny);
  ASSERT_THAT(rules(sample), testing::ElementsAre(7, 12));
  EXPECT_TRUE(sample.record.waf->hits[1].limit_reached);
  EXPECT_FALSE(sample.record.waf->hits[0].limit_reached);
}

TEST_F(Waf, ATransactionIsUsedAgain) {
  for (int i = 0; i < 3; ++i) {
    SampleRequest sample(config_, clock_);
    form(sample);
    EXPECT_EQ(head(sample).verdict, Verdict::pass);
    EXPECT_EQ(body(sample, i == 1 ? "a=bad" : "a=good").verdict, i == 1 ? Verdict::deny : Verdict::pass);
    inspection_.transaction.give_back();
  }
  EXPECT_EQ(shard_.pools(), 1u);
}

TEST_F(Waf, OldRulesStayWhileARequestUsesThem) {
  SampleRequest sample(config_, clock_);
  form(sample);
  EXPECT_EQ(head(sample).verdict, Verdict::pass);
  std::ofstream(folder_ / "rules.conf") << "SecAction \"id:1,phase:2,deny\"";
  auto engine = store_.load(config_);
  ASSERT_TRUE(engine);
  shard_.use(*engine);
  EXPECT_EQ(shard_.pools(), 2u);
  EXPECT_EQ(body(sample, "a=good").verdict, Verdict::pass);
  inspection_.transaction.give_back();
  EXPECT_EQ(shard_.pools(), 1u);
}

// A tunnel outlives a reload, and has a transaction for each message.
TEST_F(Waf, PinnedRulesStayBetweenLoans) {
  const auto old = layer_->engine();
  WafPin pin;
  shard_.pin(old, pin);
  std::ofstream(folder_ / "rules.conf") << "SecAction \"id:1,phase:2,deny\"";
  auto engine = store_.load(config_);
  ASSERT_TRUE(engine);
  shard_.use(*engine);
  EXPECT_EQ(shard_.pools(), 2u);
  shard_.lend(old, inspection_.transaction);
  const waf::Transaction* const first = &*inspection_.transaction;
  inspection_.transaction.give_back();
  EXPECT_EQ(shard_.pools(), 2u);
  shard_.lend(old, inspection_.transaction);
  EXPECT_EQ(&*inspection_.transaction, first) << "used again";
  pin.release();
  EXPECT_EQ(shard_.pools(), 2u);
  inspection_.transaction.give_back();
  EXPECT_EQ(shard_.pools(), 1u);
}

// The last transaction of old rules comes back when it is lent anew, and takes its pool with it.
TEST_F(Waf, ALoanOfOldRulesIsRenewed) {
  const auto old = layer_->engine();
  shard_.lend(old, inspection_.transaction);
  shard_.use(nullptr);
  shard_.lend(old, inspection_.transaction);
  EXPECT_EQ(shard_.pools(), 1u);
  EXPECT_EQ(inspection_.transaction->mode(), waf::EngineMode::on);
  inspection_.transaction.give_back();
  EXPECT_EQ(shard_.pools(), 0u);
}

TEST_F(Waf, DropClosesTheConnection) {
  SampleRequest sample(config_, clock_);
  sample.request.message.query = "drop=1";
  sample.request.message.has_query = true;
  EXPECT_EQ(head(sample).verdict, Verdict::pass);
  const WafDecision refused = body(sample, "");
  EXPECT_EQ(refused.verdict, Verdict::deny);
  EXPECT_TRUE(refused.close);
}

TEST_F(Waf, CodingsAreDecodedWithinBounds) {
  struct Case {
    const char* name;
    const char* coding;
    std::string body;
    Verdict verdict;
    int status;
    std::string_view reason;
  };
  for (const Case& c : {
           Case{"plain", "identity", "a=good", Verdict::pass, 0, ""},
           Case{"unknown", "zstd", "a=good", Verdict::deny, 415, "waf.content_coding"},
           Case{"two", "gzip, br", "a=good", Verdict::deny, 415, "waf.content_coding"},
           Case{"malformed", "gzip", "a=good", Verdict::deny, 400, "waf.content_coding"},
           Case{"empty", "zstd", "", Verdict::pass, 0, ""},
       }) {
    SampleRequest sample(config_, clock_);
    form(sample);
    sample.request.message.fields.add("content-encoding", c.coding);
    EXPECT_EQ(head(sample).verdict, Verdict::pass) << c.name;
    const WafDecision decision = body(sample, c.body);
    EXPECT_EQ(decision.verdict, c.verdict) << c.name;
    EXPECT_EQ(decision.status, c.status) << c.name;
    EXPECT_EQ(decision.reason, c.reason) << c.name;
  }
}

TEST_F(Waf, ABodyThatBreaksOffIsMalformedUnlessItIsKnownTo) {
  for (const bool complete : {true, false}) {
    SampleRequest sample(config_, clock_);
    sample.request.message.fields.add("content-type", "application/json");
    EXPECT_EQ(head(sample).verdict, Verdict::pass);
    const WafDecision decision = body(sample, R"({"a": "goo)", complete);
    EXPECT_EQ(decision.verdict, complete ? Verdict::deny : Verdict::pass);
    EXPECT_EQ(decision.status, complete ? 400 : 0);
  }
}

}  // namespace
}  // namespace gatehouse::gateway
