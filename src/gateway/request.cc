#include "gateway/request.h"

namespace gatehouse::gateway {

std::string_view name_of(AuthMethod method) noexcept {
  switch (method) {
    case AuthMethod::none: return "none";
    case AuthMethod::jwt: return "jwt";
    case AuthMethod::api_key: return "api_key";
    case AuthMethod::client_certificate: return "client_certificate";
    case AuthMethod::session: return "session";
  }
  return "none";
}

}  // namespace gatehouse::gateway
