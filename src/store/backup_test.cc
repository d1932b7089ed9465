// Backups of either back end, put back into either.

#include "store/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <thread>

#include "base/file.h"
#include "store/database_testing.h"

namespace gatehouse::store {
namespace {

using testing::HasSubstr;

constexpr Migration kPeople[] = {
    {1, "CREATE TABLE people (id TEXT PRIMARY KEY, age BIGINT, photo BYTES, \"group\" TEXT)", 1},
    {2, "INSERT INTO people (id) VALUES ('made by the step'); CREATE UNIQUE INDEX people_age ON people(age)", 1},
};
constexpr Migration kPets[] = {
    {1, "CREATE TABLE pets (owner TEXT NOT NULL REFERENCES people(id), name TEXT NOT NULL, PRIMARY KEY (owner, name))",
     1},
};

std::unique_ptr<Database> open_and_fill(const DatabaseOptions& options, int rows) {
  auto database = value_of(open_database(options));
  EXPECT_TRUE(database->migrate("people", kPeople));
  EXPECT_TRUE(database->migrate("pets", kPets));
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  const Row people[] = {
      {"none", Value(), Value(), Value()},
      {"\xc3\xa9 'quoted'", std::numeric_limits<std::int64_t>::min(), Bytes{every_byte}, ""},
      {"big", std::numeric_limits<std::int64_t>::max(), Bytes{std::string(1 << 20, '\0')}, "x"},
      {"empty", 0, Bytes{}, "\n"},
  };
  EXPECT_TRUE(database->transact([&](Executor& tx) -> Status {
    for (const Row& row : people) {
      EXPECT_TRUE(tx.run("INSERT INTO people (id, age, photo, \"group\") VALUES ($1, $2, $3, $4)", row));
    }
    for (int i = 1; i <= rows; ++i) {
      EXPECT_TRUE(tx.run("INSERT INTO people (id, age) VALUES ($1, $2)", {std::to_string(i), i}));
      EXPECT_TRUE(tx.run("INSERT INTO pets (owner, name) VALUES ($1, 'Rex')", {std::to_string(i)}));
    }
    return {};
  }));
  return database;
}

struct Content {
  std::vector<Row> people, pets, versions;
  bool operator==(const Content&) const = default;
};
Content content_of(Database& database) {
  const auto rows = [&](std::string_view sql) { return value_of(database.run(sql, {})).rows; };
  return {rows("SELECT id, age, photo, \"group\" FROM people ORDER BY id"),
          rows("SELECT owner, name FROM pets ORDER BY owner"),
          rows("SELECT product, version, oldest_reader FROM schema_versions ORDER BY product")};
}

using Direction = std::pair<BackEnd, BackEnd>;

class BackupTest : public testing::TestWithParam<Direction> {};

TEST_P(BackupTest, EverythingComesBack) {
  const auto from = make_site(GetParam().first), to = make_site(GetParam().second);
  if (!from || !to) GTEST_SKIP() << "PostgreSQL is not installed";
  TempDir folder;
  const std::string file = folder / "backup.db";
  ASSERT_TRUE(write_file_atomically(file, "the backup of yesterday", 0644));
  const auto source = open_and_fill(from->options(), 700);
  const Status saved = back_up(from->options(), file);
  ASSERT_TRUE(saved) << saved.error().message;
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  // Nothing beside it: it can be carried away.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  ASSERT_EQ(::chmod(file.c_str(), 0400), 0);
  const auto restored = restore(file, to->options());
  ASSERT_TRUE(restored) << restored.error().message;
  const auto target = value_of(open_database(to->options()));
  EXPECT_TRUE(content_of(*target) == content_of(*source));
  // Keys are there, and the program goes on from the same version.
  EXPECT_TRUE(target->migrate("people", kPeople));
  EXPECT_EQ(target->run("INSERT INTO people (id, age) VALUES ('new', 0)", {}).error().code, ErrorCode::conflict);
  EXPECT_EQ(target->run("INSERT INTO pets (owner, name) VALUES ('nobody', 'x')", {}).error().code, ErrorCode::conflict);
  EXPECT_TRUE(target->run("INSERT INTO people (id, age) VALUES ('new', -5)", {}));
}

INSTANTIATE_TEST_SUITE_P(Directions, BackupTest,
                         testing::Values(Direction{BackEnd::sqlite, BackEnd::sqlite},
                                         Direction{BackEnd::sqlite, BackEnd::postgresql},
                                         Direction{BackEnd::postgresql, BackEnd::sqlite},
                                         Direction{BackEnd::postgresql, BackEnd::postgresql}),
                         [](const auto& direction) {
                           return name_of(direction.param.first) + "To" + name_of(direction.param.second);
                         });

class BackupWhileWritten : public testing::TestWithParam<BackEnd> {};

TEST_P(BackupWhileWritten, IsOfOneMoment) {
  const auto from = make_site(GetParam());
  if (!from) GTEST_SKIP() << "PostgreSQL is not installed";
  const auto database = open_and_fill(from->options(), 100);
  std::atomic<bool> stop = false;
  std::atomic<int> pairs = 0;
  std::thread writer([&] {
    for (int i = 1000; !stop; ++i) {
      EXPECT_TRUE(database->transact([&](Executor& tx) -> Status {
        EXPECT_TRUE(tx.run("INSERT INTO people (id, age) VALUES ($1, $2)", {std::to_string(i), i}));
        EXPECT_TRUE(tx.run("INSERT INTO pets (owner, name) VALUES ($1, 'Rex')", {std::to_string(i)}));
        return {};
      }));
      ++pairs;
    }
  });
  TempDir folder;
  int last = 0;
  for (int i = 0; i < 3; ++i) {
    while (pairs < last + 5) std::this_thread::yield();
    last = pairs;
    const std::string file = folder / ("backup" + std::to_string(i));
    ASSERT_TRUE(back_up(from->options(), file));
    SqliteSite site;
    ASSERT_TRUE(restore(file, site.options()));
    const Content content = content_of(*value_of(open_database(site.options())));
    EXPECT_EQ(content.people.size(), content.pets.size() + 5);
    EXPECT_GE(static_cast<int>(content.pets.size()), 100 + last);
  }
  stop = true;
  writer.join();
}

INSTANTIATE_TEST_SUITE_P(Both, BackupWhileWritten, testing::Values(BackEnd::sqlite, BackEnd::postgresql),
                         [](const auto& back_end) { return name_of(back_end.param); });

TEST(Restore, KeepsTheOldFileAsideAndRefusesWhileItIsUsed) {
  SqliteSite site;
  TempDir folder;
  auto database = open_and_fill(site.options(), 3);
  ASSERT_TRUE(back_up(site.options(), folder / "backup.db"));
  ASSERT_TRUE(database->run("DELETE FROM pets", {}));
  const auto refused = restore(folder / "backup.db", site.options());
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("stop the gateway first"));
  EXPECT_TRUE(content_of(*database).pets.empty());
  database.reset();
  const auto restored = restore(folder / "backup.db", site.options());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(content_of(*value_of(open_database(site.options()))).pets.size(), 3u);
  const auto old = value_of(open_database({.location = "sqlite:" + restored->aside}));
  EXPECT_TRUE(content_of(*old).pets.empty());
  EXPECT_EQ(content_of(*old).people.size(), 8u);
}

TEST(Restore, TakesThePlaceOfADamagedFile) {
  SqliteSite site;
  TempDir folder;
  open_and_fill(site.options(), 3);
  ASSERT_TRUE(back_up(site.options(), folder / "backup.db"));
  ASSERT_TRUE(write_file_atomically(site.path(), std::string(9000, 'x'), 0600));
  ASSERT_TRUE(write_file_atomically(site.path() + "-wal", std::string(9000, 'y'), 0600));
  const auto restored = restore(folder / "backup.db", site.options());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(content_of(*value_of(open_database(site.options()))).pets.size(), 3u);
  EXPECT_EQ(value_of(read_file(restored->aside)), std::string(9000, 'x'));
}

TEST(Restore, WhatIsNoBackupChangesNothing) {
  SqliteSite site, stranger;
  TempDir folder;
  open_and_fill(site.options(), 3);
  ASSERT_TRUE(write_file_atomically(folder / "noise", std::string(9000, 'x')));
  ASSERT_TRUE(value_of(open_database(stranger.options()))->run("CREATE TABLE things (id TEXT)", {}));
  ASSERT_TRUE(back_up(site.options(), folder / "cut"));
  std::filesystem::resize_file(folder / "cut", 20'000);
  for (const std::string& source : {folder / "noise", stranger.path(), folder / "cut", folder / "nothing"}) {
    EXPECT_FALSE(restore(source, site.options())) << source;
  }
  EXPECT_EQ(content_of(*value_of(open_database(site.options()))).pets.size(), 3u);
  const auto full = make_site(BackEnd::postgresql);
  if (!full) GTEST_SKIP() << "PostgreSQL is not installed";
  open_and_fill(full->options(), 1);
  ASSERT_TRUE(back_up(site.options(), folder / "backup.db"));
  const auto refused = restore(folder / "backup.db", full->options());
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_EQ(content_of(*value_of(open_database(full->options()))).pets.size(), 1u);
}

TEST(Backup, OfADamagedStoreIsRefusedAndLeavesTheLastOne) {
  SqliteSite site;
  TempDir folder;
  open_and_fill(site.options(), 3);
  ASSERT_TRUE(write_file_atomically(folder / "backup.db", "yesterday's", 0600));
  ASSERT_TRUE(write_file_atomically(site.path(), std::string(9000, 'x'), 0600));
  EXPECT_EQ(back_up(site.options(), folder / "backup.db").error().code, ErrorCode::io);
  EXPECT_EQ(value_of(read_file(folder / "backup.db")), "yesterday's");
}

}  // namespace
}  // namespace gatehouse::store
