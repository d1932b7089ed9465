#include <gtest/gtest.h>

#include "gateway/layers/penalties/penalties_layer.h"
#include "gateway/layers/sample_request.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

TEST(PenaltyTable, CountsWithinAWindow) {
  auto table = PenaltyTable::create(64).value();
  MonotonicTime now(1000s);
  EXPECT_EQ(table.count(1, 60s, now), 0u);
  EXPECT_EQ(table.add(1, 60s, 3, now), 1u);
  now += 59s;
  EXPECT_EQ(table.add(1, 60s, 3, now), 2u);
  EXPECT_EQ(table.count(1, 60s, now), 2u);
  now += 1s;
  EXPECT_EQ(table.count(1, 60s, now), 0u) << "the window began with the first";
  EXPECT_EQ(table.add(1, 60s, 3, now), 1u);
  EXPECT_EQ(table.add(1, 60s, 3, now), 2u);
  now += 30s;
  EXPECT_EQ(table.add(1, 60s, 3, now), 3u);
  now += 59s;
  EXPECT_EQ(table.add(1, 60s, 3, now), 4u) << "past the threshold it begins anew with each";
  now += 60s;
  EXPECT_EQ(table.count(1, 60s, now), 0u);
  table.add(2, 60s, 3, now);
  table.forgive(2, now);
  EXPECT_EQ(table.count(2, 60s, now), 0u);
  table.forgive(3, now);
  EXPECT_EQ(table.add(2, 60s, 3, now - 5s), 1u) << "an older clock reading";
}

class PenaltiesTest : public testing::Test {
 protected:
  void start() {
    state_ = SharedState::create(config_, clock_).value();
    before_.emplace(config_, *state_, clock_, Phase::before_authentication);
    after_.emplace(config_, *state_, clock_, Phase::after_authentication);
  }
  // A request from `client` that ends with `status`; what the layers said first.
  Decision run(int status, std::string_view client = "203.0.113.9", std::string_view user = "") {
    SampleRequest sample(config_, clock_, client);
    Decision decision = before_->decide(sample.request);
    sample.request.principal.user = user;
    if (decision.verdict != Verdict::deny) {
      const Decision second = after_->decide(sample.request);
      if (second.verdict != Verdict::pass) decision = second;
    }
    evidence_ = decision.evidence;
    end(sample, status);
    decision.evidence = {};
    return decision;
  }
  void end(SampleRequest& sample, int status) {
    before_->on_end(sample.request, status);
    after_->on_end(sample.request, status);
  }
  void refuse(telemetry::Layer layer, std::string_view reason, int status) {
    SampleRequest sample(config_, clock_);
    if (layer == telemetry::Layer::authentication) sample.request.message.fields.add("authorization", "Bearer x");
    sample.record.add({layer, Verdict::deny, Mode::enforce, 0, reason, ""});
    end(sample, status);
  }

  FakeClock clock_;
  Config config_ = sample_config();
  std::unique_ptr<SharedState> state_;
  std::optional<PenaltiesLayer> before_, after_;
  std::string evidence_;
};

TEST_F(PenaltiesTest, DelaysDoubleAndEndAfterAWindow) {
  start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(401).verdict, Verdict::pass) << i;
  for (const Duration expected : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    const Decision decision = run(401);
    EXPECT_EQ(decision.verdict, Verdict::delay);
    EXPECT_EQ(decision.reason, "penalty.delay");
    EXPECT_EQ(decision.delay, expected);
  }
  EXPECT_EQ(evidence_, "client_ip 203.0.113.9: 11 failures in 5m0s, held back for 30.0 s");
  EXPECT_EQ(run(200, "203.0.113.10").verdict, Verdict::pass) << "others go on";
  clock_.advance(5min);
  EXPECT_EQ(run(401).verdict, Verdict::pass);
  EXPECT_EQ(state_->parked().count(), 0u);
}

TEST_F(PenaltiesTest, OnlyConfiguredStatusesCount) {
  config_.penalties.failed_logins->statuses = {401};
  start();
  for (int i = 0; i < 20; ++i) run(403), run(404), run(500), run(0);
  EXPECT_EQ(run(200).verdict, Verdict::pass);
}

TEST_F(PenaltiesTest, AUserIsKnownFromAnywhereAndClearedBySuccess) {
  start();
  for (int i = 0; i < 5; ++i) run(403, "192.0.2." + std::to_string(i), "alice");
  EXPECT_EQ(run(403, "192.0.2.99", "alice").delay, 1s);
  EXPECT_EQ(evidence_, "user alice: 5 failures in 5m0s, held back for 1.0 s");
  EXPECT_EQ(run(403, "192.0.2.98", "bob").verdict, Verdict::pass);
  EXPECT_EQ(run(200, "192.0.2.97", "alice").verdict, Verdict::delay);
  EXPECT_EQ(run(200, "192.0.2.97", "alice").verdict, Verdict::pass);
}

TEST_F(PenaltiesTest, SuccessDoesNotClearTheAddress) {
  start();
  for (int i = 0; i < 5; ++i) run(401);
  run(200, "203.0.113.9", "mallory");
  EXPECT_EQ(run(401).verdict, Verdict::delay);
}

TEST_F(PenaltiesTest, RefusalsThatSayNothingAboutCredentialsDoNotCount) {
  start();
  for (int i = 0; i < 20; ++i) {
    refuse(telemetry::Layer::zone, "zone.forbidden", 403);
    refuse(telemetry::Layer::bans, "ban.network", 403);
    SampleRequest anonymous(config_, clock_);  // no credentials at all
    anonymous.record.add({telemetry::Layer::authentication, Verdict::deny, Mode::enforce, 0, "auth.missing", ""});
    end(anonymous, 401);
  }
  EXPECT_EQ(run(200).verdict, Verdict::pass);
  for (int i = 0; i < 3; ++i) refuse(telemetry::Layer::authentication, "auth.expired", 401);
  for (int i = 0; i < 2; ++i) refuse(telemetry::Layer::authorization, "authz.role", 403);
  EXPECT_EQ(run(200).verdict, Verdict::delay);
}

TEST_F(PenaltiesTest, ParkedRequestsAreBounded) {
  config_.penalties.parked_max = 2;
  start();
  for (int i = 0; i < 5; ++i) run(401);
  SampleRequest first(config_, clock_), second(config_, clock_), third(config_, clock_);
  EXPECT_EQ(before_->decide(first.request).verdict, Verdict::delay);
  EXPECT_EQ(before_->decide(second.request).verdict, Verdict::delay);
  const Decision refused = before_->decide(third.request);
  EXPECT_EQ(refused.verdict, Verdict::deny);
  EXPECT_EQ(refused.reason, "penalty.parked_full");
  EXPECT_EQ(refused.status, 429);
  http::ResponseHead response;
  response.status = 429;
  before_->on_response(third.request, response);
  EXPECT_EQ(response.fields.get("retry-after"), "1");
  before_->resumed(first.request);
  EXPECT_EQ(state_->parked().count(), 1u);
  SampleRequest fourth(config_, clock_);
  EXPECT_EQ(before_->decide(fourth.request).verdict, Verdict::delay);
  for (SampleRequest* sample : {&first, &second, &third, &fourth}) end(*sample, 200);
  EXPECT_EQ(state_->parked().count(), 0u);
}

TEST_F(PenaltiesTest, AttacksCountAfterADelayToo) {
  config_.penalties.attacks->threshold = 1;
  start();
  for (int i = 0; i < 5; ++i) run(401);
  SampleRequest sample(config_, clock_);
  const Decision decision = before_->decide(sample.request);
  ASSERT_EQ(decision.verdict, Verdict::delay);
  sample.record.add({telemetry::Layer::penalties, Verdict::delay, Mode::enforce, 0, decision.reason, ""});
  sample.record.add({telemetry::Layer::waf, Verdict::deny, Mode::enforce, 0, "waf.score", ""});
  end(sample, 403);
  EXPECT_EQ(state_->bans().size(), 1u);
}

TEST_F(PenaltiesTest, MonitoredRefusalsDoNotCount) {
  config_.penalties.attacks->threshold = 1;
  start();
  SampleRequest sample(config_, clock_);
  sample.record.add({telemetry::Layer::waf, Verdict::deny, Mode::monitor, 0, "waf.score", ""});
  end(sample, 200);
  EXPECT_EQ(state_->bans().size(), 0u);
}

TEST_F(PenaltiesTest, NobodyWaitsTwice) {
  start();
  for (int i = 0; i < 5; ++i) run(403, "203.0.113.9", "alice");
  SampleRequest sample(config_, clock_);
  EXPECT_EQ(before_->decide(sample.request).verdict, Verdict::delay);
  before_->resumed(sample.request);
  sample.request.principal.user = "alice";
  EXPECT_EQ(after_->decide(sample.request).verdict, Verdict::pass);
  end(sample, 200);
  EXPECT_EQ(state_->parked().count(), 0u);
}

TEST_F(PenaltiesTest, AttacksEndInABan) {
  start();
  const IpAddress attacker = *IpAddress::parse("203.0.113.9");
  for (int i = 0; i < 9; ++i) refuse(telemetry::Layer::waf, "waf.score", 403);
  EXPECT_EQ(state_->bans().banned(attacker, clock_.now()), 0s);
  EXPECT_TRUE(before_->record_attack(attacker, "http.te_and_cl"));
  EXPECT_EQ(state_->bans().banned(attacker, clock_.now()), 10min);
  EXPECT_EQ(state_->bans().list().front().reason, "penalty.ban: http.te_and_cl");
  clock_.advance(10min);
  for (int i = 0; i < 10; ++i) refuse(telemetry::Layer::authentication, "auth.signature", 401);
  EXPECT_EQ(state_->bans().banned(attacker, clock_.now()), 20min);
}

TEST_F(PenaltiesTest, TroubleOfHonestClientsIsNoAttack) {
  start();
  const IpAddress client = *IpAddress::parse("203.0.113.9");
  for (int i = 0; i < 50; ++i) {
    for (const auto reason : {http::Reason::header_timeout, http::Reason::peer_closed, http::Reason::body_too_large}) {
      EXPECT_FALSE(before_->record_attack(client, http::reason_code(reason)));
    }
    refuse(telemetry::Layer::rate, "rate.exceeded", 429);
    refuse(telemetry::Layer::http, "route.not_found", 404);
    refuse(telemetry::Layer::schema, "schema.parameter", 400);
    refuse(telemetry::Layer::schema, "schema.content_type", 415);
    refuse(telemetry::Layer::schema, "schema.work", 400);
    refuse(telemetry::Layer::waf, "waf.body_too_large", 413);
  }
  EXPECT_EQ(state_->bans().size(), 0u);
  bool banned = false;
  for (int i = 0; i < 10; ++i) banned = before_->record_attack(client, "http.h2_rapid_reset");
  EXPECT_TRUE(banned);
}

TEST_F(PenaltiesTest, Off) {
  config_.penalties.failed_logins.reset();
  config_.penalties.attacks.reset();
  start();
  for (int i = 0; i < 50; ++i) {
    run(401);
    refuse(telemetry::Layer::waf, "waf.score", 403);
  }
  EXPECT_EQ(run(401).verdict, Verdict::pass);
  EXPECT_EQ(state_->bans().size(), 0u);
}

}  // namespace
}  // namespace gatehouse::gateway
