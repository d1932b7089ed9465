#pragma once
// What the gateway needs from outside to let people sign in: the provider, and whom it has thrown out. The app provides
// them.
//
// Thread safety: any thread. `TokenEndpoint::ask` and `RevokedSessions::end` block and belong on workers.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/layers/authentication/key_source.h"

namespace gatehouse::gateway {

// A session of the gateway's, as it can be over: by its own id, by the provider's (`sid`), with all that the user has.
struct LoginName {
  std::string_view id, sid, user;  // empty: not known, or not meant
};

class RevokedSessions {
 public:
  virtual ~RevokedSessions() = default;
  // Is it over, or whatever the user was given up to `said_at`? Never blocks.
  virtual bool covers(const LoginName& session, WallTime begun, WallTime said_at) const noexcept = 0;
  // For all gateways of the deployment, and at the provider where that is ours. With neither `id` nor `sid` it ends
  // all that the user has. An error: it is over in this process alone.
  virtual Status end(const LoginName& session) = 0;
};

struct ProviderMetadata {
  std::string issuer, authorization_endpoint, end_session_endpoint;
  bool names_itself = false;  // authorization_response_iss_parameter_supported (RFC 9207 §3)
  std::shared_ptr<IssuerKeys> keys;
};

class TokenEndpoint {
 public:
  struct Answer {
    int status = 0;
    std::string body;
  };
  virtual ~TokenEndpoint() = default;
  // Null: not known yet.
  virtual std::shared_ptr<const ProviderMetadata> provider() const = 0;
  // POSTs a form, authenticated as our client. An error: the provider could not be reached.
  virtual Result<Answer> ask(std::string_view form) = 0;
};

}  // namespace gatehouse::gateway
