#include "app/process/readable.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

class ReadableTest : public testing::Test {
 protected:
  ReadableTest() {
    ::chmod(folder_.path().c_str(), 0755);
    std::ofstream(file_) << "key";
  }
  ~ReadableTest() override { ::chmod(folder_.path().c_str(), 0700); }  // or it could not be removed
  static FileUser stranger() { return {"web", "webs", 54'321, {54'322}}; }
  static FileUser companion() { return {"web", "webs", 54'321, {54'322, ::getegid()}}; }

  const TempDir folder_;
  const std::string file_ = folder_ / "site.key";
};

TEST_F(ReadableTest, ByOwnerGroupAndMode) {
  struct Case {
    const char* name;
    mode_t mode;
    bool stranger, companion;
  };
  for (const Case& c : {Case{"everybody", 0644, true, true}, Case{"the group", 0640, false, true},
                        Case{"the owner", 0600, false, false}, Case{"others, but not the group", 0604, true, false}}) {
    SCOPED_TRACE(c.name);
    ASSERT_EQ(::chmod(file_.c_str(), c.mode), 0);
    EXPECT_EQ(obstacle(stranger(), file_), c.stranger ? std::nullopt : std::optional(file_));
    EXPECT_EQ(obstacle(companion(), file_), c.companion ? std::nullopt : std::optional(file_));
  }
  EXPECT_EQ(obstacle(FileUser{"root", "root", 0, {}}, file_), std::nullopt);
  EXPECT_EQ(obstacle(stranger(), folder_ / "missing"), std::nullopt);
}

TEST_F(ReadableTest, AFolderMayBeInTheWay) {
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
  EXPECT_EQ(obstacle(stranger(), file_), folder_.path());
  EXPECT_EQ(remedy(stranger(), folder_.path()), "chgrp webs " + folder_.path() + " && chmod g+x " + folder_.path());
}

TEST_F(ReadableTest, EveryFileOfAConfigurationWithItsRemedy) {
  ASSERT_EQ(::chmod(file_.c_str(), 0600), 0);
  gateway::Config config;
  config.file = folder_.path();
  gateway::ListenerConfig listener;
  listener.tls.emplace();
  listener.tls->certificates.push_back({"", file_, "", false});
  config.listeners.push_back(listener);
  const auto found = unreadable_files(config, stranger());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].file.key, "listeners/0/tls/certificates/0/key");
  EXPECT_EQ(found[0].message, "a reload will not be able to read " + file_ + " as \"web\"");
  EXPECT_EQ(found[0].remedy, "chgrp webs " + file_ + " && chmod 0640 " + file_);
}

}  // namespace
}  // namespace gatehouse::app
