#include "identity/provider/authorization_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "codec/json.h"
#include "identity/provider/tokens.h"

namespace gatehouse::identity {
namespace {

using codec::Form;
using codec::Json;

constexpr std::size_t kClaimNamesMax = 64;

OAuthResult<void> check_once(const Form& form) {
  if (const auto name = form.repeated({"resource"}))
    return oauth_error("invalid_request", fmt::format("{} came more than once", *name));
  for (const auto& [name, value] : form.entries()) {
    if (value.size() > kParameterBytesMax)
      return oauth_error("invalid_request", fmt::format("{} is too long", name.substr(0, 64)));
  }
  return {};
}

OAuthResult<Prompt> read_prompt(const Form& form) {
  Prompt prompt;
  const auto words = split_scopes(form.get_or("prompt", ""));
  for (const std::string& word : words) {
    if (word == "none") {
      prompt.none = true;
    } else if (word == "login") {
      prompt.login = true;
    } else if (word == "consent") {
      prompt.consent = true;
    } else if (word == "select_account") {
      prompt.select_account = true;
    } else if (word != "create") {
      return oauth_error("invalid_request", "prompt is none, login, consent or select_account");
    }
  }
  if (prompt.none && words.size() > 1) return oauth_error("invalid_request", "prompt=none goes with no other");
  return prompt;
}

// RFC 7636 §4.2, S256 alone: 32 bytes of digest are 43 characters.
OAuthResult<std::string> read_challenge(const Form& form, const Client& client) {
  const auto challenge = form.get("code_challenge");
  const auto method = form.get("code_challenge_method");
  if (!challenge) {
    if (method) return oauth_error("invalid_request", "code_challenge_method without code_challenge");
    if (client.settings.require_pkce) return oauth_error("invalid_request", "this client needs PKCE: code_challenge");
    return std::string();
  }
  // Left out it means `plain` (RFC 7636 §4.3), which we don't do.
  if (method != "S256") return oauth_error("invalid_request", "code_challenge_method must be S256");
  const bool is_base64url = std::all_of(challenge->begin(), challenge->end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (challenge->size() != 43 || !is_base64url)
    return oauth_error("invalid_request", "code_challenge must be base64url of a SHA-256");
  return std::string(*challenge);
}

// OIDC Core §5.5: the names that are asked for. Values are wishes that may be left unfulfilled.
OAuthResult<void> read_claims(const Form& form, AuthorizationRequest& request) {
  const auto text = form.get("claims");
  if (!text) return {};
  const auto json = Json::parse(*text, {.bytes_max = kParameterBytesMax, .depth_max = 5, .values_max = 512});
  if (!json || !json->is_object()) return oauth_error("invalid_request", "claims is not a JSON object");
  for (const std::string_view member : {"id_token", "userinfo"}) {
    const Json* wanted = json->find(member);
    if (wanted == nullptr) continue;
    if (!wanted->is_object() || wanted->size() > kClaimNamesMax)
      return oauth_error("invalid_request", fmt::format("claims.{} is not an object", member));
    auto& names = member == "id_token" ? request.id_token_claims : request.userinfo_claims;
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      if (is_scope(wanted->name(i))) names.emplace_back(wanted->name(i));
    }
  }
  for (const std::string_view member : {"id_token", "userinfo"}) {
    const Json* claims = json->find(member);
    const Json* sub = claims != nullptr ? claims->find("sub") : nullptr;
    if (sub != nullptr) request.subject = sub->find_string("value").value_or(request.subject);
  }
  const Json* id_token = json->find("id_token");
  const Json* acr = id_token != nullptr ? id_token->find("acr") : nullptr;
  if (acr == nullptr) return {};
  const auto is_mfa = [](const Json& value) { return value.string() == kAcrMfa; };
  const auto is_known = [](const Json& value) { return value.string() == kAcrMfa || value.string() == kAcrPassword; };
  const Json* one = acr->find("value");
  const Json* some = acr->find("values");
  const bool any_known = (one != nullptr && is_known(*one)) ||
                         (some != nullptr && std::any_of(some->items().begin(), some->items().end(), is_known));
  // OIDC Core §5.5.1.1: an essential one that cannot be had is a failed authentication.
  const Json* essential = acr->find("essential");
  if (essential != nullptr && essential->boolean() == true && (one != nullptr || some != nullptr) && !any_known)
    return oauth_error("unmet_authentication_requirements", "none of these acr values can be had here");
  if (const Json* value = acr->find("value"); value != nullptr && is_mfa(*value)) request.wants_mfa = true;
  if (const Json* values = acr->find("values"); values != nullptr && !values->items().empty())
    request.wants_mfa = request.wants_mfa || is_mfa(values->items().front());
  return {};
}

OAuthResult<std::optional<std::int64_t>> read_max_age(const Form& form, const Client& client) {
  const auto text = form.get("max_age");
  if (!text) {
    if (client.settings.default_max_age_s) return static_cast<std::int64_t>(*client.settings.default_max_age_s);
    return std::nullopt;
  }
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc{} || end != text->data() + text->size())
    return oauth_error("invalid_request", "max_age is a number of seconds");
  return static_cast<std::int64_t>(seconds);
}

OAuthResult<void> read_scopes(const Form& form, const Client& client, AuthorizationRequest& request) {
  const auto asked = split_scopes(form.get_or("scope", ""));
  for (const std::string& scope : asked) {
    if (!is_scope(scope)) return oauth_error("invalid_scope", "a scope has characters that it cannot have");
    if (client.may_ask_for(scope)) request.scopes.push_back(scope);
  }
  if (!asked.empty() && request.scopes.empty())
    return oauth_error("invalid_scope", "this client may ask for none of these scopes");
  return {};
}

OAuthResult<void> read_resources(const Form& form, const Client& client, AuthorizationRequest& request) {
  for (const std::string_view resource : form.all("resource")) {
    if (!is_resource(resource)) return oauth_error("invalid_target", "resource is an absolute URI without fragment");
    if (!client.may_reach(resource)) return oauth_error("invalid_target", "this client may not ask for this resource");
    if (std::find(request.resources.begin(), request.resources.end(), resource) == request.resources.end())
      request.resources.emplace_back(resource);
  }
  return {};
}

}  // namespace

bool is_resource(std::string_view resource) noexcept {
  const std::size_t colon = resource.find(':');
  return colon != std::string_view::npos && colon > 0 && colon + 1 < resource.size() && resource.size() <= 1024 &&
         resource.find('#') == std::string_view::npos &&
         std::all_of(resource.begin(), resource.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool AuthorizationRequest::has_scope(std::string_view scope) const noexcept {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

OAuthResult<ReturnAddress> read_return_address(const Form& form, const Client& client) {
  ReturnAddress to;
  const auto& registered = client.settings.redirect_uris;
  if (form.count("redirect_uri") > 1) return oauth_error("invalid_request", "redirect_uri came more than once");
  if (const auto asked = form.get("redirect_uri")) {
    const bool known = std::any_of(registered.begin(), registered.end(),
                                   [&](const std::string& uri) { return redirect_uri_matches(uri, *asked); });
    if (!known) return oauth_error("invalid_request", "redirect_uri is not one that this application has registered");
    to.redirect_uri = *asked;
    to.was_given = true;
  } else if (registered.size() == 1 && !split_scopes(form.get_or("scope", "")).empty() &&
             form.get_or("scope", "").find("openid") != std::string_view::npos) {
    return oauth_error("invalid_request", "redirect_uri is missing");  // OIDC Core §3.1.2.1: required
  } else if (registered.size() == 1) {
    to.redirect_uri = registered.front();
  } else {
    return oauth_error("invalid_request", "redirect_uri is missing");
  }
  if (form.count("state") == 1) to.state = form.get_or("state", "");
  if (form.get("response_mode") == "form_post") to.mode = ResponseMode::form_post;
  return to;
}

OAuthResult<AuthorizationRequest> read_authorization_request(const Form& form, const Client& client) {
  if (auto good = check_once(form); !good) return tl::unexpected(good.error());
  if (form.get("request")) return oauth_error("request_not_supported", "use a pushed request (RFC 9126)");
  if (form.get("registration")) return oauth_error("registration_not_supported", "registration is not supported");
  const auto type = form.get("response_type");
  if (!type) return oauth_error("invalid_request", "response_type is missing");
  if (*type != "code") return oauth_error("unsupported_response_type", "response_type must be code");
  if (!client.may(GrantType::authorization_code))
    return oauth_error("unauthorized_client", "this client may not use the code flow");
  if (const auto mode = form.get("response_mode"); mode && *mode != "query" && *mode != "form_post")
    return oauth_error("invalid_request", "response_mode is query or form_post");

  AuthorizationRequest request;
  request.client_id = client.id;
  if (auto good = read_scopes(form, client, request); !good) return tl::unexpected(good.error());
  if (auto good = read_resources(form, client, request); !good) return tl::unexpected(good.error());
  auto challenge = read_challenge(form, client);
  if (!challenge) return tl::unexpected(challenge.error());
  request.code_challenge = std::move(*challenge);
  auto prompt = read_prompt(form);
  if (!prompt) return tl::unexpected(prompt.error());
  request.prompt = *prompt;
  auto max_age = read_max_age(form, client);
  if (!max_age) return tl::unexpected(max_age.error());
  request.max_age_s = *max_age;
  const auto acr_values = split_scopes(form.get_or("acr_values", ""));
  // In order of preference: the first that we know decides.
  for (const std::string& acr : acr_values) {
    if (acr != kAcrMfa && acr != kAcrPassword) continue;
    request.wants_mfa = acr == kAcrMfa;
    break;
  }
  if (auto good = read_claims(form, request); !good) return tl::unexpected(good.error());
  request.wants_mfa = request.wants_mfa || client.settings.mfa;
  request.nonce = form.get_or("nonce", "");
  request.id_token_hint = form.get_or("id_token_hint", "");
  request.login_hint = form.get_or("login_hint", "");
  request.ui_locales = form.get_or("ui_locales", "");
  request.dpop_jkt = form.get_or("dpop_jkt", "");
  return request;
}

std::string answer_location(const ReturnAddress& to, std::string_view issuer, codec::FormWriter parameters) {
  if (!to.state.empty()) parameters.add("state", to.state);
  parameters.add("iss", issuer);
  // The registered URI may have a query of its own; it stays (RFC 6749 §3.1.2).
  const char separator = to.redirect_uri.find('?') == std::string::npos ? '?' : '&';
  return fmt::format("{}{}{}", to.redirect_uri, separator, parameters.text());
}

}  // namespace gatehouse::identity
