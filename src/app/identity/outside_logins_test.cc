#include "app/identity/outside_logins.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "codec/form.h"
#include "crypto/signing_key.h"
#include "identity/seconds.h"

namespace gatehouse::app {
namespace {

using identity::OutsideAttempt;

constexpr char kIssuer[] = "https://login.example";
constexpr char kOurs[] = "https://login.shop.example/federation/work/callback";

class OutsideLoginsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    config_.resize(1);
    config_[0].id = "work";
    config_[0].issuer = kIssuer;
    config_[0].client_id = "us";
    config_[0].client_secret = SecretBytes(std::string_view("secret"));
    pages_[std::string(kIssuer) + "/.well-known/openid-configuration"] =
        R"({"issuer":"https://login.example","authorization_endpoint":"https://login.example/auth",)"
        R"("token_endpoint":"https://login.example/token","jwks_uri":"https://login.example/jwks",)"
        R"("userinfo_endpoint":"https://login.example/me","response_types_supported":["code"],)"
        R"("authorization_response_iss_parameter_supported":true})";
    pages_[std::string(kIssuer) + "/jwks"] = key_.public_jwks();
  }
  std::unique_ptr<OutsideLogins> make() {
    auto made = std::make_unique<OutsideLogins>(config_, clock_, [this](const OutsideCall& call) {
      if (during_ && call.form) during_();
      if (call.form) asked_ = *call.form;
      return Result<OutsideAnswer>(OutsideAnswer{200, pages_.at(call.url), "", {}});
    });
    made->run_due();
    return made;
  }
  void give(const std::string& more) {
    const std::string claims = R"({"iss":"https://login.example","aud":"us","sub":"s-1","nonce":"n","iat":)" +
                               std::to_string(identity::seconds_of(clock_.wall())) + R"(,"exp":)" +
                               std::to_string(identity::seconds_of(clock_.wall()) + 60) + more + "}";
    pages_[std::string(kIssuer) + "/token"] = R"({"access_token":"at","id_token":")" + key_.sign(claims) + R"("})";
  }

  FakeClock clock_;
  const crypto::SigningKey key_ = crypto::SigningKey::generate();
  std::vector<gateway::IdentityConfig::OutsideProvider> config_;
  std::map<std::string, std::string> pages_;
  std::string asked_;
  std::function<void()> during_;
  const OutsideAttempt attempt_{kOurs, "state", "n", "verifier"};
};

TEST_F(OutsideLoginsTest, AsksWithPkceAndAnewWhenThatIsDemanded) {
  const auto logins = make();
  OutsideAttempt attempt = attempt_;
  auto url = logins->authorization_url("work", attempt);
  ASSERT_TRUE(url);
  const auto asked = codec::Form::parse(url->substr(url->find('?') + 1));
  EXPECT_EQ(asked->get("redirect_uri"), kOurs);
  EXPECT_EQ(asked->get("scope"), "openid profile email");
  EXPECT_EQ(asked->get("code_challenge"), "iMnq5o6zALKXGivsnlom_0F5_WYda32GHkxlV7mq7hQ") << "SHA-256 of the verifier";
  EXPECT_FALSE(asked->get("prompt"));
  attempt.anew = true;
  url = logins->authorization_url("work", attempt);
  EXPECT_NE(url->find("&prompt=login&max_age=0"), std::string::npos);
  EXPECT_FALSE(logins->authorization_url("other", attempt));
}

TEST_F(OutsideLoginsTest, WhoNamesItselfHasToDoSo) {
  const auto logins = make();
  EXPECT_TRUE(logins->check_issuer("work", kIssuer));
  EXPECT_EQ(logins->check_issuer("work", std::nullopt).error().code, ErrorCode::denied);
  EXPECT_EQ(logins->check_issuer("work", "https://evil.example").error().code, ErrorCode::denied);
}

TEST_F(OutsideLoginsTest, SaysWhoItIsByVerifiedClaims) {
  const auto logins = make();
  give(R"(,"email":"a@example.org","email_verified":true,"name":"Ada","auth_time":1000)");
  const auto who = logins->redeem("work", "code", attempt_);
  ASSERT_TRUE(who) << who.error().message;
  EXPECT_EQ(who->issuer, kIssuer);
  EXPECT_EQ(who->subject, "s-1");
  EXPECT_EQ(who->email, "a@example.org");
  EXPECT_TRUE(who->email_verified);
  EXPECT_EQ(who->name, "Ada");
  EXPECT_EQ(who->auth_s, 1000);
  const auto form = codec::Form::parse(asked_);
  EXPECT_EQ(form->get("code_verifier"), "verifier");
  EXPECT_EQ(form->get("redirect_uri"), kOurs);
  OutsideAttempt other = attempt_;
  other.nonce = "another";
  EXPECT_EQ(logins->redeem("work", "code", other).error().code, ErrorCode::invalid);
}

TEST_F(OutsideLoginsTest, AVerifiedAddressIsTrueAndNothingElse) {
  const auto logins = make();
  for (const char* verified : {"false", "\"true\"", "1", "null"}) {
    give(R"(,"email":"a@example.org","email_verified":)" + std::string(verified));
    EXPECT_FALSE(logins->redeem("work", "code", attempt_)->email_verified) << verified;
  }
}

TEST_F(OutsideLoginsTest, FewWaitAtOnce) {
  const auto logins = make();
  give("");
  std::atomic<int> inside = 0;
  std::atomic<bool> go = false;
  during_ = [&] {
    ++inside;
    while (!go) std::this_thread::yield();
  };
  std::vector<std::thread> waiting;
  for (int i = 0; i < OutsideLogins::kAtOnceMax; ++i)
    waiting.emplace_back([&] { EXPECT_TRUE(logins->redeem("work", "code", attempt_)); });
  while (inside < OutsideLogins::kAtOnceMax) std::this_thread::yield();
  EXPECT_EQ(logins->redeem("work", "code", attempt_).error().code, ErrorCode::exhausted);
  go = true;
  for (std::thread& one : waiting) one.join();
  during_ = {};
  EXPECT_TRUE(logins->redeem("work", "code", attempt_));
}

}  // namespace
}  // namespace gatehouse::app
