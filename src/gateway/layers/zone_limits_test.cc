#include <gtest/gtest.h>

#include "gateway/layers/limits/limits_layer.h"
#include "gateway/layers/sample_request.h"
#include "gateway/layers/zone/zone_layer.h"

namespace gatehouse::gateway {
namespace {

constexpr std::uint32_t kExternal = 0, kDmz = 1, kCorporate = 2, kHybrid = 3;

TEST(ZoneLayer, ZoneOfAClient) {
  const FakeClock clock;
  Config config = sample_config();
  const auto state = SharedState::create(config, clock).value();
  const auto zone_of = [&](const char* address) {
    return ZoneLayer(config, *state, clock).zone_of(*IpAddress::parse(address), config.listeners[0]);
  };
  EXPECT_EQ(zone_of("10.0.0.1"), kExternal) << "no networks: the listener's";
  config.zones[kCorporate].networks = {*Network::parse("10.0.0.0/8"), *Network::parse("fd00::/8")};
  config.zones[kDmz].networks = {*Network::parse("10.9.0.0/16")};
  config.listeners[0].zone = kHybrid;
  EXPECT_EQ(zone_of("10.0.0.1"), kCorporate);
  EXPECT_EQ(zone_of("10.9.0.1"), kDmz) << "the most specific network";
  EXPECT_EQ(zone_of("fd01::1"), kCorporate);
  EXPECT_EQ(zone_of("203.0.113.9"), kHybrid);
}

struct ZoneCase {
  const char* name;
  std::vector<std::uint32_t> allowed;
  std::uint32_t client;
  const char* evidence;  // empty: passes
};
TEST(ZoneLayer, WhoMayCall) {
  const FakeClock clock;
  const std::vector<ZoneCase> cases{
      {"the listener's by default", {}, kExternal, ""},
      {"another by default", {}, kDmz, "203.0.113.9 is in zone dmz; route orders-read is open to external"},
      {"listed", {kCorporate, kHybrid}, kHybrid, ""},
      {"not listed",
       {kCorporate, kHybrid},
       kExternal,
       "203.0.113.9 is in zone external; route orders-read is open to corporate, hybrid"},
  };
  for (const ZoneCase& c : cases) {
    Config config = sample_config();
    config.routes[0].zones = c.allowed;
    const auto state = SharedState::create(config, clock).value();
    SampleRequest sample(config, clock);
    sample.request.zone = c.client;
    const Decision decision = ZoneLayer(config, *state, clock).decide(sample.request);
    const bool passes = std::string_view(c.evidence).empty();
    EXPECT_EQ(decision.verdict, passes ? Verdict::pass : Verdict::deny) << c.name;
    EXPECT_EQ(decision.reason, passes ? "" : "zone.forbidden") << c.name;
    EXPECT_EQ(decision.status, passes ? 0 : 403) << c.name;
    EXPECT_EQ(decision.evidence, c.evidence) << c.name;
  }
}

struct BodyCase {
  const char* name;
  std::optional<std::uint64_t> route_max, length;
  Verdict verdict;
};
TEST(LimitsLayer, AnnouncedBodies) {
  const FakeClock clock;
  const std::vector<BodyCase> cases{
      {"no body", {}, {}, Verdict::pass},
      {"at the listener's bound", {}, 1000, Verdict::pass},
      {"above the listener's bound", {}, 1001, Verdict::deny},
      {"the route narrows", 10, 11, Verdict::deny},
      {"the route widens", 5000, 5000, Verdict::pass},
      {"the route takes none", 0, 1, Verdict::deny},
      {"zero bytes", 0, 0, Verdict::pass},
  };
  for (const BodyCase& c : cases) {
    Config config = sample_config();
    config.listeners[0].limits.body_bytes = 1000;
    config.routes[0].body_bytes = c.route_max;
    const auto state = SharedState::create(config, clock).value();
    SampleRequest sample(config, clock);
    sample.request.message.content_length = c.length;
    const Decision decision = LimitsLayer(config, *state, clock).decide(sample.request);
    EXPECT_EQ(decision.verdict, c.verdict) << c.name;
    if (c.verdict == Verdict::pass) continue;
    EXPECT_EQ(decision.reason, "limits.body") << c.name;
    EXPECT_EQ(decision.status, 413) << c.name;
  }
}

TEST(ConnectionTable, PerAddress) {
  const FakeClock clock;
  const auto state = SharedState::create(sample_config(), clock).value();
  ConnectionTable& connections = state->connections();
  const IpAddress one = *IpAddress::parse("203.0.113.9"), other = *IpAddress::parse("203.0.113.10");
  EXPECT_TRUE(connections.acquire(one, 2));
  EXPECT_TRUE(connections.acquire(one, 2));
  EXPECT_FALSE(connections.acquire(one, 2));
  EXPECT_TRUE(connections.acquire(other, 2));
  connections.release(one);
  EXPECT_EQ(connections.count(one), 1u);
  EXPECT_TRUE(connections.acquire(one, 2));
  EXPECT_TRUE(connections.acquire(*IpAddress::parse("2001:db8::1"), 1));
  EXPECT_FALSE(connections.acquire(*IpAddress::parse("2001:db8::2"), 1)) << "one /64";
}

}  // namespace
}  // namespace gatehouse::gateway
