// Another root key: at every step the store opens, and afterwards the old one opens nothing.

#include "secrets/root_rotation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "store/backup.h"
#include "store/database_testing.h"

namespace gatehouse::secrets {
namespace {

using Kind = RootKeySource::Kind;

class RootRotationTest : public testing::TestWithParam<store::BackEnd> {
 protected:
  void SetUp() override {
    site_ = store::make_site(GetParam());
    if (!site_) GTEST_SKIP() << "PostgreSQL is not installed";
    database_ = store::value_of(store::open_database(site_->options(), clock_));
  }
  RootKeySource key_file(const std::string& name) {
    const std::string path = folder_ / name;
    if (names_++ > 0) {  // the first is made by the keyring
      EXPECT_TRUE(write_file_atomically(path, std::string(42, static_cast<char>('A' + names_)) + "A=\n", 0600));
    }
    return {Kind::file, path, {}};
  }
  static RootKeySource passphrase(std::string_view words) { return {Kind::passphrase, {}, SecretBytes(words)}; }

  std::unique_ptr<Keyring> open(const RootKeySource& source) {
    auto keyring = Keyring::open(*database_, source, clock_);
    EXPECT_TRUE(keyring) << keyring.error().message;
    return keyring ? std::move(*keyring) : nullptr;
  }
  Error refusal(const RootKeySource& source) {
    auto keyring = Keyring::open(*database_, source, clock_);
    EXPECT_FALSE(keyring);
    return keyring ? Error{} : keyring.error();
  }
  static void opens(Keyring& keyring, std::string_view sealed) {
    auto plain = keyring.open("a", 1, sealed);
    ASSERT_TRUE(plain) << plain.error().message;
    EXPECT_EQ(plain->expose(), "b");
  }
  Status add(const RootKeySource& now, const RootKeySource& next) { return add_root(*database_, now, next, clock_); }
  static void done(const Status& status) { ASSERT_TRUE(status) << status.error().message; }
  void finish(const RootKeySource& source, std::size_t removed) {
    auto finished = remove_other_roots(*database_, source);
    ASSERT_TRUE(finished) << finished.error().message;
    EXPECT_EQ(*finished, removed);
  }

  TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<store::Site> site_;
  std::unique_ptr<store::Database> database_;
  int names_ = 0;
};

TEST_P(RootRotationTest, OpensWithBothInBetweenAndWithTheNewOneAfter) {
  const RootKeySource old = key_file("old.key"), next = key_file("next.key");
  const std::string sealed = *open(old)->seal("a", 1, "b");
  const SecretBytes pepper = open(old)->derive("pepper");
  done(add(old, next));
  opens(*open(old), sealed);
  opens(*open(next), sealed);
  done(add(old, next));  // again, after a crash
  done(add(next, next));
  EXPECT_EQ(root_keys(*database_)->size(), 2U);
  ASSERT_TRUE(open(old)->rotate());  // the keyring goes on working meanwhile
  const std::string meanwhile = *open(old)->seal("a", 1, "b");
  finish(next, 1);
  finish(next, 0);
  opens(*open(next), sealed);
  opens(*open(next), meanwhile);
  EXPECT_EQ(open(next)->derive("pepper").expose(), pepper.expose());
  const Error refused = refusal(old);
  EXPECT_EQ(refused.code, ErrorCode::denied);
  EXPECT_NE(refused.message.find("a backup needs the root key of its time"), std::string::npos) << refused.message;
}

TEST_P(RootRotationTest, CanBeTakenBack) {
  const RootKeySource old = key_file("old.key"), next = key_file("next.key"), third = key_file("third.key");
  const std::string sealed = *open(old)->seal("a", 1, "b");
  done(add(old, next));
  EXPECT_EQ(add(old, third).error().code, ErrorCode::conflict) << "one rotation at a time";
  finish(old, 1);
  opens(*open(old), sealed);
  EXPECT_EQ(refusal(next).code, ErrorCode::denied);
  done(add(old, third));
  finish(third, 1);
  done(add(third, old));  // and round again
  finish(old, 1);
  opens(*open(old), sealed);
}

TEST_P(RootRotationTest, TheWrongRootKeyRotatesNothing) {
  const RootKeySource old = key_file("old.key"), other = key_file("other.key"), next = key_file("next.key");
  EXPECT_EQ(add(old, next).error().code, ErrorCode::not_found) << "there is no keyring yet";
  open(old);
  EXPECT_EQ(add(other, next).error().code, ErrorCode::denied);
  EXPECT_EQ(remove_other_roots(*database_, other).error().code, ErrorCode::denied);
  EXPECT_EQ(add(old, {Kind::file, folder_ / "nowhere", {}}).error().code, ErrorCode::denied);
  EXPECT_EQ(root_keys(*database_)->size(), 1U);
}

TEST_P(RootRotationTest, GoesFromAFileToAPassphraseAndToAnother) {
  const RootKeySource file = key_file("old.key");
  const RootKeySource first = passphrase("correct horse battery staple"), second = passphrase("another one for you");
  const std::string sealed = *open(file)->seal("a", 1, "b");
  done(add(file, first));
  opens(*open(file), sealed);
  opens(*open(first), sealed);
  finish(first, 1);
  const Error refused = refusal(file);
  EXPECT_EQ(refused.code, ErrorCode::denied);
  EXPECT_NE(refused.message.find("sealed under a passphrase, and the configuration has a key"), std::string::npos)
      << refused.message;
  done(add(first, second));
  opens(*open(first), sealed);
  finish(second, 1);
  opens(*open(second), sealed);
  EXPECT_EQ(refusal(first).code, ErrorCode::denied);
}

TEST_P(RootRotationTest, ARunningGatewayFollowsItsFile) {
  const RootKeySource old = key_file("root.key"), next = key_file("root.key.new");
  auto running = open(old);
  const std::string sealed = *running->seal("a", 1, "b");
  done(add(old, next));
  ASSERT_EQ(std::rename(next.path.c_str(), old.path.c_str()), 0);
  finish(old, 1);
  ASSERT_TRUE(running->refresh());
  ASSERT_TRUE(running->rotate());
  opens(*open(old), *running->seal("a", 1, "b"));
  opens(*running, sealed);
}

TEST_P(RootRotationTest, ARunningGatewayWithoutTheNewOneKeepsWhatItHas) {
  const RootKeySource old = key_file("old.key"), next = key_file("next.key");
  auto running = open(old);
  const std::string sealed = *running->seal("a", 1, "b");
  done(add(old, next));
  finish(next, 1);
  EXPECT_EQ(running->refresh().error().code, ErrorCode::denied);
  opens(*running, sealed);
  EXPECT_FALSE(running->rotate()) << "a key that only it could unwrap";
  opens(*open(next), sealed);
}

TEST_P(RootRotationTest, RootKeyAndKeyringAreRotatedAtOnceByMany) {
  const RootKeySource one = key_file("one.key"), two = key_file("two.key");
  const std::string first = *open(one)->seal("a", 1, "b");
  std::atomic<int> rotated = 0, flips = 0;
  std::mutex mutex;
  std::vector<std::string> sealed{first};
  {
    std::vector<std::jthread> gateways;
    for (int i = 0; i < 3; ++i) {
      gateways.emplace_back([&] {
        const auto database = store::value_of(store::open_database(site_->options(), clock_));
        for (int turn = 0; turn < 12; ++turn) {
          // Whichever of the two is in force.
          auto keyring = Keyring::open(*database, one, clock_);
          if (!keyring) keyring = Keyring::open(*database, two, clock_);
          if (!keyring || !(*keyring)->rotate()) continue;
          ++rotated;
          const std::lock_guard lock(mutex);
          sealed.push_back(*(*keyring)->seal("a", 1, "b"));
        }
      });
    }
    gateways.emplace_back([&] {
      const auto database = store::value_of(store::open_database(site_->options(), clock_));
      for (int turn = 0; turn < 6; ++turn) {
        const auto& now = turn % 2 == 0 ? one : two;
        const auto& next = turn % 2 == 0 ? two : one;
        while (!add_root(*database, now, next, clock_)) continue;
        while (!remove_other_roots(*database, next)) continue;
        ++flips;
      }
    });
  }
  EXPECT_EQ(flips, 6);
  EXPECT_GT(rotated, 6);
  auto keyring = open(one);  // an even number of turns
  ASSERT_TRUE(keyring);
  // A rotation may be done and its answer lost, when the root key goes in between.
  EXPECT_GE(keyring->keys().size(), static_cast<std::size_t>(rotated) + 1);
  for (const std::string& one_of_them : sealed) opens(*keyring, one_of_them);
}

TEST_P(RootRotationTest, ABackupNeedsTheRootKeyOfItsTime) {
  const RootKeySource old = key_file("old.key"), next = key_file("next.key");
  const std::string sealed = *open(old)->seal("a", 1, "b");
  const std::string backup = folder_ / "backup.db";
  ASSERT_TRUE(store::back_up(site_->options(), backup));
  done(add(old, next));
  finish(next, 1);
  const store::DatabaseOptions restored{.location = "sqlite:" + std::string(folder_ / "restored.db")};
  ASSERT_TRUE(store::restore(backup, restored));
  database_ = store::value_of(store::open_database(restored, clock_));
  EXPECT_EQ(refusal(next).code, ErrorCode::denied);
  opens(*open(old), sealed);
}

INSTANTIATE_TEST_SUITE_P(Both, RootRotationTest, testing::Values(store::BackEnd::sqlite, store::BackEnd::postgresql),
                         [](const auto& back_end) { return store::name_of(back_end.param); });

}  // namespace
}  // namespace gatehouse::secrets
