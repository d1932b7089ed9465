#include "app/jwks_fetcher.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>

#include <map>

#include "base/file.h"
#include "base/temp_dir.h"
#include "crypto/jwk.h"
#include "crypto/signing_key.h"
#include "net/socket.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

constexpr char kUrl[] = "https://login.example/jwks";

class JwksFetcherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    issuer_.name = "main";
    issuer_.issuer = "https://login.example";
    issuer_.jwks = kUrl;
    issuer_.refresh = 10min;
    answer_.text = first_.public_jwks();
  }
  JwksFetcher make() {
    return JwksFetcher(
        clock_,
        [this](const std::string& url) -> Result<FetchedDocument> {
          EXPECT_EQ(url, kUrl);
          ++fetches_;
          if (broken_) return fail(ErrorCode::unavailable, "down");
          return answer_;
        },
        JwksFetcher::Thread::none);
  }
  // How many fetches come within `span`, a second at a time.
  int fetches_within(JwksFetcher& fetcher, Duration span) {
    fetches_ = 0;
    for (Duration passed{}; passed < span; passed += 1s) {
      clock_.advance(1s);
      fetcher.run_due();
    }
    return fetches_;
  }

  const TempDir folder_;
  FakeClock clock_;
  gateway::JwtIssuerConfig issuer_;
  const crypto::SigningKey first_ = crypto::SigningKey::generate(), second_ = crypto::SigningKey::generate();
  FetchedDocument answer_;
  bool broken_ = false;
  int fetches_ = 0;
};

TEST_F(JwksFetcherTest, FetchesAtOnceThenByRefreshOrCacheControl) {
  struct Case {
    const char* name;
    std::optional<std::chrono::seconds> max_age;
    Duration span;
    int fetches;
  };
  const Case cases[] = {
      {"no word of the source: refresh", std::nullopt, 1h, 6},
      {"max-age is longer", 1800s, 1h, 2},
      {"max-age is shorter", 300s, 1h, 12},
      {"no caching: once a minute", 0s, 10min, 10},
      {"a year: once a day", 365 * 24h, 48h, 2},
  };
  for (const Case& c : cases) {
    JwksFetcher fetcher = make();
    answer_.max_age = c.max_age;
    fetches_ = 0;
    const auto source = fetcher.keys_for({issuer_});
    ASSERT_TRUE(source);
    EXPECT_FALSE((*source)[0]->get()) << "fails closed until the first set";
    fetcher.run_due();
    EXPECT_EQ(fetches_, 1) << c.name;
    ASSERT_TRUE((*source)[0]->get()) << c.name;
    EXPECT_TRUE((*source)[0]->get()->find(first_.id())) << c.name;
    EXPECT_EQ(fetches_within(fetcher, c.span), c.fetches) << c.name;
  }
}

TEST_F(JwksFetcherTest, KeepsTheLastGoodSetAndBacksOff) {
  JwksFetcher fetcher = make();
  const auto source = fetcher.keys_for({issuer_});
  fetcher.run_due();
  broken_ = true;
  clock_.advance(10min);
  EXPECT_EQ(fetches_within(fetcher, 1min), 6) << "after 1, 2, 4, 8, 16 and 32 seconds";
  EXPECT_LE(fetches_within(fetcher, 1h), 15) << "every five minutes";
  EXPECT_TRUE((*source)[0]->get()->find(first_.id()));
  broken_ = false;
  answer_.text = "<html>";
  fetches_within(fetcher, 10min);
  EXPECT_TRUE((*source)[0]->get()->find(first_.id())) << "a page instead of keys is a failure too";
  answer_.text = second_.public_jwks();
  fetches_within(fetcher, 10min);
  EXPECT_TRUE((*source)[0]->get()->find(second_.id()));
  EXPECT_EQ(fetches_within(fetcher, 1h), 6) << "the pause is over";
}

TEST_F(JwksFetcherTest, AnUnknownKeyBringsTheNextFetchForwardButNotOften) {
  JwksFetcher fetcher = make();
  const auto source = fetcher.keys_for({issuer_});
  fetcher.run_due();
  answer_.text = second_.public_jwks();
  fetches_ = 0;
  for (int i = 0; i < 60; ++i) {
    (*source)[0]->want();
    clock_.advance(1s);
    fetcher.run_due();
  }
  EXPECT_EQ(fetches_, 6);
  EXPECT_TRUE((*source)[0]->get()->find(second_.id()));
  EXPECT_EQ((*source)[0]->epoch(), 1U) << "a key is gone";
}

TEST_F(JwksFetcherTest, IssuersKeepTheirKeysOverAReload) {
  JwksFetcher fetcher = make();
  auto before = fetcher.keys_for({issuer_});
  fetcher.run_due();
  gateway::JwtIssuerConfig other = issuer_;
  other.algorithms = {"ES256"};
  auto after = fetcher.keys_for({other, issuer_});
  EXPECT_EQ((*after)[1], (*before)[0]);
  EXPECT_NE((*after)[0], (*before)[0]) << "other algorithms, other keys";
  before = {};
  after = {};
  EXPECT_EQ(fetches_within(fetcher, 1h), 0) << "nobody uses them any more";
}

TEST_F(JwksFetcherTest, FilesAreReadAtOnceAndWatched) {
  issuer_.jwks = folder_ / "jwks.json";
  JwksFetcher fetcher = make();
  EXPECT_EQ(fetcher.keys_for({issuer_}).error().code, ErrorCode::not_found);
  ASSERT_TRUE(write_file_atomically(issuer_.jwks, "{}"));
  const auto bad = fetcher.keys_for({issuer_});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("jwks.json"), std::string::npos);

  ASSERT_TRUE(write_file_atomically(issuer_.jwks, first_.public_jwks()));
  const auto source = fetcher.keys_for({issuer_});
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_TRUE((*source)[0]->get()->find(first_.id()));
  ASSERT_TRUE(write_file_atomically(issuer_.jwks, "{}"));
  fetches_within(fetcher, 3s);
  EXPECT_TRUE((*source)[0]->get()->find(first_.id())) << "the last good one";
  ASSERT_TRUE(write_file_atomically(issuer_.jwks, second_.public_jwks() + " "));
  fetches_within(fetcher, 3s);
  EXPECT_TRUE((*source)[0]->get()->find(second_.id()));
}

TEST_F(JwksFetcherTest, ARevokedApiKeyIsGoneWithinSeconds) {
  const std::string file = folder_ / "keys.yaml";
  JwksFetcher fetcher = make();
  EXPECT_FALSE(fetcher.api_keys_for(file));
  gateway::ApiKeyEntry entry;
  entry.id = "ci";
  const auto key = gateway::create_api_key(file, entry);
  ASSERT_TRUE(key);
  const auto source = fetcher.api_keys_for(file);
  ASSERT_TRUE(source);
  EXPECT_TRUE((*source)->get()->find(*key));
  EXPECT_EQ(*fetcher.api_keys_for(file), *source) << "one source for a file";
  ASSERT_TRUE(write_file_atomically(file, "- oops\n"));
  fetches_within(fetcher, 3s);
  EXPECT_TRUE((*source)->get()->find(*key)) << "the last good one";
  ASSERT_TRUE(write_file_atomically(file, "[]\n"));
  fetches_within(fetcher, 3s);
  EXPECT_FALSE((*source)->get()->find(*key));
}

// Over a real socket: one answer, then the end.
std::string serve_once(const std::string& answer, Result<FetchedDocument>& fetched) {
  auto listener = net::listen_tcp(net::SocketAddress::tcp(IpAddress::v4(0x7f000001), 0));
  EXPECT_TRUE(listener);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&bound), &size);
  std::string request;
  std::thread server([&] {
    pollfd waiting{listener->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 10'000), 1);
    const net::Fd fd(::accept(listener->get(), nullptr, nullptr));
    char buffer[2048];
    const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    request.assign(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
    EXPECT_EQ(::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
  });
  fetched = fetch_document(fmt::format("http://127.0.0.1:{}/jwks", ntohs(bound.sin_port)));
  server.join();
  return request;
}

TEST(FetchDocument, AnswersAcceptedAndRefused) {
  struct Case {
    const char* name;
    std::string answer;
    bool accepted;
    std::optional<std::chrono::seconds> max_age;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
  const Case cases[] = {
      {"plain", ok + "Content-Length: 2\r\n\r\n{}", true, std::nullopt},
      {"with an age", ok + "cache-control: public, Max-Age=300\r\nContent-Length: 2\r\n\r\n{}", true, 300s},
      {"no-store", ok + "Cache-Control: max-age=300, no-store\r\nContent-Length: 2\r\n\r\n{}", true, 0s},
      {"an age that is none", ok + "Cache-Control: max-age=x\r\nContent-Length: 2\r\n\r\n{}", true, std::nullopt},
      {"an error", "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}", false, std::nullopt},
      {"a redirect to http", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false,
       std::nullopt},
      {"too large", ok + "Content-Length: 300000\r\n\r\n" + std::string(300'000, 'x'), false, std::nullopt},
      {"cut short", ok + "Content-Length: 20\r\n\r\n{}", false, std::nullopt},
  };
  for (const Case& c : cases) {
    Result<FetchedDocument> fetched;
    const std::string request = serve_once(c.answer, fetched);
    EXPECT_TRUE(request.starts_with("GET /jwks HTTP/1.1\r\n")) << request;
    ASSERT_EQ(fetched.has_value(), c.accepted) << c.name;
    if (!fetched) continue;
    EXPECT_EQ(fetched->text, "{}") << c.name;
    EXPECT_EQ(fetched->max_age, c.max_age) << c.name;
  }
}

}  // namespace
}  // namespace gatehouse::app
