// Syslog: RFC 5424 messages in UDP datagrams (RFC 5426) or over TCP with octet counting (RFC 6587 §3.4.1), and the
// older form that the local daemon's socket is used to.

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "telemetry/log_destination.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

constexpr int kPriority = 16 * 8 + 6;              // local0.info
constexpr std::size_t kDatagramBytesMax = 65'000;  // below UDP's 65,507 with room for the header
constexpr std::size_t kBatchBytesMax = 64 * 1024;
constexpr timeval kSendTimeout{1, 0};

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "-";
  return name;
}

class Syslog final : public LogDestination {
 public:
  Syslog(LogTarget target, const Clock& clock)
      : target_(std::move(target)), clock_(clock), host_(host_name()), pid_(std::to_string(getpid())) {}
  ~Syslog() override { disconnect(); }

  Result<std::size_t> take(const QueuedLines& lines) override {
    if (fd_ < 0 || peer_closed()) {
      if (Status connected = connect_anew(); !connected) return tl::unexpected(std::move(connected.error()));
    }
    return target_.kind == LogTarget::Kind::syslog_tcp ? send_stream(lines) : send_datagram(lines);
  }

 private:
  Status connect_anew() {
    disconnect();
    return target_.kind == LogTarget::Kind::syslog_local ? connect_local() : connect_remote();
  }
  Status connect_local();
  Status connect_remote();
  void disconnect() noexcept {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // A server that has gone away is noticed before lines are written into the void, not after.
  bool peer_closed() const noexcept {
    if (target_.kind != LogTarget::Kind::syslog_tcp) return false;
    char byte;
    const ssize_t got = recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  }
  Result<std::size_t> send_datagram(const QueuedLines& lines);
  Result<std::size_t> send_stream(const QueuedLines& lines);
  void append_message(std::string_view line, std::string& out) const;
  std::string where() const {
    return target_.kind == LogTarget::Kind::syslog_local ? target_.path
                                                         : fmt::format("{}:{}", target_.host, target_.port);
  }

  const LogTarget target_;
  const Clock& clock_;
  const std::string host_, pid_;
  int fd_ = -1;
  std::string line_, message_, batch_;
};

Status Syslog::connect_local() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (target_.path.size() >= sizeof address.sun_path) return fail(ErrorCode::invalid, target_.path + ": path too long");
  std::memcpy(address.sun_path, target_.path.data(), target_.path.size());
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail_errno("syslog");
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  auto error = fail_errno("syslog at " + where());
  disconnect();
  return error;
}

Status Syslog::connect_remote() {
  addrinfo hints{};
  hints.ai_socktype = target_.kind == LogTarget::Kind::syslog_tcp ? SOCK_STREAM : SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(target_.host.c_str(), std::to_string(target_.port).c_str(), &hints, &found);
  if (error != 0) {
    return fail(ErrorCode::unavailable, fmt::format("syslog at {}: {}", where(), gai_strerror(error)),
                ErrorSource::system);
  }
  Status status = fail(ErrorCode::unavailable, "syslog at " + where() + ": no address");
  for (const addrinfo* one = found; one != nullptr && !status; one = one->ai_next) {
    fd_ = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
    if (fd_ < 0) continue;
    // On Linux this bounds `connect` as well.
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout);
    if (connect(fd_, one->ai_addr, one->ai_addrlen) == 0) {
      status = Status{};
    } else {
      status = fail_errno("syslog at " + where());
      disconnect();
    }
  }
  freeaddrinfo(found);
  return status;
}

void Syslog::append_message(std::string_view line, std::string& out) const {
  char buffer[kTimeBytes];
  if (target_.kind != LogTarget::Kind::syslog_local) {
    fmt::format_to(std::back_inserter(out), "<{}>1 {} {} gatehouse {} access - ", kPriority,
                   format_time(clock_.wall(), buffer), host_, pid_);
  } else {
    const std::time_t now = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(clock_.wall()));
    std::tm parts{};
    localtime_r(&now, &parts);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &parts);
    fmt::format_to(std::back_inserter(out), "<{}>{} gatehouse[{}]: ", kPriority, stamp, pid_);
  }
  out += line.substr(0, kDatagramBytesMax - 512);
}

Result<std::size_t> Syslog::send_datagram(const QueuedLines& lines) {
  std::string_view line;
  if (!first_line(lines, line_, line)) return fail(ErrorCode::internal, "syslog: half a line was queued");
  message_.clear();
  append_message(line, message_);
  for (int attempt = 0;; ++attempt) {
    if (send(fd_, message_.data(), message_.size(), MSG_NOSIGNAL) >= 0) return line.size() + 1;
    if (errno == EINTR) continue;
    // What UDP tells here is that an earlier datagram found no one. This one may; a datagram that is too long never
    // will.
    if (errno == ECONNREFUSED && target_.kind == LogTarget::Kind::syslog_udp && attempt == 0) continue;
    if (errno == EMSGSIZE && message_.size() > 1024) {
      message_.resize(message_.size() / 2);
      continue;
    }
    auto error = fail_errno("syslog at " + where());
    disconnect();
    return error;
  }
}

Result<std::size_t> Syslog::send_stream(const QueuedLines& lines) {
  batch_.clear();
  std::size_t taken = 0;
  struct Frame {
    std::size_t end;    // in the batch
    std::size_t lines;  // bytes of the queue up to here
  };
  std::array<Frame, 256> frames;
  std::size_t count = 0;
  QueuedLines rest = lines;
  std::string_view line;
  while (count < frames.size() && batch_.size() < kBatchBytesMax && first_line(rest, line_, line)) {
    message_.clear();
    append_message(line, message_);
    fmt::format_to(std::back_inserter(batch_), "{} {}", message_.size(), message_);
    taken += line.size() + 1;
    frames[count++] = {batch_.size(), taken};
    const std::size_t first = std::min(line.size() + 1, rest[0].size());
    rest[1] = rest[1].subspan(line.size() + 1 - first);
    rest[0] = rest[0].subspan(first);
  }
  if (count == 0) return fail(ErrorCode::internal, "syslog: half a line was queued");
  std::size_t sent = 0;
  while (sent < batch_.size()) {
    const ssize_t got = send(fd_, batch_.data() + sent, batch_.size() - sent, MSG_NOSIGNAL);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    sent += static_cast<std::size_t>(got);
  }
  if (sent == batch_.size()) return taken;
  // What left in whole frames is done; a frame that was cut goes again, whole, on the next connection.
  auto error = fail_errno("syslog at " + where());
  disconnect();
  std::size_t done = 0;
  for (std::size_t i = 0; i < count && frames[i].end <= sent; ++i) done = frames[i].lines;
  if (done == 0) return error;
  return done;
}

}  // namespace

std::unique_ptr<LogDestination> make_syslog(const LogTarget& target, const Clock& clock) {
  return std::make_unique<Syslog>(target, clock);
}

}  // namespace gatehouse::telemetry
