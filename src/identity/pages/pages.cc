#include "identity/pages/pages.h"

#include "identity/pages/account_pages.h"
#include "identity/pages/enrol_pages.h"
#include "identity/pages/federation_pages.h"
#include "identity/pages/link_pages.h"
#include "identity/pages/sign_in_pages.h"
#include "identity/pages/visit.h"

namespace gatehouse::identity {

std::string base_of(std::string_view issuer) {
  const std::size_t scheme = issuer.find("://");
  const std::size_t slash = scheme == std::string_view::npos ? issuer.find('/') : issuer.find('/', scheme + 3);
  std::string base(slash == std::string_view::npos ? std::string_view{} : issuer.substr(slash));
  while (base.ends_with('/')) base.pop_back();
  return base;
}

Pages::Pages(const PagesParts& parts, PagesOptions options)
    : parts_(parts),
      options_(std::move(options)),
      site_{parts.assets, base_of(options_.issuer), options_.name, parts.federation != nullptr, options_.scopes} {}

std::optional<WebResponse> Pages::handle(const WebRequest& request) const {
  if (auto asset = at_once(request)) return asset;
  using Handler = std::optional<WebResponse> (*)(const Visit&);
  Handler handler = nullptr;
  const std::string_view path = request.path;
  const auto below = [&](std::string_view prefix) {
    return path == prefix || (path.starts_with(prefix) && path[prefix.size()] == '/');
  };
  if (below("/login/enrol") || below("/account/factors/add") || path == "/account/passkeys") {
    handler = handle_enrolment;
  } else if (below("/login")) {
    handler = handle_sign_in;
  } else if (parts_.federation != nullptr && (below("/federation") || path == "/account/logins")) {
    handler = handle_federation;
  } else if (below("/account")) {
    handler = handle_account;
  } else if (path == "/reset" || path == "/invite" || path == "/verify-email" || path == "/first-admin") {
    handler = handle_link;
  }
  if (handler == nullptr) return std::nullopt;
  const Visit visit(parts_, options_, site_, request);
  if (!request.is_post() && !request.reads()) return method_not_allowed("GET, HEAD, POST");
  if (!visit.well_formed) return visit.notice(400, Message::title_malformed, Message::malformed_text);
  return handler(visit);
}

}  // namespace gatehouse::identity
