#include "app/control/handover.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

extern char** environ;

namespace gatehouse::app {
namespace {

constexpr const char* kSockets = "GATEHOUSE_SOCKETS";
constexpr const char* kReady = "GATEHOUSE_READY_FD";

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < text.size();) {
    arguments.emplace_back(text.c_str() + at);
    at += arguments.back().size() + 1;
  }
  return arguments;
}

// The path we were started from, also when the file there has been replaced meanwhile: that is the point.
std::string own_program() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return {};
  std::string program(path, static_cast<std::size_t>(length));
  constexpr std::string_view kDeleted = " (deleted)";
  if (program.ends_with(kDeleted)) program.resize(program.size() - kDeleted.size());
  return program;
}

int number_of(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

}  // namespace

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
  return set;
}

std::vector<std::string> arguments_of_successor(std::vector<std::string> ours) {
  constexpr std::string_view kOption = "--ready-fd";
  for (auto at = ours.begin(); at != ours.end();) {
    const std::string_view text = *at;
    if (text == kOption) {
      at = ours.erase(at, std::min(at + 2, ours.end()));
    } else if (text.starts_with(kOption) && text[kOption.size()] == '=') {
      at = ours.erase(at);
    } else {
      ++at;
    }
  }
  return ours;
}

Result<Handover> begin_handover(const std::vector<gateway::InheritedSocket>& sockets) {
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return fail_errno("pipe");
  std::string list;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const gateway::InheritedSocket& socket : sockets) {
    // A descriptor duplicated onto itself loses its close-on-exec flag in the child.
    posix_spawn_file_actions_adddup2(&actions, socket.fd, socket.fd);
    list += (list.empty() ? "" : ";") + socket.address + "=" + std::to_string(socket.fd);
  }
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], pipe_fds[1]);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  environment.push_back(std::string(kSockets) + "=" + list);
  environment.push_back(std::string(kReady) + "=" + std::to_string(pipe_fds[1]));
  std::vector<std::string> arguments = arguments_of_successor(own_arguments());
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  };
  auto argv = pointers(arguments);
  auto envp = pointers(environment);
  const std::string program = own_program();
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(pipe_fds[1]);
  if (error != 0) {
    ::close(pipe_fds[0]);
    return fail(ErrorCode::io, fmt::format("{}: {}", program, std::strerror(error)), ErrorSource::system);
  }
  ::fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
  return Handover{pid, pipe_fds[0]};
}

bool is_successor() noexcept { return std::getenv(kReady) != nullptr; }

std::vector<gateway::InheritedSocket> inherited_sockets() {
  std::vector<gateway::InheritedSocket> sockets;
  const char* value = std::getenv(kSockets);
  if (value == nullptr) return sockets;
  std::string_view rest = value;
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const std::string_view entry = rest.substr(0, end);
    if (const auto equals = entry.rfind('='); equals != std::string_view::npos) {
      const int fd = number_of(entry.substr(equals + 1));
      if (fd > 2 && ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        sockets.push_back({std::string(entry.substr(0, equals)), fd});
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  ::unsetenv(kSockets);
  return sockets;
}

void report_ready() {
  const char* value = std::getenv(kReady);
  if (value == nullptr) return;
  const int fd = number_of(value);
  if (fd > 2) {
    [[maybe_unused]] const auto written = ::write(fd, "ready", 5);
    ::close(fd);
  }
  ::unsetenv(kReady);
}

}  // namespace gatehouse::app
