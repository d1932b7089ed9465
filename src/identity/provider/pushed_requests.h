#pragma once
// Authorization requests that clients have pushed (RFC 9126), until the browser comes with them: once, and soon.
// Sealed: they may hold whom the client expects (`login_hint`), and what for.
//
// Thread safety: any thread; all calls block for the store.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

class PushedRequests {
 public:
  static constexpr Duration kLifetime = std::chrono::seconds(90);
  static constexpr std::string_view kPrefix = "urn:ietf:params:oauth:request_uri:";

  PushedRequests(store::Database& database, secrets::Keyring& keyring) : database_(database), keyring_(keyring) {}

  // The `request_uri` under which it is kept.
  Result<std::string> keep(std::string_view client_id, std::string_view parameters, WallTime now);
  // Its parameters, as a form; nullopt: unknown, used, another client's, or too late.
  Result<std::optional<std::string>> take(std::string_view uri, std::string_view client_id, WallTime now);

 private:
  store::Database& database_;
  secrets::Keyring& keyring_;
};

}  // namespace gatehouse::identity
