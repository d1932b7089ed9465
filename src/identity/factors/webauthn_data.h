#pragma once
// The parts of WebAuthn's messages that both ceremonies share; for webauthn_*.cc and the fuzz target.

#include <optional>
#include <string>
#include <string_view>

#include "codec/json.h"
#include "crypto/jwk.h"
#include "identity/factors/webauthn.h"

namespace gatehouse::identity {

inline constexpr std::size_t kWebauthnJsonBytesMax = 64 * 1024;
inline constexpr std::size_t kCredentialIdBytesMax = 1023;

struct PublicKeyResponse {
  std::string id;  // raw
  codec::Json document;
  std::string client_data;                                       // clientDataJSON's bytes
  std::optional<std::string> part(std::string_view name) const;  // a member of `response`, decoded
};
WebauthnStatus read_response(std::string_view json, PublicKeyResponse& out);

// §7.1 steps 5 to 12, §7.2 steps 9 to 14.
WebauthnStatus check_client_data(std::string_view client_data, std::string_view ceremony,
                                 const CeremonyExpectation& expected);

struct AuthenticatorData {  // §6.1
  std::string rp_id_hash;
  bool user_present = false, user_verified = false, backup_eligible = false, backed_up = false, attested = false;
  std::uint32_t counter = 0;
  std::string aaguid, credential_id, public_key;  // of attested data
};
WebauthnStatus read_authenticator_data(std::string_view bytes, AuthenticatorData& out);
WebauthnStatus check_authenticator_data(const AuthenticatorData& data, const CeremonyExpectation& expected);

// A key for signatures over WebAuthn's messages: ES256 with P-256, EdDSA with Ed25519, RS256 (RFC 9053, RFC 8230). The
// COSE key holds exactly what its kind needs. `algorithm` is a status, `public_key` likewise.
WebauthnStatus read_cose_key(std::string_view encoded, std::optional<crypto::VerificationKey>& out);
// COSE's name of it (RFC 9053 §2): what `alg` of a packed statement must say.
std::int64_t cose_algorithm(crypto::JoseAlgorithm algorithm) noexcept;
std::optional<crypto::JoseAlgorithm> jose_algorithm(std::int64_t named) noexcept;  // nullopt: none that is offered

}  // namespace gatehouse::identity
