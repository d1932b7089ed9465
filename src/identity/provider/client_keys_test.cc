#include "identity/provider/client_keys.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "crypto/signing_key.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;

class ClientKeysTest : public ::testing::Test {
 protected:
  static Client at(const std::string& uri) {
    Client client;
    client.settings.jwks_uri = uri;
    return client;
  }
  ClientKeys make() {
    return {[this](const std::string&) -> Result<std::string> {
              ++fetches_;
              if (during_) during_();
              if (down_) return fail(ErrorCode::timeout, "down");
              return document_;
            },
            clock_};
  }
  FakeClock clock_;
  const crypto::SigningKey first_ = crypto::SigningKey::generate(), second_ = crypto::SigningKey::generate();
  std::string document_ = first_.public_jwks();
  std::function<void()> during_;
  std::atomic<bool> down_ = false;
  std::atomic<int> fetches_ = 0;
};

TEST_F(ClientKeysTest, WhatWasRegisteredIsParsedOnce) {
  ClientKeys keys = make();
  Client client;
  EXPECT_EQ(keys.of(client).error().code, ErrorCode::invalid);
  client.settings.jwks = first_.public_jwks();
  const auto one = keys.of(client), again = keys.of(client);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->get(), again->get());
  EXPECT_EQ(*keys.newer_than(*one, client), *one);
  client.settings.jwks = second_.public_jwks();
  EXPECT_TRUE((*keys.of(client))->find(second_.id()));
  EXPECT_EQ(fetches_, 0);
}

TEST_F(ClientKeysTest, AnAddressIsAskedEveryTenMinutes) {
  ClientKeys keys = make();
  const Client client = at("https://a.example/jwks");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(keys.of(client));
  EXPECT_EQ(fetches_, 1);
  clock_.advance(ClientKeys::kRefresh);
  document_ = second_.public_jwks();
  EXPECT_TRUE((*keys.of(client))->find(second_.id()));
  EXPECT_EQ(fetches_, 2);
  ASSERT_TRUE(keys.of(at("https://b.example/jwks")));
  EXPECT_EQ(fetches_, 3);
}

TEST_F(ClientKeysTest, AnUnknownKeyIsAskedForButNotOften) {
  ClientKeys keys = make();
  const Client client = at("https://a.example/jwks");
  const auto before = *keys.of(client);
  document_ = second_.public_jwks();
  EXPECT_EQ(*keys.newer_than(before, client), before) << "it was fetched just now";
  clock_.advance(ClientKeys::kPause);
  const auto after = *keys.newer_than(before, client);
  EXPECT_TRUE(after->find(second_.id()));
  EXPECT_EQ(fetches_, 2);
  EXPECT_EQ(*keys.newer_than(before, client), after) << "somebody else's fetch serves as well";
  EXPECT_EQ(fetches_, 2);
}

TEST_F(ClientKeysTest, TheLastGoodSetServesForADay) {
  ClientKeys keys = make();
  const Client client = at("https://a.example/jwks");
  ASSERT_TRUE(keys.of(client));
  down_ = true;
  clock_.advance(23h);
  EXPECT_TRUE((*keys.of(client))->find(first_.id()));
  EXPECT_TRUE(keys.of(client));
  EXPECT_EQ(fetches_, 2) << "no more than once in ten seconds";
  clock_.advance(1h);
  EXPECT_EQ(keys.of(client).error().code, ErrorCode::unavailable);
  down_ = false;
  document_ = "<html>";
  clock_.advance(ClientKeys::kPause);
  EXPECT_EQ(keys.of(client).error().code, ErrorCode::unavailable);
  document_ = first_.public_jwks();
  clock_.advance(ClientKeys::kPause);
  EXPECT_TRUE(keys.of(client));
}

TEST_F(ClientKeysTest, FewFetchesAtOnceAndOneForEachAddress) {
  ClientKeys keys = make();
  std::atomic<int> inside = 0;
  std::atomic<bool> go = false;
  during_ = [&] {
    ++inside;
    while (!go) std::this_thread::yield();
  };
  std::vector<std::thread> threads;
  constexpr int kMost = static_cast<int>(ClientKeys::kFetchesMax);
  for (int i = 0; i < kMost; ++i)
    threads.emplace_back([&, i] { EXPECT_TRUE(keys.of(at("https://" + std::to_string(i) + ".example/"))); });
  while (inside < kMost) std::this_thread::yield();
  EXPECT_EQ(keys.of(at("https://0.example/")).error().code, ErrorCode::unavailable) << "is being fetched";
  EXPECT_EQ(keys.of(at("https://9.example/")).error().code, ErrorCode::unavailable) << "enough are";
  go = true;
  for (std::thread& thread : threads) thread.join();
  during_ = {};
  EXPECT_TRUE(keys.of(at("https://9.example/")));
}

TEST_F(ClientKeysTest, AHostHasOnePlaceWhateverItsAddresses) {
  ClientKeys keys = make();
  std::atomic<int> inside = 0;
  std::atomic<bool> go = false;
  during_ = [&] {
    if (++inside == 1) {
      while (!go) std::this_thread::yield();
    }
  };
  std::thread hangs([&] { EXPECT_TRUE(keys.of(at("https://slow.example/a"))); });
  while (inside == 0) std::this_thread::yield();
  EXPECT_EQ(keys.of(at("https://slow.example/b")).error().code, ErrorCode::unavailable);
  EXPECT_EQ(keys.of(at("https://slow.example?b")).error().code, ErrorCode::unavailable);
  EXPECT_TRUE(keys.of(at("https://slow.example:8443/b"))) << "another server";
  EXPECT_TRUE(keys.of(at("https://good.example/a")));
  go = true;
  hangs.join();
  EXPECT_TRUE(keys.of(at("https://slow.example/b")));
}

TEST_F(ClientKeysTest, WhatGoesOnFailingIsAskedEverMoreSeldom) {
  ClientKeys keys = make();
  const Client client = at("https://a.example/jwks");
  down_ = true;
  std::vector<int> asked;
  for (int second = 0; second < 3600; ++second, clock_.advance(1s)) {
    const int before = fetches_;
    EXPECT_FALSE(keys.of(client));
    if (fetches_ != before) asked.push_back(second);
  }
  EXPECT_EQ(asked, (std::vector<int>{0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030}));
  down_ = false;
  clock_.advance(ClientKeys::kRefresh);
  EXPECT_TRUE(keys.of(client));
  down_ = true;
  clock_.advance(ClientKeys::kRefresh);
  EXPECT_TRUE(keys.of(client)) << "the last good ones";
  const int before = fetches_;
  clock_.advance(ClientKeys::kPause);
  EXPECT_TRUE(keys.of(client));
  EXPECT_EQ(fetches_, before + 1) << "counted anew since it answered";
}

TEST_F(ClientKeysTest, IsBounded) {
  ClientKeys keys = make();
  for (std::size_t i = 0; i < ClientKeys::kCachedMax + 10; ++i) ASSERT_TRUE(keys.of(at(std::to_string(i))));
  fetches_ = 0;
  EXPECT_TRUE(keys.of(at("1")));
  EXPECT_EQ(fetches_, 1) << "it was forgotten";
}

}  // namespace
}  // namespace gatehouse::identity
