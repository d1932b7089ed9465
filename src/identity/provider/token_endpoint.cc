#include "identity/provider/token_endpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "crypto/digest.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kAccessTokenType = "urn:ietf:params:oauth:token-type:access_token";
constexpr std::string_view kJwtType = "urn:ietf:params:oauth:token-type:jwt";
constexpr std::int64_t kVerifierMin = 43, kVerifierMax = 128;

bool contains(const std::vector<std::string>& list, std::string_view one) noexcept {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// RFC 7636 §4.1 and §4.6.
bool verifies(std::string_view verifier, std::string_view challenge) {
  const auto size = static_cast<std::int64_t>(verifier.size());
  if (size < kVerifierMin || size > kVerifierMax) return false;
  const std::string computed = codec::base64url_encode(crypto::as_text(crypto::sha256(verifier)));
  return crypto::equal_in_constant_time(computed, challenge);
}

OAuthError invalid_grant(std::string description) { return {"invalid_grant", std::move(description), 400}; }

}  // namespace

WebResponse TokenEndpoint::handle(const WebRequest& request) {
  if (!request.is_post()) return method_not_allowed("POST");
  const auto form = read_form_body(request, {"resource", "audience"});
  if (!form) return to_response(form.error());
  return answer(grant(request, *form));
}

std::optional<WebResponse> TokenEndpoint::at_once(const WebRequest& request) {
  if (!request.is_post() || request.dpop_count != 0) return std::nullopt;
  const auto form = read_form_body(request, {"resource", "audience"});
  if (!form || form->get("grant_type") != name_of(GrantType::client_credentials)) return std::nullopt;
  auto client = p_.authenticator.authenticate_at_once(request, *form);
  if (!client) return std::nullopt;
  if (!*client) return to_response(client->error());
  auto confirmation = p_.proofs.binding(request, "/token", ***client);
  if (!confirmation) return to_response(confirmation.error());
  return answer(client_credentials({request, *form, ***client, std::move(*confirmation)}));
}

WebResponse TokenEndpoint::answer(const Answer& answer) {
  if (!answer) return to_response(answer.error());
  std::string body;
  body.reserve(1024);
  {
    codec::JsonWriter out(body);
    out.raw(R"({"access_token":)");
    out.string(answer->access_token);
    out.raw(answer->dpop ? R"(,"token_type":"DPoP","expires_in":)" : R"(,"token_type":"Bearer","expires_in":)");
    out.number(answer->lifetime_s);
    if (!answer->refresh_token.empty()) {
      out.raw(R"(,"refresh_token":)");
      out.string(answer->refresh_token);
    }
    if (!answer->id_token.empty()) {
      out.raw(R"(,"id_token":)");
      out.string(answer->id_token);
    }
    if (answer->exchanged) {
      out.raw(R"(,"issued_token_type":)");
      out.string(kAccessTokenType);
    }
    if (!answer->scopes.empty()) {
      out.raw(R"(,"scope":)");
      out.string(join_scopes(answer->scopes));
    }
    out.raw("}");
  }
  WebResponse response = json(200, std::move(body));
  response.add("pragma", "no-cache");  // RFC 6749 §5.1
  response.user = answer->user;
  return response;
}

TokenEndpoint::Answer TokenEndpoint::grant(const WebRequest& request, const codec::Form& form) {
  auto client = p_.authenticator.authenticate(request, form);
  if (!client) return tl::unexpected(client.error());
  const auto name = form.get("grant_type");
  if (!name) return oauth_error("invalid_request", "grant_type is missing");
  const auto type = parse_grant_type(*name);
  if (!type) return oauth_error("unsupported_grant_type", "this grant type is not supported");
  if (!(*client)->may(*type)) return oauth_error("unauthorized_client", "this client may not use this grant type");
  auto confirmation = p_.proofs.binding(request, "/token", **client);
  if (!confirmation) return tl::unexpected(confirmation.error());
  const Call call{request, form, **client, std::move(*confirmation)};
  switch (*type) {
    case GrantType::authorization_code: return authorization_code(call);
    case GrantType::refresh_token: return refresh_token(call);
    case GrantType::client_credentials: return client_credentials(call);
    case GrantType::device_code: return device_code(call);
    case GrantType::token_exchange: return token_exchange(call);
  }
  return oauth_error("unsupported_grant_type", "this grant type is not supported");
}

// Another client's is none of this client's; one that comes again ends all that it gave.
OAuthResult<void> TokenEndpoint::check_presented(const Client& client, const Grants::Presented& presented,
                                                 std::string_view what) {
  using Refusal = Grants::Refusal;
  if (presented.refusal == Refusal::unknown || presented.grant.client_id != client.id)
    return tl::unexpected(invalid_grant(fmt::format("{} is not good", what)));
  if (presented.refusal == Refusal::used) {
    if (auto revoked = p_.grants.revoke(presented.grant); !revoked) return temporarily_unavailable(revoked.error());
    return tl::unexpected(invalid_grant(fmt::format("{} was used before: what it gave is revoked", what)));
  }
  if (presented.refusal) return tl::unexpected(invalid_grant(fmt::format("{} is not good any more", what)));
  return {};
}

OAuthResult<void> TokenEndpoint::check_code_request(const Call& call, const Grants::Presented& presented) const {
  const GrantRequest& request = presented.request;
  const auto redirect_uri = call.form.get("redirect_uri");
  if (redirect_uri.value_or("") != request.redirect_uri)
    return tl::unexpected(invalid_grant("redirect_uri is not the one of the authorization request"));
  const auto verifier = call.form.get("code_verifier");
  // RFC 9700 §4.8.2: a verifier where no challenge was sent is a downgrade, too.
  if (verifier.has_value() != !request.code_challenge.empty() ||
      (verifier && !verifies(*verifier, request.code_challenge))) {
    return tl::unexpected(invalid_grant("code_verifier does not fit the authorization request"));
  }
  if (!request.confirmation.jkt.empty() && request.confirmation.jkt != call.confirmation.jkt)
    return tl::unexpected(invalid_grant("the code is bound to another DPoP key"));
  return {};
}

TokenEndpoint::Answer TokenEndpoint::authorization_code(const Call& call) {
  const auto code = call.form.get("code");
  if (!code || code->empty()) return oauth_error("invalid_request", "code is missing");
  auto presented = p_.grants.look_up_code(*code);
  if (!presented) return temporarily_unavailable(presented.error());
  if (auto good = check_presented(call.client, *presented, "the code"); !good) return tl::unexpected(good.error());
  const Grant& grant = presented->grant;
  if (auto good = check_code_request(call, *presented); !good) return tl::unexpected(good.error());
  auto audiences = narrowed_audiences(call, grant.resources);
  if (!audiences) return tl::unexpected(audiences.error());
  auto first = p_.grants.use_code(*code, grant);
  if (!first) return temporarily_unavailable(first.error());
  if (!*first) return tl::unexpected(invalid_grant("the code was used before: what it gave is revoked"));
  GrantRequest request = presented->request;
  request.redirect_uri.clear();
  request.code_challenge.clear();
  auto issued = issue(call, grant, request, grant.scopes, std::move(*audiences));
  return with_refresh_token(call, grant, std::move(request), std::move(issued));
}

TokenEndpoint::Answer TokenEndpoint::with_refresh_token(const Call& call, const Grant& grant, GrantRequest request,
                                                        Answer issued) {
  const ClientSettings& settings = call.client.settings;
  const bool gives = call.client.may(GrantType::refresh_token) && (grant.offline || settings.session_refresh);
  if (!issued || !gives) return issued;
  // Of a public client it is good only with the key that it came with, where there is one (RFC 9449 §5).
  request.confirmation = call.client.is_public() ? call.confirmation : Confirmation{};
  request.nonce.clear();
  auto refresh = p_.grants.issue_refresh_token(grant, request, std::chrono::seconds(settings.refresh_token_s));
  if (!refresh) return temporarily_unavailable(refresh.error());
  issued->refresh_token = std::move(*refresh);
  return issued;
}

TokenEndpoint::Answer TokenEndpoint::refresh_token(const Call& call) {
  const auto token = call.form.get("refresh_token");
  if (!token || token->empty()) return oauth_error("invalid_request", "refresh_token is missing");
  auto presented = p_.grants.look_up_refresh_token(*token);
  if (!presented) return temporarily_unavailable(presented.error());
  if (auto good = check_presented(call.client, *presented, "the refresh token"); !good)
    return tl::unexpected(good.error());
  const Grant& grant = presented->grant;
  const Confirmation& bound = presented->request.confirmation;
  if ((!bound.jkt.empty() && bound.jkt != call.confirmation.jkt) ||
      (!bound.x5t_s256.empty() && bound.x5t_s256 != call.confirmation.x5t_s256)) {
    return tl::unexpected(invalid_grant("the refresh token is bound to another key"));
  }
  if (!grant.offline && !grant.session_id.empty()) {
    auto session = p_.sessions.find_by_id(grant.session_id);
    if (!session) return temporarily_unavailable(session.error());
    if (*session == nullptr) return tl::unexpected(invalid_grant("the session that it belongs to is over"));
  }
  auto scopes = narrowed_scopes(call, grant.scopes);
  if (!scopes) return tl::unexpected(scopes.error());
  auto audiences = narrowed_audiences(call, grant.resources);
  if (!audiences) return tl::unexpected(audiences.error());
  auto issued = issue(call, grant, presented->request, std::move(*scopes), std::move(*audiences));
  if (!issued) return issued;
  // Of a client that proved who it is, and for no longer than the session: several gateways renew the same session from
  // the same cookie, at the same moment, and none of them is a thief (RFC 9700 §4.14.2 rotates those of public
  // clients).
  if (call.client.settings.session_refresh && !call.client.is_public() && !grant.offline) return issued;
  auto next = p_.grants.rotate_refresh_token(*token, grant, presented->request,
                                             std::chrono::seconds(call.client.settings.refresh_token_s));
  if (!next) return temporarily_unavailable(next.error());
  if (!*next) return tl::unexpected(invalid_grant("the refresh token was used before: what it gave is revoked"));
  issued->refresh_token = std::move(**next);
  return issued;
}

TokenEndpoint::Answer TokenEndpoint::issue(const Call& call, const Grant& grant, const GrantRequest& request,
                                           std::vector<std::string> scopes, std::vector<std::string> audiences) {
  auto user = p_.accounts.find(grant.user_id);
  if (!user) return temporarily_unavailable(user.error());
  if (*user == nullptr || !(*user)->active()) return tl::unexpected(invalid_grant("this account is not active"));
  AccessTokenFacts facts;
  facts.subject = p_.subjects.subject_of(grant.user_id, call.client);
  facts.client_id = call.client.id;
  facts.scopes = std::move(scopes);
  facts.audiences = std::move(audiences);
  facts.roles = (*user)->roles;
  facts.userinfo_claims = split_scopes(request.userinfo_claims);
  facts.authentication = request.authentication;
  facts.confirmation = call.confirmation;
  facts.grant_id = grant.id;
  if (!grant.offline) facts.session_id = grant.session_id;
  facts.lifetime_s = call.client.settings.access_token_s;
  auto access_token = p_.tokens.access_token(facts);
  if (!access_token) return temporarily_unavailable(access_token.error());
  Issued issued;
  issued.access_token = std::move(*access_token);
  issued.lifetime_s = facts.lifetime_s;
  issued.dpop = !facts.confirmation.jkt.empty();
  issued.user = (*user)->username;
  issued.scopes = std::move(facts.scopes);
  if (!contains(issued.scopes, "openid")) return issued;
  IdTokenFacts id;
  id.subject = facts.subject;
  id.client_id = call.client.id;
  id.nonce = request.nonce;
  id.session_id = grant.session_id;
  id.authentication = request.authentication;
  id.access_token = issued.access_token;
  id.claims = claims_by_name(**user, split_scopes(request.id_token_claims));
  auto id_token = p_.tokens.id_token(id, call.client.settings.id_token_algorithm);
  if (!id_token) return temporarily_unavailable(id_token.error());
  issued.id_token = std::move(*id_token);
  return issued;
}

OAuthResult<std::vector<std::string>> TokenEndpoint::narrowed_scopes(const Call& call,
                                                                     const std::vector<std::string>& granted) const {
  const auto asked = call.form.get("scope");
  if (!asked) return granted;
  auto scopes = split_scopes(*asked);
  for (const std::string& scope : scopes) {
    if (!contains(granted, scope)) return oauth_error("invalid_scope", "more scopes than were granted");
  }
  if (scopes.empty()) return granted;
  return scopes;
}

// Without resources the token is for us: userinfo (RFC 9068 §3, the default resource).
OAuthResult<std::vector<std::string>> TokenEndpoint::narrowed_audiences(const Call& call,
                                                                        const std::vector<std::string>& granted) const {
  const auto asked = call.form.all("resource");
  if (asked.empty()) return granted.empty() ? std::vector<std::string>{p_.tokens.issuer()} : granted;
  std::vector<std::string> audiences;
  for (const std::string_view resource : asked) {
    if (!contains(granted, resource))
      return oauth_error("invalid_target", "the authorization does not cover this resource");
    if (!contains(audiences, resource)) audiences.emplace_back(resource);
  }
  return audiences;
}

TokenEndpoint::Answer TokenEndpoint::client_credentials(const Call& call) const {
  const Client& client = call.client;
  if (!client.may(GrantType::client_credentials) || client.is_public())
    return oauth_error("unauthorized_client", "this client may not use this grant type");
  AccessTokenFacts facts;
  const auto is_for_users = [](std::string_view scope) {
    return scope == "openid" || scope == "offline_access" || scope == "profile" || scope == "email" ||
           scope == "address" || scope == "phone";
  };
  if (const auto asked = call.form.get("scope")) {
    for (std::string& scope : split_scopes(*asked)) {
      if (!client.may_ask_for(scope) || is_for_users(scope))
        return oauth_error("invalid_scope", "this client may not ask for one of these scopes");
      facts.scopes.push_back(std::move(scope));
    }
  } else {
    std::copy_if(client.settings.scopes.begin(), client.settings.scopes.end(), std::back_inserter(facts.scopes),
                 [&](const std::string& scope) { return !is_for_users(scope); });
  }
  for (const std::string_view resource : call.form.all("resource")) {
    if (!client.may_reach(resource)) return oauth_error("invalid_target", "this client may not ask for this resource");
    if (!contains(facts.audiences, resource)) facts.audiences.emplace_back(resource);
  }
  if (facts.audiences.empty()) facts.audiences = client.settings.audiences;
  if (facts.audiences.empty()) facts.audiences = {p_.tokens.issuer()};
  facts.subject = client.id;  // RFC 9068 §2.2
  facts.client_id = client.id;
  facts.roles = client.settings.roles;
  facts.confirmation = call.confirmation;
  facts.lifetime_s = client.settings.access_token_s;
  auto token = p_.tokens.access_token(facts);
  if (!token) return temporarily_unavailable(token.error());
  Issued issued;
  issued.access_token = std::move(*token);
  issued.lifetime_s = facts.lifetime_s;
  issued.dpop = !facts.confirmation.jkt.empty();
  issued.scopes = std::move(facts.scopes);
  return issued;
}

TokenEndpoint::Answer TokenEndpoint::device_code(const Call& call) {
  const auto code = call.form.get("device_code");
  if (!code || code->empty()) return oauth_error("invalid_request", "device_code is missing");
  auto polled = p_.devices.poll(*code, call.client.id);
  if (!polled) return temporarily_unavailable(polled.error());
  using Poll = DeviceCodes::Poll;
  switch (polled->state) {
    case Poll::pending: return oauth_error("authorization_pending", "the user has not decided yet");
    case Poll::slow_down: return oauth_error("slow_down", "ask less often");
    case Poll::denied: return oauth_error("access_denied", "the user has refused");
    case Poll::expired: return oauth_error("expired_token", "the code has expired");
    case Poll::unknown: return tl::unexpected(invalid_grant("the device code is not good"));
    case Poll::allowed: break;
  }
  auto grant = p_.grants.find(polled->grant_id);
  if (!grant) return temporarily_unavailable(grant.error());
  if (!*grant || (*grant)->revoked_s != 0) return tl::unexpected(invalid_grant("the device code is not good"));
  auto audiences = narrowed_audiences(call, (*grant)->resources);
  if (!audiences) return tl::unexpected(audiences.error());
  return with_refresh_token(call, **grant, polled->request,
                            issue(call, **grant, polled->request, (*grant)->scopes, std::move(*audiences)));
}

// RFC 8693: a service that was called with a token gets one for the service that it calls next. Never wider than what
// it has, never longer, and it says who acts.
TokenEndpoint::Answer TokenEndpoint::token_exchange(const Call& call) {
  const codec::Form& form = call.form;
  const Client& client = call.client;
  const auto subject_token = form.get("subject_token");
  const auto type = form.get("subject_token_type");
  if (client.is_public()) return oauth_error("unauthorized_client", "a public client may not exchange tokens");
  if (!subject_token || (type != kAccessTokenType && type != kJwtType))
    return oauth_error("invalid_request", "subject_token and subject_token_type (an access token) are needed");
  if (form.get("actor_token") || form.get("actor_token_type"))
    return oauth_error("invalid_request", "actor_token is not supported: the client is the actor");
  if (const auto wanted = form.get("requested_token_type"); wanted && wanted != kAccessTokenType && wanted != kJwtType)
    return oauth_error("invalid_request", "requested_token_type must be an access token");
  const auto subject = p_.tokens.verify(*subject_token);
  if (!subject || is_revoked(p_.revocations, *subject))
    return oauth_error("invalid_request", "subject_token is not good");
  // Only who was meant to have it: the service it was made for, or the client that it was made to.
  const auto is_own = [&](const std::string& audience) { return contains(client.settings.own_audiences, audience); };
  if (subject->client_id != client.id && std::none_of(subject->audiences.begin(), subject->audiences.end(), is_own)) {
    return oauth_error("invalid_request", "subject_token was not made for this client");
  }
  if (!subject->confirmation.jkt.empty() && subject->confirmation.jkt != call.confirmation.jkt)
    return oauth_error("invalid_request", "subject_token is bound to another key");
  if (!ProofOfPossession::has_certificate(call.request, subject->confirmation))
    return oauth_error("invalid_request", "subject_token is bound to another certificate");
  AccessTokenFacts facts;
  for (const std::string_view name : {"resource", "audience"}) {
    for (const std::string_view target : form.all(name)) {
      if (!client.may_reach(target)) return oauth_error("invalid_target", "this client may not ask for this target");
      if (!contains(facts.audiences, target)) facts.audiences.emplace_back(target);
    }
  }
  if (facts.audiences.empty()) return oauth_error("invalid_target", "name the audience or resource that it is for");
  auto scopes = narrowed_scopes(call, split_scopes(subject->scope));
  if (!scopes) return tl::unexpected(scopes.error());
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(call.request.now.time_since_epoch()).count();
  facts.subject = subject->subject;
  facts.client_id = client.id;
  facts.scopes = std::move(*scopes);
  facts.roles = subject->roles;
  facts.authentication = subject->authentication;
  facts.confirmation = call.confirmation;
  // What was bound stays bound, whether this client's own tokens are or not.
  if (facts.confirmation.x5t_s256.empty()) facts.confirmation.x5t_s256 = subject->confirmation.x5t_s256;
  facts.grant_id = subject->grant_id;
  facts.session_id = subject->session_id;
  facts.actor = client.id;
  facts.lifetime_s = static_cast<std::uint32_t>(
      std::min<std::int64_t>(client.settings.access_token_s, std::max<std::int64_t>(subject->expires_s - now, 1)));
  auto token = p_.tokens.access_token(facts);
  if (!token) return temporarily_unavailable(token.error());
  Issued issued;
  issued.access_token = std::move(*token);
  issued.lifetime_s = facts.lifetime_s;
  issued.dpop = !facts.confirmation.jkt.empty();
  issued.exchanged = true;
  issued.scopes = std::move(facts.scopes);
  return issued;
}

}  // namespace gatehouse::identity
