// identity
#include <fmt/format.h>

#include <algorithm>

#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

// RFC 8414 §2 and OIDC Discovery §3: https, no query, no fragment. Without a slash at its end, which tokens would
// carry.
Parsed parse_issuer(Reader&, std::string_view written, YamlPosition, std::string& into) {
  static constexpr std::string_view kForms = "https://login.shop.example, or with a path: https://shop.example/login";
  if (!written.starts_with("https://"))
    return Refusal{in_quotes(written) + " is not an https URL", std::string(kForms)};
  const std::string_view rest = written.substr(8);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  if (!parse_host_port(rest.substr(0, slash), 443) ||
      written.find_first_of(" \"<>\\^`{|}#?@%*") != std::string_view::npos ||
      rest.find("//") != std::string_view::npos) {
    return Refusal{in_quotes(written) + " is not an issuer", std::string(kForms)};
  }
  if (written.ends_with('/'))
    return Refusal{in_quotes(written) + " ends with a slash", std::string(written.substr(0, written.size() - 1))};
  into = written;
  return std::nullopt;
}

const Object& identity_sessions_object() {
  static const Object object = Object::of<IdentityConfig>(
      "identity_sessions", "How long people stay signed in at the provider.",
      {
          key<&IdentityConfig::session_idle>("idle", duration(1min, 24h * 90), "Without a request."),
          key<&IdentityConfig::session_absolute>("absolute", duration(1min, 24h * 366), "In all."),
      });
  return object;
}

const Object& identity_passwords_object() {
  static const Object object = Object::of<IdentityConfig>(
      "identity_passwords", "What may become a password (NIST SP 800-63B: length and a list, no rules of composition).",
      {
          key<&IdentityConfig::password_min_length>("min_length", integer<std::uint32_t>(8, 64), "In characters."),
          key<&IdentityConfig::password_breached>(
              "breached", file_path(),
              "Passwords that others have lost: a file of SHA-1 or SHA-256 digests, or of lines.",
              {.example = "breached.txt", .default_note = "the commonest, built in"}),
      });
  return object;
}

const Object& identity_mail_object() {
  using Mail = IdentityConfig::Mail;
  using Tls = IdentityConfig::MailTls;
  static const Object object = Object::of<Mail>(
      "identity_mail", "The server that invitations, codes and notices are sent through (SMTP).",
      {
          key<&Mail::server>("server", text(256), "host:port.", {.example = "mail.shop.example:587", .required = true}),
          key<&Mail::from>("from", text(254), "The sender's address.",
                           {.example = "login@shop.example", .required = true}),
          key<&Mail::username>("username", text(256), "For the server.",
                               {.example = "gatehouse", .default_note = "none"}),
          key<&Mail::password>("password", secret(), "Likewise.", {.example = "${env:MAIL_PASSWORD}"}),
          key<&Mail::tls>("tls", one_of<Tls>({{"starttls", Tls::starttls}, {"tls", Tls::tls}, {"off", Tls::off}}),
                          "How the connection is protected; off is for a relay on this machine only."),
          key<&Mail::ca>("ca", file_path(), "What its certificate is verified with.",
                         {.example = "mail-ca.pem", .default_note = "the system's authorities"}),
      });
  return object;
}

const Object& identity_sms_object() {
  using Sms = IdentityConfig::Sms;
  static const Object object =
      Object::of<Sms>("identity_sms", "Where short messages go: a signed POST of JSON.",
                      {
                          key<&Sms::webhook>("webhook", text(1024), "https URL.",
                                             {.example = "https://sms.shop.example/send", .required = true}),
                          key<&Sms::secret>("secret", secret(), "Signs each message.",
                                            {.example = "${env:SMS_SECRET}", .required = true}),
                          key<&Sms::ca>("ca", file_path(), "What its certificate is verified with.",
                                        {.example = "sms-ca.pem", .default_note = "the system's authorities"}),
                      });
  return object;
}

// An outside provider's issuer may end with a slash, and is used as it is.
Parsed parse_outside_issuer(Reader& reader, std::string_view written, YamlPosition position, std::string& into) {
  const bool slash = written.ends_with('/') && !written.ends_with("//");
  if (Parsed refused = parse_issuer(reader, slash ? written.substr(0, written.size() - 1) : written, position, into))
    return refused;
  into = written;
  return std::nullopt;
}

Parsed parse_provider_id(Reader&, std::string_view written, YamlPosition, std::string& into) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (written.empty() || written.size() > 32 || !std::all_of(written.begin(), written.end(), good))
    return Refusal{in_quotes(written) + " is not an id", "1 to 32 of a-z 0-9 -, as it stands in addresses"};
  into = written;
  return std::nullopt;
}

void check_outside_provider(Reader& reader, const Given& given, IdentityConfig::OutsideProvider& provider) {
  const auto& scopes = provider.scopes;
  if (given.good({"scopes"}) && std::find(scopes.begin(), scopes.end(), "openid") == scopes.end())
    reader.error(given.at("scopes"), "scopes", "without openid nobody is told who signs in", "add openid");
  if (given.good({"scopes", "create_users"}) && provider.create_users &&
      std::find(scopes.begin(), scopes.end(), "email") == scopes.end())
    reader.error(given.at("scopes"), "scopes", "create_users needs the address of whoever comes", "add email");
}

const Object& outside_provider_object() {
  using Outside = IdentityConfig::OutsideProvider;
  const auto plain = [](const Writer&, const std::string& value) { return value; };
  static const Object object =
      Object::of<Outside>(
          "outside_provider",
          "Somebody else's OpenID provider that people may sign in through. Register ISSUER/federation/ID/callback of "
          "this provider there as the redirect URI.",
          {
              key<&Outside::id>("id",
                                text_form<std::string>({.title = "1 to 32 of a-z 0-9 -",
                                                        .pattern = "^[a-z0-9-]{1,32}$",
                                                        .parse = parse_provider_id,
                                                        .format = plain}),
                                "In addresses; a link stays its user's when it changes.",
                                {.example = "work", .required = true}),
              key<&Outside::name>("name", text(80), "On the button.", {.example = "Example Corp", .required = true}),
              key<&Outside::issuer>("issuer", outside_issuer_url(),
                                    "As its discovery document and its tokens name it, letter by letter.",
                                    {.example = "https://login.example.com", .required = true}),
              key<&Outside::client_id>("client_id", text(256), "Who we are there.",
                                       {.example = "gatehouse", .required = true}),
              key<&Outside::client_secret>("client_secret", secret(), "Of the client.",
                                           {.example = "${file:work.secret}", .required = true}),
              key<&Outside::scopes>("scopes", list_of(text(128), 1), "What is asked for."),
              key<&Outside::ca>("ca", file_path(), "What its certificate is verified with.",
                                {.example = "work-ca.pem", .default_note = "the system's authorities"}),
              key<&Outside::create_users>("create_users", boolean(),
                                          "Whoever comes from there with a verified address that nobody has gets an "
                                          "account. Otherwise people sign in and link it in their account."),
          })
          .with_check<Outside>(check_outside_provider);
  return object;
}

void check_identity(Reader& reader, const Given& given, IdentityConfig& identity) {
  const bool by_token = identity.client_registration == IdentityConfig::ClientRegistration::token;
  if (given.good({"client_registration", "client_registration_token"})) {
    if (by_token && identity.client_registration_token.size() < 16)
      reader.error(given.at("client_registration"), "client_registration",
                   "registration with a token needs a token of at least 16 bytes",
                   "client_registration_token: ${file:registration.token}");
    if (!by_token && given.has("client_registration_token"))
      reader.error(given.at("client_registration_token"), "client_registration_token", "nothing asks for this token",
                   "client_registration: token");
  }
  const auto& all = identity.federation;
  if (!given.good({"federation"})) return;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t earlier = 0; earlier < i; ++earlier) {
      // Links are kept by issuer: two clients of one would be one login with two buttons.
      if (all[i].id == all[earlier].id || all[i].issuer == all[earlier].issuer)
        reader.error(given.at("federation"), "federation",
                     fmt::format("two providers with the same {}", all[i].id == all[earlier].id ? "id" : "issuer"),
                     "each id and each issuer once");
    }
  }
}

const Object& identity_theme_object() {
  using Theme = IdentityConfig::Theme;
  static const Object object =
      Object::of<Theme>("identity_theme", "How the pages look.",
                        {
                            key<&Theme::name>("name", text(80), "Shown above the forms.",
                                              {.example = "Shop", .default_note = "the issuer's host"}),
                            key<&Theme::logo>("logo", file_path(), "SVG, PNG, WebP or JPEG.",
                                              {.example = "logo.svg", .default_note = "none"}),
                            key<&Theme::css>("css", file_path(), "Loaded after our style, to set its variables.",
                                             {.example = "theme.css", .default_note = "none"}),
                        });
  return object;
}

const Object& scope_object() {
  using Scope = IdentityConfig::Scope;
  static const Object object = Object::of<Scope>(
      "identity_scope", "A scope, as whoever is asked for consent reads it.",
      {
          key<&Scope::name>("name", text(256), "The scope.", {.example = "orders:read", .required = true}),
          key<&Scope::text>("text", text(200), "After \"The application may\": what it allows.",
                            {.example = "See your orders", .required = true}),
      });
  return object;
}

}  // namespace

Kind<std::string> outside_issuer_url() {
  return text_form<std::string>({.title = "https URL",
                                 .pattern = "^https://.+$",
                                 .parse = parse_outside_issuer,
                                 .format = [](const Writer&, const std::string& value) { return value; }});
}

const Object& identity_object() {
  using Outside = IdentityConfig::OutsideProvider;
  using Registers = IdentityConfig::ClientRegistration;
  static const Object object =
      Object::of<IdentityConfig>(
          "identity", "Who people and applications are: users, second factors, OAuth 2.1 and OpenID Connect.",
          {
              key<&IdentityConfig::issuer>(
                  "issuer",
                  text_form<std::string>({.title = "https URL",
                                          .pattern = "^https://.+$",
                                          .parse = parse_issuer,
                                          .format = [](const Writer&, const std::string& value) { return value; }}),
                  "Where it is reached, on a listener with TLS; tokens name it.",
                  {.example = "https://login.shop.example", .required = true}),
              key<&IdentityConfig::key_rotation>("key_rotation", duration(24h, 24h * 366),
                                                 "How long a key signs tokens."),
              key<&IdentityConfig::remember_device>(
                  "remember_device", duration(1h, 24h * 366),
                  "How long a device may skip the second factor, if its owner says so."),
              key_of<IdentityConfig>("sessions", block<IdentityConfig>(identity_sessions_object()),
                                     "How long people stay signed in."),
              key_of<IdentityConfig>("passwords", block<IdentityConfig>(identity_passwords_object()),
                                     "What may become a password."),
              key<&IdentityConfig::mail>("mail", optional(block<IdentityConfig::Mail>(identity_mail_object())),
                                         "E-mail.", {.default_note = "none is sent"}),
              key<&IdentityConfig::sms>("sms", optional(block<IdentityConfig::Sms>(identity_sms_object())),
                                        "Short messages.", {.default_note = "none are sent"}),
              key<&IdentityConfig::federation>("federation", list_of(block<Outside>(outside_provider_object())),
                                               "Outside providers that people may sign in through."),
              key<&IdentityConfig::client_registration>(
                  "client_registration",
                  one_of<Registers>({{"off", Registers::off}, {"token", Registers::token}, {"open", Registers::open}}),
                  "Whether clients may register themselves (RFC 7591): with the token, or anybody, who then gets the "
                  "code "
                  "flow and the standard scopes alone."),
              key<&IdentityConfig::client_registration_token>("client_registration_token", secret(),
                                                              "What they have to bring, as a Bearer token.",
                                                              {.example = "${file:registration.token}"}),
              key<&IdentityConfig::dpop_nonces>("dpop_nonces", boolean(),
                                                "DPoP proofs have to carry a nonce of ours (RFC 9449 §8)."),
              key<&IdentityConfig::scopes>("scopes", list_of(block<IdentityConfig::Scope>(scope_object())),
                                           "What scopes of your own mean, in plain words."),
              key<&IdentityConfig::theme>("theme", block<IdentityConfig::Theme>(identity_theme_object()),
                                          "How the pages look."),
          })
          .with_check<IdentityConfig>(check_identity);
  return object;
}

}  // namespace gatehouse::app
