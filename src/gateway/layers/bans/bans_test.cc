#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "gateway/layers/bans/bans_layer.h"
#include "gateway/layers/sample_request.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
Network net(const char* text) { return Network::parse(text).value(); }

class BanTableTest : public testing::Test {
 protected:
  Duration banned(const char* address) const { return table_->banned(ip(address), clock_.now()); }
  FakeClock clock_;
  std::unique_ptr<BanTable> table_ = BanTable::create(4, clock_).value();
};

TEST_F(BanTableTest, ForATime) {
  EXPECT_EQ(banned("192.0.2.1"), 0s);
  table_->add(ban_network(ip("192.0.2.1")), 10s, "by hand");
  EXPECT_EQ(banned("192.0.2.1"), 10s);
  EXPECT_EQ(banned("192.0.2.2"), 0s);
  clock_.advance(9s);
  EXPECT_EQ(banned("192.0.2.1"), 1s);
  clock_.advance(1s);
  EXPECT_EQ(banned("192.0.2.1"), 0s);
  EXPECT_TRUE(table_->list().empty());
}

TEST_F(BanTableTest, NetworksOfAnyLength) {
  for (const char* network : {"198.51.100.0/24", "2001:db8::/33", "fd00::/8", "203.0.113.9"}) {
    table_->add(net(network), 1h, "");
  }
  EXPECT_GT(banned("198.51.100.77"), 0s);
  EXPECT_EQ(banned("198.51.101.1"), 0s);
  EXPECT_GT(banned("2001:db8:7fff::1"), 0s);
  EXPECT_EQ(banned("2001:db8:8000::1"), 0s);
  EXPECT_GT(banned("fd12::1"), 0s);
  EXPECT_GT(banned("203.0.113.9"), 0s);
  EXPECT_EQ(banned("203.0.113.8"), 0s);
}

TEST_F(BanTableTest, AnIpv6AddressIsBannedWithItsNetwork) {
  table_->add_repeated(ip("2001:db8:1:2::1"), 1min, 1h, "attack");
  EXPECT_GT(banned("2001:db8:1:2:3::4"), 0s);
  EXPECT_EQ(banned("2001:db8:1:3::1"), 0s);
}

TEST_F(BanTableTest, RepeatedOffendersStayLonger) {
  const IpAddress offender = ip("192.0.2.1");
  const auto offend = [&] { return table_->add_repeated(offender, 10min, 1h, "attack"); };
  EXPECT_EQ(offend(), 10min);
  clock_.advance(4min);
  EXPECT_EQ(offend(), 6min) << "while banned: nothing new";
  clock_.advance(6min);
  EXPECT_EQ(offend(), 20min);
  clock_.advance(20min);
  EXPECT_EQ(offend(), 40min);
  clock_.advance(40min);
  EXPECT_EQ(offend(), 1h) << "at most max_ban";
  EXPECT_EQ(table_->list().front().level, 3u);
  clock_.advance(1h);
  EXPECT_EQ(banned("192.0.2.1"), 0s);
  clock_.advance(59min);
  EXPECT_EQ(offend(), 1h) << "still remembered";
  clock_.advance(2h);
  EXPECT_EQ(offend(), 10min) << "forgotten";
}

TEST_F(BanTableTest, ListsAndRemoves) {
  table_->add(net("198.51.100.0/24"), 2h, "by hand");
  table_->add(net("192.0.2.1"), 1h, std::string(500, 'r'));
  const auto bans = table_->list();
  ASSERT_EQ(bans.size(), 2u);
  EXPECT_EQ(bans[0].network, net("192.0.2.1"));
  EXPECT_EQ(bans[0].reason.size(), BanTable::kReasonMax);
  EXPECT_EQ(bans[0].until, clock_.wall() + 1h);
  EXPECT_EQ(bans[1].reason, "by hand");
  EXPECT_TRUE(table_->remove(net("198.51.100.0/24")));
  EXPECT_FALSE(table_->remove(net("198.51.100.0/24")));
  EXPECT_EQ(banned("198.51.100.1"), 0s);
  EXPECT_EQ(table_->size(), 1u);
  table_->add(net("192.0.2.1"), 1s, "shorter");
  EXPECT_EQ(banned("192.0.2.1"), 1s) << "the last word counts";
}

TEST_F(BanTableTest, FullMakesRoom) {
  for (int i = 0; i < 20; ++i) table_->add(ban_network(IpAddress::v4(0x0a000000u + i)), 1h + i * 1s, "");
  EXPECT_EQ(table_->size(), 4u);
  EXPECT_EQ(banned("10.0.0.0"), 0s) << "the first to be forgotten went";
  EXPECT_GT(banned("10.0.0.19"), 0s);
}

TEST_F(BanTableTest, ForEverIsAHundredYears) {
  table_->add(net("192.0.2.1"), Duration::max(), "");
  EXPECT_EQ(banned("192.0.2.1"), BanTable::kLongest);
}

TEST_F(BanTableTest, ReadersAndWritersTogether) {
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) table_->banned(IpAddress::v4(0x0a000001), clock_.now());
  });
  for (int i = 0; i < 2000; ++i) {
    table_->add(ban_network(IpAddress::v4(0x0a000000u + i % 6)), 1h, "x");
    if (i % 3 == 0) table_->remove(ban_network(IpAddress::v4(0x0a000000u + i % 5)));
  }
  stop = true;
  reader.join();
  EXPECT_LE(table_->size(), 4u);
}

struct LayerCase {
  const char* name;
  const char* client;
  const char* reason;  // empty: passes
  const char* evidence;
};
TEST(BansLayer, DenyAllowAndTimed) {
  const FakeClock clock;
  Config config = sample_config();
  config.bans.deny = {net("203.0.113.0/24"), net("2001:db8::/32")};
  config.bans.allow = {net("203.0.113.7"), net("192.0.2.7")};
  const auto state = SharedState::create(config, clock).value();
  for (const char* address : {"192.0.2.6", "192.0.2.7"}) state->bans().add(ban_network(ip(address)), 598s, "test");
  const BansLayer layer(config, *state, clock);
  const std::vector<LayerCase> cases{
      {"nobody", "198.51.100.1", "", ""},
      {"denied network", "203.0.113.9", "ban.network", "203.0.113.9 is in 203.0.113.0/24"},
      {"denied v6 network", "2001:db8:ffff::1", "ban.network", "2001:db8:ffff::1 is in 2001:db8::/32"},
      {"allowed inside a denied network", "203.0.113.7", "", ""},
      {"timed", "192.0.2.6", "ban.timed", "192.0.2.6 is banned for another 9m58s"},
      {"allowed though timed", "192.0.2.7", "", ""},
  };
  for (const LayerCase& c : cases) {
    SampleRequest sample(config, clock, c.client);
    const Decision decision = layer.decide(sample.request);
    const bool passes = std::string_view(c.reason).empty();
    EXPECT_EQ(decision.verdict, passes ? Verdict::pass : Verdict::deny) << c.name;
    EXPECT_EQ(decision.reason, c.reason) << c.name;
    EXPECT_EQ(decision.status, passes ? 0 : 403) << c.name;
    EXPECT_EQ(decision.evidence, c.evidence) << c.name;
  }
}

}  // namespace
}  // namespace gatehouse::gateway
