#include "gateway/upstream/health.h"

#include <gtest/gtest.h>

#include <set>

#include "gateway/upstream/cluster.h"

namespace gatehouse::gateway {
namespace {

using std::chrono::seconds;

ServiceConfig service(int endpoints) {
  ServiceConfig config;
  config.name = "orders";
  config.health = HealthConfig{};  // every 5 s, 2 fails, 2 passes
  for (int i = 1; i <= endpoints; ++i) {
    EndpointConfig endpoint;
    endpoint.address = {fmt::format("192.0.2.{}", i), 80, ""};
    config.endpoints.push_back(endpoint);
  }
  return config;
}

TEST(HealthChecker, Transitions) {
  // p: a pass, f: a fail; upper case where the health changes. The last column is the health at the end.
  const struct {
    const char *name, *results;
    Health expected;
  } cases[] = {
      {"the first pass counts at once", "P", Health::healthy},
      {"one fail at the start says nothing", "f", Health::unknown},
      {"two fails at the start", "fF", Health::unhealthy},
      {"a pass after a fail at the start", "fP", Health::healthy},
      {"one fail is forgiven", "Pfpf", Health::healthy},
      {"two fails in a row", "PfF", Health::unhealthy},
      {"more fails change nothing", "PfFfff", Health::unhealthy},
      {"one pass is not enough", "PfFp", Health::unhealthy},
      {"two passes in a row", "PfFpP", Health::healthy},
      {"passes must be in a row", "PfFpfpf", Health::unhealthy},
      {"there and back again", "PfFpPfF", Health::unhealthy},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Cluster cluster(service(1));
    FakeClock clock;
    HealthChecker checker(*cluster.config().health, 1);
    Endpoint& endpoint = *cluster.endpoints()[0];
    checker.follow(cluster.endpoints(), clock.now());
    for (const char* step = c.results; *step != 0; ++step) {
      ASSERT_EQ(checker.take_due(clock.now()), &endpoint);
      ASSERT_EQ(checker.take_due(clock.now()), nullptr) << "one probe at a time";
      const bool pass = *step == 'p' || *step == 'P';
      const HealthChange change = checker.result(endpoint, pass ? ProbeResult::pass : ProbeResult::fail, clock.now());
      const bool expected = *step == 'P' || *step == 'F';
      ASSERT_EQ(change != HealthChange::none, expected) << "step " << step - c.results;
      clock.advance(seconds(6));
    }
    EXPECT_EQ(name_of(endpoint.health), name_of(c.expected));
  }
}

TEST(HealthChecker, ProbesEveryIntervalAndATenthMoreOrLess) {
  Cluster cluster(service(1));
  FakeClock clock;
  HealthChecker checker(*cluster.config().health, 99);
  checker.follow(cluster.endpoints(), clock.now());
  std::set<Duration> waits;
  for (int i = 0; i < 100; ++i) {
    Endpoint* const endpoint = checker.take_due(clock.now());
    ASSERT_NE(endpoint, nullptr);
    EXPECT_EQ(checker.next_due(clock.now()), clock.now() + seconds(5)) << "while it is probed nothing else is due";
    checker.result(*endpoint, ProbeResult::pass, clock.now());
    const Duration wait = checker.next_due(clock.now()) - clock.now();
    EXPECT_GE(wait, std::chrono::milliseconds(4500));
    EXPECT_LE(wait, std::chrono::milliseconds(5500));
    waits.insert(wait);
    clock.advance(std::chrono::milliseconds(4499));
    EXPECT_EQ(checker.take_due(clock.now()), nullptr);
    clock.advance(seconds(2));
  }
  EXPECT_GT(waits.size(), 50u);
}

TEST(HealthChecker, FollowsTheServicesEndpoints) {
  Cluster cluster(service(2));
  FakeClock clock;
  HealthChecker checker(*cluster.config().health, 1);
  const auto both = cluster.endpoints();
  checker.follow(both, clock.now());
  EXPECT_NE(checker.take_due(clock.now()), nullptr);
  EXPECT_NE(checker.take_due(clock.now()), nullptr);
  checker.follow({both.data(), 1}, clock.now());  // the second leaves while it is probed
  EXPECT_EQ(checker.result(*both[1], ProbeResult::pass, clock.now()), HealthChange::none);
  EXPECT_EQ(checker.result(*both[0], ProbeResult::pass, clock.now()), HealthChange::became_healthy);
  EXPECT_EQ(checker.take_due(clock.now()), nullptr);
  both[1]->health = Health::unhealthy;
  checker.follow(both, clock.now());  // and comes back: what was known of it is old
  EXPECT_EQ(both[1]->health, Health::unknown);
  EXPECT_EQ(both[0]->health, Health::healthy);
  EXPECT_EQ(checker.take_due(clock.now()), both[1]);
}

}  // namespace
}  // namespace gatehouse::gateway
