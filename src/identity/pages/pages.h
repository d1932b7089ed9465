#pragma once
// The pages that people see: signing in, a second factor, adding one, their account, links from mails.
//
//   /login ── /login/factor ── /login/enrol      a visit that goes on to where it came from (`flow`)
//   /federation/<id>, …/callback                  to an outside provider and back
//   /account, /account/…                          for whoever is signed in
//   /reset, /invite, /verify-email, /first-admin  links with `?ticket=…`
//   /assets/…                                     style, scripts, the operator's logo
// /consent, /device and /logout belong to the provider, which shows them through Screens (pages/screens.h).
//
// Rules: plain forms that work without script (WebAuthn apart); a POST needs its token and our own origin; whatever
// succeeds is answered with 303; nothing is kept by browsers; an unknown name, a disabled account and a wrong password
// are answered alike. Thread safety: any thread; `handle` blocks for the store.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/pages/assets.h"
#include "identity/pages/login_views.h"
#include "identity/users/authentication.h"
#include "identity/web.h"

namespace gatehouse::identity {

class Registration;
class Clients;
class Grants;
class Federation;

struct PagesParts {  // all of it outlives the pages
  store::Database& database;
  Accounts& accounts;
  PasswordService& passwords;
  Authentication& authentication;
  Enrolment& enrolment;
  Registration& registration;
  EnrolledFactors& factors;
  Sessions& sessions;
  Devices& devices;
  Interactions& interactions;
  const FormTokens& form_tokens;
  Clients& clients;
  Grants& grants;
  Delivery& delivery;
  AuditTrail& audit;
  const Assets& assets;
  Federation* federation = nullptr;  // null: there are no outside providers
};

struct PagesOptions {
  std::string issuer;                         // without `/` at its end
  std::string name;                           // of the site: identity.theme.name, or the issuer's host
  bool email_codes = true, sms_codes = true;  // as AuthenticationOptions
  std::vector<std::pair<std::string, std::string>> scopes = {};  // of the operator's own: name, plain words
};

// The path of a URL without `/` at its end: "" of "https://a.example/", "/login" of "https://a.example/login".
std::string base_of(std::string_view issuer);

class Pages {
 public:
  Pages(const PagesParts& parts, PagesOptions options);

  // What needs neither the store nor a worker: assets. nullopt: ask `handle`.
  std::optional<WebResponse> at_once(const WebRequest& request) const { return parts_.assets.serve(request); }
  // nullopt: not a page of ours.
  std::optional<WebResponse> handle(const WebRequest& request) const;

 private:
  const PagesParts parts_;
  const PagesOptions options_;
  const Site site_;
};

}  // namespace gatehouse::identity
