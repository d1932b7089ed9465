#include "identity/sessions/revocations.h"

#include <gtest/gtest.h>

#include <thread>

#include "identity/identity_testing.h"
#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;

class RevocationsTest : public StoreTest {
 protected:
  std::int64_t now() const { return seconds_of(clock.wall()); }
};

TEST_P(RevocationsTest, AreSeenByEveryGateway) {
  Gateway other(*site, keyring, clock);
  Revocations here(gateway->database, clock), there(other.database, clock);
  expect_ok(here.add(RevokedKind::token, "t1", now() + 60));
  EXPECT_TRUE(here.covers(RevokedKind::token, "t1", now()));
  EXPECT_FALSE(here.covers(RevokedKind::grant, "t1", now())) << "another kind";
  EXPECT_FALSE(here.covers(RevokedKind::token, "t2", now()));
  EXPECT_FALSE(there.covers(RevokedKind::token, "t1", now()));
  expect_ok(there.refresh());
  EXPECT_TRUE(there.covers(RevokedKind::token, "t1", now()));
  // One that begins later reads all of it.
  Revocations late(other.database, clock);
  expect_ok(late.refresh());
  EXPECT_TRUE(late.covers(RevokedKind::token, "t1", now()));
}

TEST_P(RevocationsTest, OfATransactionThatFailedAreNone) {
  Revocations here(gateway->database, clock);
  EXPECT_FALSE(gateway->database.transact([&](store::Executor& tx) -> Status {
    expect_ok(here.add(tx, RevokedKind::grant, "g", now() + 60));
    return fail(ErrorCode::invalid, "no");
  }));
  expect_ok(here.refresh());
  EXPECT_FALSE(here.covers(RevokedKind::grant, "g", now()));
}

TEST_P(RevocationsTest, OfAUserCoverWhatIsOlder) {
  Revocations here(gateway->database, clock);
  expect_ok(here.add(RevokedKind::user, "u", now() + 3600));
  EXPECT_TRUE(here.covers(RevokedKind::user, "u", now() - 1));
  EXPECT_FALSE(here.covers(RevokedKind::user, "u", now())) << "what was issued afterwards";
  clock.advance(10s);
  expect_ok(here.add(RevokedKind::user, "u", now() + 60));
  EXPECT_TRUE(here.covers(RevokedKind::user, "u", now() - 5)) << "the later one";
}

TEST_P(RevocationsTest, StayWithoutAStore) {
  Revocations here(gateway->database, clock);
  expect_ok(here.add(RevokedKind::session, "s", now() + 60));
  const MonotonicTime read = here.refreshed();
  gateway->database.gone = true;
  clock.advance(1s);
  EXPECT_FALSE(here.refresh());
  EXPECT_EQ(here.refreshed(), read);
  EXPECT_TRUE(here.covers(RevokedKind::session, "s", now()));
}

TEST_P(RevocationsTest, GoWhenTheyExpire) {
  Revocations here(gateway->database, clock);
  for (int i = 0; i < 10; ++i) expect_ok(here.add(RevokedKind::token, "old" + std::to_string(i), now() + 60));
  clock.advance(61s);
  expect_ok(here.remove_expired());
  // Enough to settle what is recent.
  expect_ok(gateway->database.transact([&](store::Executor& tx) -> Status {
    for (int i = 0; i < 1100; ++i) {
      if (auto added = here.add(tx, RevokedKind::token, "new" + std::to_string(i), now() + 60); !added) return added;
    }
    return {};
  }));
  expect_ok(here.refresh());
  EXPECT_EQ(here.size(), 1100u);
  EXPECT_TRUE(here.covers(RevokedKind::token, "new7", now()));
  // Numbers go on where they were, although the table was emptied.
  Revocations late(gateway->database, clock);
  expect_ok(late.refresh());
  EXPECT_EQ(late.size(), 1100u);
}

TEST_P(RevocationsTest, BeyondTheBoundEverythingOlderIsOver) {
  Revocations here(gateway->database, clock, 50);
  expect_ok(gateway->database.transact([&](store::Executor& tx) -> Status {
    for (int i = 0; i < 51; ++i) {
      if (auto added = here.add(tx, RevokedKind::token, std::to_string(i), now() + 600); !added) return added;
    }
    return {};
  }));
  expect_ok(here.refresh());
  EXPECT_EQ(here.size(), 0u);
  EXPECT_TRUE(here.covers(RevokedKind::token, "7", now()));
  EXPECT_TRUE(here.covers(RevokedKind::token, "never revoked", now() - 100)) << "it fails closed";
  EXPECT_FALSE(here.covers(RevokedKind::token, "issued later", now() + 1));
}

TEST_P(RevocationsTest, NoneIsMissedUnderConcurrency) {
  Gateway other(*site, keyring, clock);
  Revocations here(gateway->database, clock), there(other.database, clock), reader(other.database, clock);
  std::atomic<bool> done{false};
  std::thread reading([&] {
    while (!done) expect_ok(reader.refresh());
  });
  std::vector<std::thread> writers;
  for (Revocations* revocations : {&here, &there}) {
    writers.emplace_back([&, revocations] {
      for (int i = 0; i < 50; ++i) {
        expect_ok(
            revocations->add(RevokedKind::token, (revocations == &here ? "a" : "b") + std::to_string(i), now() + 60));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  reading.join();
  expect_ok(reader.refresh());
  EXPECT_EQ(reader.size(), 100u);
}

GH_ON_EVERY_STORE(RevocationsTest);

}  // namespace
}  // namespace gatehouse::identity
