#include "identity/sessions/sessions.h"

#include <gmock/gmock.h>

#include <thread>

#include "identity/identity_testing.h"
#include "identity/seconds.h"
#include "identity/sessions/session_list.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;

struct Node : Gateway {
  using Gateway::Gateway;
  Revocations revocations{database, clock};
  Sessions sessions{database, accounts, revocations, clock, {}};
  Devices devices{database, clock};
};

class SessionsTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (!gateway) return;
    one = std::make_unique<Node>(*site, keyring, clock);
    two = std::make_unique<Node>(*site, keyring, clock);
    user = one->add("alice");
  }
  StartedSession start() {
    return value_of(one->sessions.start(user->id, {"pwd", false}, "Firefox on Linux", "192.0.2.1"));
  }
  std::unique_ptr<Node> one, two;
  UserPtr user;
};

TEST_P(SessionsTest, AreFoundByTheCookieAlone) {
  const StartedSession started = start();
  for (Node* node : {one.get(), two.get()}) {
    const SessionPtr found = value_of(node->sessions.find(started.token));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, started.session.id);
    EXPECT_EQ(found->user_id, user->id);
    EXPECT_EQ(found->amr, "pwd");
    EXPECT_FALSE(found->mfa());
    EXPECT_EQ(found->device, "Firefox on Linux");
  }
  EXPECT_FALSE(value_of(one->sessions.find(started.session.id)));
  EXPECT_FALSE(value_of(one->sessions.find("")));
  EXPECT_FALSE(value_of(one->sessions.find(std::string(43, 'A'))));
  EXPECT_FALSE(value_of(one->sessions.find(std::string(1 << 20, 'A'))));
}

TEST_P(SessionsTest, EndWhenIdleAndAtTheirLimit) {
  const StartedSession idle = start(), used = start();
  const auto days = 14 * 24h;
  for (auto passed = 0h; passed < days; passed += 6h) {
    EXPECT_EQ(static_cast<bool>(value_of(one->sessions.find(used.token))), true) << passed.count();
    clock.advance(6h);
    two->revocations.refresh();
  }
  EXPECT_FALSE(value_of(one->sessions.find(idle.token)));
  EXPECT_FALSE(value_of(one->sessions.find(used.token))) << "absolute";
  EXPECT_TRUE(value_of(one->sessions.list(user->id)).empty());
  expect_ok(one->sessions.remove_expired());
  EXPECT_TRUE(value_of(one->database.run("SELECT id FROM sessions")).empty());
}

TEST_P(SessionsTest, UseAtOneGatewayKeepsThemAliveAtAnother) {
  const StartedSession started = start();
  ASSERT_TRUE(value_of(two->sessions.find(started.token)));
  for (int i = 0; i < 4; ++i) {
    clock.advance(11h);
    ASSERT_TRUE(value_of(one->sessions.find(started.token)));
  }
  EXPECT_TRUE(value_of(two->sessions.find(started.token))) << "what it remembers is long idle";
}

TEST_P(SessionsTest, AskNobodyForWhatIsFresh) {
  const StartedSession started = start();
  ASSERT_TRUE(value_of(one->sessions.find(started.token)));
  const int before = one->database.calls;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(value_of(one->sessions.find(started.token)));
  EXPECT_EQ(one->database.calls, before);
}

TEST_P(SessionsTest, GoOnWithoutAStoreUntilTheyExpire) {
  const StartedSession started = start();
  ASSERT_TRUE(value_of(one->sessions.find(started.token)));
  one->database.gone = true;
  for (int i = 0; i < 3; ++i) {
    clock.advance(5h);
    EXPECT_TRUE(value_of(one->sessions.find(started.token))) << i;
  }
  EXPECT_FALSE(one->sessions.find(std::string(43, 'B'))) << "unknown: nobody can say";
  EXPECT_FALSE(one->sessions.start(user->id, {"pwd", false}, "", ""));
  clock.advance(13h);
  EXPECT_FALSE(one->sessions.find(started.token).value_or(nullptr)) << "idle";
}

TEST_P(SessionsTest, HaveANewCookieAfterEachProof) {
  const StartedSession started = start();
  ASSERT_TRUE(value_of(two->sessions.find(started.token)));
  clock.advance(10s);
  const StartedSession renewed = value_of(one->sessions.renew(started.token, {"pwd otp mfa", true}));
  EXPECT_NE(renewed.token, started.token);
  EXPECT_EQ(renewed.session.id, started.session.id);
  EXPECT_EQ(renewed.session.auth_s, started.session.auth_s + 10);
  EXPECT_EQ(renewed.session.factor_s, renewed.session.auth_s);
  EXPECT_FALSE(value_of(one->sessions.find(started.token)));
  EXPECT_EQ(value_of(one->sessions.find(renewed.token))->amr, "pwd otp mfa");
  clock.advance(Sessions::kFresh);
  EXPECT_FALSE(value_of(two->sessions.find(started.token)));
  EXPECT_TRUE(value_of(two->sessions.find(renewed.token)));
  // A password alone, on a remembered device say, is no proof of a factor: `amr` and the factor's time say the same.
  clock.advance(10s);
  const StartedSession again = value_of(one->sessions.renew(renewed.token, {"pwd", false}));
  EXPECT_FALSE(again.session.mfa());
  EXPECT_EQ(code_of(one->sessions.renew(renewed.token, {"pwd", false})), ErrorCode::not_found);
}

TEST_P(SessionsTest, AreRenewedByOneOfTwo) {
  const StartedSession started = start();
  std::atomic<int> won{0};
  std::vector<std::thread> threads;
  for (Node* node : {one.get(), two.get()}) {
    threads.emplace_back([&, node] { won += node->sessions.renew(started.token, {"pwd", false}).has_value(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_P(SessionsTest, EndEverywhere) {
  const StartedSession a = start(), b = start(), c = start();
  for (const StartedSession* s : {&a, &b, &c}) ASSERT_TRUE(value_of(two->sessions.find(s->token)));
  EXPECT_FALSE(value_of(one->sessions.end("somebody else", a.session.id)));
  EXPECT_TRUE(value_of(one->sessions.end(user->id, a.session.id)));
  EXPECT_FALSE(value_of(one->sessions.end(user->id, a.session.id)));
  EXPECT_FALSE(value_of(one->sessions.find(a.token)));
  EXPECT_TRUE(one->revocations.covers(RevokedKind::session, a.session.id, a.session.auth_s));
  expect_ok(two->revocations.refresh());
  EXPECT_FALSE(value_of(two->sessions.find(a.token)));
  EXPECT_TRUE(value_of(two->sessions.find(b.token)));
  EXPECT_EQ(value_of(one->sessions.end_all(user->id, b.session.id)), 1);
  EXPECT_FALSE(value_of(one->sessions.find(c.token)));
  EXPECT_TRUE(value_of(one->sessions.find(b.token)));
  EXPECT_EQ(value_of(one->sessions.end_all(user->id)), 1);
  EXPECT_FALSE(value_of(one->sessions.find(b.token)));
  const StartedSession after = start();
  EXPECT_TRUE(value_of(one->sessions.find(after.token))) << "signed in within the same second";
  EXPECT_TRUE(value_of(one->sessions.end_by_id(after.session.id)));
  EXPECT_FALSE(value_of(one->sessions.find_by_id(after.session.id)));
}

TEST_P(SessionsTest, OfAllUsersAreListedByPagesTheNewestFirst) {
  const UserPtr bob = one->add("bob");
  SessionList all(one->database, one->sessions.options().idle, clock);
  EXPECT_TRUE(value_of(all.newest(10)).sessions.empty());
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {  // two in one second among them
    if (i != 3) clock.advance(1min);
    ids.push_back(value_of(one->sessions.start(i % 2 == 0 ? user->id : bob->id, {"pwd", false}, "", "")).session.id);
  }
  std::vector<std::string> listed, names;
  std::string after;
  std::vector<std::size_t> sizes;
  do {
    const SessionPage page = value_of(all.newest(2, after));
    sizes.push_back(page.sessions.size());
    for (const ListedSession& one_of_them : page.sessions) {
      listed.push_back(one_of_them.session.id);
      names.push_back(one_of_them.username);
    }
    after = page.next;
    // Where the next page begins needs nobody to be there still.
    if (sizes.size() == 1) {
      ASSERT_TRUE(value_of(one->sessions.end_by_id(listed.back())));
    }
  } while (!after.empty() && sizes.size() < 10);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 1}));
  EXPECT_THAT(listed, testing::UnorderedElementsAreArray(ids));
  EXPECT_EQ(listed.front(), ids.back());
  EXPECT_EQ(listed.back(), ids.front());
  EXPECT_THAT(names, testing::UnorderedElementsAre("alice", "alice", "alice", "bob", "bob"));
  EXPECT_EQ(names.front(), "alice");
  EXPECT_EQ(value_of(all.newest(4)).next, "") << "there are four";
  clock.advance(one->sessions.options().idle);
  EXPECT_TRUE(value_of(all.newest(10)).sessions.empty()) << "what is over is not listed";
}

TEST_P(SessionsTest, APlaceInTheListThatNoPageNamedIsRefused) {
  start();
  SessionList all(one->database, one->sessions.options().idle, clock);
  for (const std::string& place :
       {std::string("x"), std::string("1"), std::string("1."), std::string(".a"), std::string("-1.a"),
        std::string("1.a'"), std::string("1.a b"), std::string("99999999999999999999.a"), "1." + std::string(64, 'a'),
        std::string("1.a\0", 4)}) {
    const auto page = all.newest(10, place);
    ASSERT_FALSE(page) << place;
    EXPECT_EQ(page.error().code, ErrorCode::invalid);
  }
  EXPECT_EQ(value_of(all.newest(0)).sessions.size(), 1u) << "one at least";
}

TEST_P(SessionsTest, AreOverWithTheirUser) {
  const StartedSession started = start();
  expect_ok(one->accounts.set_state(user->id, UserState::disabled));
  EXPECT_FALSE(value_of(one->sessions.find(started.token)));
  expect_ok(one->accounts.set_state(user->id, UserState::active));
  EXPECT_TRUE(value_of(one->sessions.find(started.token)));
  expect_ok(one->accounts.remove(user->id));
  EXPECT_FALSE(value_of(one->sessions.find(started.token)));
}

TEST_P(SessionsTest, AreBounded) {
  const StartedSession first = start();
  for (std::size_t i = 0; i < Sessions::kPerUserMax; ++i) {
    clock.advance(1s);
    start();
  }
  EXPECT_EQ(value_of(one->sessions.list(user->id)).size(), Sessions::kPerUserMax);
  expect_ok(one->revocations.refresh());
  EXPECT_FALSE(value_of(one->sessions.find(first.token)));
}

TEST_P(SessionsTest, DevicesAreKnownForTheirUser) {
  const UserPtr bob = one->add("bob");
  const std::string cookie = value_of(one->devices.know(user->id, "", "Firefox on Linux", false));
  EXPECT_EQ(value_of(one->devices.find(user->id, cookie))->label, "Firefox on Linux");
  EXPECT_FALSE(value_of(one->devices.find(bob->id, cookie)));
  EXPECT_FALSE(value_of(one->devices.find(user->id, "")));
  // One browser, two users, one cookie.
  EXPECT_EQ(value_of(one->devices.know(bob->id, cookie, "Firefox on Linux", true)), cookie);
  EXPECT_EQ(value_of(one->devices.find(user->id, cookie))->skips_factor_until_s, 0);
  EXPECT_GT(value_of(one->devices.find(bob->id, cookie))->skips_factor_until_s, seconds_of(clock.wall()));
  EXPECT_EQ(value_of(one->devices.know(bob->id, cookie, "x", false)), cookie);
  EXPECT_GT(value_of(one->devices.find(bob->id, cookie))->skips_factor_until_s, 0) << "stays";
  // A value that somebody planted is not taken over.
  const std::string planted(43, 'x');
  EXPECT_NE(value_of(one->devices.know(user->id, planted, "x", false)), planted);
  const auto listed = value_of(one->devices.list(bob->id));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_FALSE(value_of(one->devices.forget(user->id, listed[0].id))) << "another's";
  EXPECT_TRUE(value_of(one->devices.forget(bob->id, listed[0].id)));
  EXPECT_FALSE(value_of(one->devices.find(bob->id, cookie)));
  clock.advance(Devices::kKnown);
  EXPECT_FALSE(value_of(one->devices.find(user->id, cookie)));
}

GH_ON_EVERY_STORE(SessionsTest);

TEST(DeviceLabel, NamesBrowserAndSystem) {
  EXPECT_EQ(device_label("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"), "Firefox on Linux");
  EXPECT_EQ(device_label("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"),
            "Edge on Windows");
  EXPECT_EQ(device_label("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                         "Gecko) Version/17.5 Mobile/15E148 Safari/604.1"),
            "Safari on iPhone");
  EXPECT_EQ(device_label("<script>"), "unknown browser");
}

}  // namespace
}  // namespace gatehouse::identity
