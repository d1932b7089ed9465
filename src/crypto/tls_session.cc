#include "crypto/tls_session.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "crypto/certificate_names.h"

namespace gatehouse::crypto {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;  // the largest plaintext of a record (RFC 8446 §5.1)
constexpr std::size_t kBatchBytes = 64 * 1024;   // records gathered for one send
// A peer that makes us answer (alerts, key updates) and never reads must not grow our memory.
constexpr std::size_t kPendingBytesMax = 1024 * 1024;

// Records that the current call has produced. One for each thread: the capacity is reused, so that an idle connection
// holds none and a busy one allocates nothing.
std::string& outgoing() {
  thread_local std::string records;
  return records;
}

}  // namespace

// The BIO between OpenSSL and the socket; its data is the session.
struct SessionBio {
  static OpensslSession& session(BIO* bio) { return *static_cast<OpensslSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, int size) {
    OpensslSession& s = session(bio);
    BIO_clear_retry_flags(bio);
    if (s.drained_ && !s.peer_closed_) {
      BIO_set_retry_read(bio);
      return -1;
    }
    ssize_t got;
    do got = ::recv(s.fd_, into, static_cast<std::size_t>(size), 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
      s.drained_ = got < size;
      return static_cast<int>(got);
    }
    if (got == 0) {
      BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
      return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      s.drained_ = true;
      BIO_set_retry_read(bio);
    } else {
      s.system_error_ = errno;
    }
    return -1;
  }

  static int write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    outgoing().append(data, static_cast<std::size_t>(size));
    return size;
  }

  static long control(BIO* bio, int command, long, void*) {
    switch (command) {
      case BIO_CTRL_FLUSH: return 1;
      case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
      default: return 0;
    }
  }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse session");
      GH_CHECK(m && BIO_meth_set_read(m, read) && BIO_meth_set_write(m, write) && BIO_meth_set_ctrl(m, control));
      return m;
    }();
    return made;
  }
};

OpensslSession::OpensslSession(SSL_CTX& context, int fd, Role role, std::shared_ptr<const void> owner)
    : owner_(std::move(owner)), ssl_(SSL_new(&context)), fd_(fd), role_(role) {
  BIO* bio = BIO_new(SessionBio::method());
  GH_CHECK(ssl_ && bio);  // memory is all that either needs
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  if (role == Role::server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

TlsStatus OpensslSession::classify(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_NONE: return TlsStatus::ok;
    case SSL_ERROR_WANT_READ: return TlsStatus::want_read;
    case SSL_ERROR_WANT_WRITE: return TlsStatus::want_write;
    case SSL_ERROR_ZERO_RETURN: return TlsStatus::closed;
    default: break;
  }
  failed_ = true;
  failure_ = ERR_peek_error();
  ERR_clear_error();
  return TlsStatus::error;
}

TlsStatus OpensslSession::push(bool may_linger) {
  std::string& records = outgoing();
  if (records.empty()) return TlsStatus::ok;
  std::size_t sent = 0;
  bool full = !pending_.empty();  // bytes keep their order
  if (!full && !may_linger) {
    ssize_t took;
    do took = ::send(fd_, records.data(), records.size(), MSG_NOSIGNAL);
    while (took < 0 && errno == EINTR);
    if (took < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      system_error_ = errno;
      failed_ = true;
      records.clear();
      return TlsStatus::error;
    }
    sent = took > 0 ? static_cast<std::size_t>(took) : 0;
    full = blocked_ = sent < records.size();
  }
  if (sent < records.size()) pending_.append(records, sent);
  records.clear();
  if (pending_.size() > kPendingBytesMax) {
    failed_ = true;
    return TlsStatus::error;
  }
  return full ? TlsStatus::want_write : TlsStatus::ok;
}

bool OpensslSession::take_pending() {
  if (pending_.empty()) return true;
  if (blocked_ && flush() != TlsStatus::ok) return false;
  outgoing().append(pending_);
  pending_ = {};
  return true;
}

TlsStatus OpensslSession::handshake() {
  if (failed_) return TlsStatus::error;
  if (blocked_) {
    if (const TlsStatus flushed = flush(); flushed != TlsStatus::ok) return flushed;
  }
  ERR_clear_error();
  const int returned = SSL_do_handshake(ssl_.get());
  TlsStatus status = classify(returned);
  if (status == TlsStatus::closed) {  // nobody may go on with half a handshake
    failed_ = true;
    status = TlsStatus::error;
  }
  // All that a TLS 1.3 server has left to say now is tickets; anything else the peer is waiting for.
  const bool tickets_only =
      status == TlsStatus::ok && role_ == Role::server && SSL_version(ssl_.get()) >= TLS1_3_VERSION;
  const TlsStatus pushed = push(tickets_only);  // of a failed handshake too: the alert says why
  if (status == TlsStatus::error || pushed == TlsStatus::error) return TlsStatus::error;
  return status == TlsStatus::want_read && pushed == TlsStatus::want_write ? TlsStatus::want_write : status;
}

// Nothing is buffered and the socket is known to be empty: OpenSSL would say so too, only slower.
bool OpensslSession::nothing_to_read() const noexcept {
  return drained_ && !peer_closed_ && SSL_has_pending(ssl_.get()) == 0 &&
         (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) == 0;
}

TlsResult OpensslSession::read(std::span<char> into) {
  if (failed_) return {TlsStatus::error, 0};
  if (nothing_to_read()) return {TlsStatus::want_read, 0};
  ERR_clear_error();
  std::size_t total = 0;
  TlsStatus status = TlsStatus::ok;
  while (total < into.size() && (total == 0 || !nothing_to_read())) {
    std::size_t got = 0;
    const int returned = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got);
    total += got;
    if (returned == 1) continue;
    status = classify(returned);
    break;
  }
  // Reading may produce records: an alert, the answer to a key update.
  if (!outgoing().empty() && push(false) == TlsStatus::error) status = TlsStatus::error;
  if (total > 0) return {TlsStatus::ok, total};  // what stopped us shows again at the next call
  return {status, 0};
}

TlsResult OpensslSession::write(std::string_view data) {
  const iovec part{const_cast<char*>(data.data()), data.size()};
  return write(std::span(&part, 1));
}

// Encrypts from `skip` bytes into `parts` until kBatchBytes of records or the end; returns the plaintext taken.
std::size_t OpensslSession::encrypt(std::span<const iovec> parts, std::size_t skip, TlsStatus& status) {
  thread_local char gathered[kRecordBytes];
  std::size_t taken = 0;
  while (outgoing().size() < kBatchBytes) {
    while (!parts.empty() && skip >= parts.front().iov_len) {
      skip -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (parts.empty()) return taken;
    const char* from = static_cast<const char*>(parts.front().iov_base) + skip;
    std::size_t size = std::min(parts.front().iov_len - skip, kRecordBytes);
    if (size < kRecordBytes && parts.size() > 1) {  // a record of its own for each small piece would waste 22 bytes
      std::memcpy(gathered, from, size);
      for (const iovec& part : parts.subspan(1)) {
        const std::size_t more = std::min(part.iov_len, kRecordBytes - size);
        std::memcpy(gathered + size, part.iov_base, more);
        size += more;
        if (size == kRecordBytes) break;
      }
      from = gathered;
    }
    std::size_t accepted = 0;
    const int returned = SSL_write_ex(ssl_.get(), from, size, &accepted);
    taken += accepted;
    skip += accepted;
    if (returned != 1) {
      status = classify(returned);
      return taken;
    }
  }
  return taken;
}

TlsResult OpensslSession::write(std::span<const iovec> parts) {
  if (failed_) return {TlsStatus::error, 0};
  ERR_clear_error();
  std::size_t total = 0, accepted = 0;
  for (const iovec& part : parts) total += part.iov_len;
  while (accepted < total) {
    if (!take_pending()) return {failed_ ? TlsStatus::error : TlsStatus::want_write, accepted};
    TlsStatus status = TlsStatus::ok;
    accepted += encrypt(parts, accepted, status);
    const TlsStatus pushed = push(false);
    if (status == TlsStatus::ok) status = pushed;
    if (status != TlsStatus::ok) return {status, accepted};
  }
  return {TlsStatus::ok, accepted};
}

TlsStatus OpensslSession::flush() {
  if (failed_) return TlsStatus::error;
  std::size_t done = 0;
  while (done < pending_.size()) {
    const ssize_t took = ::send(fd_, pending_.data() + done, pending_.size() - done, MSG_NOSIGNAL);
    if (took < 0 && errno == EINTR) continue;
    if (took < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      system_error_ = errno;
      failed_ = true;
      return TlsStatus::error;
    }
    if (took > 0) done += static_cast<std::size_t>(took);
    if (done < pending_.size()) {  // a short send means full; the next edge says when there is room
      blocked_ = true;
      pending_.erase(0, done);
      return TlsStatus::want_write;
    }
  }
  blocked_ = false;
  pending_ = {};  // the capacity too
  return TlsStatus::ok;
}

void OpensslSession::shutdown() {
  // Inside a handshake or after a fatal error there is nothing to close (RFC 8446 §6.1).
  if (failed_ || SSL_in_init(ssl_.get()) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  if (!pending_.empty() && flush() != TlsStatus::ok) {
    outgoing().clear();
    return;
  }
  push(false);
}

std::string_view OpensslSession::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view OpensslSession::version() const noexcept { return SSL_get_version(ssl_.get()); }

std::string_view OpensslSession::cipher() const noexcept {
  const char* name = SSL_get_cipher_name(ssl_.get());
  return name ? name : "";
}

std::string OpensslSession::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  std::string lower = name ? name : "";
  for (char& c : lower) c = to_lower_ascii(c);
  return lower;
}

bool OpensslSession::resumed() const noexcept { return SSL_session_reused(ssl_.get()) == 1; }

TlsPeer OpensslSession::peer() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  // With `optional` and on clients that don't verify a certificate may be there that nobody has checked.
  if (!certificate || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  return describe(*certificate);
}

std::string OpensslSession::error() const {
  if (!failed_) return {};
  if (system_error_ != 0) return std::strerror(system_error_);
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) return fmt::format("certificate: {}", X509_verify_cert_error_string(verified));
  return failure_ != 0 ? openssl_reason(failure_) : "the peer closed the connection without saying so";
}

}  // namespace gatehouse::crypto
