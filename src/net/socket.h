#pragma once
// Non-blocking sockets: addresses, listening, connecting, and a byte stream that is plain or TLS.
//
// `Stream` spends no system call on seeing EAGAIN: a read shorter than the buffer means drained, and the next edge says
// when there is more.

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "crypto/tls.h"

namespace gatehouse::net {

// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  static SocketAddress tcp(const IpAddress& ip, std::uint16_t port) noexcept;
  static Result<SocketAddress> unix_path(const std::string& path);
  bool is_unix() const noexcept { return storage.ss_family == AF_UNIX; }
  IpAddress ip() const noexcept;  // all zero for a Unix socket
  std::uint16_t port() const noexcept;
};

// SO_REUSEPORT, SO_REUSEADDR, TCP_NODELAY inherited by accepted sockets, backlog 4096. "0.0.0.0" is IPv4 only, "::"
// both.
Result<Fd> listen_tcp(const SocketAddress& address);
Result<Fd> listen_unix(const std::string& path, unsigned mode = 0660);
// Fails when somebody else listens there. With SO_REUSEPORT a second process of the same user would share the port, and
// a socket's path would change its owner, without a word.
Status check_unused(const SocketAddress& address);
// Begins to connect; completion is an EPOLLOUT, success is `connect_error() == 0`.
Result<Fd> connect_start(const SocketAddress& address);
int connect_error(int fd) noexcept;

enum class IoStatus : std::uint8_t { ok, blocked, closed, error };
struct IoResult {
  IoStatus status;
  std::size_t bytes;
  bool drained;  // of a read: nothing more is waiting until the next edge
};

class Stream {
 public:
  Stream() = default;
  explicit Stream(Fd fd) noexcept : fd_(std::move(fd)) {}
  void start_tls(std::unique_ptr<crypto::TlsSession> session) noexcept {
    tls_ = std::move(session);
    if (peer_closed_) tls_->peer_closed();
  }

  int fd() const noexcept { return fd_.get(); }
  bool is_tls() const noexcept { return tls_ != nullptr; }
  crypto::TlsSession* tls() noexcept { return tls_.get(); }
  const crypto::TlsSession* tls() const noexcept { return tls_.get(); }

  void readable() noexcept {  // epoll said so
    if (tls_) tls_->readable();
  }
  // epoll said EPOLLRDHUP: the end of the stream may wait behind the data, and no later edge announces it. From now on
  // a short read doesn't count as drained.
  void peer_closed() noexcept {
    peer_closed_ = true;
    if (tls_) tls_->peer_closed();
  }
  IoResult read(std::span<char> into);
  // `bytes` counts what was accepted from `parts`. With TLS, accepted bytes may wait in the session: see `flush`.
  IoResult write(std::span<const iovec> parts);
  // Pushes out what a TLS session holds. ok: nothing waits any more.
  IoStatus flush();
  bool pending_write() const noexcept { return tls_ && tls_->pending_write(); }
  void shutdown_write();
  void close();  // close_notify if TLS, then close

 private:
  Fd fd_;
  std::unique_ptr<crypto::TlsSession> tls_;
  bool peer_closed_ = false;
};

}  // namespace gatehouse::net
