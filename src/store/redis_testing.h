#pragma once
// A redis-server of a test's own: in a temporary folder, reached over a Unix socket in it, gone with the object or with
// the process.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/temp_dir.h"
#include "net/socket.h"
#include "store/redis_connection.h"

namespace gatehouse::store {

class RedisServer {
 public:
  // Null when it is not installed here, which a test skips; scripts/setup installs it.
  static std::unique_ptr<RedisServer> start(std::vector<std::string> settings = {}) {
    if (::access(kProgram, X_OK) != 0) {
      GH_CHECK(std::getenv("CI") == nullptr);
      return nullptr;
    }
    std::unique_ptr<RedisServer> server(new RedisServer(std::move(settings)));
    server->start_again();
    return server;
  }
  ~RedisServer() { stop(SIGKILL); }

  std::string location() const { return "redis+unix://" + socket(); }
  std::string socket() const { return folder_ / "redis.sock"; }
  pid_t pid() const noexcept { return pid_; }

  // Empty: nothing is kept on disk. Returns once it accepts connections.
  void start_again() {
    std::vector<std::string> command{kProgram, "--port",     "0",      "--unixsocket", socket(),
                                     "--save", "",           "--dir",  folder_.path(), "--daemonize",
                                     "no",     "--loglevel", "warning"};
    command.insert(command.end(), settings_.begin(), settings_.end());
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::unlink(socket().c_str());
    pid_ = ::fork();
    GH_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int log = ::open((folder_ / "redis.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      ::dup2(log, 1), ::dup2(log, 2);
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    const auto address = net::SocketAddress::unix_path(socket()).value();
    for (;;) {
      if (const auto fd = net::connect_start(address)) return;
      GH_CHECK(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void signal(int number) const { ::kill(pid_, number); }
  void stop(int number) {
    if (pid_ <= 0) return;
    ::kill(pid_, number);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  static constexpr const char* kProgram = "/usr/bin/redis-server";
  explicit RedisServer(std::vector<std::string> settings) : settings_(std::move(settings)) {}

  const std::vector<std::string> settings_;
  TempDir folder_;
  pid_t pid_ = -1;
};

// A connection, what it told its owner, and a loop that runs until something is so.
struct RedisTalk : RedisConnection::Owner {
  explicit RedisTalk(const std::string& location, std::string_view password = {},
                     Duration timeout = std::chrono::milliseconds(500))
      : loop(net::Loop::create().value()) {
    RedisOptions options;
    options.location = read_redis_location(location).value();
    options.password = SecretBytes(password);
    options.timeout = timeout;
    options.backoff_min = std::chrono::milliseconds(20);
    connection = RedisConnection::create(*loop, std::move(options), *this).value();
    connection->start();
  }
  void on_redis_open() override { ++opened; }
  void on_redis_failure(const Error& error) override { failures.push_back(error.message); }

  template <class Done>
  bool until(Done done, Duration at_most = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + at_most;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop->run_once(std::chrono::milliseconds(20));
    }
    return true;
  }
  bool until_open() {
    return until([this] { return connection->open(); });
  }
  RedisValue ask(const std::vector<std::string_view>& words) {
    std::optional<RedisValue> answer;
    const std::size_t before = failures.size();
    connection->send(words, [&](RedisValue&& value) { answer = std::move(value); });
    EXPECT_TRUE(until([&] { return answer || failures.size() > before; }));
    return answer.value_or(RedisValue{RedisValue::Kind::error, 0, "no answer", {}});
  }

  std::unique_ptr<net::Loop> loop;
  std::unique_ptr<RedisConnection> connection;
  int opened = 0;
  std::vector<std::string> failures;
};

}  // namespace gatehouse::store
