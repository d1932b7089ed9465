#include "app/control/ban_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/file.h"
#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

class BanStoreTest : public testing::Test {
 protected:
  std::unique_ptr<gateway::BanTable> table() { return std::move(*gateway::BanTable::create(1024, clock_)); }

  FakeClock clock_;
  const TempDir folder_;
  const std::string file_ = ban_file(folder_.path());
};

TEST_F(BanStoreTest, BansAndLevelsComeBack) {
  const IpAddress attacker = *IpAddress::parse("192.0.2.7");
  const auto before = table();
  before->add(*Network::parse("2001:db8::/32"), 24h, "operator: scan");
  before->add_repeated(attacker, 10min, 24h, "penalty.ban");
  ASSERT_TRUE(save_bans(*before, file_));
  struct stat info;
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);

  clock_.advance(4min);
  const auto after = table();
  EXPECT_EQ(restore_bans(*after, file_, clock_).value(), 2U);
  const auto list = after->list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].network.to_string(), "192.0.2.7/32");
  EXPECT_EQ(list[0].reason, "penalty.ban");
  EXPECT_EQ(list[1].reason, "operator: scan");
  EXPECT_NEAR(static_cast<double>(after->banned(attacker, clock_.now()) / 1s), 360, 2) << "what was left";
  clock_.advance(7min);
  EXPECT_EQ(after->banned(attacker, clock_.now()), 0s);
  EXPECT_EQ(after->add_repeated(attacker, 10min, 24h, "again"), 20min) << "a repeated offender is remembered";
}

TEST_F(BanStoreTest, WhatIsOverStaysOut) {
  const auto before = table();
  before->add(*Network::parse("192.0.2.0/24"), 1min, "operator: brief");
  ASSERT_TRUE(save_bans(*before, file_));
  clock_.advance(2min);
  const auto after = table();
  EXPECT_EQ(restore_bans(*after, file_, clock_).value(), 0U);
  EXPECT_EQ(after->size(), 0U);
}

TEST_F(BanStoreTest, NoFileIsNoMistake) { EXPECT_EQ(restore_bans(*table(), file_, clock_).value(), 0U); }

TEST_F(BanStoreTest, BrokenFilesAreLeftOutAndBrokenEntriesAlone) {
  for (const char* broken : {"", "{", "[]", R"({"version":1})", R"({"version":2,"bans":[]})", R"({"bans":[]})"}) {
    std::ofstream(file_) << broken;
    EXPECT_FALSE(restore_bans(*table(), file_, clock_)) << broken;
  }
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
  const auto entry = [&](const char* network, auto until) {
    return fmt::format(R"({{"network":"{}","since":{},"until":{},"forget":{},"level":0,"reason":"r"}})", network, now,
                       until, until);
  };
  std::ofstream(file_) << R"({"version":1,"bans":[1,{},{"network":5},)" << entry("nonsense", now + 60) << ","
                       << entry("192.0.2.9", -5) << "," << entry("192.0.2.8", now + 60) << ","
                       << entry("192.0.2.10", 9'999'999'999'999) << "]}";
  const auto after = table();
  EXPECT_EQ(restore_bans(*after, file_, clock_).value(), 1U);
  EXPECT_EQ(after->list().at(0).network.to_string(), "192.0.2.8/32");
}

}  // namespace
}  // namespace gatehouse::app
