#include "app/dev/demo_keeper.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class DemoKeeperTest : public testing::Test {
 protected:
  DemoKeeperTest() { std::ofstream(folder_ / "file") << "x"; }

  // Says its port, leaves its process id outside of the folder, and would live on.
  DemoService service(int port, const std::string& then = "exec sleep 100") {
    return {"sleeper",
            {"/bin/sh", "-c", fmt::format("echo $$ > {}.pid; echo '{{\"port\": {}}}'; {}", folder_.path(), port, then)},
            0};
  }
  pid_t service_pid() {
    pid_t pid = 0;
    std::ifstream(folder_.path() + ".pid") >> pid;
    fs::remove(folder_.path() + ".pid");
    return pid;
  }
  static bool eventually_gone(pid_t pid) {
    for (int i = 0; i < 500; ++i) {
      if (kill(pid, 0) != 0) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  const TempDir folder_;
};

TEST_F(DemoKeeperTest, LearnsPortsAndCleansUp) {
  std::vector<DemoService> services{service(4711), service(4712)};
  {
    auto keeper = DemoKeeper::start(services, folder_.path());
    ASSERT_TRUE(keeper) << keeper.error().message;
    EXPECT_EQ(services[0].port, 4711);
    EXPECT_EQ(services[1].port, 4712);
    EXPECT_TRUE(fs::exists(folder_.path()));
    EXPECT_EQ(kill(service_pid(), 0), 0);
  }
  EXPECT_FALSE(fs::exists(folder_.path())) << "removed before the destructor returns";
}

TEST_F(DemoKeeperTest, KillsAServiceThatDoesNotListen) {
  std::vector<DemoService> services{service(4711, "trap '' TERM; while :; do sleep 1; done")};
  pid_t pid = 0;
  {
    auto keeper = DemoKeeper::start(services, folder_.path());
    ASSERT_TRUE(keeper) << keeper.error().message;
    pid = service_pid();
  }
  EXPECT_TRUE(eventually_gone(pid));
}

struct Failing {
  const char* name;
  std::vector<std::string> argv;
};

TEST_F(DemoKeeperTest, AServiceThatFailsIsNamedAndNothingStays) {
  const Failing cases[] = {{"no such program", {"/nonexistent"}},
                           {"ends without a word", {"/bin/true"}},
                           {"says no number", {"/bin/echo", "hello"}}};
  for (const Failing& failing : cases) {
    SCOPED_TRACE(failing.name);
    fs::create_directories(folder_.path());
    std::vector<DemoService> services{service(4711), {"orders", failing.argv, 0}};
    {
      const auto keeper = DemoKeeper::start(services, folder_.path());
      ASSERT_FALSE(keeper);
      EXPECT_NE(keeper.error().message.find("orders"), std::string::npos) << keeper.error().message;
    }
    EXPECT_TRUE(eventually_gone(service_pid()));
    EXPECT_FALSE(fs::exists(folder_.path()));
  }
}

// What a SIGKILL of the gateway leaves behind: nothing.
TEST_F(DemoKeeperTest, CleansUpWhenTheGatewayIsKilled) {
  const pid_t gateway = fork();
  if (gateway == 0) {
    std::vector<DemoService> services{service(4711)};
    const auto keeper = DemoKeeper::start(services, folder_.path());
    if (!keeper) _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(gateway, &status, 0), gateway);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(eventually_gone(service_pid()));
  for (int i = 0; i < 500 && fs::exists(folder_.path()); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(fs::exists(folder_.path()));
}

}  // namespace
}  // namespace gatehouse::app
