#include "identity/factors/webauthn.h"

#include <algorithm>
#include <array>

#include "codec/base64.h"
#include "codec/cbor.h"
#include "crypto/attestation_certificate.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "identity/factors/webauthn_data.h"

namespace gatehouse::identity {
namespace {

using codec::Cbor;
using codec::Json;

constexpr std::size_t kTransportsMax = 8, kTransportBytesMax = 32;
constexpr codec::CborLimits kAttestationLimits{.bytes_max = kWebauthnJsonBytesMax, .depth_max = 5, .values_max = 256};

// What the authenticator signed (§6.3.3 step 11, §8.2).
std::string signed_bytes(std::string_view authenticator_data, std::string_view client_data) {
  return std::string(authenticator_data) + std::string(crypto::as_text(crypto::sha256(client_data)));
}

// A packed statement's signature, by the credential's own key or by that of the first certificate (§8.2).
bool packed_holds(const Cbor& statement, const AuthenticatorData& data, const crypto::VerificationKey& own,
                  const std::string& input) {
  const Cbor *algorithm = statement.find("alg"), *signature = statement.find("sig"), *chain = statement.find("x5c");
  if (!algorithm || !algorithm->integer() || !signature || !signature->bytes()) return false;
  if (!chain) {
    return statement.size() == 2 && algorithm->integer() == cose_algorithm(own.algorithm()) &&
           own.verify_der(input, *signature->bytes()) == crypto::Signature::valid;
  }
  const auto named = jose_algorithm(*algorithm->integer());
  if (statement.size() != 3 || !named || !chain->is_array() || chain->size() == 0) return false;
  const auto der = chain->items().front().bytes();
  if (!der) return false;
  const auto certificate = crypto::read_attestation_certificate(*der, *named);
  return certificate && (certificate->aaguid.empty() || certificate->aaguid == data.aaguid) &&
         certificate->key.verify_der(input, *signature->bytes()) == crypto::Signature::valid;
}

// §7.1 steps 21 and 22 of Level 3: a format that is not known here cannot be verified, so it is refused (webauthn.h).
WebauthnStatus check_attestation(const Cbor& object, const AuthenticatorData& data, const crypto::VerificationKey& key,
                                 const std::string& input) {
  const Cbor *format = object.find("fmt"), *statement = object.find("attStmt");
  if (!format->text() || !statement->is_map()) return WebauthnStatus::attestation;
  if (format->text() == "none") return statement->size() == 0 ? WebauthnStatus::ok : WebauthnStatus::attestation;
  if (format->text() != "packed") return WebauthnStatus::attestation_format;
  return packed_holds(*statement, data, key, input) ? WebauthnStatus::ok : WebauthnStatus::attestation;
}

// Words that later go into allowCredentials: what isn't a short word is left out, not refused (§5.8.4).
std::vector<std::string> transports_of(const Json& document) {
  std::vector<std::string> out;
  const Json* response = document.find("response");
  const Json* list = response ? response->find("transports") : nullptr;
  if (!list || !list->is_array()) return out;
  for (const Json& item : list->items()) {
    const std::string_view word = item.string().value_or("");
    const bool plain = !word.empty() && word.size() <= kTransportBytesMax &&
                       std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
    if (plain && out.size() < kTransportsMax) out.emplace_back(word);
  }
  return out;
}

}  // namespace

std::string_view name_of(WebauthnStatus status) noexcept {
  constexpr std::string_view kNames[] = {"ok",
                                         "malformed",
                                         "id_mismatch",
                                         "credential_type",
                                         "client_data",
                                         "ceremony",
                                         "challenge",
                                         "origin",
                                         "cross_origin",
                                         "authenticator_data",
                                         "trailing_bytes",
                                         "relying_party",
                                         "user_absent",
                                         "user_unverified",
                                         "backup_state",
                                         "credential_id",
                                         "algorithm",
                                         "public_key",
                                         "attestation",
                                         "attestation_format",
                                         "unknown_credential",
                                         "user_handle",
                                         "signature",
                                         "counter"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string new_webauthn_challenge() {
  std::array<std::uint8_t, kChallengeBytes> bytes;
  crypto::random_bytes(bytes);
  return codec::base64url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

WebauthnStatus verify_registration(std::string_view response_json, const CeremonyExpectation& expected,
                                   WebauthnCredential& out) {
  PublicKeyResponse response;
  if (const auto status = read_response(response_json, response); status != WebauthnStatus::ok) return status;
  if (const auto status = check_client_data(response.client_data, "webauthn.create", expected);
      status != WebauthnStatus::ok) {
    return status;
  }
  const auto encoded = response.part("attestationObject");
  if (!encoded) return WebauthnStatus::malformed;
  std::size_t used = 0;
  const auto object = Cbor::parse_front(*encoded, used, kAttestationLimits);
  if (!object || !object->find("fmt") || !object->find("attStmt") || !object->find("authData")) {
    return WebauthnStatus::attestation;
  }
  if (used != encoded->size()) return WebauthnStatus::trailing_bytes;
  const auto bytes = object->find("authData")->bytes();
  if (!bytes) return WebauthnStatus::attestation;

  AuthenticatorData data;
  if (const auto status = read_authenticator_data(*bytes, data); status != WebauthnStatus::ok) return status;
  if (const auto status = check_authenticator_data(data, expected); status != WebauthnStatus::ok) return status;
  if (!data.attested) return WebauthnStatus::authenticator_data;
  if (data.credential_id != response.id) return WebauthnStatus::credential_id;
  std::optional<crypto::VerificationKey> key;
  if (const auto status = read_cose_key(data.public_key, key); status != WebauthnStatus::ok) return status;
  if (const auto status = check_attestation(*object, data, *key, signed_bytes(*bytes, response.client_data));
      status != WebauthnStatus::ok) {
    return status;
  }
  out = {.id = std::move(response.id),
         .public_key = std::move(data.public_key),
         .counter = data.counter,
         .backup_eligible = data.backup_eligible,
         .backed_up = data.backed_up,
         .user_verified = data.user_verified,
         .transports = transports_of(response.document),
         .aaguid = crypto::to_hex(data.aaguid)};
  return WebauthnStatus::ok;
}

std::optional<UnverifiedAssertion> read_assertion(std::string_view response_json) {
  PublicKeyResponse response;
  if (read_response(response_json, response) != WebauthnStatus::ok) return std::nullopt;
  UnverifiedAssertion out{.credential_id = std::move(response.id), .user_handle = response.part("userHandle")};
  return out;
}

WebauthnStatus verify_assertion(std::string_view response_json, const AssertionExpectation& expected,
                                WebauthnProof& out) {
  PublicKeyResponse response;
  if (const auto status = read_response(response_json, response); status != WebauthnStatus::ok) return status;
  if (!expected.credential || response.id != expected.credential->id) return WebauthnStatus::unknown_credential;
  const WebauthnCredential& credential = *expected.credential;

  const Json* members = response.document.find("response");
  const Json* handle = members->find("userHandle");
  const bool says_who = handle && handle->kind() != Json::Kind::null;
  if (says_who ? response.part("userHandle") != expected.owner : expected.handle_required) {
    return WebauthnStatus::user_handle;
  }
  if (const auto status = check_client_data(response.client_data, "webauthn.get", expected.ceremony);
      status != WebauthnStatus::ok) {
    return status;
  }
  const auto bytes = response.part("authenticatorData"), signature = response.part("signature");
  if (!bytes || !signature) return WebauthnStatus::malformed;
  AuthenticatorData data;
  if (const auto status = read_authenticator_data(*bytes, data); status != WebauthnStatus::ok) return status;
  if (const auto status = check_authenticator_data(data, expected.ceremony); status != WebauthnStatus::ok) {
    return status;
  }
  if (data.backup_eligible != credential.backup_eligible) return WebauthnStatus::backup_state;
  std::optional<crypto::VerificationKey> key;
  if (const auto status = read_cose_key(credential.public_key, key); status != WebauthnStatus::ok) return status;
  if (key->verify_der(signed_bytes(*bytes, response.client_data), *signature) != crypto::Signature::valid) {
    return WebauthnStatus::signature;
  }
  out = {.user_verified = data.user_verified, .backed_up = data.backed_up, .counter = data.counter};
  // Synced passkeys report zero for ever.
  if ((data.counter != 0 || credential.counter != 0) && data.counter <= credential.counter) {
    return WebauthnStatus::counter;
  }
  return WebauthnStatus::ok;
}

}  // namespace gatehouse::identity
