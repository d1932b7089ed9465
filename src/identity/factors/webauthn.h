#pragma once
// Passkeys and security keys: the two ceremonies of Web Authentication (Level 2 §7, and Level 3 for backup state), as
// pure functions between the JSON of PublicKeyCredential.toJSON() and what a factor stores.
//
// Thread safety: pure functions. What is the caller's: a challenge is kept with the login it belongs to, for five
// minutes at most, bound to purpose and session, and taken away before the answer is looked at, so that none serves
// twice; that a credential id is nobody else's yet (§7.1 step 17 of Level 2, the store's unique key); and that the new
// counter is stored if the old one is still there (EnrolledFactors::exchange_counter).
// Attestation: we ask for none, and draw no trust from any, because a certificate says no more than the key itself
// where nobody keeps a list of roots. `none` must be empty. `packed` is verified, with the credential's own key or with
// a certificate: a wrong one shows a broken message. The other formats (tpm, android-key, android-safetynet, fido-u2f,
// apple, compound) are refused: browsers turn them into `none` when none is asked for, so whoever sends one did not
// come through a browser; each would be a parser of foreign bytes more, for a statement that nobody believes.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::identity {

// What is wrong; a section is of Level 2.
enum class WebauthnStatus : std::uint8_t {
  ok,
  malformed,           // no JSON of this shape, or a part of it is no base64url
  id_mismatch,         // id and rawId differ (§5.1)
  credential_type,     // not "public-key"
  client_data,         // clientDataJSON is no JSON of this shape (§5.8.1)
  ceremony,            // made for the other ceremony (§7.1 step 7, §7.2 step 11)
  challenge,           // not ours (steps 8, 12)
  origin,              // not in the list (steps 9, 13)
  cross_origin,        // inside of another site's frame
  authenticator_data,  // too short, or its flags say what isn't there (§6.1)
  trailing_bytes,      // behind attestation object, authenticator data or key
  relying_party,       // another site's (steps 13, 15)
  user_absent,         // UP (steps 14, 16)
  user_unverified,     // UV was asked for (steps 15, 17)
  backup_state,        // backed up but not eligible; or eligibility changed (Level 3 §6.1.3)
  credential_id,       // empty, longer than 1023 bytes, or not the one in the attested data (§7.1 step 24)
  algorithm,           // one that was not offered (§7.1 step 16)
  public_key,          // no COSE key of its algorithm, weak, or not on its curve (§5.8.5)
  attestation,         // a statement of its format that doesn't hold (§8)
  attestation_format,  // neither `none` nor `packed` (§7.1 step 18)
  unknown_credential,  // not the one that the assertion was asked of (§7.2 steps 5 to 7)
  user_handle,         // another user's, or missing where it must say who (§7.2 step 6)
  signature,           // (§7.2 step 20)
  counter,             // didn't rise: perhaps a copy of the authenticator (§7.2 step 21)
};
std::string_view name_of(WebauthnStatus status) noexcept;

struct RelyingParty {
  std::string_view id;                   // "login.shop.example"
  std::string_view name;                 // for people
  std::span<const std::string> origins;  // exactly as a browser writes them: "https://login.shop.example"
};

enum class UserVerification : std::uint8_t { required, preferred };
enum class ResidentKey : std::uint8_t { required, preferred };

inline constexpr std::size_t kChallengeBytes = 32;
std::string new_webauthn_challenge();  // base64url, as it is kept and compared

// What is kept of a credential, beside its id and counter.
struct WebauthnCredential {
  std::string id;          // raw, 1 to 1023 bytes
  std::string public_key;  // COSE_Key
  std::uint32_t counter = 0;
  bool backup_eligible = false, backed_up = false, user_verified = false;
  std::vector<std::string> transports;  // for later allowCredentials; words of the browser, bounded
  std::string aaguid;                   // hexadecimal: which model
};
// As text for Factor::data, without id and counter, which have columns of their own; and back. Null: it is no such
// text.
std::string to_text(const WebauthnCredential& credential);
std::optional<WebauthnCredential> webauthn_credential_from(std::string_view text, std::string_view id,
                                                           std::uint32_t counter);

struct RegistrationOptions {
  RelyingParty relying_party;
  std::string_view user_handle;  // 1 to 64 bytes that say nothing about the user: the account's id
  std::string_view user_name, display_name;
  std::string_view challenge;
  std::span<const std::string> exclude;  // raw ids of credentials that the user has
  UserVerification user_verification = UserVerification::required;
  ResidentKey resident_key = ResidentKey::preferred;
};
// PublicKeyCredentialCreationOptionsJSON: ES256, EdDSA and RS256 are offered.
std::string creation_options(const RegistrationOptions& options);

struct AllowedCredential {
  std::string id;  // raw
  std::vector<std::string> transports;
};
struct AssertionOptions {
  RelyingParty relying_party;
  std::string_view challenge;
  std::span<const AllowedCredential> allow;  // empty: any passkey of this site
  UserVerification user_verification = UserVerification::required;
};
std::string request_options(const AssertionOptions& options);  // PublicKeyCredentialRequestOptionsJSON

// What stands in `allow` for a name that no account has, or an account without passkeys: the same for the same name,
// different for each, so that the list tells nobody who is here (§14.6.2).
std::vector<AllowedCredential> decoy_credentials(std::string_view key, std::string_view username);

struct CeremonyExpectation {
  RelyingParty relying_party;
  std::string_view challenge;  // base64url
  UserVerification user_verification = UserVerification::required;
};

WebauthnStatus verify_registration(std::string_view response_json, const CeremonyExpectation& expected,
                                   WebauthnCredential& out);

// Which credential an assertion is of, and whose it says it is: to look the credential up. Nothing is proved yet.
struct UnverifiedAssertion {
  std::string credential_id;
  std::optional<std::string> user_handle;
};
std::optional<UnverifiedAssertion> read_assertion(std::string_view response_json);

struct AssertionExpectation {
  CeremonyExpectation ceremony;
  const WebauthnCredential* credential = nullptr;  // the one found by id
  std::string_view owner;                          // its user's handle
  bool handle_required = false;                    // nobody was named before: the handle must say who (passwordless)
};
struct WebauthnProof {
  bool user_verified = false;  // without it, this is no second factor
  bool backed_up = false;
  std::uint32_t counter = 0;  // to be stored
};
// `counter` is judged last: with that status everything else holds, and somebody has a copy of the authenticator.
WebauthnStatus verify_assertion(std::string_view response_json, const AssertionExpectation& expected,
                                WebauthnProof& out);

}  // namespace gatehouse::identity
