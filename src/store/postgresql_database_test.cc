// What is PostgreSQL's own: a server that comes and goes, TLS, and its locations.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/file.h"
#include "store/database_testing.h"
#include "store/postgresql_location.h"

namespace gatehouse::store {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Migration kTable[] = {{1, "CREATE TABLE things (id BIGINT PRIMARY KEY, data BYTES)", 1}};

class PostgresqlTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_ = shared_cluster();
    if (!cluster_) GTEST_SKIP() << "PostgreSQL is not installed";
    options_ = {.location = cluster_->location(cluster_->make_database()), .connections = 4};
    database_ = value_of(open_database(options_, clock_));
    ASSERT_TRUE(database_->migrate("test", kTable));
  }
  void restart(int signal = SIGINT) {
    cluster_->stop(signal);
    cluster_->start_server();
  }
  Status insert(Executor& executor, int id) {
    auto done = executor.run("INSERT INTO things (id) VALUES ($1)", {id});
    if (!done) return tl::unexpected(done.error());
    return {};
  }
  std::int64_t count() {
    return value_of(database_->run("SELECT COUNT(*) FROM things", {})).rows.at(0).at(0).integer();
  }
  // Ends the server's side of every connection to our database, as an administrator would. With `wait_ms` they are gone
  // when this returns; without, they die under whatever is being sent.
  void end_connections(int wait_ms) {
    const auto other = value_of(open_database({.location = cluster_->location()}));
    ASSERT_TRUE(
        other->run("SELECT COUNT(pg_terminate_backend(pid, $1)) FROM pg_stat_activity WHERE application_name = "
                   "'gatehouse' AND pid <> pg_backend_pid()",
                   {wait_ms}));
  }

  FakeClock clock_;
  PostgresqlCluster* cluster_ = nullptr;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
};

TEST_F(PostgresqlTest, ARestartBetweenStatementsIsNotNoticed) {
  for (const int signal : {SIGINT, SIGQUIT}) {
    restart(signal);
    const Status written = insert(*database_, signal);
    EXPECT_TRUE(written) << written.error().message;
  }
  EXPECT_EQ(count(), 2);
}

TEST_F(PostgresqlTest, ATransactionWhoseServerDiesRunsAgain) {
  int runs = 0;
  const Status done = database_->transact([&](Executor& tx) -> Status {
    ++runs;
    if (auto first = insert(tx, 1); !first) return first;
    if (runs == 1) restart(SIGQUIT);
    return insert(tx, 2);
  });
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(count(), 2);
}

TEST_F(PostgresqlTest, AServerThatIsGoneIsToldAtOnceAndFoundAgain) {
  cluster_->stop(SIGINT);
  const Status gone = insert(*database_, 1);
  EXPECT_EQ(gone.error().code, ErrorCode::unavailable);
  EXPECT_EQ(gone.error().retry, Retry::safe);
  EXPECT_THAT(gone.error().message, Not(HasSubstr("password")));
  EXPECT_FALSE(database_->reachable());
  cluster_->start_server();
  // Back-off: not every caller knocks. Its clock is the test's.
  EXPECT_FALSE(database_->reachable());
  clock_.advance(std::chrono::seconds(10));
  EXPECT_TRUE(database_->reachable());
  EXPECT_TRUE(insert(*database_, 1));
}

TEST_F(PostgresqlTest, ConnectionsThatAnAdministratorEndsAreReplaced) {
  ASSERT_TRUE(insert(*database_, 1));
  end_connections(5000);
  const Status written = insert(*database_, 2);
  EXPECT_TRUE(written) << written.error().message;
  EXPECT_EQ(count(), 2);
}

TEST_F(PostgresqlTest, NothingIsLostOrDoneTwiceWhileConnectionsDie) {
  std::atomic<bool> stop = false;
  std::atomic<int> next = 0;
  std::vector<std::vector<int>> acknowledged(4);
  std::vector<std::thread> writers;
  std::atomic<int> twice = 0;
  for (auto& mine : acknowledged) {
    writers.emplace_back([&] {
      while (!stop) {
        const int id = ++next;
        const Status written = insert(*database_, id);
        if (written) mine.push_back(id);
        // Sent again although it had been done: the key would tell.
        if (!written && written.error().code == ErrorCode::conflict) ++twice;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    end_connections(0);
    clock_.advance(std::chrono::seconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(twice, 0);
  std::size_t total = 0;
  for (const auto& mine : acknowledged) {
    for (const int id : mine) {
      EXPECT_EQ(value_of(database_->run("SELECT id FROM things WHERE id = $1", {id})).rows.size(), 1u) << id;
    }
    total += mine.size();
  }
  EXPECT_GT(total, 100u);
}

TEST_F(PostgresqlTest, AStatementThatTakesTooLongIsUndone) {
  options_.statement_max = std::chrono::milliseconds(100);
  const auto hurried = value_of(open_database(options_));
  const auto slow = hurried->run("SELECT 1 FROM pg_sleep(60)", {});
  EXPECT_EQ(slow.error().code, ErrorCode::timeout);
  EXPECT_TRUE(hurried->reachable());
}

TEST_F(PostgresqlTest, TablesThatChangeUnderAPreparedStatementAreNoError) {
  const auto read = [&](Executor& executor) { return executor.run("SELECT * FROM things", {}); };
  ASSERT_TRUE(insert(*database_, 1));
  options_.connections = 1;
  const auto older = value_of(open_database(options_));
  ASSERT_TRUE(read(*older));
  static constexpr Migration kNext[] = {kTable[0], {2, "ALTER TABLE things ADD COLUMN more BIGINT", 1}};
  ASSERT_TRUE(database_->migrate("test", kNext));
  EXPECT_EQ(value_of(read(*older)).rows.at(0).size(), 3u);
  static constexpr Migration kThird[] = {kTable[0], kNext[1], {3, "ALTER TABLE things ADD COLUMN yet_more BIGINT", 1}};
  ASSERT_TRUE(database_->migrate("test", kThird));
  EXPECT_TRUE(older->transact([&](Executor& tx) -> Status {
    auto rows = read(tx);
    if (!rows) return tl::unexpected(rows.error());
    EXPECT_EQ(rows->rows.at(0).size(), 4u);
    return {};
  }));
}

TEST_F(PostgresqlTest, MoreStatementsThanAreKeptPrepared) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(database_->run("SELECT id FROM things WHERE id = " + std::to_string(i), {})) << i;
    }
  }
}

TEST(PostgresqlLocation, TlsIsDemandedOfOtherMachines) {
  struct Case {
    const char* location;
    bool local, verified;
    const char* mode;
  };
  const Case cases[] = {
      {"postgresql:///name", true, true, "prefer"},
      {"postgresql://user@localhost/name", true, true, "prefer"},
      {"postgresql://127.0.0.9:5433/name", true, true, "prefer"},
      {"postgresql://[::1]/name", true, true, "prefer"},
      {"postgresql:///name?host=/run/postgresql", true, true, "prefer"},
      {"postgres://db.example/name", false, true, "verify-full"},
      {"postgresql://localhost,db.example/name", false, true, "verify-full"},
      {"postgresql://localhost/name?hostaddr=192.0.2.1", false, true, "verify-full"},
      {"postgresql://127.0.0.1.example/name", false, true, "verify-full"},
      {"postgresql://db.example/name?sslmode=verify-full", false, true, "verify-full"},
      {"postgresql://db.example/name?sslmode=require", false, false, "require"},
      {"postgresql://db.example/name?sslmode=disable", false, false, "disable"},
  };
  for (const Case& c : cases) {
    const auto read = read_postgresql_location(c.location);
    ASSERT_TRUE(read) << c.location;
    EXPECT_EQ(read->local, c.local) << c.location;
    EXPECT_EQ(read->verified, c.verified) << c.location;
    const std::pair<std::string, std::string> mode{"sslmode", c.mode};
    EXPECT_THAT(read->parameters, testing::Contains(mode)) << c.location;
  }
}

TEST(PostgresqlLocation, PasswordsAreKeptApartAndOutOfMessages) {
  const auto read = read_postgresql_location("postgresql://alice:hun%40ter2@db.example:5433/shop");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->password.expose(), "hun@ter2");
  EXPECT_EQ(read->printable, "postgresql://alice@db.example/shop");
  for (const auto& [name, value] : read->parameters) EXPECT_THAT(value, Not(HasSubstr("ter2"))) << name;
  for (const char* broken : {"postgresql://alice:hunter2%zz@db.example/shop", "postgresql://alice:hunter2@[db/shop",
                             "postgresql://alice@db.example/shop?hunter2=1"}) {
    const auto refused = read_postgresql_location(broken);
    ASSERT_FALSE(refused) << broken;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid);
    EXPECT_THAT(refused.error().message, Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace gatehouse::store
