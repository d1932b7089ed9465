#include "telemetry/log_destination.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace gatehouse::telemetry {
namespace {

constexpr int kStreamWaitMs = 200;
constexpr std::size_t kStreamBytesMax = 4096;  // PIPE_BUF: a pipe that is ready takes so much without blocking

std::array<iovec, 2> vectors(const QueuedLines& lines) noexcept {
  return {iovec{const_cast<char*>(lines[0].data()), lines[0].size()},
          iovec{const_cast<char*>(lines[1].data()), lines[1].size()}};
}

class FileDestination final : public LogDestination {
 public:
  explicit FileDestination(std::string path) : path_(std::move(path)) {}
  ~FileDestination() override {
    if (fd_ >= 0) close(fd_);
  }

  Result<std::size_t> take(const QueuedLines& lines) override {
    const auto parts = vectors(lines);
    const ssize_t written = writev(fd_, parts.data(), lines[1].empty() ? 1 : 2);
    if (written <= 0) return fail_errno("writing " + path_);
    return static_cast<std::size_t>(written);
  }

  // The old file stays in use when the new one cannot be opened.
  Status reopen() override {
    const int fd = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0) return fail_errno("opening " + path_);
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
    return {};
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// stdout. It may be shared with other processes, so it is not made non-blocking; instead no more is written than what a
// ready pipe is sure to take.
class StreamDestination final : public LogDestination {
 public:
  StreamDestination() {
    struct stat info {};
    regular_ = fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode);
  }

  Result<std::size_t> take(const QueuedLines& lines) override {
    auto parts = vectors(lines);
    if (!regular_) {
      pollfd ready{STDOUT_FILENO, POLLOUT, 0};
      if (poll(&ready, 1, kStreamWaitMs) == 0) {
        return fail(ErrorCode::timeout, "stdout takes nothing", ErrorSource::system);
      }
      parts[0].iov_len = std::min(parts[0].iov_len, kStreamBytesMax);
      parts[1].iov_len = std::min(parts[1].iov_len, kStreamBytesMax - parts[0].iov_len);
    }
    const ssize_t written = writev(STDOUT_FILENO, parts.data(), parts[1].iov_len == 0 ? 1 : 2);
    if (written <= 0) return fail_errno("writing to stdout");
    return static_cast<std::size_t>(written);
  }

 private:
  bool regular_ = false;
};

Result<LogTarget> parse_remote(std::string_view text, std::string_view rest, LogTarget::Kind kind, std::uint16_t port) {
  LogTarget target{kind, {}, {}, port};
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::invalid, fmt::format("'{}': {}", text, what), ErrorSource::configuration);
  };
  std::string_view digits;
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) return wrong("no ']' after the address");
    target.host = rest.substr(1, close - 1);
    digits = rest.substr(close + 1);
    if (!digits.empty() && digits.front() != ':') return wrong("expected ':' and a port after ']'");
  } else {
    const std::size_t colon = rest.find(':');
    target.host = rest.substr(0, colon);
    digits = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (target.host.empty()) return wrong("no host");
  if (target.host.find_first_of("/@?# ") != std::string::npos) return wrong("only a host and a port may follow '://'");
  if (!digits.empty()) {
    digits.remove_prefix(1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), target.port);
    if (error != std::errc() || end != digits.data() + digits.size() || target.port == 0) return wrong("bad port");
  }
  return target;
}

}  // namespace

Result<LogTarget> parse_log_target(std::string_view text) {
  if (text == "off") return LogTarget{};
  if (text == "stdout") return LogTarget{LogTarget::Kind::stdout_, {}, {}, 0};
  constexpr std::string_view kUdp = "syslog://", kTcp = "syslog+tcp://", kPlainTcp = "tcp://";
  if (text.starts_with(kUdp)) {
    const std::string_view rest = text.substr(kUdp.size());
    if (rest.starts_with('/')) return LogTarget{LogTarget::Kind::syslog_local, std::string(rest), {}, 0};
    return parse_remote(text, rest, LogTarget::Kind::syslog_udp, 514);
  }
  if (text.starts_with(kTcp)) return parse_remote(text, text.substr(kTcp.size()), LogTarget::Kind::syslog_tcp, 601);
  if (text.starts_with(kPlainTcp)) {
    return parse_remote(text, text.substr(kPlainTcp.size()), LogTarget::Kind::syslog_tcp, 601);
  }
  if (text.empty() || text.find("://") != std::string_view::npos) {
    return fail(ErrorCode::invalid,
                fmt::format("'{}' is no place for the access log: stdout, off, a path, syslog://host[:port], "
                            "syslog+tcp://host[:port] or syslog:///dev/log",
                            text),
                ErrorSource::configuration);
  }
  return LogTarget{LogTarget::Kind::file, std::string(text), {}, 0};
}

Result<std::unique_ptr<LogDestination>> open_log_destination(const LogTarget& target, const Clock& clock) {
  switch (target.kind) {
    case LogTarget::Kind::off: return fail(ErrorCode::invalid, "no access log is configured");
    case LogTarget::Kind::stdout_: return std::make_unique<StreamDestination>();
    case LogTarget::Kind::file: {
      auto file = std::make_unique<FileDestination>(target.path);
      if (Status opened = file->reopen(); !opened) return tl::unexpected(std::move(opened.error()));
      return file;
    }
    case LogTarget::Kind::syslog_udp:
    case LogTarget::Kind::syslog_tcp:
    case LogTarget::Kind::syslog_local: return make_syslog(target, clock);
  }
  return fail(ErrorCode::internal, "unknown kind of access log");
}

bool first_line(const QueuedLines& lines, std::string& scratch, std::string_view& line) {
  const std::string_view first(lines[0].data(), lines[0].size()), second(lines[1].data(), lines[1].size());
  if (const std::size_t end = first.find('\n'); end != std::string_view::npos) {
    line = first.substr(0, end);
    return true;
  }
  const std::size_t end = second.find('\n');
  if (end == std::string_view::npos) return false;
  scratch.assign(first);
  scratch.append(second.substr(0, end));
  line = scratch;
  return true;
}

}  // namespace gatehouse::telemetry
