#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/temp_dir.h"

namespace gatehouse {
namespace {

class FileTest : public ::testing::Test {
 protected:
  const TempDir folder_;
};

TEST_F(FileTest, ReplacesInOneStepAndLeavesNothingBehind) {
  const std::string path = folder_ / "secret";
  ASSERT_TRUE(write_file_atomically(path, "first", 0600));
  ASSERT_TRUE(write_file_atomically(path, std::string(100'000, 'x'), 0600));
  EXPECT_EQ(read_file(path)->size(), 100'000U);
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

TEST_F(FileTest, WhoMakesAFileAtOnceWithOthersMakesItWholeOrNotAtAll) {
  const std::string path = folder_ / "key";
  std::atomic<int> made = 0, refused = 0;
  {
    std::vector<std::jthread> makers;
    for (char c = 'a'; c < 'i'; ++c) {
      makers.emplace_back([&, c] {
        const Status done = create_file_atomically(path, std::string(50'000, c), 0600);
        ++(done ? made : refused);
        EXPECT_TRUE(done || done.error().code == ErrorCode::conflict);
        // Whoever was refused finds a whole one.
        const auto bytes = read_file(path);
        ASSERT_TRUE(bytes);
        EXPECT_EQ(*bytes, std::string(50'000, bytes->front()));
      });
    }
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(refused, 7);
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1) << "nothing is left behind";
}

TEST_F(FileTest, APrivateFolderWithThoseAboveIt) {
  const std::string path = folder_ / "a/b";
  ASSERT_TRUE(make_private_folder(path));
  ASSERT_TRUE(make_private_folder(path));
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  ASSERT_TRUE(write_file_atomically(folder_ / "file", ""));
  EXPECT_FALSE(make_private_folder(folder_ / "file/below"));
}

TEST_F(FileTest, ReplacingKeepsModeAndOwner) {
  const std::string path = folder_ / "keys";
  ASSERT_TRUE(replace_file(path, "new", 0600));
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  const bool superuser = ::geteuid() == 0;
  ASSERT_EQ(superuser ? ::chown(path.c_str(), 1234, 1235) : 0, 0);
  ASSERT_TRUE(replace_file(path, "newer", 0600));
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
  EXPECT_EQ(info.st_uid, superuser ? 1234U : ::geteuid());
  EXPECT_EQ(*read_file(path), "newer");
}

TEST_F(FileTest, Failures) {
  EXPECT_EQ(read_file(folder_ / "absent").error().code, ErrorCode::not_found);
  ASSERT_TRUE(write_file_atomically(folder_ / "big", "0123456789"));
  EXPECT_EQ(read_file(folder_ / "big", 9).error().code, ErrorCode::exhausted);
  EXPECT_EQ(*read_file(folder_ / "big", 10), "0123456789");
  EXPECT_EQ(write_file_atomically(folder_ / "no/such", "x").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace gatehouse
