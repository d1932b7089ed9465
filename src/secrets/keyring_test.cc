#include "secrets/keyring.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"

namespace gatehouse::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

class KeyringTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::open_database({.location = "sqlite:" + file("gatehouse.db")}, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
    source_.path = file("root.key");
  }
  std::string file(const std::string& name) const { return folder_ / name; }
  std::unique_ptr<Keyring> open() {
    auto keyring = Keyring::open(*database_, source_, clock_);
    EXPECT_TRUE(keyring) << keyring.error().message;
    return keyring ? std::move(*keyring) : nullptr;
  }
  ErrorCode refusal() {
    auto keyring = Keyring::open(*database_, source_, clock_);
    EXPECT_FALSE(keyring);
    return keyring ? ErrorCode::internal : keyring.error().code;
  }

  TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  RootKeySource source_;
};

TEST_F(KeyringTest, OpensWhatItSealedAndNothingElse) {
  auto keyring = open();
  const std::string sealed = *keyring->seal("users/1/email", 3, "ada@example.org");
  EXPECT_THAT(sealed, Not(HasSubstr("ada")));
  EXPECT_EQ(keyring->open("users/1/email", 3, sealed)->expose(), "ada@example.org");
  EXPECT_EQ(keyring->open("users/2/email", 3, sealed).error().code, ErrorCode::invalid) << "moved";
  EXPECT_EQ(keyring->open("users/1/email", 4, sealed).error().code, ErrorCode::invalid) << "put back";
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(keyring->open("users/1/email", 3, changed)) << i;
    EXPECT_FALSE(keyring->open("users/1/email", 3, sealed.substr(0, i))) << i;
  }
}

TEST_F(KeyringTest, IsTheSameAfterAStart) {
  const std::string sealed = *open()->seal("a", 1, "b");
  const SecretBytes pepper = open()->derive("pepper");
  EXPECT_EQ(open()->open("a", 1, sealed)->expose(), "b");
  EXPECT_EQ(open()->derive("pepper").expose(), pepper.expose());
  EXPECT_NE(open()->derive("index").expose(), pepper.expose());
  struct stat facts {};
  ASSERT_EQ(::stat(source_.path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(KeyringTest, WhatIsDerivedFromAKeyGoesWithIt) {
  auto one = open(), two = open();
  const auto first = one->derive_from(1, "cookies");
  ASSERT_TRUE(first);
  EXPECT_EQ(two->derive_from(1, "cookies")->expose(), first->expose());
  EXPECT_NE(one->derive_from(1, "else")->expose(), first->expose());
  EXPECT_NE(one->derive("cookies").expose(), first->expose());
  EXPECT_FALSE(one->derive_from(0, "cookies")) << "the key of what never changes has no such children";
  ASSERT_TRUE(one->rotate());
  EXPECT_FALSE(two->derive_from(2, "cookies")) << "it asks nobody";
  ASSERT_TRUE(two->follow());
  EXPECT_NE(two->derive_from(2, "cookies")->expose(), first->expose());
  ASSERT_TRUE(one->remove_key(1));
  ASSERT_TRUE(two->derive_from(1, "cookies"));
  ASSERT_TRUE(two->follow());
  EXPECT_FALSE(two->derive_from(1, "cookies"));
}

TEST_F(KeyringTest, FollowingTriesAnUnknownRootKeyOnce) {
  auto keyring = open();
  ASSERT_TRUE(keyring->follow());
  ASSERT_TRUE(open()->rotate());
  ASSERT_TRUE(database_->run("UPDATE keyring_root SET id = 9"));  // as after a rotation of the root, to one not given
  ::unlink(source_.path.c_str());
  EXPECT_FALSE(keyring->follow());
  EXPECT_TRUE(keyring->follow()) << "not each second: a passphrase is dear to try";
  EXPECT_EQ(keyring->current_key(), 1U);
  EXPECT_FALSE(keyring->refresh()) << "who asks in earnest is told";
}

TEST_F(KeyringTest, RefusesAnotherRootKey) {
  open();
  const std::string right = source_.path;
  source_.path = file("other.key");
  EXPECT_EQ(refusal(), ErrorCode::denied) << "the file is missing, and none is made";
  EXPECT_FALSE(std::ifstream(source_.path)) << "none was made";
  std::ofstream(source_.path) << "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  ::chmod(source_.path.c_str(), 0600);
  EXPECT_EQ(refusal(), ErrorCode::denied);
  source_.path = right;
  ::chmod(right.c_str(), 0640);
  EXPECT_EQ(refusal(), ErrorCode::denied) << "others may read it";
  ::chmod(right.c_str(), 0600);
  EXPECT_TRUE(open());
}

TEST_F(KeyringTest, TakesAPassphraseOrTheEnvironment) {
  source_.kind = RootKeySource::Kind::passphrase;
  source_.secret = SecretBytes(std::string_view("correct horse battery staple"));
  const std::string sealed = *open()->seal("a", 1, "b");
  EXPECT_EQ(open()->open("a", 1, sealed)->expose(), "b");
  source_.secret = SecretBytes(std::string_view("correct horse battery stable"));
  EXPECT_EQ(refusal(), ErrorCode::denied);
  source_.kind = RootKeySource::Kind::environment;
  EXPECT_EQ(refusal(), ErrorCode::denied) << "a key, where the store has a passphrase";
}

TEST_F(KeyringTest, TwoThatStartAtOnceHaveOneRootKey) {
  for (int round = 0; round < 8; ++round) {
    source_.path = file(fmt::format("root-{}.key", round));
    auto opened =
        store::open_database({.location = fmt::format("sqlite:{}", file(fmt::format("{}.db", round)))}, clock_);
    ASSERT_TRUE(opened);
    std::unique_ptr<Keyring> keyrings[4];
    {
      std::vector<std::jthread> starters;
      for (auto& keyring : keyrings) {
        starters.emplace_back([&] {
          auto made = Keyring::open(**opened, source_, clock_);
          ASSERT_TRUE(made) << made.error().message;
          keyring = std::move(*made);
        });
      }
    }
    const std::string sealed = *keyrings[0]->seal("a", 1, "b");
    for (const auto& keyring : keyrings) {
      ASSERT_TRUE(keyring);
      EXPECT_EQ(keyring->open("a", 1, sealed)->expose(), "b");
    }
    EXPECT_TRUE(Keyring::open(**opened, source_, clock_)) << "and the file has it";
  }
}

TEST_F(KeyringTest, RotatesUnderTheFeetOfAnother) {
  auto here = open(), there = open();
  const std::string before = *there->seal("a", 1, "old");
  ASSERT_TRUE(here->rotate());
  const std::string after = *here->seal("a", 1, "new");
  EXPECT_EQ(here->key_of(before), 1U);
  EXPECT_EQ(here->key_of(after), 2U);
  EXPECT_EQ(there->open("a", 1, after)->expose(), "new") << "an unknown key makes it look again";
  EXPECT_EQ(there->current_key(), 2U);
  EXPECT_EQ(here->open("a", 1, before)->expose(), "old");
  EXPECT_EQ(here->remove_key(2).error().code, ErrorCode::not_found) << "the current one stays";
  ASSERT_TRUE(here->remove_key(1));
  EXPECT_EQ(here->open("a", 1, before).error().code, ErrorCode::unavailable);
}

TEST_F(KeyringTest, LeavesNoKeyAndNoPlaintextInTheFiles) {
  auto keyring = open();
  const std::string sealed = *keyring->seal("a", 1, "a very recognisable secret");
  ASSERT_TRUE(database_->run("CREATE TABLE t (s TEXT)"));
  ASSERT_TRUE(database_->run("INSERT INTO t (s) VALUES ($1)", {std::string("plain text is found by this test")}));
  ASSERT_TRUE(database_->run("UPDATE keyring_keys SET created_at = created_at"));
  std::string everything;
  for (const char* name : {"gatehouse.db", "gatehouse.db-wal"}) {
    if (auto text = read_file(file(name), 64 << 20)) everything += *text;
  }
  EXPECT_THAT(everything, HasSubstr("plain text is found by this test"));
  EXPECT_THAT(everything, Not(HasSubstr(std::string(keyring->derive("x").expose()))));
  const std::string root = read_file(source_.path, 100).value();
  EXPECT_THAT(everything, Not(HasSubstr(root.substr(0, 40))));
}

}  // namespace
}  // namespace gatehouse::secrets
