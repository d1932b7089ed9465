#include "telemetry/access_log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "base/temp_dir.h"

namespace gatehouse::telemetry {
namespace {

namespace fs = std::filesystem;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::unique_ptr<AccessLog> open_log(const std::string& to, std::size_t shards = 1, std::size_t bytes = 64 * 1024) {
  auto log = AccessLog::open({.to = to, .shards = shards, .buffer_bytes = bytes});
  EXPECT_TRUE(log) << (log ? "" : log.error().message);
  return log ? std::move(*log) : nullptr;
}

TEST(AccessLog, AppendsToAFile) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  std::ofstream(path) << "before\n";
  {
    auto log = open_log(path, 2);
    log->write(0, "one");
    log->write(1, "two");
    log->flush();
    EXPECT_EQ(content_of(path), "before\none\ntwo\n");
    log->write(0, "three");
    EXPECT_EQ(log->counters().lines_dropped, 0u);
  }
  EXPECT_EQ(content_of(path), "before\none\ntwo\nthree\n") << "closing writes what is queued";
}

TEST(AccessLog, ALineAloneIsWrittenWithoutBeingAskedFor) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  auto log = open_log("/proc/self/fd/" + std::to_string(ends[1]));
  log->write(0, "hello");
  pollfd ready{ends[0], POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 1000), 1) << "within a second";
  char buffer[16];
  EXPECT_EQ(read(ends[0], buffer, sizeof buffer), 6);
  close(ends[0]), close(ends[1]);
}

TEST(AccessLog, NewFilesAreNotForEverybody) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  auto log = open_log(path);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007, 0u);
}

TEST(AccessLog, RotationByRename) {
  const TempDir folder;
  const std::string path = folder / "access.log", old = folder / "access.log.1";
  auto log = open_log(path);
  log->write(0, "one");
  log->flush();
  fs::rename(path, old);
  log->write(0, "two");
  log->flush();
  log->reopen();
  log->flush();
  log->write(0, "three");
  log->flush();
  EXPECT_EQ(content_of(old), "one\ntwo\n");
  EXPECT_EQ(content_of(path), "three\n");
}

TEST(AccessLog, AFileThatCannotBeReopenedLosesNothing) {
  const TempDir folder;
  const std::string path = folder / "access.log", old = folder / "old";
  auto log = open_log(path);
  fs::rename(path, old);
  fs::create_directory(path);
  log->reopen();
  log->write(0, "one");
  log->flush();
  EXPECT_EQ(content_of(old), "one\n");
}

TEST(AccessLog, AFullDiskDropsCountsAndRecovers) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  fs::create_symlink("/dev/full", path);
  auto log = open_log(path, 1, 4096);
  const std::string line(99, 'x');
  for (int i = 0; i < 100; ++i) log->write(0, line);
  log->flush();
  EXPECT_GT(log->counters().write_failures, 0u);
  EXPECT_EQ(log->counters().lines_dropped, 60u) << "the buffer holds 40 lines of 100 bytes";
  fs::remove(path);
  log->reopen();
  log->flush();
  log->flush();
  const std::string content = content_of(path);
  EXPECT_EQ(content.size(), 4000u) << "what was queued is written when there is room again";
  log->write(0, "after");
  log->flush();
  EXPECT_TRUE(content_of(path).ends_with("x\nafter\n"));
}

TEST(AccessLog, AShortWriteIsContinuedWhereItStopped) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  auto log = open_log(path, 2);
  const rlimit small{1050, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string a(99, 'a'), b(99, 'b');
  for (int i = 0; i < 20; ++i) log->write(0, a), log->write(1, b);
  log->flush();
  const std::size_t cut = content_of(path).size();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(cut, 1050u) << "in the middle of a line";
  log->flush();
  std::ifstream in(path);
  std::map<std::string, int> lines;
  for (std::string line; std::getline(in, line);) ++lines[line];
  EXPECT_EQ(lines, (std::map<std::string, int>{{a, 20}, {b, 20}}));
}

TEST(AccessLog, AHeldLogGathersUntilItBegins) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  auto before = open_log(path);
  auto opened = AccessLog::open({.to = path, .format = AccessLogFormat::common, .held = true});
  ASSERT_TRUE(opened);
  before->write(0, "old");
  EXPECT_EQ((*opened)->format(), AccessLogFormat::common);
  (*opened)->write(0, "new");
  before->write(0, "old, from another shard");
  before.reset();
  (*opened)->begin();
  (*opened)->flush();
  EXPECT_EQ(content_of(path), "old\nold, from another shard\nnew\n");
}

TEST(AccessLog, AHeldLogThatEndsWritesWhatItHas) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  auto held = AccessLog::open({.to = path, .held = true});
  ASSERT_TRUE(held);
  (*held)->write(0, "line");
  held->reset();
  EXPECT_EQ(content_of(path), "line\n");
}

TEST(AccessLog, WhetherItCouldBeOpened) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  EXPECT_TRUE(can_open_access_log({.to = path}));
  EXPECT_FALSE(fs::exists(path)) << "asking makes no file";
  EXPECT_TRUE(can_open_access_log({.to = "stdout"}));
  EXPECT_FALSE(can_open_access_log({.to = folder / "missing/access.log"}));
  EXPECT_FALSE(can_open_access_log({.to = "ftp://x"}));
}

TEST(AccessLog, Off) {
  auto log = open_log("off");
  EXPECT_FALSE(log->enabled());
  log->write(0, "nobody");
  log->reopen();
  log->flush();
}

TEST(AccessLog, RefusesWhatItCannotOpen) {
  EXPECT_FALSE(AccessLog::open({.to = "/no/such/folder/access.log"}));
  EXPECT_FALSE(AccessLog::open({.to = "ftp://host"}));
}

TEST(AccessLog, Formats) {
  EXPECT_EQ(parse_access_log_format("json"), AccessLogFormat::json);
  EXPECT_EQ(parse_access_log_format("common"), AccessLogFormat::common);
  EXPECT_EQ(parse_access_log_format("ecs"), AccessLogFormat::ecs);
  EXPECT_EQ(parse_access_log_format("ocsf"), AccessLogFormat::ocsf);
  EXPECT_EQ(parse_access_log_format("cef"), AccessLogFormat::cef);
  EXPECT_NE(parse_access_log_format("xml").error().message.find("unknown"), std::string::npos);
}

TEST(LogTarget, AcceptedAndRefused) {
  using Kind = LogTarget::Kind;
  const struct {
    const char* text;
    std::optional<Kind> kind;
    const char* host = "";
    int port = 0;
  } cases[] = {
      {"off", Kind::off},
      {"stdout", Kind::stdout_},
      {"/var/log/gatehouse/access.log", Kind::file},
      {"logs/access.log", Kind::file},
      {"syslog://logs.example", Kind::syslog_udp, "logs.example", 514},
      {"syslog://10.0.0.1:5514", Kind::syslog_udp, "10.0.0.1", 5514},
      {"syslog://[2001:db8::1]:514", Kind::syslog_udp, "2001:db8::1", 514},
      {"syslog+tcp://logs.example", Kind::syslog_tcp, "logs.example", 601},
      {"tcp://logs.example:6514", Kind::syslog_tcp, "logs.example", 6514},
      {"syslog:///dev/log", Kind::syslog_local},
      {"", std::nullopt},
      {"http://logs.example", std::nullopt},
      {"syslog://", std::nullopt},
      {"syslog://host:0", std::nullopt},
      {"syslog://host:99999", std::nullopt},
      {"syslog://host:5x", std::nullopt},
      {"syslog://host/path", std::nullopt},
      {"syslog://[::1", std::nullopt},
      {"syslog://[::1]514", std::nullopt},
  };
  for (const auto& c : cases) {
    const auto target = parse_log_target(c.text);
    ASSERT_EQ(target.has_value(), c.kind.has_value()) << c.text;
    if (!target) continue;
    EXPECT_EQ(target->kind, *c.kind) << c.text;
    EXPECT_EQ(target->host, c.host) << c.text;
    EXPECT_EQ(target->port, c.port) << c.text;
  }
}

// A socket of ours on a free port of the loopback.
class Receiver {
 public:
  explicit Receiver(int type) : fd_(socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    if (type == SOCK_STREAM) listen(fd_, 4);
  }
  ~Receiver() { close(fd_); }
  int fd() const { return fd_; }
  std::string at() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

std::string receive(int fd) {
  pollfd ready{fd, POLLIN, 0};
  if (poll(&ready, 1, 2000) != 1) return "nothing came";
  char buffer[8192];
  const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
  return {buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::string without_header(const std::string& message) {
  const std::size_t at = message.find(" access - ");
  return at == std::string::npos ? "no header: " + message : message.substr(at + 10);
}

TEST(Syslog, Udp) {
  Receiver server(SOCK_DGRAM);
  auto log = open_log("syslog://" + server.at(), 1, 4096);
  log->write(0, "{\"a\":1}");
  const std::string message = receive(server.fd());
  EXPECT_TRUE(message.starts_with("<134>1 20")) << message;
  EXPECT_NE(message.find(" gatehouse " + std::to_string(getpid()) + " access - {"), std::string::npos) << message;
  // Enough lines that some of them wrap round the buffer's end.
  for (int i = 0; i < 8; ++i) {
    const std::string line = std::string(700, 'x') + std::to_string(i);
    log->write(0, line);
    EXPECT_EQ(without_header(receive(server.fd())), line);
  }
}

TEST(Syslog, ADatagramThatIsTooLongIsCutNotRetriedForEver) {
  Receiver server(SOCK_DGRAM);
  auto log = open_log("syslog://" + server.at(), 1, 256 * 1024);
  log->write(0, std::string(100'000, 'x'));
  log->write(0, "next");
  EXPECT_EQ(receive(server.fd()).size(), 8192u);
  EXPECT_EQ(without_header(receive(server.fd())), "next");
}

TEST(Syslog, TcpCountsOctetsAndReconnects) {
  Receiver server(SOCK_STREAM);
  auto log = open_log("syslog+tcp://" + server.at());
  log->write(0, "one");
  log->write(0, "two");
  int peer = accept(server.fd(), nullptr, nullptr);
  log->flush();
  std::string received = receive(peer);
  for (const char* expected : {"one", "two"}) {
    const std::size_t space = received.find(' ');
    const std::size_t size = std::stoul(received.substr(0, space));
    EXPECT_EQ(without_header(received.substr(space + 1, size)), expected);
    received.erase(0, space + 1 + size);
  }
  EXPECT_EQ(received, "");
  close(peer);
  // The writer sees the end of the connection before it writes, so nothing is lost.
  log->write(0, "three");
  peer = accept(server.fd(), nullptr, nullptr);
  EXPECT_EQ(without_header(receive(peer)), "three");
  close(peer);
}

TEST(Syslog, LocalSocketInTheFormItKnows) {
  const TempDir folder;
  const std::string path = folder / "log";
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  auto log = open_log("syslog://" + path);
  log->write(0, "hello");
  const std::string message = receive(fd);
  EXPECT_TRUE(message.starts_with("<134>")) << message;
  EXPECT_TRUE(message.ends_with(" gatehouse[" + std::to_string(getpid()) + "]: hello")) << message;
  close(fd);
}

TEST(AccessLog, ShardsUnderLoadLoseNoLineUncounted) {
  const TempDir folder;
  const std::string path = folder / "access.log";
  constexpr int kLines = 20000;
  std::uint64_t dropped = 0;
  {
    auto log = open_log(path, 2, 64 * 1024);
    std::vector<std::thread> shards;
    for (std::size_t shard = 0; shard < 2; ++shard) {
      shards.emplace_back([&, shard] {
        for (int i = 0; i < kLines; ++i) log->write(shard, std::to_string(shard) + " " + std::to_string(i));
      });
    }
    for (int i = 0; i < 10; ++i) log->reopen(), log->flush();
    for (auto& shard : shards) shard.join();
    log->flush();
    dropped = log->counters().lines_dropped;
  }
  std::ifstream in(path);
  std::uint64_t lines = 0;
  int last[2] = {-1, -1};
  for (std::string line; std::getline(in, line); ++lines) {
    const int shard = line[0] - '0', number = std::stoi(line.substr(2));
    ASSERT_GT(number, last[shard]) << "in order";
    last[shard] = number;
  }
  EXPECT_EQ(lines + dropped, 2u * kLines);
}

}  // namespace
}  // namespace gatehouse::telemetry
