#pragma once
// Passkeys and security keys (Web Authentication Level 3): what the browser is asked, and whether its answer is right.
//
// A ceremony: draw a challenge, keep it with the interaction together with its purpose and its time, give the options
// to navigator.credentials, take PublicKeyCredential.toJSON(). Whoever calls sees to it that a challenge is answered
// once, in the session and for the purpose that it was drawn for; everything else is judged here, in the order of §7.1
// and §7.2, and each refusal has a name. Attestation: "none" is asked for, and nothing that is attested is believed
// (§7.1 leaves that to policy). `none` and `packed` are taken, the latter with its signature verified; see
// docs/decisions/0014. Thread safety: pure functions.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::identity {

inline constexpr Duration kWebauthnLifetime = std::chrono::minutes(5);  // of a challenge
inline constexpr std::size_t kCredentialIdBytesMax = 1023;  // §7.1 step 26 (of the Candidate Recommendation)

struct RelyingParty {
  std::string id;                    // "login.shop.example"
  std::string name;                  // what people read
  std::vector<std::string> origins;  // exact: "https://login.shop.example", with the port unless it is 443
};

enum class UserVerification : std::uint8_t { preferred, required };

// What the store keeps of a credential beside its id and its counter: NewFactor::data.
struct WebauthnCredential {
  std::string public_key;               // COSE_Key (RFC 9052 §7), as the authenticator sent it
  bool backup_eligible = false;         // BE: it may be synced to other devices
  bool backed_up = false;               // BS: it is, when last seen
  bool verified_user = false;           // UV at registration
  std::string aaguid;                   // 16 bytes: the authenticator's model, unproven
  std::string attestation;              // "none", "packed"
  std::vector<std::string> transports;  // "usb", "internal", …: hints for the next options

  std::string encode() const;  // JSON
  static std::optional<WebauthnCredential> decode(std::string_view data);
};

struct KnownCredential {  // as it goes into options
  std::string id;
  std::vector<std::string> transports;
};

std::string new_webauthn_challenge();  // 32 random bytes

// `user_handle`: at most 64 bytes that say nothing about a person (§14.6.1); the account's id. `known`: the user's
// credentials, which no authenticator is to have twice.
struct WebauthnUser {
  std::string_view handle, name, display_name;
};
std::string webauthn_creation_options(const RelyingParty& party, const WebauthnUser& user, std::string_view challenge,
                                      std::span<const KnownCredential> known);
// `allowed` empty: whatever passkey the authenticator has for us.
std::string webauthn_request_options(const RelyingParty& party, std::string_view challenge,
                                     std::span<const KnownCredential> allowed, UserVerification verification);

enum class WebauthnRefusal : std::uint8_t {
  malformed_response,     // not the JSON form of a PublicKeyCredential, or too long
  id_mismatch,            // `id` is not `rawId`
  wrong_type,             // not "public-key"
  credential_id_length,   // 0, or more than 1023 bytes
  challenge_expired,      // five minutes, or none was given
  malformed_client_data,  // not JSON, or members of the wrong kinds
  client_data_type,       // the other ceremony's
  challenge_mismatch,
  wrong_origin,
  cross_origin,           // in a frame of another site
  malformed_attestation,  // not one CBOR map of the three members, or bytes behind it
  malformed_authenticator_data,
  trailing_bytes,  // behind what the flags announce
  wrong_rp_id,
  user_not_present,
  user_not_verified,
  backup_state,                    // BS without BE
  backup_eligibility_changed,      // §6.1.3: fixed for a credential's life
  no_attested_credential,          // AT is clear at registration
  unexpected_attested_credential,  // AT is set in an assertion
  algorithm_not_offered,
  malformed_key,          // not a COSE key of its algorithm, or a weak one
  attestation_format,     // neither `none` nor `packed`
  attestation_statement,  // not as its format prescribes, or its signature is wrong
  unknown_credential,     // another than the one it is judged by
  wrong_user_handle,
  wrong_signature,
};
std::string_view name_of(WebauthnRefusal refusal) noexcept;  // "wrong_origin": for the audit trail, not for the peer

template <class T>
using WebauthnResult = tl::expected<T, WebauthnRefusal>;

struct WebauthnExpectation {
  std::string_view challenge;  // raw; empty: there is none
  WallTime challenge_at;       // when it was drawn
  WallTime now;
  UserVerification verification = UserVerification::preferred;
};

// A registration (§7.1). That nobody else has this credential id is the store's to say (EnrolledFactors::add).
struct WebauthnRegistration {
  std::string credential_id;
  std::int64_t counter = 0;
  bool user_verified = false;
  WebauthnCredential credential;
};
WebauthnResult<WebauthnRegistration> verify_registration(std::string_view response, const RelyingParty& party,
                                                         const WebauthnExpectation& expected);

// An assertion, in two steps: whose it says it is, so that the credential can be looked up; then whether it is (§7.2).
struct WebauthnAssertion {
  std::string credential_id;
  std::string user_handle;  // empty: the authenticator sent none
  std::string client_data, authenticator_data, signature;
};
WebauthnResult<WebauthnAssertion> parse_assertion(std::string_view response);

struct WebauthnOwner {
  std::string_view credential_id;
  std::string_view user_handle;  // of the user to whom the credential belongs
  const WebauthnCredential& credential;
  std::int64_t counter = 0;
  bool demands_user_handle = false;  // passwordless: the authenticator must have named the user (§7.2 step 6)
};
struct WebauthnVerified {
  std::int64_t counter = 0;  // for EnrolledFactors::exchange_counter
  // The counter did not rise although one of both is not zero: perhaps a copy of the authenticator. The caller refuses
  // it or tells its owner; exchange_counter must not bring the stored counter back.
  bool counter_regressed = false;
  bool user_verified = false;
  bool backed_up = false;  // when it differs from the credential's: to be stored
};
WebauthnResult<WebauthnVerified> verify_assertion(const WebauthnAssertion& assertion, const WebauthnOwner& owner,
                                                  const RelyingParty& party, const WebauthnExpectation& expected);

// RFC 8176: "hwk" for a key that stays in its device, "swk" for one that may be synced; with " user" when the user was
// verified.
std::string webauthn_methods(const WebauthnCredential& credential, bool user_verified);

}  // namespace gatehouse::identity
