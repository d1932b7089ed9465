// What is SQLite's own: its file, and what happens to it.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "store/database_testing.h"

namespace gatehouse::store {
namespace {

using testing::HasSubstr;

constexpr Migration kTable[] = {{1, "CREATE TABLE things (id BIGINT PRIMARY KEY, data BYTES)", 1}};

unsigned mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

Error refusal_of(const std::string& path) {
  auto opened = open_database({.location = "sqlite:" + path});
  EXPECT_FALSE(opened) << path;
  return opened ? Error{} : opened.error();
}

TEST(SqliteFile, IsForItsUserAlone) {
  TempDir folder;
  const std::string path = folder / "made/gatehouse.db";
  const auto old_mask = ::umask(0);
  const auto database = value_of(open_database({.location = "sqlite:" + path}));
  EXPECT_TRUE(database->migrate("test", kTable));
  EXPECT_EQ(mode_of(folder / "made"), 0700u);
  for (const char* end : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(path + end), 0600u) << end;
  ::umask(old_mask);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_TRUE(open_database({.location = "sqlite:" + path}));
  EXPECT_EQ(mode_of(path), 0600u);
}

TEST(SqliteFile, BelongsToWhomItsFolderBelongs) {
  if (::geteuid() != 0) GTEST_SKIP() << "only the superuser gives files away";
  TempDir folder;
  ASSERT_EQ(::chown(folder.path().c_str(), 4321, 8765), 0);
  const auto database = value_of(open_database({.location = "sqlite:" + (folder / "a.db")}));
  EXPECT_TRUE(database->migrate("test", kTable));
  for (const char* name : {"a.db", "a.db-wal", "a.db-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((folder / name).c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 4321u) << name;
    EXPECT_EQ(info.st_gid, 8765u) << name;
  }
}

TEST(SqliteFile, PlacesWhereAnotherCouldSwapItAreRefused) {
  TempDir folder;
  std::filesystem::create_directory(folder / "shared");
  ASSERT_EQ(::chmod((folder / "shared").c_str(), 0777), 0);
  EXPECT_THAT(refusal_of(folder / "shared/a.db").message, HasSubstr("others may write"));
  ASSERT_TRUE(write_file_atomically(folder / "elsewhere.db", ""));
  std::filesystem::create_symlink(folder / "elsewhere.db", folder / "link.db");
  EXPECT_EQ(refusal_of(folder / "link.db").code, ErrorCode::denied);
  std::filesystem::create_directory(folder / "folder.db");
  EXPECT_EQ(refusal_of(folder / "folder.db").code, ErrorCode::denied);
  ASSERT_EQ(::mkfifo((folder / "pipe.db").c_str(), 0600), 0);
  EXPECT_EQ(refusal_of(folder / "pipe.db").code, ErrorCode::denied);
}

TEST(SqliteFile, WhatIsNoDatabaseIsSaidSo) {
  TempDir folder;
  const std::string path = folder / "gatehouse.db";
  ASSERT_TRUE(write_file_atomically(path, std::string(8192, 'x'), 0600));
  const Error error = refusal_of(path);
  EXPECT_EQ(error.code, ErrorCode::io);
  EXPECT_THAT(error.message, HasSubstr("damaged or no SQLite database"));
  EXPECT_EQ(value_of(read_file(path)), std::string(8192, 'x'));
}

TEST(SqliteFile, DamagedPagesAreAnErrorOfTheStatementThatReadsThem) {
  SqliteSite site;
  {
    const auto database = value_of(open_database(site.options()));
    ASSERT_TRUE(database->migrate("test", kTable));
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(database->run("INSERT INTO things (id, data) VALUES ($1, $2)", {i, Bytes{std::string(1000, 'x')}}));
    }
  }
  const int fd = ::open(site.path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const std::string garbage(4096, '\x5a');
  for (off_t page = 2; page < 12; ++page) {
    ASSERT_EQ(::pwrite(fd, garbage.data(), garbage.size(), page * 4096), static_cast<ssize_t>(garbage.size()));
  }
  ::close(fd);
  const auto database = value_of(open_database(site.options()));
  const auto read = database->run("SELECT id, data FROM things", {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::io);
  EXPECT_THAT(read.error().message, HasSubstr("restore a backup"));
}

TEST(SqliteFile, AnotherProcessesLockIsWaitedForAndThenUnavailable) {
  SqliteSite site;
  DatabaseOptions options = site.options();
  options.wait_max = std::chrono::milliseconds(50);
  const auto database = value_of(open_database(options));
  ASSERT_TRUE(database->migrate("test", kTable));
  // A connection that the pool knows nothing of is to SQLite what another process is.
  sqlite3* other = nullptr;
  ASSERT_EQ(::sqlite3_open(site.path().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(::sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto refused = database->run("INSERT INTO things (id) VALUES (1)", {});
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_EQ(refused.error().retry, Retry::safe);
  EXPECT_TRUE(database->run("SELECT id FROM things", {}));  // readers don't wait
  ::sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr);
  EXPECT_TRUE(database->run("INSERT INTO things (id) VALUES (1)", {}));
  ::sqlite3_close(other);
}

TEST(SqliteFile, EveryCommitIsSyncedAndKeysAreEnforced) {
  SqliteSite site;
  const auto database = value_of(open_database(site.options()));
  ASSERT_TRUE(database->migrate("test", kTable));
  const auto asked = [&](std::string_view pragma) { return value_of(database->run(pragma, {})).rows.at(0).at(0); };
  EXPECT_EQ(asked("PRAGMA synchronous"), Value(2));
  EXPECT_EQ(asked("PRAGMA journal_mode"), Value("wal"));
  EXPECT_EQ(asked("PRAGMA foreign_keys"), Value(1));
}

}  // namespace
}  // namespace gatehouse::store
