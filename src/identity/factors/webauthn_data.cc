#include "identity/factors/webauthn_data.h"

#include <algorithm>

#include "codec/base64.h"
#include "codec/cbor.h"
#include "crypto/digest.h"

namespace gatehouse::identity {
namespace {

using codec::Cbor;
using codec::Json;
using crypto::JoseAlgorithm;

constexpr codec::JsonLimits kResponseLimits{.bytes_max = kWebauthnJsonBytesMax, .depth_max = 8, .values_max = 512};
constexpr codec::JsonLimits kClientDataLimits{.bytes_max = 8 * 1024, .depth_max = 4, .values_max = 64};
constexpr codec::CborLimits kKeyLimits{.bytes_max = kWebauthnJsonBytesMax, .depth_max = 2, .values_max = 32};
constexpr codec::CborLimits kExtensionLimits{.bytes_max = kWebauthnJsonBytesMax, .depth_max = 4, .values_max = 128};

// Flags (§6.1; BE and BS of Level 3).
constexpr unsigned kUserPresent = 0x01, kUserVerified = 0x04, kBackupEligible = 0x08, kBackedUp = 0x10,
                   kAttestedData = 0x40, kExtensionData = 0x80;
constexpr std::size_t kHashBytes = 32, kHeadBytes = 37, kAaguidBytes = 16;

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

std::string jwk_member(std::string_view name, std::string_view bytes) {
  return fmt::format(R"("{}":"{}")", name, codec::base64url_encode(bytes));
}

// The COSE key's numbers as a JWK, whose reader holds lengths, strength and curve. Empty when a part is missing, or
// there is more than its kind has: a private key, say.
std::string jwk_of(const Cbor& key, JoseAlgorithm algorithm) {
  constexpr std::int64_t kKind = 1, kOkp = 1, kEc2 = 2, kRsa = 3, kP256 = 1, kEd25519 = 6;
  const auto is = [&](std::int64_t label, std::int64_t value) {
    const Cbor* member = key.find(label);
    return member && member->integer() == value;
  };
  const auto bytes = [&](std::int64_t label) -> std::optional<std::string_view> {
    const Cbor* member = key.find(label);
    return member ? member->bytes() : std::nullopt;
  };
  if (algorithm == JoseAlgorithm::es256) {
    const auto x = bytes(-2), y = bytes(-3);
    if (!is(kKind, kEc2) || !is(-1, kP256) || !x || !y || key.size() != 5) return {};
    return fmt::format(R"({{"kty":"EC","crv":"P-256",{},{}}})", jwk_member("x", *x), jwk_member("y", *y));
  }
  if (algorithm == JoseAlgorithm::eddsa) {
    const auto x = bytes(-2);
    if (!is(kKind, kOkp) || !is(-1, kEd25519) || !x || key.size() != 4) return {};
    return fmt::format(R"({{"kty":"OKP","crv":"Ed25519",{}}})", jwk_member("x", *x));
  }
  const auto n = bytes(-1), e = bytes(-2);
  if (!is(kKind, kRsa) || !n || !e || key.size() != 4) return {};
  return fmt::format(R"({{"kty":"RSA",{},{}}})", jwk_member("n", *n), jwk_member("e", *e));
}

// §6.5.1: AAGUID, length, id, key. What follows the key stays in `rest`.
WebauthnStatus read_attested_data(std::string_view& rest, AuthenticatorData& out) {
  if (rest.size() < kAaguidBytes + 2) return WebauthnStatus::authenticator_data;
  out.aaguid = rest.substr(0, kAaguidBytes);
  const std::size_t size = big_endian(rest.substr(kAaguidBytes, 2));
  rest.remove_prefix(kAaguidBytes + 2);
  if (size == 0 || size > kCredentialIdBytesMax) return WebauthnStatus::credential_id;
  if (rest.size() < size) return WebauthnStatus::authenticator_data;
  out.credential_id = rest.substr(0, size);
  rest.remove_prefix(size);
  std::size_t used = 0;
  if (!Cbor::parse_front(rest, used, kKeyLimits)) return WebauthnStatus::public_key;
  out.public_key = rest.substr(0, used);
  rest.remove_prefix(used);
  return WebauthnStatus::ok;
}

}  // namespace

std::optional<std::string> PublicKeyResponse::part(std::string_view name) const {
  const Json* response = document.find("response");
  const auto text = response ? response->find_string(name) : std::nullopt;
  return text ? codec::base64url_decode(*text) : std::nullopt;
}

WebauthnStatus read_response(std::string_view json, PublicKeyResponse& out) {
  auto document = Json::parse(json, kResponseLimits);
  if (!document || !document->is_object()) return WebauthnStatus::malformed;
  const auto id = document->find_string("id"), raw = document->find_string("rawId");
  if (!id || !raw) return WebauthnStatus::malformed;
  if (*id != *raw) return WebauthnStatus::id_mismatch;
  auto bytes = codec::base64url_decode(*id);
  if (!bytes) return WebauthnStatus::malformed;
  if (bytes->empty() || bytes->size() > kCredentialIdBytesMax) return WebauthnStatus::credential_id;
  if (document->find_string("type") != "public-key") return WebauthnStatus::credential_type;
  out.id = std::move(*bytes);
  out.document = std::move(*document);
  auto client_data = out.part("clientDataJSON");
  if (!client_data) return WebauthnStatus::malformed;
  out.client_data = std::move(*client_data);
  return WebauthnStatus::ok;
}

WebauthnStatus check_client_data(std::string_view client_data, std::string_view ceremony,
                                 const CeremonyExpectation& expected) {
  // No byte order mark is taken off, as §7.1 step 5 would: no browser writes one, and two readings of the signed bytes
  // are one too many.
  const auto json = Json::parse(client_data, kClientDataLimits);
  if (!json || !json->is_object()) return WebauthnStatus::client_data;
  const auto type = json->find_string("type"), challenge = json->find_string("challenge"),
             origin = json->find_string("origin");
  if (!type || !challenge || !origin) return WebauthnStatus::client_data;
  if (*type != ceremony) return WebauthnStatus::ceremony;
  if (expected.challenge.empty() || !crypto::equal_in_constant_time(*challenge, expected.challenge)) {
    return WebauthnStatus::challenge;
  }
  const auto& origins = expected.relying_party.origins;
  if (std::find(origins.begin(), origins.end(), *origin) == origins.end()) return WebauthnStatus::origin;
  if (const Json* cross = json->find("crossOrigin"); cross && cross->kind() != Json::Kind::null) {
    if (!cross->boolean()) return WebauthnStatus::client_data;
    if (*cross->boolean()) return WebauthnStatus::cross_origin;
  }
  // Level 3: who is around the frame. We allow none.
  if (const Json* top = json->find("topOrigin"); top && top->kind() != Json::Kind::null) {
    return WebauthnStatus::cross_origin;
  }
  return WebauthnStatus::ok;
}

WebauthnStatus read_authenticator_data(std::string_view bytes, AuthenticatorData& out) {
  if (bytes.size() < kHeadBytes) return WebauthnStatus::authenticator_data;
  const auto flags = static_cast<std::uint8_t>(bytes[kHashBytes]);
  out = {.rp_id_hash = std::string(bytes.substr(0, kHashBytes)),
         .user_present = (flags & kUserPresent) != 0,
         .user_verified = (flags & kUserVerified) != 0,
         .backup_eligible = (flags & kBackupEligible) != 0,
         .backed_up = (flags & kBackedUp) != 0,
         .attested = (flags & kAttestedData) != 0,
         .counter = big_endian(bytes.substr(kHashBytes + 1, 4))};
  std::string_view rest = bytes.substr(kHeadBytes);
  if (out.attested) {
    if (const auto status = read_attested_data(rest, out); status != WebauthnStatus::ok) return status;
  }
  if ((flags & kExtensionData) != 0) {
    std::size_t used = 0;
    const auto extensions = Cbor::parse_front(rest, used, kExtensionLimits);
    if (!extensions || !extensions->is_map()) return WebauthnStatus::authenticator_data;
    rest.remove_prefix(used);
  }
  return rest.empty() ? WebauthnStatus::ok : WebauthnStatus::trailing_bytes;
}

WebauthnStatus check_authenticator_data(const AuthenticatorData& data, const CeremonyExpectation& expected) {
  if (data.rp_id_hash != crypto::as_text(crypto::sha256(expected.relying_party.id))) {
    return WebauthnStatus::relying_party;
  }
  if (!data.user_present) return WebauthnStatus::user_absent;
  if (expected.user_verification == UserVerification::required && !data.user_verified) {
    return WebauthnStatus::user_unverified;
  }
  if (data.backed_up && !data.backup_eligible) return WebauthnStatus::backup_state;
  return WebauthnStatus::ok;
}

std::int64_t cose_algorithm(JoseAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case JoseAlgorithm::es256: return -7;
    case JoseAlgorithm::eddsa: return -8;
    default: return -257;  // RS256
  }
}

std::optional<JoseAlgorithm> jose_algorithm(std::int64_t named) noexcept {
  for (const JoseAlgorithm algorithm : {JoseAlgorithm::es256, JoseAlgorithm::eddsa, JoseAlgorithm::rs256}) {
    if (cose_algorithm(algorithm) == named) return algorithm;
  }
  return std::nullopt;
}

WebauthnStatus read_cose_key(std::string_view encoded, std::optional<crypto::VerificationKey>& out) {
  const auto key = Cbor::parse(encoded, kKeyLimits);
  if (!key || !key->is_map()) return WebauthnStatus::public_key;
  const Cbor* named = key->find(3);
  if (!named || !named->integer()) return WebauthnStatus::public_key;
  const auto algorithm = jose_algorithm(*named->integer());
  if (!algorithm) return WebauthnStatus::algorithm;
  const auto jwk = Json::parse(jwk_of(*key, *algorithm));
  if (!jwk) return WebauthnStatus::public_key;
  crypto::AlgorithmSet only;
  only.add(*algorithm);
  auto parsed = crypto::VerificationKey::parse(*jwk, only);
  if (!parsed) return WebauthnStatus::public_key;
  out = std::move(*parsed);
  return WebauthnStatus::ok;
}

}  // namespace gatehouse::identity
