#pragma once
// What a service learns about who called, and how it can be sure.
//
//   x-gatehouse-auth      jwt | api_key | session | client_certificate | none
//   x-gatehouse-user      the user; bytes outside of visible ASCII, and %, as %XX
//   x-gatehouse-roles     a,b,c     the same, and , as %2C and space as %20
//   x-gatehouse-scopes    a b c
//   x-gatehouse-identity  a JWT (ES256) over the same, for this service only, good for a minute
//
// The first four are as trustworthy as the network behind the gateway; the JWT is so everywhere.
// Thread safety: `apply` from any shard. A token is signed once and serves its principal and service until half of its
// life is over, so that signing costs one signature in about thirty seconds.

#include <memory>
#include <string_view>

#include "base/bounded_cache.h"
#include "crypto/signing_key.h"
#include "gateway/request.h"

namespace gatehouse::gateway {

class UpstreamIdentity {
 public:
  // `key` may be null when the internal token is turned off.
  UpstreamIdentity(const Config& config, std::shared_ptr<const crypto::SigningKey> key);

  // Call before other fields of ours are added: every inbound `x-gatehouse-*` is removed first. Credentials that were
  // meant for the gateway are removed too, unless `authentication.forward_credentials` says otherwise. Values are in
  // the request's arena. `service` is the name that the token is made out to.
  void apply(Request& request, std::string_view service, http::Fields& fields) const;

 private:
  static constexpr std::size_t kTokensMax = 16 * 1024;
  bool takes_authorization(const Request& request, std::string_view value) const noexcept;
  std::string_view token_for(Request& request, std::string_view service) const;

  const Config& config_;
  std::shared_ptr<const crypto::SigningKey> key_;
  std::unique_ptr<BoundedCache<std::string>> tokens_;
  bool strips_cookies_ = false;  // some route lets people sign in
};

}  // namespace gatehouse::gateway
