// Redis gone, slow, full, emptied, replaced: the local limit holds, sharing comes back, nothing waits.
#include <sys/socket.h>

#include "gateway/sharing/counter_sharing_testing.h"

namespace gatehouse::gateway {
namespace {

using Failure = CounterSharing::Failure;

// A limit that is local or shared: how many of twelve requests get through, six at each of the two.
int admitted(Member& one, Member& two, std::string_view client) {
  int count = 0;
  for (int i = 0; i < 6; ++i) count += one.admit(client);
  one.settle(), two.settle();
  for (int i = 0; i < 6; ++i) {
    count += two.admit(client);
    two.settle();
  }
  return count;
}

TEST_F(CounterSharingTest, WhenTheServerDiesTheLocalLimitHoldsAndSharingComesBack) {
  const Config config = limited(6, 1h, 6);
  const auto one = join(config), two = join(config);
  EXPECT_EQ(admitted(*one, *two, "10.0.0.1"), 7) << "six, and the one before it was heard";
  one->state->bans().add(*Network::parse("192.0.2.1/32"), 1h, "before");
  EXPECT_TRUE(until([&] { return two->banned("192.0.2.1"); }));
  server_->stop(SIGKILL);
  EXPECT_TRUE(until([&] { return !one->up() && !two->up(); }));
  EXPECT_FALSE(one->admit("10.0.0.1")) << "what was counted stays";
  int count = 0;
  for (int i = 0; i < 10; ++i) count += one->admit("10.0.0.2");
  for (int i = 0; i < 10; ++i) count += two->admit("10.0.0.2");
  EXPECT_EQ(count, 12) << "six each";
  one->state->bans().add(*Network::parse("192.0.2.2/32"), 1h, "meanwhile");
  two->state->bans().remove(*Network::parse("192.0.2.1/32"));
  EXPECT_TRUE(until([&] { return one->failures(Failure::unreachable) >= 3; }));
  server_->start_again();  // with nothing in it
  EXPECT_TRUE(until([&] { return one->up() && two->up(); }));
  EXPECT_EQ(admitted(*one, *two, "10.0.0.3"), 7) << "under the same names as before";
  EXPECT_TRUE(until([&] { return two->banned("192.0.2.2"); })) << "what was banned meanwhile is told";
  EXPECT_TRUE(until([&] { return !one->banned("192.0.2.1"); })) << "and what was lifted";
  const auto three = join(config);
  EXPECT_TRUE(until([&] { return three->banned("192.0.2.2"); }));
}

TEST_F(CounterSharingTest, AServerThatHangsDelaysNobody) {
  const Config config = limited(100, 1h, 100);
  const auto one = join(config);
  server_->signal(SIGSTOP);
  const auto begun = std::chrono::steady_clock::now();
  int count = 0;
  for (int i = 0; i < 150; ++i) count += one->admit();
  EXPECT_EQ(count, 100);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 250ms);
  EXPECT_TRUE(until([&] { return !one->up(); }));
  EXPECT_GE(one->failures(Failure::timeout), 1u);
  server_->signal(SIGCONT);
  EXPECT_TRUE(until([&] { return one->up(); }));
  EXPECT_FALSE(one->admit());
}

TEST_F(CounterSharingTest, AFullServerIsAsGoodAsNone) {
  const auto one = join(limited(100, 1h, 100));
  look({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_TRUE(until([&] { return !one->up(); }));
  EXPECT_TRUE(until([&] { return one->failures(Failure::refused) >= 3; }));
  EXPECT_FALSE(one->up()) << "it greets, but writes nothing";
  EXPECT_TRUE(one->admit());
  look({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(until([&] { return one->up(); }));
}

TEST_F(CounterSharingTest, WhatIsEmptiedWhileConnectedIsFilledAgain) {
  const Config config = limited(6, 1h, 6);
  const auto one = join(config), two = join(config);
  one->state->bans().add(*Network::parse("192.0.2.1/32"), 1h, "before");
  EXPECT_TRUE(until([&] { return two->banned("192.0.2.1"); }));
  const auto agreed = look({"GET", "gatehouse:{shop.example}:key"}).text;
  look({"FLUSHALL"});
  look({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(until([&] { return look({"GET", "gatehouse:{shop.example}:key"}).text == agreed; }));
  EXPECT_TRUE(until([&] { return look({"XLEN", "gatehouse:{shop.example}:bans"}).integer >= 1; }));
  EXPECT_TRUE(until([&] { return one->up() && two->up(); }));
  one->admit("10.0.0.8"), two->admit("10.0.0.8");  // finds the script gone, and brings it back
  EXPECT_TRUE(until([&] { return one->up() && two->up(); }));
  one->settle(), two->settle();
  EXPECT_EQ(admitted(*one, *two, "10.0.0.9"), 7);
}

TEST_F(CounterSharingTest, AWrongPasswordIsSaidAndTheLocalLimitHolds) {
  look({"CONFIG", "SET", "requirepass", "right"});
  Member wrong(server_->location(), limited(5, 1h, 5), "wrong"), right(server_->location(), limited(5, 1h, 5), "right");
  wrong.sharing->start(), right.sharing->start();
  EXPECT_TRUE(until([&] { return right.up() && wrong.failures(Failure::refused) >= 2; }));
  EXPECT_FALSE(wrong.up());
  int count = 0;
  for (int i = 0; i < 10; ++i) count += wrong.admit();
  EXPECT_EQ(count, 5);
}

TEST_F(CounterSharingTest, OthersWritingsAreNothingToUs) {
  const auto one = join(limited(10, 1h, 10));
  const std::string p = "gatehouse:{shop.example}:";
  for (int i = 0; i < 3; ++i) {
    look({"XADD", p + "bans", "*", "from", "0123456789abcdef", "notice", "not sealed by anybody"});
    look({"XADD", p + "failures", "*", "a", "b"});
  }
  one->settle();
  EXPECT_TRUE(one->up());
  EXPECT_EQ(one->state->bans().size(), 0u);
  // A number where none is, and one that nobody owes: neither locks a client out for ever.
  one->admit();
  one->settle();
  const auto keys = look({"KEYS", "*rate*"});
  ASSERT_EQ(keys.items.size(), 1u);
  look({"SET", keys.items[0].text, "many"});
  EXPECT_TRUE(one->admit());
  one->settle();
  EXPECT_TRUE(one->up());
  look({"SET", keys.items[0].text, "9e30"});
  one->admit();
  one->settle();
  EXPECT_TRUE(one->up());
  look({"DEL", keys.items[0].text});
  look({"LPUSH", keys.items[0].text, "of another kind"});
  EXPECT_TRUE(one->admit("10.0.0.1"));
}

TEST_F(CounterSharingTest, AForeignKeyIsNotAgreedTo) {
  look({"SET", "gatehouse:{shop.example}:key", "somebody else's"});
  Member one(server_->location(), limited(5, 1h, 5));
  one.sharing->start();
  EXPECT_TRUE(until([&] { return one.failures(Failure::protocol) >= 2; }));
  EXPECT_FALSE(one.up());
  EXPECT_TRUE(one.admit());
}

// A server that greets as Redis does, and then talks nonsense.
TEST(CounterSharingNonsense, IsGivenUp) {
  const std::string greeting = "+PONG\r\n$40\r\n0123456789012345678901234567890123456789\r\n";
  for (const std::string& says :
       {greeting + ":1\r\n", greeting + "*2\r\n$1\r\nx\r\n$1\r\ny\r\n", std::string("+PONG\r\n*0\r\n"),
        greeting + "*2\r\n$10\r\n1750000000\r\n$1\r\n0\r\n+OK\r\n$43\r\n" + std::string(43, 'A') +
            "\r\n+OK\r\n*1\r\n:1\r\n",
        std::string("\0\0\0\0", 4)}) {
    TempDir folder;
    const auto listener = net::listen_unix(folder / "s").value();
    Member one("redis+unix://" + folder.path() + "/s", limited(5, 1h, 5));
    one.sharing->start();
    std::vector<net::Fd> accepted;
    EXPECT_TRUE(until([&] {
      net::Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (peer) {
        EXPECT_GE(::send(peer.get(), says.data(), says.size(), MSG_NOSIGNAL), 0);
        accepted.push_back(std::move(peer));
      }
      return one.failures(Failure::protocol) >= 2;
    })) << says;
    EXPECT_FALSE(one.up());
    EXPECT_TRUE(one.admit());
  }
}

}  // namespace
}  // namespace gatehouse::gateway
