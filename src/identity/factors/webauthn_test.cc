#include "identity/factors/webauthn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "identity/factors/webauthn_data.h"

namespace gatehouse::identity {
namespace {

using codec::Json;

// Messages of a software authenticator: tests/data/webauthn/make_vectors.py, where python-fido2 judges them too;
// libfido2 does in webauthn_peer_test.cc.
class WebauthnVectors : public testing::Test {
 protected:
  void SetUp() override {
    const auto text = read_file(GATEHOUSE_SOURCE_DIR "/tests/data/webauthn/vectors.json");
    ASSERT_TRUE(text);
    auto parsed = Json::parse(*text, {.bytes_max = 1 << 20, .values_max = 8192});
    ASSERT_TRUE(parsed);
    vectors_ = std::move(*parsed);
    origins_.emplace_back(*vectors_.find_string("origin"));
  }
  CeremonyExpectation expectation() const {
    return {.relying_party = {.id = *vectors_.find_string("rp_id"), .name = "Login", .origins = origins_},
            .challenge = *vectors_.find_string("challenge")};
  }
  WebauthnCredential credential_of(std::string_view name) const {
    WebauthnCredential out;
    out.id = *codec::base64url_decode(*vectors_.find_string("id"));
    if (name.ends_with("-5")) out.counter = 5, name.remove_suffix(2);
    out.public_key = *codec::base64url_decode(*vectors_.find("keys")->find_string(name));
    return out;
  }
  Json vectors_;
  std::vector<std::string> origins_;
};

TEST_F(WebauthnVectors, Registrations) {
  ASSERT_GT(vectors_.find("registrations")->size(), 60U);
  for (const Json& c : vectors_.find("registrations")->items()) {
    const std::string name(*c.find_string("name"));
    WebauthnCredential out;
    const auto status = verify_registration(*c.find_string("message"), expectation(), out);
    EXPECT_EQ(name_of(status), *c.find_string("status")) << name;
    EXPECT_EQ(out.id.empty(), status != WebauthnStatus::ok) << name;
    if (status != WebauthnStatus::ok) continue;
    EXPECT_TRUE(out.user_verified) << name;
    EXPECT_EQ(out.backup_eligible, name == "a synced passkey") << name;
    EXPECT_THAT(out.transports, testing::ElementsAre("usb", "nfc")) << "and no other words";
    const auto again = webauthn_credential_from(to_text(out), out.id, out.counter);
    ASSERT_TRUE(again) << name;
    EXPECT_EQ(to_text(*again), to_text(out));
    EXPECT_EQ(again->public_key, out.public_key);
  }
}

TEST_F(WebauthnVectors, Assertions) {
  ASSERT_GT(vectors_.find("assertions")->size(), 30U);
  for (const Json& c : vectors_.find("assertions")->items()) {
    const std::string name(*c.find_string("name"));
    const WebauthnCredential credential = credential_of(*c.find_string("key"));
    const AssertionExpectation expected{
        .ceremony = expectation(), .credential = &credential, .owner = *vectors_.find_string("owner")};
    WebauthnProof proof;
    EXPECT_EQ(name_of(verify_assertion(*c.find_string("message"), expected, proof)), *c.find_string("status")) << name;
    if (name == "es256") {
      EXPECT_TRUE(proof.user_verified);
      EXPECT_EQ(proof.counter, 1U);
      const auto read = read_assertion(*c.find_string("message"));
      ASSERT_TRUE(read);
      EXPECT_EQ(read->credential_id, credential.id);
      EXPECT_EQ(read->user_handle, *vectors_.find_string("owner"));
    }
  }
}

TEST_F(WebauthnVectors, WhoIsThereMustBeSaidWhereNobodyWasNamed) {
  for (const Json& c : vectors_.find("assertions")->items()) {
    if (c.find_string("name") != "without handle") continue;
    const WebauthnCredential credential = credential_of("es256");
    const AssertionExpectation expected{.ceremony = expectation(),
                                        .credential = &credential,
                                        .owner = *vectors_.find_string("owner"),
                                        .handle_required = true};
    WebauthnProof proof;
    EXPECT_EQ(verify_assertion(*c.find_string("message"), expected, proof), WebauthnStatus::user_handle);
  }
}

TEST_F(WebauthnVectors, AnUnverifiedUserIsTakenOnlyWhereVerificationIsNotAskedFor) {
  for (const Json& c : vectors_.find("assertions")->items()) {
    if (c.find_string("name") != "user unverified") continue;
    const WebauthnCredential credential = credential_of("es256");
    AssertionExpectation expected{
        .ceremony = expectation(), .credential = &credential, .owner = *vectors_.find_string("owner")};
    expected.ceremony.user_verification = UserVerification::preferred;
    WebauthnProof proof;
    EXPECT_EQ(verify_assertion(*c.find_string("message"), expected, proof), WebauthnStatus::ok);
    EXPECT_FALSE(proof.user_verified);
  }
}

TEST(Webauthn, OptionsAreWhatABrowserTakes) {
  const std::vector<std::string> origins{"https://login.example"}, exclude{"a", "b"};
  const RelyingParty site{.id = "login.example", .name = "Sh\"op", .origins = origins};
  EXPECT_EQ(
      creation_options({.relying_party = site,
                        .user_handle = "u1",
                        .user_name = "ann",
                        .display_name = "Ann",
                        .challenge = "Q0g",
                        .exclude = exclude}),
      R"({"rp":{"id":"login.example","name":"Sh\"op"},"user":{"id":"dTE","name":"ann","displayName":"Ann"},)"
      R"("challenge":"Q0g","pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},)"
      R"({"type":"public-key","alg":-257}],"timeout":300000,"excludeCredentials":[{"type":"public-key","id":"YQ"},)"
      R"({"type":"public-key","id":"Yg"}],"authenticatorSelection":{"residentKey":"preferred",)"
      R"("requireResidentKey":false,"userVerification":"required"},"attestation":"none"})");
  const std::vector<AllowedCredential> allow{{"a", {"usb"}}};
  EXPECT_EQ(request_options({.relying_party = site, .challenge = "Q0g", .allow = allow}),
            R"({"challenge":"Q0g","timeout":300000,"rpId":"login.example","allowCredentials":[{"type":"public-key",)"
            R"("id":"YQ","transports":["usb"]}],"userVerification":"required"})");
  EXPECT_EQ(new_webauthn_challenge().size(), 43U);
  EXPECT_NE(new_webauthn_challenge(), new_webauthn_challenge());
}

TEST(Webauthn, DecoysStayTheSameForAName) {
  EXPECT_EQ(decoy_credentials("k", "ann")[0].id, decoy_credentials("k", "ann")[0].id);
  EXPECT_NE(decoy_credentials("k", "ann")[0].id, decoy_credentials("k", "bob")[0].id);
  EXPECT_NE(decoy_credentials("k", "ann")[0].id, decoy_credentials("l", "ann")[0].id);
}

}  // namespace
}  // namespace gatehouse::identity
