#include "app/identity/outside_provider.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>

#include "codec/base64.h"
#include "crypto/signing_key.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

constexpr char kIssuer[] = "https://login.example/realm";

class OutsideProviderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pages_[kMetadata].body = metadata();
    pages_["https://login.example/jwks"].body = key_.public_jwks();
    pages_["https://login.example/token"].body = R"({"access_token":"a"})";
    pages_["https://login.example/me"].body = R"({"sub":"s"})";
  }
  static std::string metadata(const std::string& more = {}) {
    return std::string(
               R"({"issuer":"https://login.example/realm","authorization_endpoint":"https://login.example/auth?x=1",)"
               R"("token_endpoint":"https://login.example/token","userinfo_endpoint":"https://login.example/me",)"
               R"("response_types_supported":["id_token","code"])") +
           (more.find("jwks_uri") == std::string::npos ? R"(,"jwks_uri":"https://login.example/jwks")" : "") + more +
           "}";
  }
  OutsideProvider make(std::string_view secret = "s +/&") {
    return OutsideProvider(
        {kIssuer, "a client", SecretBytes(secret), "/ca.pem"}, clock_,
        [this](const OutsideCall& call) -> Result<OutsideAnswer> {
          calls_.push_back(call);
          if (down_) return fail(ErrorCode::unavailable, "down");
          return pages_.at(call.url);
        },
        OutsideProvider::Thread::none);
  }
  // As time passes, a second at a time.
  void pass(OutsideProvider& provider, Duration span) {
    for (Duration passed{}; passed < span; passed += 1s) clock_.advance(1s), provider.run_due();
  }
  std::size_t asked(const std::string& url) const {
    return static_cast<std::size_t>(
        std::count_if(calls_.begin(), calls_.end(), [&](const OutsideCall& c) { return c.url == url; }));
  }

  static constexpr char kMetadata[] = "https://login.example/realm/.well-known/openid-configuration";
  FakeClock clock_;
  const crypto::SigningKey key_ = crypto::SigningKey::generate(), next_key_ = crypto::SigningKey::generate();
  std::map<std::string, OutsideAnswer> pages_{{kMetadata, {200, "", "", {}}},
                                              {"https://login.example/jwks", {200, "", "", {}}},
                                              {"https://login.example/keys2", {200, "", "", {}}},
                                              {"https://login.example/token", {200, "", "", {}}},
                                              {"https://login.example/me", {200, "", "", {}}}};
  std::deque<OutsideCall> calls_;
  bool down_ = false;
};

TEST_F(OutsideProviderTest, IsKnownWithMetadataAndKeys) {
  OutsideProvider provider = make();
  EXPECT_FALSE(provider.provider());
  EXPECT_EQ(provider.ask("a=b").error().code, ErrorCode::unavailable);
  pages_["https://login.example/jwks"].status = 500;
  provider.run_due();
  EXPECT_FALSE(provider.provider()) << "without keys nothing can be verified";
  pages_["https://login.example/jwks"].status = 200;
  pass(provider, 2s);
  const auto known = provider.provider();
  ASSERT_TRUE(known);
  EXPECT_EQ(known->issuer, kIssuer);
  EXPECT_EQ(known->authorization_endpoint, "https://login.example/auth?x=1");
  EXPECT_EQ(known->end_session_endpoint, "");
  EXPECT_FALSE(known->names_itself);
  EXPECT_TRUE(known->keys->get()->find(key_.id()));
  for (const OutsideCall& call : calls_) {
    EXPECT_EQ(call.ca, "/ca.pem");
    EXPECT_EQ(call.redirects_max, 0u);
    EXPECT_FALSE(call.plain_http);
  }
}

TEST_F(OutsideProviderTest, BelievesOnlyWhatIsItsOwnAndSafe) {
  struct Case {
    const char* name;
    std::string body;
    int status = 200;
    bool believed = false;
  };
  const std::string other = R"({"issuer":"https://login.example",)" + metadata().substr(metadata().find("\"auth"));
  const Case cases[] = {
      {"as it is", metadata(), 200, true},
      {"an error with the right body", metadata(), 404},
      {"a redirect", "", 302},
      {"a page", "<html>"},
      {"a list", "[]"},
      {"another issuer", other},
      {"no keys", metadata(R"(,"jwks_uri":null)")},
      {"keys over http", metadata(R"(,"jwks_uri":"http://login.example/jwks")")},
      {"keys in a file", metadata(R"(,"jwks_uri":"file:///etc/passwd")")},
      {"keys behind a user", metadata(R"(,"jwks_uri":"https://login.example@evil.example/jwks")")},
      {"keys with a line end", metadata(R"(,"jwks_uri":"https://login.example/jwks\r\nx")")},
      {"logout over http", metadata(R"(,"end_session_endpoint":"http://login.example/out")")},
      {"logout by script", metadata(R"(,"end_session_endpoint":"javascript:alert`1`") ")},
        {"no way to authenticate", metadata(R"(,"token_endpoint_auth_methods_supported":["private_key_jwt"])")},
      {"by post", metadata(R"(,"token_endpoint_auth_methods_supported":["client_secret_post"])"), 200, true},
  };
  for (const Case& c : cases) {
    pages_[kMetadata].body = c.body;
    pages_[kMetadata].status = c.status;
    OutsideProvider provider = make();
    provider.run_due();
    EXPECT_EQ(provider.provider() != nullptr, c.believed) << c.name;
  }
}

TEST_F(OutsideProviderTest, IsAskedHourlyAndKeepsTheLastGoodWord) {
  OutsideProvider provider = make();
  provider.run_due();
  ASSERT_TRUE(provider.provider());
  pass(provider, 59min);
  EXPECT_EQ(asked(kMetadata), 1u);
  down_ = true;
  pass(provider, 1min + 30s);
  EXPECT_EQ(asked(kMetadata), 6u) << "then after 1, 2, 4 and 8 seconds";
  pass(provider, 2h);
  ASSERT_TRUE(provider.provider());
  EXPECT_TRUE(provider.provider()->keys->get()->find(key_.id()));
  down_ = false;
  pages_[kMetadata].body = metadata(R"(,"authorization_response_iss_parameter_supported":true)");
  pass(provider, 5min);
  EXPECT_TRUE(provider.provider()->names_itself);
}

TEST_F(OutsideProviderTest, ANewKeyIsFetchedWhenATokenNamesIt) {
  OutsideProvider provider = make();
  provider.run_due();
  const auto keys = provider.provider()->keys;
  pages_["https://login.example/jwks"].body = next_key_.public_jwks();
  keys->want();
  pass(provider, 11s);
  EXPECT_TRUE(keys->get()->find(next_key_.id()));
  EXPECT_EQ(asked(kMetadata), 1u);
}

TEST_F(OutsideProviderTest, MovedKeysTakeOverWhenTheyAreThere) {
  OutsideProvider provider = make();
  provider.run_due();
  pages_[kMetadata].body = metadata(R"(,"jwks_uri":"https://login.example/keys2")");
  pages_["https://login.example/keys2"].status = 503;
  pass(provider, 1h + 1min);
  EXPECT_TRUE(provider.provider()->keys->get()->find(key_.id())) << "the old ones until then";
  pages_["https://login.example/keys2"] = {200, next_key_.public_jwks(), "", {}};
  pass(provider, 5min);
  EXPECT_TRUE(provider.provider()->keys->get()->find(next_key_.id()));
}

TEST_F(OutsideProviderTest, AsksAuthenticatedAsTheProviderTakesIt) {
  OutsideProvider basic = make();
  basic.run_due();
  ASSERT_TRUE(basic.ask("grant_type=x"));
  EXPECT_EQ(calls_.back().url, "https://login.example/token");
  EXPECT_EQ(calls_.back().form, "grant_type=x");
  // RFC 6749 §2.3.1: encoded before they are joined.
  EXPECT_EQ(calls_.back().authorization, "Basic " + codec::base64_encode("a%20client:s%20%2B%2F%26"));

  pages_[kMetadata].body = metadata(R"(,"token_endpoint_auth_methods_supported":["client_secret_post"])");
  OutsideProvider post = make();
  post.run_due();
  pages_["https://login.example/token"].status = 400;
  EXPECT_EQ(post.ask("grant_type=x")->status, 400);
  EXPECT_EQ(calls_.back().form, "grant_type=x&client_id=a%20client&client_secret=s%20%2B%2F%26");
  EXPECT_EQ(calls_.back().authorization, "");

  OutsideProvider open = make("");
  open.run_due();
  ASSERT_TRUE(open.ask("grant_type=x"));
  EXPECT_EQ(calls_.back().form, "grant_type=x&client_id=a%20client");
  down_ = true;
  EXPECT_EQ(open.ask("grant_type=x").error().code, ErrorCode::unavailable);
}

TEST_F(OutsideProviderTest, UserinfoByTheAccessToken) {
  OutsideProvider provider = make();
  provider.run_due();
  EXPECT_EQ(provider.userinfo("tok.en")->body, R"({"sub":"s"})");
  EXPECT_EQ(calls_.back().authorization, "Bearer tok.en");
  EXPECT_FALSE(calls_.back().form);
  const std::size_t before = calls_.size();
  EXPECT_FALSE(provider.userinfo(""));
  EXPECT_FALSE(provider.userinfo("a\r\nHost: evil"));
  EXPECT_EQ(calls_.size(), before);
}

TEST_F(OutsideProviderTest, AThreadOfItsOwnAsks) {
  std::atomic<int> calls = 0;
  {
    OutsideProvider provider({kIssuer, "c", SecretBytes(), ""}, SystemClock::instance(),
                             [&](const OutsideCall& call) -> Result<OutsideAnswer> {
                               ++calls;
                               return pages_.at(call.url);
                             });
    while (!provider.provider()) std::this_thread::yield();
  }
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace gatehouse::app
