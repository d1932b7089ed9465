// authentication
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

void check_jwt(Reader& reader, const Given& given, JwtIssuerConfig& issuer) {
  if (issuer.audience.empty() && given.good({"audience"})) {
    reader.warning(given.block(), "missing_key",
                   "this issuer has no audience: tokens made for other services are accepted", "add audience: [NAME]");
  }
}

Kind<std::string> jwks_source() {
  const Kind<std::string> file = file_path();
  return text_form<std::string>(
      {.title = "https URL or file",
       .parse = [](Reader& reader, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (written.starts_with("https://") || written.starts_with("http://")) {
           const bool secure = written.starts_with("https://");
           const std::string_view rest = written.substr(secure ? 8 : 7);
           const auto address = parse_host_port(rest.substr(0, rest.find_first_of("/?#")), secure ? 443 : 80);
           if (!address || written.find_first_of(" \"<>\\^`{|}#@") != std::string_view::npos)
             return Refusal{in_quotes(written) + " is not a URL", {}};
           if (!secure && address->host != "localhost" && address->host != "127.0.0.1" && address->host != "::1") {
             return Refusal{"keys over plain http can be replaced on the way",
                            fmt::format("https{}", written.substr(4))};
           }
           into = written;
           return std::nullopt;
         }
         if (written.find("://") != std::string_view::npos)
           return Refusal{in_quotes(written) + " is not an https URL", {}};
         into = reader.absolute(written);
         if (reader.options().check_files && access(into.c_str(), R_OK) != 0) {
           return Refusal{fmt::format("cannot read {}: {}", into, strerror(errno)),
                          "an https URL, or a file with a JSON Web Key Set"};
         }
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

const Object& jwt_object() {
  static const Object object =
      Object::of<JwtIssuerConfig>(
          "jwt_issuer", "Who signs the tokens that are accepted (RFC 7519, RFC 8725).",
          {
              key<&JwtIssuerConfig::name>("name", name(), "In logs and records.",
                                          {.example = "main", .required = true}),
              key<&JwtIssuerConfig::issuer>("issuer", text(1024), "The iss claim, exactly.",
                                            {.example = "https://login.shop.example", .required = true}),
              key<&JwtIssuerConfig::audience>("audience", one_or_list_of(text(256)),
                                              "One of these must be in the aud claim.", {.example = "[shop]"}),
              key<&JwtIssuerConfig::jwks>("jwks", jwks_source(),
                                          "The keys: a URL (cached, refreshed, last good kept) or a file.",
                                          {.example = "https://login.shop.example/jwks", .required = true}),
              key<&JwtIssuerConfig::algorithms>(
                  "algorithms",
                  list_of(word_of({"ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
                                  {"ES512"}),
                          1),
                  "Signature algorithms that are accepted."),
              key<&JwtIssuerConfig::roles_claim>("roles_claim", text(256), "Where roles are."),
              key<&JwtIssuerConfig::scopes_claim>("scopes_claim", text(256),
                                                  "Where scopes are: a list, or text with spaces."),
              key<&JwtIssuerConfig::mfa_claim>("mfa_claim", text(256),
                                               "Where it says that a second factor was used (RFC 8176)."),
              key<&JwtIssuerConfig::user_claim>("user_claim", text(256), "Where the user's name is."),
              key<&JwtIssuerConfig::leeway>("leeway", duration(0s, 10min), "For clocks that differ."),
              key<&JwtIssuerConfig::refresh>("refresh", duration(1s, 24h), "How often the keys are fetched again."),
          })
          .with_check<JwtIssuerConfig>(check_jwt);
  return object;
}

void check_api_keys(Reader& reader, const Given& given, ApiKeysConfig& keys) {
  if (!reader.options().check_files || keys.file.empty() || access(keys.file.c_str(), R_OK) == 0) return;
  if (errno != ENOENT) {
    reader.error(given.at("file"), "file", fmt::format("cannot read {}: {}", keys.file, strerror(errno)),
                 "check owner and permissions");
  } else {
    reader.warning(given.at("file"), "file", fmt::format("{} isn't there yet: no API key is valid", keys.file),
                   "gatehouse apikey create makes it");
  }
}

const Object& api_keys_object() {
  static const Object object =
      Object::of<ApiKeysConfig>(
          "api_keys", "Long random keys, stored hashed. Made by gatehouse apikey create.",
          {
              key<&ApiKeysConfig::header>("header", header_name(), "The header that carries the key."),
              key<&ApiKeysConfig::file>("file", path(), "Where the hashes are.",
                                        {.example = "keys.yaml", .required = true}),
          })
          .with_check<ApiKeysConfig>(check_api_keys);
  return object;
}

const Object& client_certificates_object() {
  using RolesFrom = ClientCertificatesConfig::RolesFrom;
  static const Object object = Object::of<ClientCertificatesConfig>(
      "client_certificates", "Who a verified client certificate is.",
      {key<&ClientCertificatesConfig::roles_from>(
          "roles_from",
          one_of<RolesFrom>({{"none", RolesFrom::none}, {"san", RolesFrom::san}, {"subject", RolesFrom::subject}}),
          "Which part of the certificate names the roles.")});
  return object;
}

const Object& internal_token_object() {
  static const Object object =
      Object::of<InternalTokenConfig>(
          "internal_token", "A signed, short-lived JWT that tells services who called.",
          {
              key<&InternalTokenConfig::enabled>("enabled", boolean(), "Whether services get it."),
              key<&InternalTokenConfig::header>("header", header_name(), "The header that carries it."),
              key<&InternalTokenConfig::lifetime>("lifetime", duration(1s, 1h), "How long it is valid."),
          })
          .with_shorthand("enabled");
  return object;
}

}  // namespace

const Object& authentication_object() {
  static const Object object = Object::of<AuthenticationConfig>(
      "authentication", "How callers prove who they are. A route that isn't public needs one of these.",
      {
          key<&AuthenticationConfig::jwt>("jwt", named_list_of(block<JwtIssuerConfig>(jwt_object())), "Bearer tokens."),
          key<&AuthenticationConfig::api_keys>("api_keys", optional(block<ApiKeysConfig>(api_keys_object())),
                                               "API keys.", {.default_note = "none"}),
          key<&AuthenticationConfig::client_certificates>(
              "client_certificates", optional(block<ClientCertificatesConfig>(client_certificates_object())),
              "Client certificates, of listeners with client_auth.", {.default_note = "not used"}),
          key<&AuthenticationConfig::internal_token>(
              "internal_token", block<InternalTokenConfig>(internal_token_object()), "What services get."),
          key<&AuthenticationConfig::forward_credentials>("forward_credentials", boolean(),
                                                          "The client's own token or API key goes to the service too."),
      });
  return object;
}

}  // namespace gatehouse::app
