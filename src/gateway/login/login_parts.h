#pragma once
// What the gateway needs from outside to let people sign in: keys for its cookies, the provider, and whom it has
// thrown out. The app provides them.
//
// Thread safety: any thread. `TokenEndpoint::ask` and `RevokedSessions::end` block and belong on workers.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"
#include "gateway/layers/authentication/key_source.h"

namespace gatehouse::gateway {

// Authenticated encryption under keys that every gateway of a deployment has, and nobody else.
class LoginSealer {
 public:
  virtual ~LoginSealer() = default;
  virtual std::string seal(std::string_view plain, std::string_view associated, WallTime now) = 0;
  // Null: changed, sealed by another deployment, or for another purpose (`associated`).
  virtual std::optional<SecretBytes> open(std::string_view sealed, std::string_view associated) = 0;
};

class RevokedSessions {
 public:
  virtual ~RevokedSessions() = default;
  // Is the provider's session over, or whatever the user was given up to `said_at`? Never blocks.
  virtual bool covers(std::string_view sid, std::string_view user, WallTime begun, WallTime said_at) const noexcept = 0;
  // Ends the session at the provider, where the provider is ours.
  virtual void end(std::string_view sid) = 0;
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
