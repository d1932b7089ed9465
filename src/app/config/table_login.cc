// login
#include <fmt/format.h>

#include <algorithm>

#include "app/config/built_in.h"
#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

const Object& login_session_object() {
  static const Object object =
      Object::of<LoginConfig>("login_session", "How long people stay signed in at the gateway.",
                              {
                                  // A day: what is over is remembered for two (identity/sessions/revocations.h).
                                  key<&LoginConfig::idle>("idle", duration(1min, 24h), "Without a request."),
                                  key<&LoginConfig::absolute>("absolute", duration(1min, 24h * 30), "In all."),
                              });
  return object;
}

Kind<std::string> client_id() {
  return text_form<std::string>(
      {.title = "text",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const bool good =
             !written.empty() && written.size() <= 255 &&
             std::all_of(written.begin(), written.end(), [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
         if (!good) return Refusal{in_quotes(written) + " is not a client id", "1 to 255 visible characters, no colon"};
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

void check_login_block(Reader& reader, const Given& given, LoginConfig& login) {
  if (login.issuer.empty()) {
    for (const char* key : {"client_secret", "ca"}) {
      if (given.has(key))
        reader.error(given.key(key), "conflict", fmt::format("{} without issuer", key),
                     "it is for an outside provider: name its issuer, or leave it out");
    }
  } else if (login.client_secret.empty() && given.good({"client_secret"})) {
    reader.error(given.key("issuer"), "missing_key", "an outside provider needs to know who asks",
                 "client_secret: ${file:login.secret}");
  }
  if (std::find(login.scopes.begin(), login.scopes.end(), "openid") == login.scopes.end()) {
    reader.error(given.has("scopes") ? given.key("scopes") : given.block(), "value",
                 "without the scope openid nobody says who signed in", "scopes: [openid]");
  }
  if (login.idle > login.absolute) {
    reader.error(given.has("session") ? given.key("session") : given.block(), "conflict",
                 "idle is longer than absolute", "make absolute the longer one");
  }
  if (login.refresh > login.idle) {
    reader.error(given.has("refresh") ? given.key("refresh") : given.key("session"), "conflict",
                 fmt::format("refresh ({}) is longer than idle ({})", format_duration(login.refresh),
                             format_duration(login.idle)),
                 "sessions would end before they are renewed: make refresh shorter");
  }
}

}  // namespace

const Object& login_object() {
  static const Object object =
      Object::of<LoginConfig>(
          "login", "How people sign in on routes with access: { login: true }.",
          {
              key<&LoginConfig::issuer>("issuer", outside_issuer_url(), "The provider that they sign in at.",
                                        {.example = "https://login.example", .default_note = "ours, of identity"}),
              key<&LoginConfig::client_id>("client_id", client_id(), "Our name at the provider."),
              key<&LoginConfig::client_secret>("client_secret", secret(), "At an outside provider.",
                                               {.example = "${file:login.secret}"}),
              key<&LoginConfig::ca>("ca", file_path(), "What an outside provider's certificate is verified with.",
                                    {.example = "provider-ca.pem", .default_note = "the system's authorities"}),
              key<&LoginConfig::scopes>("scopes", one_or_list_of(text(256), 1), "What is asked for."),
              key_of<LoginConfig>("session", block<LoginConfig>(login_session_object()), "The gateway's session."),
              key<&LoginConfig::refresh>("refresh", duration(10s, 24h),
                                         "How old what the provider said may get while somebody is at work: roles "
                                         "change and sessions end within it."),
          })
          .with_check<LoginConfig>(check_login_block);
  return object;
}

void check_login(Reader& reader, const Given& given, const Config& config) {
  const YamlNode* list = given.value("routes");
  bool any = false;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteConfig& route = config.routes[i];
    if (!route.access.login) continue;
    any = true;
    const bool exact =
        !route.match.hosts.empty() && std::none_of(route.match.hosts.begin(), route.match.hosts.end(),
                                                   [](const std::string& host) { return host.starts_with("*."); });
    if (exact || list == nullptr || i >= list->items().size()) continue;
    reader.error(list->items()[i].position(), "login",
                 fmt::format("people sign in on the route \"{}\", which has no exact host", route.name),
                 "the session belongs to a host, and the provider knows where it may send people back to: match: "
                 "{ hosts: [shop.example] }");
  }
  if (!any) return;
  if (config.login.issuer.empty() && !config.identity && given.good({"identity", "login"})) {
    reader.error(given.key("routes"), "login", "people sign in, and there is no provider",
                 "identity: { issuer: https://login.shop.example }, or login: { issuer: … } of an outside one");
  }
  for (const ServiceConfig& service : config.services) {
    if (service.name != kLoginService) continue;
    reader.error(given.key("services"), "conflict", "the service name \"login\" is taken by the gateway's own sign-in",
                 "name the service differently");
  }
  for (const RouteConfig& route : config.routes) {
    if (route.name == kLoginService)
      reader.error(given.key("routes"), "conflict", "the route name \"login\" is taken by the gateway's own sign-in",
                   "name the route differently");
    if (route.match.path.starts_with("/.gatehouse"))
      reader.error(
          given.key("routes"), "conflict",
          fmt::format("the route \"{}\" is below /.gatehouse/, which the gateway's own sign-in answers", route.name),
          "give it another path");
  }
  const bool tls = std::any_of(config.listeners.begin(), config.listeners.end(),
                               [](const ListenerConfig& listener) { return listener.tls.has_value(); });
  if (!tls && given.good({"listeners"}) && !config.identity) {
    reader.warning(given.key("routes"), "login", "no listener has TLS: browsers keep sessions on https only",
                   "give a listener tls: { certificates: [{ auto: true }] }, or end TLS in front of Gatehouse");
  }
}

}  // namespace gatehouse::app
