#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace gatehouse::net {
namespace {
constexpr int kBacklog = 4096;

void set_option(int fd, int level, int option, int value) noexcept {
  ::setsockopt(fd, level, option, &value, sizeof value);
}
}  // namespace

void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

SocketAddress SocketAddress::tcp(const IpAddress& ip, std::uint16_t port) noexcept {
  SocketAddress address;
  if (ip.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, ip.bytes.data() + 12, 4);
    address.length = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    std::memcpy(&in6.sin6_addr, ip.bytes.data(), 16);
    address.length = sizeof in6;
  }
  return address;
}

Result<SocketAddress> SocketAddress::unix_path(const std::string& path) {
  SocketAddress address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.empty() || path.size() >= sizeof un.sun_path) {
    return fail(ErrorCode::invalid,
                fmt::format("{}: a Unix socket's path has 1 to {} bytes", path, sizeof un.sun_path - 1),
                ErrorSource::configuration);
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

IpAddress SocketAddress::ip() const noexcept {
  if (storage.ss_family == AF_INET) {
    return IpAddress::v4(ntohl(reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr));
  }
  IpAddress ip;
  if (storage.ss_family == AF_INET6) {
    std::memcpy(ip.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, 16);
  }
  return ip;
}

std::uint16_t SocketAddress::port() const noexcept {
  if (storage.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
  return 0;
}

Result<Fd> listen_tcp(const SocketAddress& address) {
  Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);  // inherited by what it accepts
  if (address.storage.ss_family == AF_INET6) {
    const bool any = address.ip() == IpAddress{};
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, any ? 0 : 1);
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0)
    return fail_errno("bind");
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("listen");
  return fd;
}

Status check_unused(const SocketAddress& address) {
  Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  const auto* at = reinterpret_cast<const sockaddr*>(&address.storage);
  if (address.is_unix()) {
    if (::connect(fd.get(), at, address.length) != 0 && errno != EAGAIN) return {};  // EAGAIN: its backlog is full
    errno = EADDRINUSE;
    return fail_errno("bind");
  }
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.storage.ss_family == AF_INET6 && address.ip() != IpAddress{}) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  if (::bind(fd.get(), at, address.length) != 0) return fail_errno("bind");
  return {};
}

Result<Fd> listen_unix(const std::string& path, unsigned mode) {
  auto address = SocketAddress::unix_path(path);
  if (!address) return tl::unexpected(address.error());
  struct stat info;
  if (::lstat(path.c_str(), &info) == 0) {
    // A file of another kind is not ours to remove. That nobody serves the socket is for the caller to know.
    if (!S_ISSOCK(info.st_mode)) return fail(ErrorCode::invalid, fmt::format("{}: exists and is not a socket", path));
    ::unlink(path.c_str());
  }
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  const mode_t old = ::umask(0777 & ~mode);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->length);
  ::umask(old);
  if (bound != 0) return fail_errno(fmt::format("bind {}", path));
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("listen");
  return fd;
}

Result<Fd> connect_start(const SocketAddress& address) {
  Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  if (!address.is_unix()) set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 &&
      errno != EINPROGRESS) {
    return fail_errno("connect");
  }
  return fd;
}

int connect_error(int fd) noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

IoResult Stream::read(std::span<char> into) {
  if (tls_) {
    const crypto::TlsResult result = tls_->read(into);
    switch (result.status) {
      case crypto::TlsStatus::ok: return {IoStatus::ok, result.bytes, false};
      case crypto::TlsStatus::want_read:
      case crypto::TlsStatus::want_write: return {IoStatus::blocked, 0, true};
      case crypto::TlsStatus::closed: return {IoStatus::closed, 0, true};
      case crypto::TlsStatus::error: return {IoStatus::error, 0, true};
    }
  }
  for (;;) {
    const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
    if (got > 0) {
      const auto bytes = static_cast<std::size_t>(got);
      return {IoStatus::ok, bytes, bytes < into.size() && !peer_closed_};
    }
    if (got == 0) return {IoStatus::closed, 0, true};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::blocked, 0, true};
    return {IoStatus::error, 0, true};
  }
}

IoResult Stream::write(std::span<const iovec> parts) {
  if (tls_) {
    const crypto::TlsResult result = tls_->write(parts);
    if (result.status == crypto::TlsStatus::error || result.status == crypto::TlsStatus::closed) {
      return {IoStatus::error, result.bytes, false};
    }
    const bool blocked = result.status != crypto::TlsStatus::ok && result.bytes == 0;
    return {blocked ? IoStatus::blocked : IoStatus::ok, result.bytes, false};
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  for (;;) {
    // Nearly every write is one part, for which send spares the kernel a message header to copy.
    const ssize_t sent = parts.size() == 1 ? ::send(fd_.get(), parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                           : ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) return {IoStatus::ok, static_cast<std::size_t>(sent), false};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::blocked, 0, false};
    return {IoStatus::error, 0, false};
  }
}

IoStatus Stream::flush() {
  if (!tls_ || !tls_->pending_write()) return IoStatus::ok;
  switch (tls_->flush()) {
    case crypto::TlsStatus::ok: return IoStatus::ok;
    case crypto::TlsStatus::want_read:
    case crypto::TlsStatus::want_write: return IoStatus::blocked;
    case crypto::TlsStatus::closed: return IoStatus::closed;
    case crypto::TlsStatus::error: return IoStatus::error;
  }
  return IoStatus::error;
}

void Stream::shutdown_write() {
  if (tls_) tls_->shutdown();
  ::shutdown(fd_.get(), SHUT_WR);
}

void Stream::close() {
  if (tls_) {
    tls_->shutdown();
    tls_.reset();
  }
  fd_.reset();
}

}  // namespace gatehouse::net
