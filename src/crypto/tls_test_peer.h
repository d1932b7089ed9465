#pragma once
// The two ends of a TLS connection over a socket pair, for tests: our session, and OpenSSL as it comes.

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "crypto/openssl.h"
#include "crypto/tls.h"
#include "crypto/x509.h"

namespace gatehouse::crypto {

using SessionPtr = std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION_free>>;

// The other end: OpenSSL as it comes, with its own socket BIO and settings.
struct Peer {
  int max_version = TLS1_3_VERSION;
  std::string server_name = "shop.example";
  std::string alpn;  // wire form
  std::string certificate_file, key_file;
  SSL_SESSION* resume = nullptr;
  bool staple = false;

  SslContextPtr context;
  SslPtr ssl;
  SessionPtr ticket;

  // OpenSSL forbids resuming a session whose connection was dropped without a goodbye.
  ~Peer() {
    if (ssl) SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }

  void start(int fd, const std::string& ca_file) {
    context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(context.get(), max_version);
    SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context.get(), [](SSL* of, SSL_SESSION* session) {
      static_cast<Peer*>(SSL_get_app_data(of))->ticket.reset(session);
      return 1;
    });
    if (!certificate_file.empty()) {
      ASSERT_EQ(SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()), 1);
      ASSERT_EQ(SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM), 1);
    }
    ssl.reset(SSL_new(context.get()));
    SSL_set_app_data(ssl.get(), this);
    SSL_set_fd(ssl.get(), fd);
    SSL_set_connect_state(ssl.get());
    if (!server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
    if (staple) SSL_set_tlsext_status_type(ssl.get(), TLSEXT_STATUSTYPE_ocsp);
    if (resume) SSL_set_session(ssl.get(), resume);
  }
  // 1: done; 0: goes on; -1: failed
  int handshake() {
    ERR_clear_error();
    const int returned = SSL_do_handshake(ssl.get());
    if (returned == 1) return 1;
    const int why = SSL_get_error(ssl.get(), returned);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  std::string read() {
    char buffer[32 * 1024];
    ERR_clear_error();
    const int got = SSL_read(ssl.get(), buffer, sizeof buffer);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
  }
  void write(std::string_view data) {
    ERR_clear_error();
    ASSERT_EQ(SSL_write(ssl.get(), data.data(), static_cast<int>(data.size())), static_cast<int>(data.size()));
  }
  std::string common_name() const {
    const X509Ptr certificate(SSL_get1_peer_certificate(ssl.get()));
    char name[128] = "";
    if (certificate) X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, 128);
    return name;
  }
};

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "tls_test_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto authority = LocalAuthority::open(folder_, "shop.example");
    ASSERT_TRUE(authority) << authority.error().message;
    authority_.emplace(std::move(*authority));
    options_.certificates = {issue({"shop.example"}), issue({"*.shop.example", "other.example"})};
    options_.alpn = {"h2", "http/1.1"};
  }
  void TearDown() override {
    close_sockets();
    std::filesystem::remove_all(folder_);
  }
  TlsCertificate issue(const std::vector<std::string>& names) {
    const auto issued = authority_->issue_server(names);
    EXPECT_TRUE(issued) << issued.error().message;
    return {issued->certificate_file, issued->key_file, {}};
  }
  std::shared_ptr<TlsServerContext> context() {
    auto made = TlsServerContext::create(options_);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : nullptr;
  }
  void close_sockets() {
    for (int& fd : sockets_) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
  }
  // The server's session, after the handshake; null when either side refused. `failed_session_` keeps the refused one.
  std::unique_ptr<TlsSession> connect(TlsServerContext& server, Peer& peer) {
    close_sockets();
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    auto session = server.accept(sockets_[0]);
    peer.start(sockets_[1], authority_->certificate_file());
    TlsStatus ours = TlsStatus::want_read;
    int theirs = 0;
    for (int round = 0; round < 20; ++round) {
      if (theirs == 0) theirs = peer.handshake();
      session->readable();
      if (ours == TlsStatus::want_read || ours == TlsStatus::want_write) ours = session->handshake();
      if (theirs < 0 || ours == TlsStatus::error) break;
      if (theirs == 1 && ours == TlsStatus::ok) return session;
    }
    failed_session_ = std::move(session);
    return nullptr;
  }
  static std::string read_all(TlsSession& session) {
    std::string all;
    char buffer[64 * 1024];
    session.readable();
    for (;;) {
      const TlsResult result = session.read(buffer);
      if (result.status != TlsStatus::ok) return all;
      all.append(buffer, result.bytes);
    }
  }

  std::string folder_;
  std::optional<LocalAuthority> authority_;
  TlsServerOptions options_;
  std::array<int, 2> sockets_{-1, -1};
  std::unique_ptr<TlsSession> failed_session_;
};

}  // namespace gatehouse::crypto
