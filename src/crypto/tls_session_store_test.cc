// What is offered, to whom, for how long and how often: with sessions made by hand, given as OpenSSL gives its own.

#include "crypto/tls_session_store.h"

#include <gtest/gtest.h>

#include <ctime>

#include "crypto/tls.h"
#include "crypto/tls_test_peer.h"

namespace gatehouse::crypto {
namespace {

struct Shape {
  int version = TLS1_3_VERSION;
  long age = 0;            // seconds
  long lasts = 7 * 86400;  // as the server says
  bool resumable = true;
};

class TlsSessionStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    TlsSessionStore::fill_from(*context_);
  }
  // A server gives a session to a connection that was begun for it. The number says which is offered later.
  void give(const std::string& server, int number, const Shape& shape = {}) {
    const SslPtr ssl(SSL_new(context_.get()));
    store_.resume(*ssl, server);
    hand_over(*ssl, number, shape);
  }
  int hand_over(SSL& ssl, int number, const Shape& shape) {
    SSL_SESSION* const session = SSL_SESSION_new();
    SSL_SESSION_set_protocol_version(session, shape.version);
    SSL_SESSION_set_time(session, static_cast<long>(std::time(nullptr)) - shape.age);
    SSL_SESSION_set_timeout(session, shape.lasts);
    const auto id = static_cast<unsigned char>(number);
    if (shape.resumable) SSL_SESSION_set1_id(session, &id, 1);
    const int taken = SSL_CTX_sess_get_new_cb(context_.get())(&ssl, session);
    if (taken == 0) SSL_SESSION_free(session);  // then OpenSSL keeps it
    return taken;
  }
  // The number of what a new connection to the server offers; -1: nothing.
  int offered(const std::string& server) {
    const SslPtr ssl(SSL_new(context_.get()));
    store_.resume(*ssl, server);
    const SSL_SESSION* const session = SSL_get_session(ssl.get());
    if (session == nullptr) return -1;
    unsigned length = 0;
    const unsigned char* const id = SSL_SESSION_get_id(session, &length);
    return length == 1 ? *id : -2;
  }

  SslContextPtr context_;
  TlsSessionStore store_;
};

TEST_F(TlsSessionStoreTest, ATicketIsOfferedOnceTheNewestFirst) {
  EXPECT_EQ(offered("a"), -1);
  const SslPtr ssl(SSL_new(context_.get()));
  store_.resume(*ssl, "a");
  for (int number = 1; number <= 3; ++number) EXPECT_EQ(hand_over(*ssl, number, {}), 1);
  for (const int number : {3, 2, 1, -1}) EXPECT_EQ(offered("a"), number);
}

TEST_F(TlsSessionStoreTest, ASessionOfTls12ServesAgain) {
  give("a", 1, {.version = TLS1_2_VERSION});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(offered("a"), 1);
  give("a", 2, {.version = TLS1_2_VERSION});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(offered("a"), 2);
}

TEST_F(TlsSessionStoreTest, EachServerHasItsOwn) {
  give("shop.example 127.0.0.1:1", 1);
  give("shop.example 127.0.0.1:2", 2);
  EXPECT_EQ(offered("shop.example 127.0.0.1:3"), -1);
  EXPECT_EQ(offered("shop.example"), -1);
  EXPECT_EQ(offered("shop.example 127.0.0.1:2"), 2);
  EXPECT_EQ(offered("shop.example 127.0.0.1:1"), 1);
}

TEST_F(TlsSessionStoreTest, AConnectionThatWasNotBegunHereGivesNothing) {
  const SslPtr ssl(SSL_new(context_.get()));
  EXPECT_EQ(hand_over(*ssl, 1, {}), 0);
  EXPECT_EQ(offered(""), -1);
}

TEST_F(TlsSessionStoreTest, Age) {
  struct Case {
    const char* name;
    Shape shape;
    bool offered;
  };
  constexpr long kMax = TlsSessionStore::kAgeMax, kMargin = 60;  // for a machine that takes its time
  const Case cases[] = {
      {"fresh", {}, true},
      {"within our bound", {.age = kMax - kMargin}, true},
      {"at our bound", {.age = kMax}, false},
      {"within the server's", {.age = 100, .lasts = 100 + kMargin}, true},
      {"at the server's", {.age = 100, .lasts = 100}, false},
      {"of tomorrow: the clock was set back", {.age = -86400}, false},
      {"never resumable", {.resumable = false}, false},
  };
  for (const Case& c : cases) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      SCOPED_TRACE(std::string(c.name) + (version == TLS1_2_VERSION ? ", TLS 1.2" : ", TLS 1.3"));
      Shape shape = c.shape;
      shape.version = version;
      const std::string server = c.name + std::to_string(version);
      give(server, 7, shape);
      EXPECT_EQ(offered(server), c.offered ? 7 : -1);
    }
  }
}

TEST_F(TlsSessionStoreTest, WhatIsTooOldDoesNotHideWhatIsNot) {
  const SslPtr ssl(SSL_new(context_.get()));
  store_.resume(*ssl, "a");
  hand_over(*ssl, 1, {});
  hand_over(*ssl, 2, {.age = TlsSessionStore::kAgeMax});
  hand_over(*ssl, 3, {.resumable = false});
  EXPECT_EQ(offered("a"), 1);
}

TEST_F(TlsSessionStoreTest, TheOldestOfAServerGoesFirst) {
  constexpr int kMax = static_cast<int>(TlsSessionStore::kSessionsMax);
  const SslPtr ssl(SSL_new(context_.get()));
  store_.resume(*ssl, "a");
  for (int number = 1; number <= kMax + 3; ++number) hand_over(*ssl, number, {});
  for (int number = kMax + 3; number > 3; --number) EXPECT_EQ(offered("a"), number);
  EXPECT_EQ(offered("a"), -1);
}

TEST_F(TlsSessionStoreTest, ServersAreBounded) {
  constexpr int kMax = static_cast<int>(TlsSessionStore::kServersMax);
  const auto name = [](int i) { return "server " + std::to_string(i); };
  const Shape lasting{.version = TLS1_2_VERSION};  // so that looking does not use it up
  const auto known = [&] {
    int count = 0;
    for (int i = 0; i < kMax + 100; ++i) count += offered(name(i)) != -1;
    return count;
  };
  for (int i = 0; i < kMax; ++i) give(name(i), 1, lasting);
  EXPECT_EQ(known(), kMax);
  give(name(7), 2, lasting);
  EXPECT_EQ(known(), kMax) << "one that is known takes nobody's place";
  for (int i = kMax; i < kMax + 100; ++i) {
    give(name(i), 3, lasting);
    EXPECT_EQ(offered(name(i)), 3) << "the newest is kept, whoever had to go";
  }
  EXPECT_EQ(known(), kMax);
}

// And with a real server: what it gives is what it takes back.
class TlsClientResumptionTest : public TlsTest {
 protected:
  // Of a connection to that name and endpoint, made and used once.
  bool resumes(TlsServerContext& server, TlsClientContext& client, const std::string& name, const char* endpoint) {
    close_sockets();
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    const auto theirs = server.accept(sockets_[0]);
    const auto ours = client.connect(sockets_[1], name, endpoint);
    TlsStatus done[2] = {TlsStatus::want_read, TlsStatus::want_read};
    for (int round = 0; round < 20; ++round) {
      for (TlsSession* const session : {theirs.get(), ours.get()}) {
        TlsStatus& status = done[session == ours.get()];
        session->readable();
        if (status == TlsStatus::want_read || status == TlsStatus::want_write) status = session->handshake();
      }
    }
    EXPECT_EQ(done[0], TlsStatus::ok);
    EXPECT_EQ(done[1], TlsStatus::ok);
    theirs->write("x");  // the ticket travels with it
    EXPECT_EQ(read_all(*ours), "x");
    EXPECT_EQ(theirs->resumed(), ours->resumed());
    theirs->shutdown();
    ours->shutdown();
    return ours->resumed();
  }
};

TEST_F(TlsClientResumptionTest, ByNameAndEndpoint) {
  const auto server = context();
  TlsClientOptions options;
  options.ca_file = authority_->certificate_file();
  const auto client = *TlsClientContext::create(options);
  struct Step {
    const char *name, *endpoint;
    bool resumed;
  };
  const Step steps[] = {
      {"shop.example", "1", false},  {"shop.example", "1", true},    {"shop.example", "1", true},
      {"shop.example", "2", false},  {"a.shop.example", "1", false},  // another name is verified anew
      {"a.shop.example", "1", true}, {"shop.example", "2", true},    {"shop.example", "", false},
      {"shop.example", "", false},  // without an endpoint nothing is kept
  };
  for (const Step& step : steps) {
    EXPECT_EQ(resumes(*server, *client, step.name, step.endpoint), step.resumed) << step.name << " " << step.endpoint;
  }
  const auto other = *TlsClientContext::create(options);
  EXPECT_FALSE(resumes(*server, *other, "shop.example", "1")) << "a context may trust others: it starts anew";
}

}  // namespace
}  // namespace gatehouse::crypto
