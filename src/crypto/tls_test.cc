// What is negotiated: versions, certificates, protocols, resumption, who the client is.
#include "crypto/tls_test_peer.h"

namespace gatehouse::crypto {
namespace {

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

TEST_F(TlsTest, EachResumptionLeadsToTheNext) {
  const auto server = context();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SessionPtr ticket;
    for (int round = 0; round < 4; ++round) {
      Peer peer{.max_version = version, .resume = ticket.get()};
      const auto session = connect(*server, peer);
      ASSERT_TRUE(session);
      EXPECT_EQ(session->resumed(), round > 0) << round;
      session->write("x");
      peer.read();
      if (peer.ticket) ticket = std::move(peer.ticket);  // TLS 1.2 goes on with the one it has
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

TEST_F(TlsTest, RenegotiationIsRefused) {
  Peer peer{.max_version = TLS1_2_VERSION};
  const auto session = connect(*context(), peer);
  ASSERT_TRUE(session);
  SSL_renegotiate(peer.ssl.get());
  EXPECT_EQ(peer.handshake(), 0);
  EXPECT_EQ(read_all(*session), "");
  EXPECT_EQ(peer.handshake(), -1) << "refused by an alert";
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

}  // namespace
}  // namespace gatehouse::crypto
