// Any bytes as what an authenticator sends: the first says as what (a whole message, an attestation object, client
// data, authenticator data, a COSE key). Nothing that is made up may pass as an assertion.
#include "identity/factors/webauthn.h"

#include "base/check.h"
#include "codec/base64.h"
#include "identity/factors/webauthn_data.h"

namespace {

using namespace gatehouse;
using identity::WebauthnStatus;

constexpr char kClientData[] =
    R"({"type":"webauthn.create","challenge":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","origin":"https://login.example"})";

std::string registration_of(std::string_view attestation_object) {
  const std::string id = codec::base64url_encode("credential-0123456789");
  return R"({"id":")" + id + R"(","rawId":")" + id + R"(","type":"public-key","response":{"clientDataJSON":")" +
         codec::base64url_encode(kClientData) + R"(","attestationObject":")" +
         codec::base64url_encode(attestation_object) + R"("}})";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> origins{"https://login.example"};
  const identity::CeremonyExpectation expected{
      .relying_party = {.id = "login.example", .name = "Login", .origins = origins},
      .challenge = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  identity::WebauthnCredential credential;
  WebauthnStatus status = WebauthnStatus::malformed;
  switch (data[0] % 5) {
    case 0:
      status = identity::verify_registration(text, expected, credential);
      (void)identity::read_assertion(text);
      break;
    case 1: status = identity::verify_registration(registration_of(text), expected, credential); break;
    case 2: (void)identity::check_client_data(text, "webauthn.get", expected); break;
    case 3: {
      identity::AuthenticatorData parsed;
      if (identity::read_authenticator_data(text, parsed) == WebauthnStatus::ok && parsed.attested) {
        GH_CHECK(!parsed.credential_id.empty() && parsed.credential_id.size() <= identity::kCredentialIdBytesMax);
      }
      break;
    }
    default: {
      std::optional<crypto::VerificationKey> key;
      if (identity::read_cose_key(text, key) == WebauthnStatus::ok) GH_CHECK(key && !key->public_bytes().empty());
    }
  }
  if (status != WebauthnStatus::ok) return 0;
  GH_CHECK(!credential.id.empty() &&
           identity::webauthn_credential_from(identity::to_text(credential), credential.id, 0));
  identity::WebauthnProof proof;
  const identity::AssertionExpectation assertion{.ceremony = expected, .credential = &credential, .owner = "ann"};
  GH_CHECK(identity::verify_assertion(text, assertion, proof) != WebauthnStatus::ok);
  return 0;
}
