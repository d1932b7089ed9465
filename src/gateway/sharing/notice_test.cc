#include "gateway/sharing/notice.h"

#include <gtest/gtest.h>

#include "gateway/sharing/notice_seal.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

Notice sample(Notice::Kind kind) {
  Notice notice;
  notice.kind = kind;
  notice.key = 0xfedcba9876543210;
  notice.count = 7, notice.threshold = 10, notice.level = 3;
  notice.window = 60s, notice.first = 600s, notice.longest = 24h;
  notice.network = *Network::parse("2001:db8:1:2::/64");
  notice.since = WallTime(1'750'000'000s), notice.until = WallTime(1'750'000'600s);
  notice.forget = WallTime(1'750'090'000s);
  notice.reason = "penalty.ban: \"waf.score\"";
  notice.name = "account:jo\u00e9";
  return notice;
}

TEST(Notice, IsReadAsItWasWritten) {
  for (int kind = 0; kind <= static_cast<int>(Notice::Kind::login_forgotten); ++kind) {
    const Notice told = sample(static_cast<Notice::Kind>(kind));
    const std::string text = to_text(told);
    const auto heard = read_notice(text);
    ASSERT_TRUE(heard) << text;
    EXPECT_EQ(heard->kind, told.kind);
    EXPECT_EQ(to_text(*heard), text);
  }
  const auto ban = read_notice(to_text(sample(Notice::Kind::ban)));
  EXPECT_EQ(ban->network, sample(Notice::Kind::ban).network);
  EXPECT_EQ(ban->until, sample(Notice::Kind::ban).until);
  EXPECT_EQ(ban->reason, sample(Notice::Kind::ban).reason);
  EXPECT_FALSE(ban->again);
  Notice again = sample(Notice::Kind::ban);
  again.again = true;
  EXPECT_TRUE(read_notice(to_text(again))->again);
  EXPECT_EQ(read_notice(to_text(sample(Notice::Kind::failures)))->key, 0xfedcba9876543210);
}

TEST(Notice, WhatMakesNoSenseIsRefused) {
  for (const char* text : {
           "",
           "[]",
           "{}",
           R"({"kind":"pardon"})",
           R"({"kind":"unban"})",
           R"({"kind":"unban","network":"everyone"})",
           R"({"kind":"unban","network":7})",
           R"({"kind":"forgiven","key_high":1})",
           R"({"kind":"forgiven","key_high":-1,"key_low":0})",
           R"({"kind":"forgiven","key_high":4294967296,"key_low":0})",
           R"({"kind":"failures","key_high":1,"key_low":1,"window":-5,"threshold":1,"count":1})",
           R"({"kind":"failures","key_high":1,"key_low":1,"window":9223372036854775807,"threshold":1,"count":1})",
           R"({"kind":"ban","since":0,"until":99999999999999,"forget":0,"level":0,"reason":"","network":"::/0"})",
           R"({"kind":"login_failures","count":1.5,"name":"a"})",
       }) {
    EXPECT_FALSE(read_notice(text)) << text;
  }
}

TEST(NoticeSeal, OpensOnlyWhatWasSealedByTheSameSecretForTheSameStream) {
  const std::string agreed(NoticeSeal::kAgreedBytes, 'a'), origin(NoticeSeal::kOriginBytes, 'o');
  const std::string other_origin(NoticeSeal::kOriginBytes, 'p');
  NoticeSeal one(agreed, SecretBytes("password")), same(agreed, SecretBytes("password")),
      without(agreed, SecretBytes()), other(std::string(NoticeSeal::kAgreedBytes, 'b'), SecretBytes("password"));
  const std::string sealed = one.seal("203.0.113.9", origin, "bans");
  EXPECT_EQ(sealed.find("203.0.113.9"), std::string::npos);
  EXPECT_EQ(same.open(sealed, origin, "bans"), "203.0.113.9");
  EXPECT_FALSE(same.open(sealed, origin, "failures"));
  EXPECT_FALSE(same.open(sealed, other_origin, "bans"));
  EXPECT_FALSE(same.open(sealed, "short", "bans"));
  EXPECT_FALSE(without.open(sealed, origin, "bans")) << "a copy of the data is not enough";
  EXPECT_FALSE(other.open(sealed, origin, "bans"));
  std::string broken = sealed;
  broken.back() ^= 1;
  EXPECT_FALSE(same.open(broken, origin, "bans"));
  EXPECT_EQ(one.names(), same.names());
  EXPECT_NE(one.names(), without.names());
  for (int i = 0; i < 200; ++i) {  // more origins than keys are kept
    std::string name(NoticeSeal::kOriginBytes, static_cast<char>(i));
    EXPECT_EQ(same.open(one.seal("x", name, "bans"), name, "bans"), "x");
  }
}

}  // namespace
}  // namespace gatehouse::gateway
