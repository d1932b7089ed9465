#include "identity/provider/token_use.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/json_writer.h"
#include "identity/provider/claims.h"

namespace gatehouse::identity {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view one) noexcept {
  return std::find(list.begin(), list.end(), one) != list.end();
}

tl::unexpected<OAuthError> challenged(int status, std::string_view code, std::string description) {
  OAuthError error{code, std::move(description), status};
  error.challenge = fmt::format(R"(Bearer error="{}", error_description="{}")", code, error.description);
  return tl::unexpected(std::move(error));
}

struct Credential {
  std::string_view token;
  bool dpop = false;
};

// RFC 6750 §2.1, RFC 9449 §7.1. Never from the query (RFC 9700 §4.3.2).
std::optional<Credential> read_authorization(std::string_view authorization) noexcept {
  const std::size_t space = authorization.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::string scheme(authorization.substr(0, space));
  for (char& c : scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  std::string_view token = authorization.substr(space + 1);
  while (token.starts_with(' ')) token.remove_prefix(1);
  if (scheme == "bearer") return Credential{token, false};
  if (scheme == "dpop") return Credential{token, true};
  return std::nullopt;
}

WebResponse userinfo_of(const User& user, const VerifiedToken& token, const std::vector<std::string>& extra) {
  std::string body;
  {
    codec::JsonWriter out(body);
    out.raw(R"({"sub":)");
    out.string(token.subject);
    const std::string told = claims_by_scope(user, split_scopes(token.scope));
    out.raw(told);
    std::vector<std::string> more;
    // What the claims parameter asked for beside the scopes; a name that both cover is told once.
    for (const std::string& name : extra) {
      if (told.find(fmt::format(",\"{}\":", name)) == std::string::npos) more.push_back(name);
    }
    out.raw(claims_by_name(user, more));
    out.raw("}");
  }
  WebResponse response = json(200, std::move(body));
  response.user = user.username;
  return response;
}

}  // namespace

OAuthResult<TokenUse::TokenPtr> TokenUse::presented(const WebRequest& request) const {
  auto credential = read_authorization(request.authorization);
  std::optional<codec::Form> form;
  if (request.is_post() && request.content_type.starts_with("application/x-www-form-urlencoded")) {
    form = codec::Form::parse(request.body);  // RFC 6750 §2.2
    if (form && form->count("access_token") + (credential ? 1 : 0) > 1)
      return challenged(400, "invalid_request", "more than one way of sending a token");
    if (const auto token = form ? form->get("access_token") : std::nullopt) credential = Credential{*token, false};
  }
  if (!credential) {
    OAuthError error{"invalid_token", "an access token is needed", 401};
    error.challenge = R"(Bearer, DPoP algs="ES256 EdDSA RS256 PS256")";
    return tl::unexpected(std::move(error));
  }
  auto token = p_.tokens.verify(credential->token);
  if (!token || is_revoked(p_.revocations, *token)) return challenged(401, "invalid_token", "the token is not good");
  if (credential->dpop != !token->confirmation.jkt.empty())
    return challenged(401, "invalid_token", "the token is bound to a key: use the DPoP scheme with a proof");
  if (auto good = p_.proofs.check(request, "/userinfo", credential->token, token->confirmation); !good)
    return tl::unexpected(good.error());
  if (!contains(token->audiences, p_.tokens.issuer()))
    return challenged(401, "invalid_token", "the token was made for another resource");
  if (!contains(split_scopes(token->scope), "openid"))
    return challenged(403, "insufficient_scope", "the scope openid is needed");
  return token;
}

OAuthResult<UserPtr> TokenUse::owner(const VerifiedToken& token) {
  // A pairwise subject is nobody's id; the grant knows.
  std::string id = token.subject;
  if (!token.grant_id.empty()) {
    const auto client = p_.clients.find(token.client_id);
    if (!client) return temporarily_unavailable(client.error());
    if (*client == nullptr) return challenged(401, "invalid_token", "the token is not good");
    if ((*client)->settings.pairwise) {
      auto grant = p_.grants.find(token.grant_id);
      if (!grant) return temporarily_unavailable(grant.error());
      if (!*grant) return challenged(401, "invalid_token", "the token is not good");
      id = (*grant)->user_id;
    }
  }
  auto user = p_.accounts.find(id);
  if (!user) return temporarily_unavailable(user.error());
  if (*user == nullptr || !(*user)->active()) return challenged(401, "invalid_token", "the token is not good");
  return std::move(*user);
}

WebResponse TokenUse::userinfo(const WebRequest& request) {
  if (!request.is_post() && !request.reads()) return method_not_allowed("GET, POST");
  auto token = presented(request);
  if (!token) return to_response(token.error());
  auto user = owner(**token);
  if (!user) return to_response(user.error());
  return userinfo_of(**user, **token, (*token)->userinfo_claims);
}

std::optional<WebResponse> TokenUse::userinfo_at_once(const WebRequest& request) {
  if ((!request.is_post() && !request.reads()) || request.dpop_count != 0) return std::nullopt;
  auto token = presented(request);
  if (!token) return to_response(token.error());
  const auto client = p_.clients.cached((*token)->client_id);
  if (!client || client->settings.pairwise) return std::nullopt;
  const UserPtr user = p_.accounts.cached((*token)->subject);
  if (!user || !user->active()) return std::nullopt;
  return userinfo_of(*user, **token, (*token)->userinfo_claims);
}

// Who may ask what a token says: whom it was made to and whom it was made for. For others it isn't active, which is
// also what they learn of tokens that don't exist (RFC 7662 §4).
bool TokenUse::may_know(const Client& client, const VerifiedToken& token) const noexcept {
  if (token.client_id == client.id || contains(token.audiences, client.id)) return true;
  return std::any_of(client.settings.own_audiences.begin(), client.settings.own_audiences.end(),
                     [&](const std::string& audience) { return contains(token.audiences, audience); });
}

WebResponse TokenUse::introspection_of(const Client& client, std::string_view text, const WebRequest&) {
  const auto token = p_.tokens.verify(text);
  if (!token || is_revoked(p_.revocations, *token) || !may_know(client, *token))
    return json(200, R"({"active":false})");
  return json(200, fmt::format(R"({{"active":true,{}}})", token->introspection));
}

std::optional<WebResponse> TokenUse::introspect_at_once(const WebRequest& request) {
  if (!request.is_post()) return std::nullopt;
  const auto form = read_form_body(request);
  const auto text = form ? form->get("token") : std::nullopt;
  if (!text || text->find('.') == std::string_view::npos) return std::nullopt;  // a refresh token: the store knows
  auto client = p_.authenticator.authenticate_at_once(request, *form);
  if (!client || !*client || (**client)->is_public()) return std::nullopt;
  return introspection_of(***client, *text, request);
}

WebResponse TokenUse::introspect(const WebRequest& request) {
  if (!request.is_post()) return method_not_allowed("POST");
  const auto form = read_form_body(request);
  if (!form) return to_response(form.error());
  auto client = p_.authenticator.authenticate(request, *form);
  if (!client) return to_response(client.error());
  // Whoever knows a public client's id could scan for tokens (RFC 7662 §2.1, §4).
  if ((*client)->is_public())
    return to_response({"invalid_client", "introspection needs an authenticated client", 401});
  const auto text = form->get("token");
  if (!text || text->empty()) return to_response({"invalid_request", "token is missing", 400});
  if (text->find('.') != std::string_view::npos) return introspection_of(**client, *text, request);
  auto refresh = p_.grants.look_up_refresh_token(*text);
  if (!refresh) return to_response(temporarily_unavailable(refresh.error()).value());
  if (refresh->refusal || refresh->grant.client_id != (*client)->id) return json(200, R"({"active":false})");
  std::string body;
  {
    codec::JsonWriter out(body);
    out.raw(R"({"active":true,"token_type":"refresh_token","client_id":)");
    out.string(refresh->grant.client_id);
    out.raw(R"(,"scope":)");
    out.string(join_scopes(refresh->grant.scopes));
    out.raw(R"(,"iss":)");
    out.string(p_.tokens.issuer());
    out.raw("}");
  }
  return json(200, std::move(body));
}

WebResponse TokenUse::revoke(const WebRequest& request) {
  if (!request.is_post()) return method_not_allowed("POST");
  const auto form = read_form_body(request);
  if (!form) return to_response(form.error());
  auto client = p_.authenticator.authenticate(request, *form);
  if (!client) return to_response(client.error());
  const auto text = form->get("token");
  if (!text || text->empty()) return to_response({"invalid_request", "token is missing", 400});
  Status done;
  if (text->find('.') != std::string_view::npos) {
    const auto token = p_.tokens.verify(*text);
    if (token && token->client_id == (*client)->id)
      done = p_.revocations.add(RevokedKind::token, token->token_id, token->expires_s);
  } else {
    auto refresh = p_.grants.look_up_refresh_token(*text);
    if (!refresh) return to_response(temporarily_unavailable(refresh.error()).value());
    // With the refresh token goes all that came from the same grant (RFC 7009 §2.1).
    if (refresh->refusal != Grants::Refusal::unknown && refresh->grant.client_id == (*client)->id)
      done = p_.grants.revoke(refresh->grant);
  }
  if (!done) return to_response(temporarily_unavailable(done.error()).value());
  // Unknown tokens and those of others are answered the same way (RFC 7009 §2.2).
  WebResponse response;
  response.add("cache-control", "no-store");
  return response;
}

}  // namespace gatehouse::identity
