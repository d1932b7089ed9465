#pragma once
// The tokens that we sign: access tokens (RFC 9068), ID tokens (OIDC Core §2), logout tokens (OIDC Back-Channel Logout
// §2.4); and those that come back to us.
//
// Thread safety: any thread. Making one costs a signature, reading one that was seen before costs a digest.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "identity/provider/signing_keys.h"
#include "identity/sessions/revocations.h"

namespace gatehouse::identity {

inline constexpr std::string_view kAcrPassword = "urn:gatehouse:acr:pwd";
inline constexpr std::string_view kAcrMfa = "urn:gatehouse:acr:mfa";

// How and when somebody signed in.
struct AuthenticationFacts {
  std::int64_t time_s = 0;  // of the last proof, in seconds since 1970; 0: nobody signed in
  std::string amr;          // RFC 8176, separated by spaces
  bool mfa = false;
  std::string_view acr() const noexcept { return mfa ? kAcrMfa : kAcrPassword; }
};

// What a token is bound to, so that a thief cannot use it.
struct Confirmation {
  std::string jkt;       // thumbprint of a DPoP key (RFC 9449 §6)
  std::string x5t_s256;  // of a client certificate, base64url (RFC 8705 §3.1)
  bool empty() const noexcept { return jkt.empty() && x5t_s256.empty(); }
};

struct AccessTokenFacts {
  std::string subject;  // as this client sees the user; the client's own id for client_credentials
  std::string client_id;
  std::vector<std::string> scopes, audiences, roles;
  std::vector<std::string> userinfo_claims;  // that the claims parameter asked for (OIDC Core §5.5)
  AuthenticationFacts authentication;
  Confirmation confirmation;
  std::string grant_id;    // what is revoked together; may be empty
  std::string session_id;  // `sid` that it ends with; empty for offline access
  std::string actor;       // subject of `act` (RFC 8693 §4.1); empty: nobody acts for another
  std::uint32_t lifetime_s = 600;
};

struct IdTokenFacts {
  std::string subject, client_id, nonce, session_id;
  AuthenticationFacts authentication;
  std::string access_token;  // for at_hash; may be empty
  std::string claims;        // further members, ",\"email\":…"; may be empty
};

// An access token of ours that verified: signature, issuer, times. Whether it was revoked is asked elsewhere.
struct VerifiedToken {
  std::string subject, client_id, token_id, grant_id, session_id, scope;
  std::vector<std::string> audiences, roles, userinfo_claims;
  AuthenticationFacts authentication;
  Confirmation confirmation;
  std::int64_t issued_s = 0, expires_s = 0;
  std::string introspection;  // the members of RFC 7662 §2.2 without `active`, as JSON: `"iss":…,"sub":…`
};

class Tokens {
 public:
  static constexpr std::size_t kCachedMax = 50'000;

  Tokens(const SigningKeys& keys, std::string issuer, const Clock& clock)
      : keys_(keys), issuer_(std::move(issuer)), clock_(clock) {}

  // ErrorCode::unavailable: there is no key that may sign.
  Result<std::string> access_token(const AccessTokenFacts& facts) const;
  Result<std::string> id_token(const IdTokenFacts& facts, crypto::JoseAlgorithm algorithm) const;
  Result<std::string> logout_token(std::string_view subject, std::string_view client_id, std::string_view session_id,
                                   crypto::JoseAlgorithm algorithm) const;

  // Null: not one of our access tokens, changed, or expired.
  std::shared_ptr<const VerifiedToken> verify(std::string_view access_token);
  // An ID token of ours as `id_token_hint`: whose it was and who got it, expired ones included (OIDC Core §3.1.2.1).
  struct Hint {
    std::string subject, client_id, session_id;
  };
  std::optional<Hint> read_hint(std::string_view id_token) const;

  const std::string& issuer() const noexcept { return issuer_; }

 private:
  std::shared_ptr<const VerifiedToken> verify_uncached(std::string_view token) const;

  const SigningKeys& keys_;
  const std::string issuer_;
  const Clock& clock_;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<const VerifiedToken>> tokens;
  };
  static constexpr std::size_t kShards = 16;
  Shard shards_[kShards];
};

struct TokenName {  // empty: the token has no such claim
  std::string_view id, grant_id, session_id, subject;
  std::int64_t issued_s = 0;
};
bool is_revoked(const Revocations& revocations, const TokenName& token) noexcept;
// Was it taken back: itself, its grant, its session, or all that its user had at that time?
bool is_revoked(const Revocations& revocations, const VerifiedToken& token) noexcept;

}  // namespace gatehouse::identity
