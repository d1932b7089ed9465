#include "http/server_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "http/drain.h"

namespace gatehouse::http {
namespace {
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
}

ServerConnection::ServerConnection(net::Loop& loop, net::Fd fd, const net::SocketAddress& peer, std::uint64_t id,
                                   std::shared_ptr<const ServerConnectionOptions> options, RequestSink& sink,
                                   ServerConnectionOwner& owner)
    : Connection(loop, net::Stream(std::move(fd))), options_(std::move(options)), sink_(sink), owner_(owner) {
  info_.id = id;
  info_.listener = options_->listener;
  info_.unix_socket = peer.storage.ss_family == AF_UNIX || peer.length == 0;
  info_.peer = info_.client = peer.ip();
  info_.peer_port = info_.client_port = peer.port();
  if (options_->peer_credentials) info_.credentials = peer_credentials(stream().fd());
}

Status ServerConnection::begin() {
  const bool proxied = options_->proxy_header;
  if (proxied && !info_.unix_socket &&
      std::none_of(options_->trusted_proxies.begin(), options_->trusted_proxies.end(),
                   [&](const Network& network) { return network.contains(info_.peer); })) {
    return fail(ErrorCode::denied, "a PROXY header is required, and this peer is not trusted to send one",
                ErrorSource::downstream);
  }
  const bool tls = options_->tls != nullptr;
  if (tls && !proxied) stream().start_tls(options_->tls->accept(stream().fd()));
  auto started = start(proxied ? Begin::preamble : Begin::connected);
  // Until there is a session: a client that says nothing, or shakes hands for ever.
  if (started && session() == nullptr) set_early_deadline(options_->http1.header_timeout);
  return started;
}

// The header is looked at before it is taken: what follows it belongs to TLS, which reads from the socket itself.
void ServerConnection::on_preamble() {
  char bytes[kProxyHeaderMax];
  const ssize_t got = ::recv(stream().fd(), bytes, sizeof bytes, MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    close_now();
    return;
  }
  const ProxyHeader header = parse_proxy_header({bytes, static_cast<std::size_t>(got)}, options_->proxy_versions);
  if (header.status == ProxyStatus::incomplete && static_cast<std::size_t>(got) < sizeof bytes) return;
  if (header.status != ProxyStatus::ok) {
    sink_.on_refused(info_, Reason::bad_request_line, nullptr);
    close_now();
    return;
  }
  [[maybe_unused]] const auto taken = ::recv(stream().fd(), bytes, header.consumed, 0);
  if (!header.local) {
    info_.client = header.source;
    info_.client_port = header.source_port;
    info_.proxied = true;
    if (!owner_.on_client_known(*this)) {
      close_now();
      return;
    }
  }
  proceed(options_->tls ? options_->tls->accept(stream().fd()) : nullptr);
}

void ServerConnection::on_established() {
  if (const crypto::TlsSession* tls = stream().tls()) {
    info_.tls = true;
    info_.tls_version = tls->version();
    info_.tls_cipher = tls->cipher();
    info_.server_name = tls->server_name();
    info_.tls_resumed = tls->resumed();
    const crypto::TlsPeer peer = tls->peer();
    info_.certificate_subject = peer.subject;
    info_.certificate_sans = peer.sans;
    info_.certificate_sha256 = peer.sha256;
  }
  owner_.on_established(*this);
  if (stream().is_tls()) {
    speak(stream().tls()->alpn() == "h2");
  } else if (!options_->http2_cleartext) {
    speak(false);
  }
}

// Prior knowledge (RFC 9113 §3.3): a client that begins with the preface speaks HTTP/2. "PRI" is no method of HTTP/1.1.
void ServerConnection::on_early_data(std::string_view data) {
  early_.append(data);
  const std::size_t compare = std::min(early_.size(), kHttp2Preface.size());
  const bool preface = early_.compare(0, compare, kHttp2Preface.substr(0, compare)) == 0;
  if (preface && compare < kHttp2Preface.size()) return;
  speak(preface);
  std::string early;
  early.swap(early_);
  session()->on_data(early);
}

void ServerConnection::speak(bool http2) {
  cancel_early_deadline();
  info_.version = http2 ? Version::http2 : Version::http11;
  if (http2) {
    set_session(make_h2_server(*this, sink_, info_, options_->h2));
  } else {
    set_session(make_http1_server(*this, sink_, info_, options_->http1));
  }
  if (draining_) session()->drain();
}

void ServerConnection::on_handshake_failed(std::string_view why, bool) { owner_.on_tls_failed(*this, why); }

void ServerConnection::drain() {
  draining_ = true;
  if (session() != nullptr) {
    session()->drain();
  } else {
    set_early_deadline(kDrainNotice);
  }
}

}  // namespace gatehouse::http
