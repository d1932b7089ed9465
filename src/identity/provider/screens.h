#pragma once
// The pages that the provider's endpoints show. identity/pages implements them.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "identity/provider/client.h"
#include "identity/web.h"

namespace gatehouse::identity {

struct ConsentScreen {
  const Client& client;
  std::string_view user;                   // who is signed in: username
  const std::vector<std::string>& scopes;  // that are asked for: "email", "orders:read", "resource:https://…"
  std::string_view flow, csrf;             // hidden fields of the form, posted to /consent
  std::string_view ui_locales;
};

struct DeviceScreen {
  enum class State : std::uint8_t { ask_code, wrong_code, confirm, allowed, denied } state = State::ask_code;
  std::string_view user_code;  // as it was typed
  const Client* client = nullptr;
  const std::vector<std::string>* scopes = nullptr;
  std::string_view user, csrf;
};

struct LogoutScreen {
  std::string user;
  std::string_view csrf;
  const std::vector<std::pair<std::string, std::string>>& fields;  // hidden: the request's own parameters
};

class Screens {
 public:
  virtual ~Screens() = default;
  virtual WebResponse consent(const WebRequest& request, const ConsentScreen& screen) = 0;
  virtual WebResponse device(const WebRequest& request, const DeviceScreen& screen) = 0;
  virtual WebResponse confirm_logout(const WebRequest& request, const LogoutScreen& screen) = 0;
  virtual WebResponse signed_out(const WebRequest& request) = 0;
  // A form that posts `fields` to `action` by itself (OAuth 2.0 Form Post Response Mode), with a button for browsers
  // without script.
  virtual WebResponse form_post(const WebRequest& request, std::string_view action,
                                const std::vector<std::pair<std::string, std::string>>& fields) = 0;
  // `code` is the protocol's ("invalid_request"); `description` ours, in English.
  virtual WebResponse error(const WebRequest& request, int status, std::string_view code,
                            std::string_view description) = 0;
};

}  // namespace gatehouse::identity
