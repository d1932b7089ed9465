#include "gateway/layers/authentication/api_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/file.h"
#include "base/temp_dir.h"

namespace gatehouse::gateway {
namespace {

const std::string kHash = "sha256:" + std::string(64, '0');

TEST(ApiKeySet, FilesAcceptedAndRefused) {
  struct Case {
    const char* name;
    std::string yaml;
    const char* error;  // null: accepted
  };
  const Case cases[] = {
      {"empty", "", nullptr},
      {"least", "- id: ci\n  hash: " + kHash, nullptr},
      {"all",
       "- id: ci\n  hash: " + kHash +
           "\n  user: bob\n  roles: [a, b]\n  scopes: [x:y]\n  expires: 2027-01-31T00:00:00Z",
       nullptr},
      {"not a list", "id: ci", "k.yaml:1:1: the file is a list"},
      {"unknown member", "- id: ci\n  hash: " + kHash + "\n  role: a", "k.yaml:3:3: \"role\" is not known"},
      {"no hash", "- id: ci", "hash is missing"},
      {"no id", "- hash: " + kHash, "id is missing"},
      {"two keys of one id", "- {id: ci, hash: " + kHash + "}\n- {id: ci, hash: " + kHash + "}", "two keys \"ci\""},
      {"doubled member", "- id: ci\n  id: cd\n  hash: " + kHash, "k.yaml:2"},
      {"bad id", "- id: a_b\n  hash: " + kHash, "an id has"},
      {"hash in upper case", "- id: ci\n  hash: sha256:" + std::string(64, 'A'), "a hash is"},
      {"short hash", "- id: ci\n  hash: sha256:00", "a hash is"},
      {"another hash", "- id: ci\n  hash: md5:00", "a hash is"},
      {"a role with a space", "- id: ci\n  hash: " + kHash + "\n  roles: ['a b']", "k.yaml:3"},
      {"roles is text", "- id: ci\n  hash: " + kHash + "\n  roles: a", "is a list"},
      {"bad time", "- id: ci\n  hash: " + kHash + "\n  expires: tomorrow", "a time is written"},
      {"not YAML", "- [", "k.yaml:"},
      {"three mistakes", "- id: A\n  hash: x\n  role: y", "an id has"},
  };
  for (const Case& c : cases) {
    const auto set = ApiKeySet::parse(c.yaml, "k.yaml");
    ASSERT_EQ(set.has_value(), c.error == nullptr) << c.name << ": " << (set ? "" : set.error().message);
    if (set) continue;
    EXPECT_NE(set.error().message.find(c.error), std::string::npos) << c.name << ": " << set.error().message;
  }
  const auto three = ApiKeySet::parse("- id: A\n  hash: x\n  role: y", "k.yaml");
  EXPECT_EQ(std::count(three.error().message.begin(), three.error().message.end(), '\n'), 2) << "all are reported";
}

class ApiKeyFileTest : public ::testing::Test {
 protected:
  static ApiKeyEntry entry(std::string id) {
    ApiKeyEntry made;
    made.id = std::move(id);
    return made;
  }
  const TempDir folder_;
  const std::string file_ = folder_ / "keys.yaml";
};

TEST_F(ApiKeyFileTest, CreateListRevoke) {
  ApiKeyEntry wanted = entry("ci");
  wanted.user = "ci@shop.example";
  wanted.roles = {"no", "0x10", "quote\"d"};  // words that a loose reader takes for something else
  wanted.expires = WallTime(std::chrono::seconds(1'800'000'000));
  const auto key = create_api_key(file_, wanted);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(key->size(), 3 + 2 + 1 + 43U);
  EXPECT_TRUE(key->starts_with("gh_ci_"));
  ASSERT_TRUE(create_api_key(file_, entry("other")));
  EXPECT_FALSE(create_api_key(file_, entry("ci"))) << "taken";
  EXPECT_FALSE(create_api_key(file_, entry("a b")));

  EXPECT_EQ(read_file(file_)->find(*key), std::string::npos) << "the key itself is not kept";
  struct stat info;
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto listed = list_api_keys(file_);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ((*listed)[0].roles, wanted.roles);
  EXPECT_EQ((*listed)[0].expires, wanted.expires);
  EXPECT_EQ((*listed)[1].user, "other");

  EXPECT_TRUE(ApiKeySet::load(file_)->find(*key));
  ASSERT_TRUE(revoke_api_key(file_, "ci"));
  EXPECT_FALSE(ApiKeySet::load(file_)->find(*key));
  EXPECT_EQ(revoke_api_key(file_, "ci").error().code, ErrorCode::not_found);
  EXPECT_EQ(list_api_keys(file_)->size(), 1U);
}

TEST_F(ApiKeyFileTest, ChangesAtOnceAreAllKept) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(create_api_key(file_, entry(fmt::format("k{}-{}", t, i))));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(list_api_keys(file_)->size(), 20U);
}

TEST_F(ApiKeyFileTest, AFileWithAMistakeIsNotOverwritten) {
  ASSERT_TRUE(write_file_atomically(file_, "- id: ci\n"));
  EXPECT_FALSE(create_api_key(file_, entry("x")));
  EXPECT_EQ(*read_file(file_), "- id: ci\n");
}

}  // namespace
}  // namespace gatehouse::gateway
