#pragma once
// The device grant's two faces (RFC 8628): /device_authorization for the device, /device for its user.
//
// Thread safety: any thread; all calls block for the store.

#include <mutex>
#include <unordered_map>

#include "identity/audit.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/device_codes.h"
#include "identity/provider/grants.h"
#include "identity/provider/screens.h"
#include "identity/provider/tokens.h"
#include "identity/sessions/interactions.h"
#include "identity/sessions/sessions.h"

namespace gatehouse::identity {

struct DeviceParts {
  Clients& clients;
  const ClientAuthenticator& authenticator;
  DeviceCodes& devices;
  Grants& grants;
  const Tokens& tokens;
  Accounts& accounts;
  Sessions& sessions;
  Interactions& interactions;
  const FormTokens& form_tokens;
  Screens& screens;
  AuditTrail& audit;
  const Clock& clock;
};

class DeviceEndpoint {
 public:
  // Wrong codes that one session may type in kWindow (RFC 8628 §5.1).
  static constexpr std::uint32_t kWrongMax = 10;
  static constexpr Duration kWindow = std::chrono::minutes(10);

  explicit DeviceEndpoint(DeviceParts parts) : p_(parts) {}

  WebResponse start(const WebRequest& request);
  WebResponse page(const WebRequest& request);

 private:
  WebResponse sign_in(const WebRequest& web, std::string_view user_code, bool wants_factor, SessionPtr session);
  WebResponse decide(const WebRequest& web, const codec::Form& form, const Session& session, const User& user);
  WebResponse ask(const WebRequest& web, std::string_view user_code, const Session& session, const User& user);
  WebResponse allow(const WebRequest& web, std::string_view user_code, const DeviceRequest& wanted,
                    const Client& client, const Session& session);
  WebResponse failed(const WebRequest& web) const;
  bool may_guess(const std::string& session_id);
  void guessed_wrong(const std::string& session_id);

  DeviceParts p_;
  std::mutex mutex_;
  struct Wrong {
    std::uint32_t count = 0;
    MonotonicTime until{};
  };
  std::unordered_map<std::string, Wrong> wrong_;  // by session; at most kSessionsMax
  static constexpr std::size_t kSessionsMax = 10'000;
};

}  // namespace gatehouse::identity
