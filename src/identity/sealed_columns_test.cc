// A rotation of the keyring over identity's tables: nothing is forgotten, nothing is lost, whoever else is at work.

#include "identity/sealed_columns.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "identity/audit.h"
#include "identity/factors/enrolled.h"
#include "identity/identity_testing.h"
#include "identity/provider/pushed_requests.h"
#include "identity/provider/signing_keys.h"
#include "identity/sessions/interactions.h"
#include "identity/users/federation.h"
#include "identity/users/tickets.h"
#include "secrets/reseal.h"

namespace gatehouse::identity {
namespace {

using secrets::Resealer;
using testing::ElementsAre;
using testing::UnorderedElementsAreArray;
using namespace std::chrono_literals;

constexpr Duration kAll = 24h;  // the fake clock stands still: all there is to do

// A gateway with the product's own keyring.
struct Rotating {
  Rotating(const store::Site& site, const secrets::RootKeySource& root, const Clock& clock)
      : database(store::value_of(store::open_database(site.options()))),
        keyring(store::value_of(secrets::Keyring::open(*database, root, clock))),
        gateway(site, *keyring, clock),
        resealer(gateway.database, *keyring, kSealedColumns, clock) {}

  std::vector<std::uint32_t> keys() const {
    std::vector<std::uint32_t> ids;
    for (const auto& key : keyring->keys()) ids.push_back(key.id);
    return ids;
  }
  // Records by the key that sealed them.
  std::map<std::uint32_t, std::int64_t> records() {
    const auto report = store::value_of(resealer.report());
    std::map<std::uint32_t, std::int64_t> found;
    for (const auto& key : report.keys) found[key.view.id] = key.records;
    return found;
  }

  std::unique_ptr<store::Database> database;
  std::unique_ptr<secrets::Keyring> keyring;
  Gateway gateway;
  Resealer resealer;
};

class SealedColumnsTest : public testing::TestWithParam<store::BackEnd> {
 protected:
  void SetUp() override {
    site_ = store::make_site(GetParam());
    if (!site_) GTEST_SKIP() << "PostgreSQL is not installed";
    root_.path = folder_ / "root.key";
  }
  std::unique_ptr<Rotating> start(const Clock& clock) { return std::make_unique<Rotating>(*site_, root_, clock); }
  std::unique_ptr<Rotating> start() { return start(clock_); }

  TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<store::Site> site_;
  secrets::RootKeySource root_;
};

TEST_P(SealedColumnsTest, AreAllThatTheSchemaHas) {
  auto here = start();
  auto rows = here->gateway.database.run(
      GetParam() == store::BackEnd::sqlite
          ? "SELECT m.name || '.' || p.name FROM sqlite_master m, pragma_table_info(m.name) p "
            "WHERE m.type = 'table' AND p.name LIKE '%sealed'"
          : "SELECT table_name || '.' || column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_name LIKE '%sealed'");
  ASSERT_TRUE(rows) << rows.error().message;
  std::vector<std::string> found, known{"keyring_root.check_sealed"};  // which the root key itself seals
  for (const store::Row& row : rows->rows) found.push_back(row[0].text());
  for (const SealedColumn& column : kSealedColumns) known.push_back(fmt::format("{}.{}", column.table, column.column));
  EXPECT_THAT(found, UnorderedElementsAreArray(known)) << "a sealed column belongs into identity/sealed_columns.h";
}

TEST_P(SealedColumnsTest, AreReadByTheirOwnersAfterARotation) {
  auto here = start();
  auto& [database, keyring, gateway, resealer] = *here;
  EnrolledFactors factors(gateway.database, *keyring, clock_);
  Tickets tickets(gateway.database, *keyring, gateway.accounts, clock_);
  Interactions interactions(gateway.database, *keyring, clock_);
  SigningKeys signing_keys(gateway.database, *keyring, clock_, {});
  AuditTrail audit(gateway.database, *keyring, clock_);
  const UserPtr ada = gateway.add("ada");
  const std::string factor =
      store::value_of(factors.add({ada->id, FactorKind::totp, "phone", SecretBytes(std::string_view("a seed"))}));
  expect_ok(gateway.accounts.set_email(ada->id, "ada@elsewhere.example", true));  // version 2
  const std::string ticket = store::value_of(
      tickets.issue(TicketKind::verify_email, store::value_of(gateway.accounts.find(ada->id)).get(), "a@b.example"));
  auto begun = store::value_of(interactions.begin({.request = "client_id=shop"}, {}));
  expect_ok(signing_keys.refresh());
  const auto key_ids = [](const SigningKeys& keys) {
    std::set<std::string> ids;
    for (const auto& entry : keys.current()->entries()) ids.insert(entry.view.id);
    return ids;
  };
  auto client = gateway.database.run(
      "INSERT INTO clients (id, name, settings, state, created_at, updated_at) VALUES ('shop', '', '{}', 'active', 1, "
      "1)");
  ASSERT_TRUE(client) << client.error().message;
  PushedRequests pushed(gateway.database, *keyring);
  const std::string request_uri = store::value_of(pushed.keep("shop", "scope=openid", clock_.wall()));
  LinkedLogins linked(gateway.database, *keyring, clock_);
  expect_ok(linked.link(ada->id, "https://work.example", "ada@work.example"));
  audit.record("system", "user.create", "user:" + ada->id, Outcome::ok, {{"email", "ada@elsewhere.example"}});
  const auto before = here->records();
  for (const SealedColumn& column : kSealedColumns) {
    auto rows = gateway.database.run(fmt::format("SELECT COUNT(*) FROM {}", column.table));
    ASSERT_TRUE(rows);
    EXPECT_GT(rows->rows[0][0].integer(), 0) << column.table << " has no record in this test";
  }

  ASSERT_TRUE(keyring->rotate());
  EXPECT_THAT(here->records(), ElementsAre(std::pair(1U, before.at(1)), std::pair(2U, 0)));
  expect_ok(resealer.tend(kAll));
  EXPECT_THAT(here->records(), ElementsAre(std::pair(1U, 0), std::pair(2U, before.at(1))));
  expect_ok(resealer.tend(kAll));
  EXPECT_THAT(here->keys(), ElementsAre(1, 2)) << "others may still seal with it";
  clock_.advance(Resealer::kKeepKey);
  expect_ok(resealer.tend(kAll));
  expect_ok(resealer.tend(kAll));
  EXPECT_THAT(here->keys(), ElementsAre(2));

  // What a gateway reads that has nothing in its memory.
  auto there = start();
  clock_.advance(-Resealer::kKeepKey);  // what is short-lived is not what this is about
  EXPECT_EQ(store::value_of(there->gateway.accounts.find(ada->id))->profile.email, "ada@elsewhere.example");
  EnrolledFactors factors_there(there->gateway.database, *there->keyring, clock_);
  EXPECT_EQ(store::value_of(factors_there.find(factor))->data.expose(), "a seed");
  Tickets tickets_there(there->gateway.database, *there->keyring, there->gateway.accounts, clock_);
  EXPECT_EQ(store::value_of(tickets_there.look(TicketKind::verify_email, ticket))->email, "a@b.example");
  Interactions interactions_there(there->gateway.database, *there->keyring, clock_);
  EXPECT_EQ(store::value_of(interactions_there.find(begun.interaction.id, begun.browser))->request, "client_id=shop");
  SigningKeys signing_keys_there(there->gateway.database, *there->keyring, clock_, {});
  expect_ok(signing_keys_there.refresh());
  EXPECT_EQ(key_ids(signing_keys_there), key_ids(signing_keys));
  PushedRequests pushed_there(there->gateway.database, *there->keyring);
  EXPECT_EQ(store::value_of(pushed_there.take(request_uri, "shop", clock_.wall())), "scope=openid");
  EXPECT_EQ(store::value_of(pushed_there.take(request_uri, "shop", clock_.wall())), std::nullopt) << "once";
  LinkedLogins linked_there(there->gateway.database, *there->keyring, clock_);
  EXPECT_EQ(store::value_of(linked_there.list(ada->id)).at(0).subject, "ada@work.example");
  EXPECT_EQ(store::value_of(linked_there.user_of("https://work.example", "ada@work.example")), ada->id);
  AuditTrail audit_there(there->gateway.database, *there->keyring, clock_);
  EXPECT_EQ(store::value_of(audit_there.list({})).at(0).details.at(0).second, "ada@elsewhere.example");
}

TEST_P(SealedColumnsTest, AKeyStaysAsLongAsAnotherGatewayMaySealWithIt) {
  auto here = start(), there = start();
  const std::string ada = here->gateway.add("ada")->id;
  ASSERT_TRUE(here->keyring->rotate());
  expect_ok(here->resealer.tend(kAll));
  expect_ok(here->resealer.tend(kAll));
  there->gateway.add("bob");  // it hasn't heard of the new key
  EXPECT_THAT(here->records(), ElementsAre(std::pair(1U, 1), std::pair(2U, 1)));
  // Who has not read the keyring for long does so before sealing with what may be gone.
  clock_.advance(11min);
  there->gateway.add("eve");
  EXPECT_THAT(here->records(), ElementsAre(std::pair(1U, 1), std::pair(2U, 2)));
  clock_.advance(Resealer::kKeepKey);
  expect_ok(here->resealer.tend(kAll));
  EXPECT_THAT(here->keys(), ElementsAre(1, 2)) << "this pass found something under it";
  expect_ok(here->resealer.tend(kAll));
  EXPECT_THAT(here->keys(), ElementsAre(2));
  EXPECT_THAT(here->records(), ElementsAre(std::pair(2U, 3)));
}

TEST_P(SealedColumnsTest, WhatDoesNotOpenStaysAndKeepsItsKey) {
  auto here = start();
  for (const char* name : {"ada", "bob", "eve"}) here->gateway.add(name);
  auto& database = here->gateway.database;
  auto moved = database.run(
      "UPDATE users SET profile_sealed = (SELECT profile_sealed FROM users WHERE username = 'ada') "
      "WHERE username = 'bob'");
  ASSERT_TRUE(moved) << moved.error().message;
  const auto bob = store::value_of(database.run("SELECT profile_sealed FROM users WHERE username = 'bob'"));
  ASSERT_TRUE(here->keyring->rotate());
  for (int i = 0; i < 4; ++i) {
    expect_ok(here->resealer.tend(kAll));
    clock_.advance(Resealer::kKeepKey + 1s);
  }
  const auto report = store::value_of(here->resealer.report());
  EXPECT_EQ(report.unopened, 1);
  ASSERT_EQ(report.keys.size(), 2U);
  EXPECT_EQ(report.keys[0].records, 1);
  EXPECT_EQ(report.keys[1].records, 2);
  EXPECT_EQ(store::value_of(database.run("SELECT profile_sealed FROM users WHERE username = 'bob'")).rows, bob.rows);
}

TEST_P(SealedColumnsTest, GoOnWhenTheDatabaseComesBack) {
  auto here = start();
  for (int i = 0; i < 120; ++i) here->gateway.add(fmt::format("user{}", i));
  ASSERT_TRUE(here->keyring->rotate());
  expect_ok(here->resealer.tend(0ns));  // one batch
  here->gateway.database.gone = true;
  EXPECT_EQ(here->resealer.tend(kAll).error().code, ErrorCode::unavailable);
  const int asked = here->gateway.database.calls;
  expect_ok(here->resealer.tend(kAll));
  EXPECT_EQ(here->gateway.database.calls, asked) << "it is not asked again at once";
  here->gateway.database.gone = false;
  clock_.advance(10s);
  expect_ok(here->resealer.tend(kAll));
  EXPECT_EQ(here->records().at(2), 120);
}

TEST_P(SealedColumnsTest, OneGatewayWalksAtATime) {
  auto here = start(), there = start();
  for (int i = 0; i < 120; ++i) here->gateway.add(fmt::format("user{}", i));
  ASSERT_TRUE(here->keyring->rotate());
  ASSERT_TRUE(there->keyring->refresh());
  expect_ok(here->resealer.tend(0ns));  // one batch
  EXPECT_EQ(here->records().at(2), static_cast<std::int64_t>(Resealer::kBatch));
  expect_ok(there->resealer.tend(kAll));
  EXPECT_EQ(here->records().at(2), static_cast<std::int64_t>(Resealer::kBatch)) << "the other one has the lease";
  clock_.advance(61s);  // the first is gone
  expect_ok(there->resealer.tend(kAll));
  EXPECT_EQ(here->records().at(2), 120);
}

TEST_P(SealedColumnsTest, LoseNothingToTwoWalkersThatAreKilled) {
  constexpr int kUsers = 400;
  std::vector<std::string> ids;
  {
    auto here = start(SystemClock::instance());
    for (int i = 0; i < kUsers; ++i) ids.push_back(here->gateway.add(fmt::format("user{}", i))->id);
    ASSERT_TRUE(here->keyring->rotate());
  }
  // None of this process' connections is open while the others run: SQLite must not be carried over a fork.
  std::int64_t anew = 0;
  for (int round = 0; round < 4; ++round) {
    std::vector<pid_t> children;
    for (int child = 0; child < 2; ++child) {
      children.push_back(::fork());
      if (children.back() != 0) continue;
      auto there = start(SystemClock::instance());
      // Both at once, whoever has the lease.
      for (;;) {
        if (!there->keyring->refresh()) ::_exit(1);
        if (!there->database->run("DELETE FROM keyring_walk")) continue;
        if (!there->resealer.tend(2ms)) continue;
      }
    }
    ::usleep(static_cast<useconds_t>(60'000 + round * 21'000));
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) ::waitpid(child, nullptr, 0);
    auto here = start(SystemClock::instance());
    const auto now = here->records();
    EXPECT_GE(now.at(2), anew) << "what was done stays done";
    anew = now.at(2);
    std::int64_t all = 0;
    for (const auto& [key, count] : now) all += count;
    EXPECT_EQ(all, kUsers);
  }
  auto here = start(SystemClock::instance());
  ASSERT_TRUE(here->database->run("DELETE FROM keyring_walk"));
  expect_ok(here->resealer.tend(60s));
  EXPECT_EQ(here->records().at(2), kUsers);
  for (int i = 0; i < kUsers; ++i)
    EXPECT_EQ(store::value_of(here->gateway.accounts.find(ids[static_cast<std::size_t>(i)]))->profile.email,
              fmt::format("user{}@example.org", i));
}

TEST_P(SealedColumnsTest, LoseNoChangeOfOthers) {
  constexpr int kUsers = 60, kWriters = 3;
  auto here = start(SystemClock::instance());
  std::vector<std::string> ids;
  for (int i = 0; i < kUsers; ++i) ids.push_back(here->gateway.add(fmt::format("user{}", i))->id);
  std::atomic<bool> over = false;
  std::atomic<int> writes = 0;
  std::vector<std::vector<int>> written(kWriters, std::vector<int>(kUsers, 0));
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        auto there = start(SystemClock::instance());  // another gateway, which hears of new keys when it meets them
        for (int turn = 1; !over; ++turn) {
          for (int i = w; i < kUsers && !over; i += kWriters) {
            const auto index = static_cast<std::size_t>(i);
            Profile profile;
            profile.name = fmt::format("turn {}", turn);
            there->gateway.accounts.forget(ids[index]);
            if (there->gateway.accounts.set_profile(ids[index], profile))
              written[static_cast<std::size_t>(w)][index] = turn, ++writes;
          }
        }
      });
    }
    for (int rotation = 0; rotation < 4; ++rotation) {
      ASSERT_TRUE(here->keyring->rotate());
      const auto deadline = std::chrono::steady_clock::now() + 20s;
      for (const int before = writes; writes < before + 2 * kUsers && std::chrono::steady_clock::now() < deadline;) {
        const Status done = here->resealer.tend(1s);
        EXPECT_TRUE(done) << done.error().message;
      }
    }
    over = true;
  }
  EXPECT_EQ(store::value_of(here->resealer.report()).unopened, 0);
  auto reader = start(SystemClock::instance());
  for (int i = 0; i < kUsers; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const int turn = written[static_cast<std::size_t>(i % kWriters)][index];
    const UserPtr user = store::value_of(reader->gateway.accounts.find(ids[index]));
    ASSERT_TRUE(user);
    EXPECT_EQ(user->profile.email, fmt::format("user{}@example.org", i));
    EXPECT_EQ(user->profile.name, turn == 0 ? fmt::format("Person user{}", i) : fmt::format("turn {}", turn));
  }
  EXPECT_GE(writes, 8 * kUsers) << "there was something to lose";
}

GH_ON_EVERY_STORE(SealedColumnsTest);

}  // namespace
}  // namespace gatehouse::identity
