#pragma once
// What authorizations gave: grants, and the codes and refresh tokens that stand for them.
//
// A grant is one authorization of a client by a user; everything that came from it is revoked together. Codes and
// refresh tokens are random (256 bits), kept as hashes, and good once: whoever brings one a second time, thief or
// owner, ends the grant (RFC 9700 §4.14.2, RFC 6749 §4.1.2). Thread safety: any thread; all calls block for the store.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "identity/provider/tokens.h"
#include "identity/sessions/revocations.h"
#include "store/database.h"

namespace gatehouse::identity {

struct Grant {
  std::string id, client_id, user_id, session_id;
  std::vector<std::string> scopes, resources;
  bool offline = false;  // outlives the session
  std::int64_t created_s = 0, expires_s = 0, revoked_s = 0;
  bool alive(std::int64_t now_s) const noexcept { return revoked_s == 0 && now_s < expires_s; }
};

// What a code or a refresh token remembers of the request that made it.
struct GrantRequest {
  std::string redirect_uri;    // as it was sent; empty when it was left out
  std::string code_challenge;  // S256; empty: none was sent
  std::string nonce;
  std::string id_token_claims, userinfo_claims;  // names that the claims parameter asked for, separated by spaces
  AuthenticationFacts authentication;
  Confirmation confirmation;  // dpop_jkt of the code; the key or certificate of a refresh token
};
std::string to_form(const GrantRequest& request);
std::optional<GrantRequest> request_from_form(std::string_view form);

class Grants {
 public:
  static constexpr Duration kLifetime = std::chrono::hours(24 * 90);  // of a grant, whatever its tokens live
  static constexpr Duration kCodeLifetime = std::chrono::seconds(60);

  Grants(store::Database& database, Revocations& revocations, const Clock& clock)
      : database_(database), revocations_(revocations), clock_(clock) {}

  // `grant.id` and times are filled in; expires after `lifetime`.
  Result<Grant> begin(Grant grant, Duration lifetime);
  Result<std::string> issue_code(const Grant& grant, const GrantRequest& request);
  Result<std::string> issue_refresh_token(const Grant& grant, const GrantRequest& request, Duration lifetime);

  enum class Refusal : std::uint8_t { unknown, expired, used, revoked };
  struct Presented {
    Grant grant;
    GrantRequest request;
    std::optional<Refusal> refusal;  // the rest is filled in unless `unknown`
  };
  Result<Presented> look_up_code(std::string_view code);
  Result<Presented> look_up_refresh_token(std::string_view token);
  // True: it was unused until now, and is used from now on. False: somebody was faster; the grant is revoked.
  Result<bool> use_code(std::string_view code, const Grant& grant);
  // As use_code; the new token is made in the same transaction, so that none is lost.
  Result<std::optional<std::string>> rotate_refresh_token(std::string_view token, const Grant& grant,
                                                          const GrantRequest& request, Duration lifetime);

  Result<std::optional<Grant>> find(std::string_view id);
  Status revoke(const Grant& grant);
  Status revoke_by_client_and_user(std::string_view client_id, std::string_view user_id);
  Status revoke_by_session(std::string_view session_id);  // those that are not offline
  // The clients that got something in this session: whom a back-channel logout tells.
  Result<std::vector<std::string>> clients_of_session(std::string_view session_id);
  Result<std::vector<std::string>> clients_of_user(std::string_view user_id);

  Status remove_expired();  // now and then

 private:
  Result<Presented> look_up(std::string_view sql, std::string_view token);
  Result<std::vector<std::string>> clients_where(std::string_view column, std::string_view value);
  Status revoke_where(std::string_view condition, store::Parameters parameters);

  store::Database& database_;
  Revocations& revocations_;
  const Clock& clock_;
};

}  // namespace gatehouse::identity
