// What every back end promises (store/database.h), held against each of them.

#include "store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "store/database_testing.h"

namespace gatehouse::store {
namespace {

using testing::HasSubstr;

class DatabaseTest : public testing::TestWithParam<BackEnd> {
 protected:
  void SetUp() override {
    site_ = make_site(GetParam());
    if (!site_) GTEST_SKIP() << "PostgreSQL is not installed";
    database_ = must_open();
    must_migrate(*database_, kTable);
  }

  std::unique_ptr<Database> must_open() { return value_of(open_database(site_->options())); }
  static void must_migrate(Database& database, std::span<const Migration> steps) {
    const Status migrated = database.migrate("test", steps);
    ASSERT_TRUE(migrated) << migrated.error().message;
  }
  Rows must(std::string_view sql, const Parameters& parameters = {}) {
    return value_of(database_->run(sql, parameters));
  }
  ErrorCode refused(std::string_view sql, const Parameters& parameters = {}) {
    const auto ran = database_->run(sql, parameters);
    EXPECT_FALSE(ran) << sql;
    return ran ? ErrorCode::internal : ran.error().code;
  }

  static constexpr Migration kTable[] = {{1, R"sql(
      CREATE TABLE things (  -- BYTES; in a comment
        id TEXT PRIMARY KEY, number BIGINT, data BYTES, name TEXT DEFAULT 'BYTES; BIGINT'
      );
      CREATE UNIQUE INDEX things_number ON things(number);
      CREATE TABLE parts (thing TEXT NOT NULL REFERENCES things(id) ON DELETE CASCADE, size BIGINT NOT NULL CHECK (size > 0));
    )sql",
                                          1}};

  std::unique_ptr<Site> site_;
  std::unique_ptr<Database> database_;
};

TEST_P(DatabaseTest, ValuesComeBackAsTheyWere) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  const std::string text = "it's \"quoted\"; -- \\x41 \xc3\xa9\xf0\x9f\x94\x91 $1 %s";
  const Row rows[] = {
      {"null", Value(), Value(), Value()},
      {"empty", 0, Bytes{""}, ""},
      {"lowest", std::numeric_limits<std::int64_t>::min(), Bytes{every_byte}, text},
      {"highest", std::numeric_limits<std::int64_t>::max(), Bytes{std::string(1, '\0')}, "\t\r\n"},
      {"large", -1, Bytes{std::string(1 << 20, '\xff')}, std::string(1 << 20, 'a')},
  };
  for (const Row& row : rows) must("INSERT INTO things (id, number, data, name) VALUES ($1, $2, $3, $4)", row);
  for (const Row& row : rows) {
    const Rows found = must("SELECT id, number, data, name FROM things WHERE id = $1", {row[0]});
    ASSERT_EQ(found.rows.size(), 1u);
    EXPECT_TRUE(found.rows[0] == row) << row[0].text();
    EXPECT_EQ(found.changed, 0);
  }
}

TEST_P(DatabaseTest, ParametersAreBoundByTheirNumber) {
  must("INSERT INTO things (id, number, name) VALUES ($2, $1, $2)", {7, "b"});
  EXPECT_EQ(must("SELECT number FROM things WHERE name = $1 AND id = $1", {"b"}).rows, (std::vector<Row>{{7}}));
  EXPECT_EQ(refused("SELECT id FROM things WHERE id = $1 OR name = $2", {"b"}), ErrorCode::invalid);
  EXPECT_EQ(refused("SELECT id FROM things WHERE id = $1", {"b", "c"}), ErrorCode::invalid);
  EXPECT_EQ(refused("SELECT id FROM things", {"b"}), ErrorCode::invalid);
}

TEST_P(DatabaseTest, ChangedCountsWhatAStatementTouched) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(must("INSERT INTO things (id, number) VALUES ($1, $2)", {std::to_string(i), i}).changed, 1);
  }
  EXPECT_EQ(must("UPDATE things SET name = 'x' WHERE number < 2").changed, 2);
  EXPECT_EQ(must("SELECT id FROM things").changed, 0);
  EXPECT_EQ(must("UPDATE things SET name = 'y' WHERE number > 99").changed, 0);
  EXPECT_EQ(must("INSERT INTO things (id) VALUES ('0') ON CONFLICT (id) DO NOTHING").changed, 0);
  const Rows gone = must("DELETE FROM things WHERE number >= $1 RETURNING id", {1});
  EXPECT_EQ(gone.changed, 2);
  EXPECT_EQ(gone.rows.size(), 2u);
  const Rows merged = must(
      "INSERT INTO things (id, number) VALUES ('0', 5) ON CONFLICT (id) DO UPDATE SET number = 6 RETURNING number");
  EXPECT_EQ(merged.rows, (std::vector<Row>{{6}}));
  EXPECT_EQ(merged.changed, 1);
}

TEST_P(DatabaseTest, WhatAKeyRefusesIsAConflictAndWhatAColumnRefusesIsInvalid) {
  must("INSERT INTO things (id, number) VALUES ('a', 1)");
  struct Case {
    const char* sql;
    ErrorCode code;
  };
  const Case cases[] = {
      {"INSERT INTO things (id) VALUES ('a')", ErrorCode::conflict},
      {"INSERT INTO things (id, number) VALUES ('b', 1)", ErrorCode::conflict},
      {"INSERT INTO parts (thing, size) VALUES ('nobody', 1)", ErrorCode::conflict},
      {"INSERT INTO parts (thing, size) VALUES ('a', 0)", ErrorCode::invalid},
      {"INSERT INTO parts (size) VALUES (1)", ErrorCode::invalid},
      {"INSERT INTO things (id) VALUES (NULL)", ErrorCode::invalid},
      {"INSERT INTO nothing (id) VALUES (1)", ErrorCode::invalid},
      {"SELECT FROM WHERE", ErrorCode::invalid},
      {"", ErrorCode::invalid},
      {"SELECT 1; SELECT 2", ErrorCode::invalid},
  };
  for (const Case& c : cases) EXPECT_EQ(refused(c.sql), c.code) << c.sql;
  EXPECT_EQ(must("SELECT COUNT(*) FROM things").rows, (std::vector<Row>{{1}}));
}

TEST_P(DatabaseTest, AColumnHoldsOneType) {
  EXPECT_EQ(refused("INSERT INTO things (id, data) VALUES ('a', $1)", {"text"}), ErrorCode::invalid);
  EXPECT_EQ(refused("INSERT INTO things (id, number) VALUES ('a', $1)", {"seven"}), ErrorCode::invalid);
  EXPECT_EQ(refused("INSERT INTO things (id, number) VALUES ('a', $1)", {Bytes{"7"}}), ErrorCode::invalid);
  if (GetParam() == BackEnd::postgresql) return;  // it writes bytes into text as hexadecimal digits
  EXPECT_EQ(refused("INSERT INTO things (id, name) VALUES ('a', $1)", {Bytes{"bytes"}}), ErrorCode::invalid);
}

TEST_P(DatabaseTest, TextIsUtf8WithoutNul) {
  using namespace std::string_literals;
  for (const std::string& bad : {"a\0b"s, "\0"s, "\xff"s, "\xc0\x80"s, "\xed\xa0\x80"s, "cut\xe2\x82"s}) {
    EXPECT_EQ(refused("INSERT INTO things (id) VALUES ($1)", {bad}), ErrorCode::invalid);
    EXPECT_EQ(refused("SELECT id FROM things WHERE id = $1", {bad}), ErrorCode::invalid);
  }
}

TEST_P(DatabaseTest, TextIsComparedByItsBytes) {
  for (const char* id : {"b", "B", "a", "_", "\xc3\xa4", "Z"}) must("INSERT INTO things (id) VALUES ($1)", {id});
  std::string order;
  for (const Row& row : must("SELECT id FROM things ORDER BY id").rows) order += row[0].text();
  EXPECT_EQ(order, "BZ_ab\xc3\xa4");
  EXPECT_EQ(must("SELECT id FROM things WHERE id LIKE 'B%'").rows.size(), 1u);
}

TEST_P(DatabaseTest, TruthAndCountsAreIntegers) {
  must("INSERT INTO things (id, number) VALUES ('a', 1)");
  const Row row = must(
                      "SELECT number = 1, EXISTS (SELECT 1 FROM parts), COUNT(*), CAST(SUM(number) AS BIGINT), 12"
                      " FROM things GROUP BY number")
                      .rows.at(0);
  EXPECT_EQ(row, (Row{1, 0, 1, 1, 12}));
  EXPECT_EQ(refused("SELECT 1.5 FROM things"), ErrorCode::invalid);
}

TEST_P(DatabaseTest, RowsAndBytesThatAreReadAreBounded) {
  must("INSERT INTO things (id, data) VALUES ('a', $1)", {Bytes{std::string(1 << 20, 'x')}});
  constexpr std::string_view kNumbers =
      "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1) ";
  EXPECT_EQ(must(std::string(kNumbers) + "SELECT i FROM n", {Executor::kRowsMax}).rows.size(), Executor::kRowsMax);
  EXPECT_EQ(refused(std::string(kNumbers) + "SELECT i FROM n", {Executor::kRowsMax + 1}), ErrorCode::exhausted);
  EXPECT_EQ(refused(std::string(kNumbers) + "SELECT data FROM n, things", {100}), ErrorCode::exhausted);
  EXPECT_EQ(refused("SELECT id FROM things WHERE data = $1", {Bytes{std::string((16 << 20) + 1, 'x')}}),
            ErrorCode::exhausted);
  // The connections are as good as before.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(must("SELECT id FROM things").rows.size(), 1u);
}

TEST_P(DatabaseTest, ATransactionIsAllOrNothing) {
  const auto insert = [](Executor& tx, const char* id) { return tx.run("INSERT INTO things (id) VALUES ($1)", {id}); };
  const Status abandoned = database_->transact([&](Executor& tx) -> Status {
    EXPECT_TRUE(insert(tx, "a"));
    EXPECT_EQ(value_of(tx.run("SELECT id FROM things", {})).rows.size(), 1u);
    return fail(ErrorCode::denied, "changed its mind");
  });
  EXPECT_EQ(abandoned.error().code, ErrorCode::denied);
  // A failed statement undoes the rest, even when the body doesn't look.
  const Status careless = database_->transact([&](Executor& tx) -> Status {
    EXPECT_TRUE(insert(tx, "a"));
    EXPECT_FALSE(insert(tx, "a"));
    EXPECT_FALSE(insert(tx, "b"));
    return {};
  });
  EXPECT_EQ(careless.error().code, ErrorCode::conflict);
  EXPECT_TRUE(must("SELECT id FROM things").empty());
  EXPECT_TRUE(database_->transact([&](Executor& tx) -> Status {
    EXPECT_TRUE(insert(tx, "a"));
    EXPECT_TRUE(insert(tx, "b"));
    return {};
  }));
  EXPECT_EQ(must("SELECT id FROM things").rows.size(), 2u);
}

TEST_P(DatabaseTest, EightWritersLoseNothing) {
  must("INSERT INTO things (id, number) VALUES ('sum', 0)");
  std::atomic<int> failures = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 8; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 25; ++i) {
        // Read, then write: isolation alone keeps the sum right.
        const Status done = database_->transact([&](Executor& tx) -> Status {
          auto read = tx.run("SELECT number FROM things WHERE id = 'sum'", {});
          if (!read) return tl::unexpected(read.error());
          auto written = tx.run("UPDATE things SET number = $1 WHERE id = 'sum'", {read->rows[0][0].integer() + 1});
          if (!written) return tl::unexpected(written.error());
          return {};
        });
        const auto alone =
            database_->run("INSERT INTO things (id) VALUES ($1)", {std::to_string(writer) + "/" + std::to_string(i)});
        if (!done || !alone) ++failures;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(must("SELECT number FROM things WHERE id = 'sum'").rows, (std::vector<Row>{{200}}));
  EXPECT_EQ(must("SELECT COUNT(*) FROM things").rows, (std::vector<Row>{{201}}));
}

TEST_P(DatabaseTest, ACodeIsUsedOnceHoweverManyTry) {
  for (int round = 0; round < 20; ++round) {
    const std::string id = std::to_string(round);
    must("INSERT INTO things (id, number) VALUES ($1, NULL)", {id});
    std::atomic<int> winners = 0;
    std::vector<std::thread> racers;
    for (int i = 0; i < 4; ++i) {
      racers.emplace_back([&] {
        const auto used =
            database_->run("UPDATE things SET number = $1 WHERE id = $2 AND number IS NULL RETURNING id", {round, id});
        if (used && used->changed == 1) ++winners;
      });
    }
    for (std::thread& racer : racers) racer.join();
    EXPECT_EQ(winners, 1);
  }
}

TEST_P(DatabaseTest, MigrationsApplyOnceAndInOrder) {
  static constexpr Migration kNext[] = {
      kTable[0],
      {2,
       "ALTER TABLE things ADD COLUMN colour BIGINT NOT NULL DEFAULT 3; CREATE INDEX things_colour ON things(colour)",
       1},
  };
  must("INSERT INTO things (id) VALUES ('old')");
  must_migrate(*database_, kNext);
  must_migrate(*database_, kNext);
  must("INSERT INTO things (id, colour) VALUES ('new', 4)");
  // The program of before goes on beside the new one, and starts again: the step only added.
  must("INSERT INTO things (id) VALUES ('as before')");
  must_migrate(*database_, kTable);
  EXPECT_EQ(must("SELECT colour FROM things ORDER BY id").rows, (std::vector<Row>{{3}, {4}, {3}}));
  EXPECT_EQ(must("SELECT version, oldest_reader FROM schema_versions WHERE product = 'test'").rows,
            (std::vector<Row>{{2, 1}}));
  // Another product has its own count.
  static constexpr Migration kOther[] = {{1, "CREATE TABLE others (id BIGINT PRIMARY KEY)", 1}};
  EXPECT_TRUE(database_->migrate("other", kOther));
}

TEST_P(DatabaseTest, AProgramThatCannotReadTheTablesIsRefused) {
  static constexpr Migration kBreaking[] = {
      kTable[0], {2, "ALTER TABLE things DROP COLUMN name", 2}, {3, "ALTER TABLE things ADD COLUMN more TEXT", 1}};
  must_migrate(*database_, kBreaking);
  const Status refusal = database_->migrate("test", kTable);
  ASSERT_FALSE(refusal);
  EXPECT_EQ(refusal.error().code, ErrorCode::invalid);
  EXPECT_THAT(refusal.error().message, HasSubstr("version 3, which needs a program that knows version 2"));
  must_migrate(*database_, std::span(kBreaking).first(2));
}

TEST_P(DatabaseTest, AStepThatFailsLeavesNothing) {
  static constexpr Migration kBroken[] = {kTable[0],
                                          {2, "CREATE TABLE half (id BIGINT); CREATE TABLE things (id TEXT)", 1}};
  const Status refusal = database_->migrate("test", kBroken);
  ASSERT_FALSE(refusal);
  EXPECT_THAT(refusal.error().message, HasSubstr("step 2 of test"));
  EXPECT_EQ(refused("SELECT id FROM half"), ErrorCode::invalid);
  EXPECT_EQ(must("SELECT version FROM schema_versions").rows, (std::vector<Row>{{1}}));
}

TEST_P(DatabaseTest, StartersThatMigrateAtOnceWaitForOneAnother) {
  static constexpr Migration kSteps[] = {
      kTable[0], {2, "CREATE TABLE counted (id BIGINT); INSERT INTO counted (id) VALUES (1)", 1}};
  std::vector<std::unique_ptr<Database>> programs;
  for (int i = 0; i < 6; ++i) programs.push_back(must_open());
  std::vector<std::thread> starters;
  std::atomic<int> failures = 0;
  for (auto& program : programs) {
    starters.emplace_back([&] {
      if (!program->migrate("test", kSteps)) ++failures;
    });
  }
  for (std::thread& starter : starters) starter.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(must("SELECT id FROM counted").rows.size(), 1u);
}

TEST_P(DatabaseTest, WhoWaitsTooLongForAConnectionIsTold) {
  DatabaseOptions options = site_->options();
  options.connections = 1;
  options.wait_max = std::chrono::milliseconds(30);
  const auto narrow = value_of(open_database(options));
  EXPECT_TRUE(narrow->transact([&](Executor&) -> Status {
    const auto waited = narrow->run("INSERT INTO things (id) VALUES ('a')", {});
    EXPECT_EQ(waited.error().code, ErrorCode::exhausted);
    EXPECT_EQ(waited.error().retry, Retry::safe);
    return {};
  }));
  EXPECT_TRUE(narrow->reachable());
  EXPECT_EQ(narrow->kind(), GetParam() == BackEnd::sqlite ? "sqlite" : "postgresql");
}

TEST(OpenDatabase, LocationsThatNameNoStoreAreRefused) {
  for (const char* location : {"", "sqlite:", "mysql://host/name", "/var/lib/gatehouse.db"}) {
    EXPECT_EQ(open_database({.location = location}).error().code, ErrorCode::invalid) << location;
  }
  EXPECT_EQ(open_database({.location = "sqlite:/tmp/x.db", .connections = 0}).error().code, ErrorCode::invalid);
}

INSTANTIATE_TEST_SUITE_P(Both, DatabaseTest, testing::Values(BackEnd::sqlite, BackEnd::postgresql),
                         [](const auto& back_end) { return name_of(back_end.param); });

}  // namespace
}  // namespace gatehouse::store
