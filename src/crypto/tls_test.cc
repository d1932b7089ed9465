#include "crypto/tls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>

#include "base/file.h"
#include "crypto/openssl.h"
#include "crypto/x509.h"

// The session's own system calls, counted: these definitions stand in front of the C library's. OpenSSL's socket BIO,
// which the peer in these tests uses, reads and writes by other calls.
namespace {
int recv_calls = 0, send_calls = 0;
}  // namespace
extern "C" ssize_t recv(int fd, void* into, std::size_t size, int flags) {
  ++recv_calls;
  return ::syscall(SYS_recvfrom, fd, into, size, flags, nullptr, nullptr);
}
extern "C" ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  ++send_calls;
  return ::syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
}

namespace gatehouse::crypto {
namespace {

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

TEST_F(TlsTest, BothVersionsCarryDataBothWays) {
  const auto server = context();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Peer peer{.max_version = version};
    const auto session = connect(*server, peer);
    ASSERT_TRUE(session);
    EXPECT_EQ(session->version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_EQ(session->cipher(),
              version == TLS1_2_VERSION ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(session->server_name(), "shop.example");
    EXPECT_FALSE(session->resumed());
    EXPECT_TRUE(session->peer().subject.empty());
    peer.write("hello");
    EXPECT_EQ(read_all(*session), "hello");
    EXPECT_EQ(session->write("world").bytes, 5U);
    EXPECT_EQ(peer.read(), "world");
  }
}

TEST_F(TlsTest, OneReadAndOneWriteForARequestOnAnOpenConnection) {
  const auto server = context();
  Peer peer;
  const auto session = connect(*server, peer);
  ASSERT_TRUE(session);
  const std::string head(300, 'h'), body(2000, 'b');
  for (int request = 0; request < 3; ++request) {
    peer.write(std::string(500, 'q'));
    recv_calls = send_calls = 0;
    EXPECT_EQ(read_all(*session).size(), 500U);
    const iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                           {const_cast<char*>(body.data()), body.size()}};
    EXPECT_EQ(session->write(parts).bytes, 2300U);
    EXPECT_EQ(recv_calls, 1);
    EXPECT_EQ(send_calls, 1) << "session tickets included";
    EXPECT_FALSE(session->pending_write());
    EXPECT_EQ(peer.read().size(), 2300U) << "head and body share a record";
  }
}

TEST_F(TlsTest, CertificateByServerName) {
  const auto server = context();
  struct Case {
    const char* asked;
    const char* served;
  };
  const Case cases[] = {
      {"shop.example", "shop.example"},       {"SHOP.example", "shop.example"},
      {"api.shop.example", "*.shop.example"}, {"API.Shop.Example", "*.shop.example"},
      {"other.example", "*.shop.example"},    {"a.b.shop.example", "shop.example"},  // a wildcard is one label
      {"unknown.example", "shop.example"},    {"", "shop.example"},
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Case& c : cases) {
      Peer peer{.max_version = version, .server_name = c.asked};
      ASSERT_TRUE(connect(*server, peer)) << c.asked;
      EXPECT_EQ(peer.common_name(), c.served) << c.asked;
    }
  }
}

TEST_F(TlsTest, AlpnIsOurOrderAndNoOverlapIsFatal) {
  const auto server = context();
  struct Case {
    const char* name;
    std::string offered;
    std::optional<std::string> selected;
  };
  const Case cases[] = {
      {"both, theirs in another order", "\x08http/1.1\x02h2", "h2"},
      {"one", "\x08http/1.1", "http/1.1"},
      {"no offer", "", ""},
      {"no overlap",
       "\x03"
       "foo\x08http/1.0",
       std::nullopt},
  };
  for (const Case& c : cases) {
    Peer peer{.alpn = c.offered};
    const auto session = connect(*server, peer);
    ASSERT_EQ(session != nullptr, c.selected.has_value()) << c.name;
    EXPECT_EQ(session ? session->alpn() : "", c.selected.value_or("")) << c.name;
  }
  options_.alpn.clear();
  Peer peer{.alpn = "\x02h2"};
  const auto session = connect(*context(), peer);
  ASSERT_TRUE(session) << "a listener without ALPN ignores the offer";
  EXPECT_EQ(session->alpn(), "");
}

TEST_F(TlsTest, SessionsResumeOverAReload) {
  FakeClock clock;
  options_.ticket_keys = TlsTicketKeys::create(clock);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Peer first{.max_version = version};
    auto session = connect(*context(), first);
    ASSERT_TRUE(session);
    session->write("x");  // TLS 1.3 tickets travel with it
    first.read();
    ASSERT_TRUE(first.ticket);

    struct Step {
      const char* name;
      std::chrono::hours later;
      bool resumed;
    };
    // After the second step the sealing key is the previous one; after the third it is gone.
    const Step steps[] = {{"at once", std::chrono::hours(0), true},
                          {"rotated once", std::chrono::hours(9), true},
                          {"rotated twice", std::chrono::hours(8), false}};
    for (const Step& step : steps) {
      clock.advance(step.later);
      const SessionPtr copy(SSL_SESSION_dup(first.ticket.get()));  // OpenSSL uses a TLS 1.3 ticket once
      Peer again{.max_version = version, .resume = copy.get()};
      session = connect(*context(), again);  // another context each time
      ASSERT_TRUE(session) << step.name;
      EXPECT_EQ(session->resumed(), step.resumed) << step.name;
    }
  }
}

TEST_F(TlsTest, ContextsWithTheirOwnTicketKeysDoNotResume) {
  Peer first;
  auto session = connect(*context(), first);
  ASSERT_TRUE(session);
  session->write("x");
  first.read();
  Peer again{.resume = first.ticket.get()};
  session = connect(*context(), again);
  ASSERT_TRUE(session);
  EXPECT_FALSE(session->resumed());
}

TEST_F(TlsTest, ClientCertificates) {
  const auto client = authority_->issue_client("billing", "spiffe://shop.example/billing");
  ASSERT_TRUE(client);
  auto stranger = LocalAuthority::open(folder_ + "/stranger", "elsewhere");
  const auto strange = stranger->issue_client("billing", "spiffe://shop.example/billing");
  ASSERT_TRUE(strange);
  enum class Shows { nothing, good, foreign };
  struct Case {
    const char* name;
    ClientAuth asked;
    Shows shown;
    bool accepted, known;
  };
  const Case cases[] = {
      {"none asked, one there", ClientAuth::none, Shows::good, true, false},
      {"optional, absent", ClientAuth::optional, Shows::nothing, true, false},
      {"optional, good", ClientAuth::optional, Shows::good, true, true},
      {"optional, of another authority", ClientAuth::optional, Shows::foreign, false, false},
      {"required, absent", ClientAuth::required, Shows::nothing, false, false},
      {"required, good", ClientAuth::required, Shows::good, true, true},
      {"required, of another authority", ClientAuth::required, Shows::foreign, false, false},
  };
  options_.client_ca_file = authority_->certificate_file();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Case& c : cases) {
      options_.client_auth = c.asked;
      Peer peer{.max_version = version};
      if (c.shown != Shows::nothing) {
        const auto& files = c.shown == Shows::good ? *client : *strange;
        peer.certificate_file = files.certificate_file;
        peer.key_file = files.key_file;
      }
      const auto session = connect(*context(), peer);
      ASSERT_EQ(session != nullptr, c.accepted) << c.name;
      if (!session) {
        EXPECT_FALSE(failed_session_->error().empty()) << c.name;
        continue;
      }
      const TlsPeer who = session->peer();
      EXPECT_EQ(who.subject, c.known ? "CN=billing,O=shop.example" : "") << c.name;
      EXPECT_EQ(who.sans.size(), c.known ? 1U : 0U);
      if (c.known) {
        EXPECT_EQ(who.sans[0], "uri:spiffe://shop.example/billing");
        EXPECT_EQ(who.sha256.size(), 64U);
      }
    }
  }
}

TEST_F(TlsTest, ATicketCarriesNobodyPastAClientCertificate) {
  options_.ticket_keys = TlsTicketKeys::create();
  Peer anonymous;
  auto session = connect(*context(), anonymous);
  ASSERT_TRUE(session);
  session->write("x");
  anonymous.read();
  ASSERT_TRUE(anonymous.ticket);
  options_.client_ca_file = authority_->certificate_file();
  options_.client_auth = ClientAuth::required;
  Peer again{.resume = anonymous.ticket.get()};
  session = connect(*context(), again);
  EXPECT_FALSE(session);
}

TEST_F(TlsTest, AResumedSessionRemembersItsClientCertificate) {
  const auto client = authority_->issue_client("billing", "spiffe://shop.example/billing");
  options_.ticket_keys = TlsTicketKeys::create();
  options_.client_ca_file = authority_->certificate_file();
  options_.client_auth = ClientAuth::required;
  Peer first{.certificate_file = client->certificate_file, .key_file = client->key_file};
  auto session = connect(*context(), first);
  ASSERT_TRUE(session);
  session->write("x");
  first.read();
  Peer again{.certificate_file = client->certificate_file, .key_file = client->key_file, .resume = first.ticket.get()};
  session = connect(*context(), again);
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->resumed());
  EXPECT_EQ(session->peer().subject, "CN=billing,O=shop.example");
}

TEST_F(TlsTest, LargeBodiesUnderBackPressure) {
  const auto server = context();
  Peer peer;
  const auto session = connect(*server, peer);
  ASSERT_TRUE(session);
  std::string sent(5 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 24);
  std::string received;
  std::size_t accepted = 0, blocked = 0;
  while (received.size() < sent.size()) {
    if (accepted < sent.size()) {
      const TlsResult result = session->write(std::string_view(sent).substr(accepted));
      accepted += result.bytes;
      if (result.status != TlsStatus::ok) {
        ASSERT_EQ(result.status, TlsStatus::want_write);
        ++blocked;
      }
    } else {
      session->flush();
    }
    for (std::string part = peer.read(); !part.empty(); part = peer.read()) received += part;
  }
  EXPECT_GT(blocked, 1U);
  EXPECT_FALSE(session->pending_write());
  EXPECT_TRUE(received == sent);

  // And the other way.
  std::string upload;
  std::size_t at = 0;
  char buffer[64 * 1024];
  while (upload.size() < sent.size()) {
    ERR_clear_error();
    if (at < sent.size()) {
      const int wrote = SSL_write(peer.ssl.get(), sent.data() + at,
                                  static_cast<int>(std::min<std::size_t>(16 * 1024, sent.size() - at)));
      if (wrote > 0) at += static_cast<std::size_t>(wrote);
    }
    session->readable();
    for (;;) {
      const TlsResult result = session->read(buffer);
      if (result.status != TlsStatus::ok) break;
      upload.append(buffer, result.bytes);
    }
  }
  EXPECT_TRUE(upload == sent);
}

TEST_F(TlsTest, EndOfStream) {
  const auto server = context();
  char buffer[100];
  {
    Peer peer;
    const auto session = connect(*server, peer);
    peer.write("last");
    SSL_shutdown(peer.ssl.get());
    session->readable();
    EXPECT_EQ(session->read(buffer).bytes, 4U);
    EXPECT_EQ(session->read(buffer).status, TlsStatus::closed) << "close_notify came in the same segment";
  }
  {
    Peer peer;
    const auto session = connect(*server, peer);
    peer.write("last");
    ::close(std::exchange(sockets_[1], -1));  // without close_notify, and seen in the same event as the data
    session->readable();
    session->peer_closed();
    EXPECT_EQ(session->read(buffer).bytes, 4U);
    EXPECT_EQ(session->read(buffer).status, TlsStatus::closed);
  }
  {
    Peer peer;
    const auto session = connect(*server, peer);
    session->shutdown();
    peer.read();
    EXPECT_EQ(SSL_get_shutdown(peer.ssl.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  }
}

TEST_F(TlsTest, RenegotiationIsRefused) {
  Peer peer{.max_version = TLS1_2_VERSION};
  const auto session = connect(*context(), peer);
  ASSERT_TRUE(session);
  SSL_renegotiate(peer.ssl.get());
  EXPECT_EQ(peer.handshake(), 0);
  EXPECT_EQ(read_all(*session), "");
  EXPECT_EQ(peer.handshake(), -1) << "refused by an alert";
}

TEST_F(TlsTest, GarbageIsAnErrorAndNotACrash) {
  const auto server = context();
  for (const std::string_view bytes : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage", "\x80\x2e\x01"}) {
    close_sockets();
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    const auto session = server->accept(sockets_[0]);
    ASSERT_EQ(::write(sockets_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::shutdown(sockets_[1], SHUT_WR);
    session->peer_closed();
    EXPECT_EQ(session->handshake(), TlsStatus::error);
    EXPECT_EQ(session->handshake(), TlsStatus::error) << "stays dead";
    char buffer[10];
    EXPECT_EQ(session->read(buffer).status, TlsStatus::error);
    EXPECT_EQ(session->write("x").status, TlsStatus::error);
    EXPECT_FALSE(session->error().empty());
  }
}

TEST_F(TlsTest, OldVersionsAreRefused) {
  const auto server = context();
  Peer old{.max_version = TLS1_1_VERSION};
  EXPECT_FALSE(connect(*server, old));
  options_.min_version = TlsVersion::v13;
  Peer twelve{.max_version = TLS1_2_VERSION};
  EXPECT_FALSE(connect(*context(), twelve));
}

TEST_F(TlsTest, StaplesAnOcspResponse) {
  const std::string leaf = options_.certificates[0].certificate_file;
  const auto run = [&](const std::string& command) {
    return std::system(("cd " + folder_ + " && " + command + " >/dev/null 2>&1").c_str());
  };
  ASSERT_EQ(run("printf 'V\\t351231235959Z\\t\\t%s\\tunknown\\t/CN=x\\n' "
                "$(openssl x509 -in " +
                leaf +
                " -noout -serial | cut -d= -f2) > index.txt && "
                "openssl ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -issuer ca.pem -cert " +
                leaf + " -respout good.der -ndays 7 -noverify"),
            0);
  options_.certificates[0].ocsp_file = folder_ + "/good.der";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Peer peer{.max_version = version, .staple = true};
    ASSERT_TRUE(connect(*context(), peer));
    const unsigned char* response = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(peer.ssl.get(), &response);
    ASSERT_GT(size, 0);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(response), static_cast<std::size_t>(size)),
              *read_file(folder_ + "/good.der"));
  }
  ASSERT_TRUE(write_file_atomically(folder_ + "/bad.der", "not a response"));
  options_.certificates[0].ocsp_file = folder_ + "/bad.der";
  EXPECT_FALSE(TlsServerContext::create(options_));
}

TEST_F(TlsTest, BadFilesAreSaid) {
  const TlsCertificate good = options_.certificates[0], other = options_.certificates[1];
  struct Case {
    const char* name;
    TlsCertificate files;
    const char* says;
  };
  const Case cases[] = {
      {"no certificate", {folder_ + "/absent", good.key_file, {}}, "absent"},
      {"no key", {good.certificate_file, folder_ + "/absent", {}}, "absent"},
      {"another's key", {good.certificate_file, other.key_file, {}}, "is not the key of"},
      {"a key for a certificate", {good.key_file, good.key_file, {}}, "no PEM certificate"},
      {"a certificate for a key", {good.certificate_file, good.certificate_file, {}}, "private key"},
  };
  for (const Case& c : cases) {
    options_.certificates = {c.files};
    const auto made = TlsServerContext::create(options_);
    ASSERT_FALSE(made) << c.name;
    EXPECT_NE(made.error().message.find(c.says), std::string::npos) << made.error().message;
  }
}

// Our client against our server, over a relay that hands on one byte at a time, so that every boundary is hit.
TEST_F(TlsTest, ClientAndServerOneByteAtATime) {
  TlsClientOptions options{.ca_file = authority_->certificate_file(), .alpn = {"h2"}};
  struct Case {
    const char* name;
    std::string server_name;
    bool accepted;
  };
  const Case cases[] = {{"its name", "shop.example", true},
                        {"a name it has not", "bank.example", false},
                        {"an address it has not", "127.0.0.1", false}};
  const auto server = context();
  const auto client = TlsClientContext::create(options);
  ASSERT_TRUE(client) << client.error().message;
  for (const Case& c : cases) {
    int left[2], right[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, left), 0);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, right), 0);
    const auto ours = (*client)->connect(left[0], c.server_name);
    const auto theirs = server->accept(right[0]);
    const auto relay = [](int from, int to) {
      char byte;
      const bool moved = ::read(from, &byte, 1) != 1 || ::write(to, &byte, 1) == 1;
      EXPECT_TRUE(moved);
    };
    TlsStatus a = TlsStatus::want_read, b = TlsStatus::want_read;
    std::string heard;
    bool said = false;
    for (int round = 0; round < 20'000 && heard.empty(); ++round) {
      relay(left[1], right[1]);
      relay(right[1], left[1]);
      ours->readable();
      theirs->readable();
      if (a == TlsStatus::want_read) a = ours->handshake();
      if (b == TlsStatus::want_read) b = theirs->handshake();
      if (a == TlsStatus::error) break;
      if (a == TlsStatus::ok && !said) said = ours->write("ping").bytes == 4;
      if (b == TlsStatus::ok) heard += read_all(*theirs);
    }
    EXPECT_EQ(heard, c.accepted ? "ping" : "") << c.name;
    if (c.accepted) {
      EXPECT_EQ(ours->alpn(), "h2");
    } else {
      EXPECT_NE(ours->error().find("certificate"), std::string::npos) << ours->error();
    }
    for (const int fd : {left[0], left[1], right[0], right[1]}) ::close(fd);
  }
}

TEST_F(TlsTest, AnUpstreamThatIsCutShortIsAnError) {
  const auto client = TlsClientContext::create({.ca_file = authority_->certificate_file()});
  ASSERT_TRUE(client);
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  const auto server = context();
  const auto ours = (*client)->connect(fds[0], "shop.example");
  auto theirs = server->accept(fds[1]);
  for (int round = 0; round < 5; ++round) {
    ours->readable(), theirs->readable();
    ours->handshake();
    theirs->handshake();
  }
  theirs->write("part");
  ::close(fds[1]);
  ours->readable();
  ours->peer_closed();
  char buffer[100];
  EXPECT_EQ(ours->read(buffer).bytes, 4U);
  EXPECT_EQ(ours->read(buffer).status, TlsStatus::error);
  ::close(fds[0]);
}

}  // namespace
}  // namespace gatehouse::crypto
