#include "app/dev/demo_keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string_view>
#include <thread>

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kStartTimeout = 30s;
constexpr auto kStopTimeout = 2s;
constexpr std::size_t kLineBytesMax = 4096;

struct Child {
  pid_t pid = -1;
  net::Fd output;
};

[[noreturn]] void become(const DemoService& service, int output, pid_t keeper) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) _exit(1);  // it died before we asked
  setpgid(0, 0);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : service.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

std::optional<Child> spawn(const DemoService& service) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  net::Fd reading(ends[0]);
  const net::Fd writing(ends[1]);
  const pid_t keeper = getpid();
  const pid_t pid = fork();
  if (pid < 0) return std::nullopt;
  if (pid == 0) become(service, writing.get(), keeper);
  return Child{pid, std::move(reading)};
}

bool wait_readable(int fd, std::chrono::steady_clock::time_point deadline) {
  pollfd event{fd, POLLIN, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left <= 0ms) return false;
    const int ready = poll(&event, 1, static_cast<int>(left.count()));
    if (ready != 0 && !(ready < 0 && errno == EINTR)) return ready > 0;
  }
}

std::optional<std::string> read_line(int fd, std::chrono::steady_clock::time_point deadline) {
  std::string line;
  char byte = 0;
  while (line.size() < kLineBytesMax && wait_readable(fd, deadline)) {
    if (read(fd, &byte, 1) != 1) return std::nullopt;
    if (byte == '\n') return line;
    line.push_back(byte);
  }
  return std::nullopt;
}

// The number in `{"port": 41234}`; 0 when there is none.
std::uint16_t port_of(std::string_view line) {
  const std::size_t at = line.find_first_of("0123456789");
  std::uint16_t port = 0;
  if (at != std::string_view::npos) std::from_chars(line.data() + at, line.data() + line.size(), port);
  return port;
}

bool reaped_all(std::vector<Child>& children) {
  bool all = true;
  for (Child& child : children) {
    if (child.pid > 0 && waitpid(child.pid, nullptr, WNOHANG) == child.pid) child.pid = -1;
    all = all && child.pid < 0;
  }
  return all;
}

void stop(std::vector<Child>& children) {
  for (const Child& child : children) kill(-child.pid, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + kStopTimeout;
  while (!reaped_all(children) && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(10ms);
  for (const Child& child : children) {
    if (child.pid > 0) kill(-child.pid, SIGKILL), waitpid(child.pid, nullptr, 0);
  }
}

// The keeper's life. One line goes back to the gateway's process: the ports, or what went wrong.
[[noreturn]] void keep(const std::vector<DemoService>& services, const std::string& folder, int line) {
  setsid();  // Ctrl-C is for the gateway; its end is our signal
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_IGN);
  std::vector<Child> children;
  std::string report;
  const auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
  for (const DemoService& service : services) {
    if (auto child = spawn(service)) children.push_back(std::move(*child));
  }
  for (std::size_t i = 0; i < services.size(); ++i) {
    const auto said = i < children.size() ? read_line(children[i].output.get(), deadline) : std::nullopt;
    if (!said) {
      report = fmt::format("!the {} service did not start: {}", services[i].name, fmt::join(services[i].argv, " "));
      break;
    }
    report += fmt::format("{} ", port_of(*said));
  }
  report.push_back('\n');
  if (write(line, report.data(), report.size()) == static_cast<ssize_t>(report.size())) {
    char byte = 0;
    while (read(line, &byte, 1) < 0 && errno == EINTR) {
    }
  }
  stop(children);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  _exit(0);
}

}  // namespace

Result<DemoKeeper> DemoKeeper::start(std::vector<DemoService>& services, const std::string& folder) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("a socket to the keeper");
  net::Fd ours(ends[0]);
  net::Fd theirs(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) return fail_errno("starting the keeper");
  if (pid == 0) {
    ours.reset();
    keep(services, folder, theirs.get());
  }
  theirs.reset();
  DemoKeeper keeper(std::move(ours));
  const auto line = read_line(keeper.line_.get(), std::chrono::steady_clock::now() + kStartTimeout + kStopTimeout);
  if (!line) return fail(ErrorCode::unavailable, "the keeper of the demo's services ended");
  if (line->starts_with('!')) return fail(ErrorCode::unavailable, line->substr(1));
  std::string_view rest = *line;
  for (DemoService& service : services) {
    service.port = port_of(rest);
    if (service.port == 0)
      return fail(ErrorCode::unavailable, fmt::format("the {} service named no port", service.name));
    rest.remove_prefix(rest.find(' ') + 1);
  }
  return keeper;
}

DemoKeeper::~DemoKeeper() {
  if (!line_) return;
  // Only read and shutdown from here on: a gateway that ran has filtered most other system calls away.
  ::shutdown(line_.get(), SHUT_WR);
  char byte = 0;
  while (read(line_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

}  // namespace gatehouse::app
