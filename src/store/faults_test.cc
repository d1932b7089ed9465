// What must survive: processes that are killed, full disks, other processes, and strangers in the server's place.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "store/database_testing.h"

namespace gatehouse::store {
namespace {

constexpr Migration kTable[] = {{1, "CREATE TABLE things (id BIGINT PRIMARY KEY, data BYTES)", 1}};

std::unique_ptr<Database> open_and_migrate(const DatabaseOptions& options) {
  auto database = value_of(open_database(options));
  const Status migrated = database->migrate("test", kTable);
  EXPECT_TRUE(migrated) << migrated.error().message;
  return database;
}

std::int64_t count(Database& database) {
  return value_of(database.run("SELECT COUNT(*) FROM things", {})).rows.at(0).at(0).integer();
}

// Runs `work` in a process of its own, whose exit status is 0 when it returned true.
template <class Work>
pid_t in_child(const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work() ? 0 : 1);
  return child;
}
bool succeeded(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(SqliteFaults, AWriterThatIsKilledLosesNothingThatItWasTold) {
  SqliteSite site;
  open_and_migrate(site.options());
  std::int64_t told = 0;
  for (int round = 0; round < 15; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = in_child([&, first = told + 1] {
      const auto database = open_database(site.options());
      if (!database) return false;
      for (std::int64_t id = first;; ++id) {
        // Two rows a transaction: half of one would be seen.
        const Status done = (*database)->transact([&](Executor& tx) -> Status {
          for (const std::int64_t key : {id, -id}) {
            auto row = tx.run("INSERT INTO things (id, data) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                              {key, Bytes{std::string(5000, 'x')}});
            if (!row) return tl::unexpected(row.error());
          }
          return {};
        });
        if (!done || ::write(pipe[1], &id, sizeof id) != sizeof id) return false;
      }
    });
    ::close(pipe[1]);
    std::int64_t id = 0;
    for (int commits = 0; commits < 3 + round * 2 && ::read(pipe[0], &id, sizeof id) == sizeof id; ++commits) told = id;
    ::usleep(static_cast<useconds_t>(round * 137));  // at another moment of a commit each round
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &id, sizeof id) == sizeof id) told = id;
    ::close(pipe[0]);
    ::waitpid(child, nullptr, 0);
    const auto database = value_of(open_database(site.options()));
    EXPECT_EQ(value_of(database->run("PRAGMA integrity_check", {})).rows.at(0).at(0), Value("ok"));
    const std::int64_t rows = count(*database);
    EXPECT_GE(rows, 2 * told);
    EXPECT_LE(rows, 2 * (told + 1));
    EXPECT_EQ(rows % 2, 0);
  }
  EXPECT_GT(told, 200);
}

TEST(SqliteFaults, TwoProcessesWriteToOneFile) {
  SqliteSite site;
  {
    const auto database = open_and_migrate(site.options());
    ASSERT_TRUE(database->run("INSERT INTO things (id) VALUES (0)", {}));
  }
  std::vector<pid_t> children;
  for (int process = 0; process < 2; ++process) {
    children.push_back(in_child([&] {
      const auto database = open_database(site.options());
      for (int i = 0; database && i < 150; ++i) {
        const Status done = (*database)->transact([&](Executor& tx) -> Status {
          auto last = tx.run("SELECT MAX(id) FROM things", {});
          if (!last) return tl::unexpected(last.error());
          auto row = tx.run("INSERT INTO things (id) VALUES ($1)", {last->rows[0][0].integer() + 1});
          if (!row) return tl::unexpected(row.error());
          return {};
        });
        if (!done) return false;
      }
      return database.has_value();
    }));
  }
  for (const pid_t child : children) EXPECT_TRUE(succeeded(child));
  EXPECT_EQ(count(*open_and_migrate(site.options())), 301);
}

// Fills `database` until it refuses, and sees that it goes on with what it has.
void expect_full_and_well(Database& database) {
  Error refusal;
  int written = 0;
  for (; written < 10'000; ++written) {
    const auto row =
        database.run("INSERT INTO things (id, data) VALUES ($1, $2)", {written, Bytes{std::string(20'000, 'x')}});
    if (row) continue;
    refusal = row.error();
    break;
  }
  EXPECT_EQ(refusal.code, ErrorCode::exhausted) << refusal.message;
  EXPECT_GT(written, 3);
  EXPECT_EQ(count(database), written);
  EXPECT_TRUE(database.reachable());
}

// Writers share commits. Each must get its own outcome all the same.
TEST(SqliteFaults, OneWritersRefusalIsNotAnothers) {
  SqliteSite site;
  const auto database = open_and_migrate(site.options());
  ASSERT_TRUE(database->run("INSERT INTO things (id) VALUES (-1)", {}));
  std::vector<std::thread> writers;
  std::atomic<int> wrong = 0;
  for (int writer = 0; writer < 8; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 60; ++i) {
        const bool refused = (i + writer) % 3 == 0;
        const Status done = database->transact([&](Executor& tx) -> Status {
          auto row = tx.run("INSERT INTO things (id) VALUES ($1)", {writer * 1000 + i});
          if (row && refused) row = tx.run("INSERT INTO things (id) VALUES (-1)", {});
          if (!row) return tl::unexpected(row.error());
          return {};
        });
        if (done.has_value() == refused) ++wrong;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(count(*database), 1 + 8 * 60 - 8 * 20);
}

TEST(SqliteFaults, WhatWasToldBeforeTheFileWasFullIsThere) {
  SqliteSite site;
  const auto database = open_and_migrate(site.options());
  ASSERT_TRUE(database->run("PRAGMA max_page_count=400", {}));
  std::vector<std::thread> writers;
  std::atomic<int> told = 0, wrong = 0;
  for (int writer = 0; writer < 8; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 40; ++i) {
        const auto row = database->run("INSERT INTO things (id, data) VALUES ($1, $2)",
                                       {writer * 1000 + i, Bytes{std::string(9'000, 'x')}});
        if (row) ++told;
        if (!row && row.error().code != ErrorCode::exhausted) ++wrong;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(told, 50);
  EXPECT_LT(told, 320);
  EXPECT_EQ(count(*database), told);
  EXPECT_EQ(value_of(database->run("PRAGMA integrity_check", {})).rows.at(0).at(0), Value("ok"));
}

TEST(SqliteFaults, AFullFileIsSaidSoAndHarmsNothing) {
  SqliteSite site;
  const auto database = open_and_migrate(site.options());
  ASSERT_TRUE(database->run("PRAGMA max_page_count=300", {}));
  expect_full_and_well(*database);
  ASSERT_TRUE(database->run("DELETE FROM things WHERE id > 2", {}));
  EXPECT_TRUE(database->run("INSERT INTO things (id, data) VALUES (1000, $1)", {Bytes{std::string(20'000, 'y')}}));
  EXPECT_EQ(value_of(database->run("PRAGMA integrity_check", {})).rows.at(0).at(0), Value("ok"));
}

TEST(SqliteFaults, AFullDiskIsSaidSoAndHarmsNothing) {
  TempDir folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m,mode=0700") != 0) {
    GTEST_SKIP() << "file systems cannot be mounted here";
  }
  {
    const auto database = open_and_migrate({.location = "sqlite:" + (folder / "a.db")});
    expect_full_and_well(*database);
    EXPECT_EQ(value_of(database->run("PRAGMA integrity_check", {})).rows.at(0).at(0), Value("ok"));
  }
  EXPECT_EQ(::umount(folder.path().c_str()), 0);
}

TEST(PostgresqlFaults, WhatTheServerHasNoRoomForIsExhausted) {
  const auto site = make_site(BackEnd::postgresql);
  if (!site) GTEST_SKIP() << "PostgreSQL is not installed";
  DatabaseOptions options = site->options();
  options.connections = 1;
  const auto database = value_of(open_database(options));
  ASSERT_TRUE(database->run("SET temp_file_limit = '64kB'", {}));
  ASSERT_TRUE(database->run("SET work_mem = '64kB'", {}));
  const auto sorted =
      database->run("SELECT MAX(t) FROM (SELECT i::text AS t FROM generate_series(1, 200000) i ORDER BY 1) s", {});
  EXPECT_EQ(sorted.error().code, ErrorCode::exhausted) << sorted.error().message;
  EXPECT_TRUE(database->reachable());
}

TEST(PostgresqlFaults, OnlyTheServerThatTheCertificateNamesIsSpokenTo) {
  TempDir folder;
  const auto make_certificate = [&](const std::string& name) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
        " -addext subjectAltName=DNS:localhost -keyout " + (folder / name) + ".key -out " + (folder / name) +
        ".pem 2>/dev/null";
    return std::system(command.c_str()) == 0;
  };
  ASSERT_TRUE(make_certificate("ours") && make_certificate("other"));
  const auto cluster = PostgresqlCluster::start();
  if (!cluster) GTEST_SKIP() << "PostgreSQL is not installed";
  ASSERT_TRUE(
      value_of(open_database({.location = cluster->location()}))->run("CREATE USER shop PASSWORD 'hunter2'", {}));
  cluster->serve_tls(folder / "ours.pem", folder / "ours.key");
  struct Case {
    const char* host;
    const char* parameters;
    const char* password;
    bool reached;
  };
  const Case cases[] = {
      {"localhost", "sslmode=verify-full&sslrootcert=ours.pem", "hunter2", true},
      {"localhost", "sslmode=verify-full&sslrootcert=other.pem", "hunter2", false},
      {"127.0.0.1", "sslmode=verify-full&sslrootcert=ours.pem", "hunter2", false},
      {"127.0.0.1", "sslmode=verify-ca&sslrootcert=ours.pem", "hunter2", true},
      {"localhost", "sslmode=verify-full", "hunter2", false},  // no authority of the system signed it
      {"localhost", "sslmode=disable", "hunter2", false},
      {"localhost", "sslmode=verify-full&sslrootcert=ours.pem", "hunter3", false},
  };
  for (const Case& c : cases) {
    std::string location = fmt::format("postgresql://shop@{}:{}/postgres?{}", c.host, cluster->port(), c.parameters);
    if (const std::size_t at = location.find("sslrootcert="); at != std::string::npos) {
      location.insert(at + 12, folder.path() + "/");
    }
    const auto database =
        value_of(open_database({.location = location, .password = SecretBytes(std::string_view(c.password))}));
    const auto asked = database->run("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", {});
    EXPECT_EQ(asked.has_value(), c.reached) << location << (asked ? "" : asked.error().message);
    if (asked) {
      EXPECT_EQ(asked->rows, (std::vector<Row>{{1}}));
    } else {
      EXPECT_EQ(asked.error().code, ErrorCode::unavailable);
      EXPECT_THAT(asked.error().message, testing::Not(testing::HasSubstr("hunter")));
    }
  }
}

}  // namespace
}  // namespace gatehouse::store
