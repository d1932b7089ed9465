#include "gateway/sharing/counter_sharing_testing.h"

namespace gatehouse::gateway {
namespace {

TEST_F(CounterSharingTest, TwoShareOneLimit) {
  const Config config = limited(10, 1h, 10);
  const auto one = join(config), two = join(config);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(one->admit());
  one->settle();
  EXPECT_TRUE(two->admit()) << "the first one here; it brings the others' count";
  two->settle();
  int more = 0;
  while (two->admit()) ++more;
  EXPECT_EQ(more, 5) << "ten in all";
  two->settle();
  EXPECT_TRUE(one->admit()) << "it has not asked since";
  one->settle();
  EXPECT_FALSE(one->admit());
  EXPECT_TRUE(one->admit("203.0.113.10")) << "another client";
}

TEST_F(CounterSharingTest, TheSumFollowsTheLimit) {
  const Config config = limited(1000, 1s, 50);
  const auto one = join(config), two = join(config);
  int admitted = 0, asked = 0;
  const auto begun = std::chrono::steady_clock::now();
  Duration took{};
  while ((took = std::chrono::steady_clock::now() - begun) < 2s) {
    admitted += one->admit();
    admitted += two->admit();
    asked += 2;
    std::this_thread::sleep_for(100us);
  }
  const double allowed = 50 + 1000 * std::chrono::duration<double>(took).count();
  RecordProperty("admitted", admitted);
  // Beyond it by what flows in one exchange at either: here 10 ms, and what a busy machine adds to it.
  EXPECT_LT(admitted, allowed + 150) << "of " << allowed;
  EXPECT_GT(admitted, std::min<double>(asked, allowed) - 150) << "and nobody is short of what is theirs";
}

TEST_F(CounterSharingTest, WhoAsksLittleCostsNothing) {
  const auto one = join(limited(100, 1s, 200));
  const std::uint64_t before = one->sharing->status().rates_told;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(one->admit(fmt::format("10.1.{}.{}", i / 250, i % 250)));
  one->settle();
  EXPECT_EQ(one->sharing->status().rates_told, before);
  EXPECT_EQ(one->sharing->status().left_out, 0u);
}

TEST_F(CounterSharingTest, NothingInRedisNamesAClientAndItAllEnds) {
  const auto one = join(limited(100, 1s, 1));
  one->admit("198.51.100.77");
  for (int i = 0; i < 20; ++i) one->attack("198.51.100.77");
  ASSERT_TRUE(one->banned("198.51.100.77"));
  ASSERT_TRUE(until([&] { return one->sharing->status().notices_told >= 2; }));
  EXPECT_TRUE(until([&] { return look({"KEYS", "*rate*"}).items.empty(); })) << "a bucket that is whole is gone";
  const auto keys = look({"KEYS", "*"});
  for (const auto& key : keys.items) {
    EXPECT_EQ(key.text.find("198.51.100.77"), std::string::npos);
    const auto dump = look({"DUMP", key.text});
    EXPECT_EQ(dump.text.find("198.51.100.77"), std::string::npos) << key.text;
    EXPECT_EQ(dump.text.find("waf"), std::string::npos) << key.text;
  }
  EXPECT_GT(look({"PTTL", "gatehouse:{shop.example}:failures"}).integer, 0);
}

TEST_F(CounterSharingTest, BansAndWhatEndsThemHoldEverywhere) {
  const Config config = limited(100, 1s, 100);
  const auto one = join(config), two = join(config);
  one->state->bans().add(*Network::parse("203.0.113.0/24"), 1h, "operator: scanner");
  EXPECT_TRUE(until([&] { return two->banned(); }));
  ASSERT_EQ(two->state->bans().list().size(), 1u);
  EXPECT_EQ(two->state->bans().list()[0].reason, "operator: scanner");
  // Who comes later hears of it, too.
  const auto three = join(config);
  EXPECT_TRUE(until([&] { return three->banned(); }));
  EXPECT_TRUE(two->state->bans().remove(*Network::parse("203.0.113.0/24")));
  EXPECT_TRUE(until([&] { return !one->banned() && !three->banned(); }));
  one->settle(), two->settle(), three->settle();
  EXPECT_FALSE(one->banned() || two->banned() || three->banned());
}

TEST_F(CounterSharingTest, AllEndWithTheSameBans) {
  const Config config = limited(100, 1s, 100);
  const auto one = join(config), two = join(config);
  for (int i = 0; i < 300; ++i) {
    const Network network = *Network::parse(fmt::format("10.0.0.{}", i % 7));
    auto& bans = (i % 2 == 0 ? one : two)->state->bans();
    if (i % 3 == 0) {
      bans.remove(network);
    } else {
      bans.add(network, std::chrono::minutes(1 + i), fmt::format("ban {}", i));
    }
    if (i % 10 == 0) std::this_thread::sleep_for(3ms);
  }
  const auto shown = [](Member& member) {
    std::string text;
    for (const Ban& ban : member.state->bans().list()) text += ban.network.to_string() + " " + ban.reason + "\n";
    return text;
  };
  EXPECT_TRUE(until([&] { return shown(*one) == shown(*two); })) << shown(*one) << "\n" << shown(*two);
  one->settle(), two->settle();
  EXPECT_EQ(shown(*one), shown(*two));
}

TEST_F(CounterSharingTest, AttacksAreSummedUp) {
  const Config config = limited(100, 1s, 100);  // ten within a minute
  const auto one = join(config), two = join(config);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(one->attack());
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(two->attack());
  one->settle(), two->settle();
  EXPECT_FALSE(one->banned() || two->banned());
  one->attack();
  EXPECT_TRUE(until([&] { return one->banned() && two->banned(); }));
  ASSERT_EQ(two->state->bans().list().size(), 1u);
  EXPECT_EQ(two->state->bans().list()[0].level, 0u) << "one offence, however many noticed it";
}

TEST_F(CounterSharingTest, FailedLoginsAreSummedUpAndForgiven) {
  const Config config = limited(100, 1s, 100);
  const auto one = join(config), two = join(config);
  const auto end = [&](Member& member, int status, std::string_view user) {
    const PenaltiesLayer layer(member.config, *member.state, member.clock, Phase::before_authentication);
    SampleRequest sample(member.config, member.clock);
    sample.request.principal.user = user;
    layer.on_end(sample.request, status);
  };
  const auto held_back = [&](Member& member, Phase phase, std::string_view user) {
    const PenaltiesLayer layer(member.config, *member.state, member.clock, phase);
    SampleRequest sample(member.config, member.clock);
    sample.request.principal.user = user;
    const bool delayed = layer.decide(sample.request).verdict == Verdict::delay;
    layer.resumed(sample.request);
    return delayed;
  };
  for (int i = 0; i < 3; ++i) end(*one, 401, "jo");
  EXPECT_FALSE(held_back(*two, Phase::before_authentication, ""));
  for (int i = 0; i < 2; ++i) end(*two, 401, "jo");
  EXPECT_TRUE(until([&] {
    return held_back(*one, Phase::before_authentication, "") && held_back(*two, Phase::before_authentication, "") &&
           held_back(*one, Phase::after_authentication, "jo");
  }));
  end(*two, 200, "jo");
  EXPECT_TRUE(until([&] { return !held_back(*one, Phase::after_authentication, "jo"); }));
  EXPECT_TRUE(held_back(*one, Phase::before_authentication, "")) << "the address keeps its own";
}

}  // namespace
}  // namespace gatehouse::gateway
