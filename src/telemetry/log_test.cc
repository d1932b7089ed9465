#include "telemetry/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace gatehouse::telemetry {
namespace {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(fds_, O_NONBLOCK | O_CLOEXEC), 0); }
  ~Pipe() { close(fds_[0]), close(fds_[1]); }
  int in() const { return fds_[1]; }
  std::string read_all() {
    std::string out;
    char buffer[4096];
    for (ssize_t got; (got = read(fds_[0], buffer, sizeof buffer)) > 0;)
      out.append(buffer, static_cast<std::size_t>(got));
    return out;
  }

 private:
  int fds_[2];
};

TEST(Log, Json) {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.in(), LogFormat::json, clock);
  const std::string path = "/a\nb";
  GH_LOG_TO(log, warn, "it \"broke\"", {"path", path}, {"count", 3u}, {"delta", -2}, {"share", 0.5}, {"fatal", false});
  EXPECT_EQ(pipe.read_all(), R"({"time":"2025-06-15T15:06:40.000000Z","level":"warn","message":"it \"broke\"",)"
                             R"("path":"/a\nb","count":3,"delta":-2,"share":0.5,"fatal":false})"
                             "\n");
}

TEST(Log, Text) {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.in(), LogFormat::text, clock);
  GH_LOG_TO(log, info, "listening", {"address", "[::]:8443"}, {"name", "two words"}, {"escape", "\x1b[2J"});
  GH_LOG_TO(log, error, "alone");
  EXPECT_EQ(pipe.read_all(),
            "15:06:40.000 INFO  listening  address=[::]:8443  name=\"two words\"  escape=\\u001b[2J\n"
            "15:06:40.000 ERROR alone\n");
}

TEST(Log, Levels) {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.in(), LogFormat::text, clock);
  GH_LOG_TO(log, debug, "no");
  log.set_level(LogLevel::debug);
  GH_LOG_TO(log, debug, "yes");
  log.set_level(LogLevel::error);
  GH_LOG_TO(log, warn, "no");
  EXPECT_EQ(pipe.read_all(), "15:06:40.000 DEBUG yes\n");
  for (auto level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
    EXPECT_EQ(log_level_of(name_of(level)), level);
  }
  EXPECT_EQ(log_level_of("fatal"), std::nullopt);
}

TEST(Log, ACallSiteThatRepeatsItselfIsHeldBack) {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.in(), LogFormat::json, clock);
  const auto many = [&](int times) {
    for (int i = 0; i < times; ++i) GH_LOG_TO(log, warn, "again");
    const std::string out = pipe.read_all();
    return std::count(out.begin(), out.end(), '\n');
  };
  // One lambda, one site.
  EXPECT_EQ(many(1000), 10);
  EXPECT_EQ(many(1000), 0);
  clock.advance(LogSite::kWindow);
  GH_LOG_TO(log, info, "another site is free");
  EXPECT_NE(pipe.read_all(), "");
  LogSite site;
  for (int i = 0; i < 13; ++i) site.admit(clock.now());
  clock.advance(LogSite::kWindow);
  EXPECT_EQ(site.admit(clock.now()), 3u);
  EXPECT_EQ(site.admit(clock.now()), 0u);
  EXPECT_EQ(many(1), 1);
}

TEST(Log, AFullPipeLosesLinesAndNeverBlocks) {
  Pipe pipe;
  ASSERT_EQ(fcntl(pipe.in(), F_SETFL, 0), 0) << "blocking, as stderr is";
  FakeClock clock;
  Log log(pipe.in(), LogFormat::json, clock);
  const std::string text(1000, 'x');
  for (int i = 0; i < 200; ++i) {
    LogSite site;
    log.write(LogLevel::error, site, text, {});
  }
  EXPECT_GT(log.lost(), 100u);
  const std::string out = pipe.read_all();
  EXPECT_TRUE(out.ends_with("}\n"));
}

TEST(Log, LinesAreBounded) {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.in(), LogFormat::json, clock);
  const std::string large(3000, '\x01');
  GH_LOG_TO(log, error, "long", {"a", large}, {"b", large});
  const std::string out = pipe.read_all();
  EXPECT_LE(out.size(), 4096u);
  EXPECT_EQ(nlohmann::json::parse(out)["fields_dropped"], 2);
}

TEST(Log, ThreadsWriteWholeLines) {
  Pipe pipe;
  Log log(pipe.in(), LogFormat::json, SystemClock::instance());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        LogSite site;
        log.write(LogLevel::info, site, "line", {{"i", i}});
        GH_LOG_TO(log, info, "shared site");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::string out = pipe.read_all();
  std::size_t lines = 0;
  for (std::size_t at = 0, end; (end = out.find('\n', at)) != std::string::npos; at = end + 1, ++lines) {
    EXPECT_TRUE(nlohmann::json::accept(out.substr(at, end - at)));
  }
  EXPECT_EQ(lines + log.lost(), 210u);
}

}  // namespace
}  // namespace gatehouse::telemetry
