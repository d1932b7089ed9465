#include "identity/provider/client_authentication.h"

#include <algorithm>

#include "codec/base64.h"
#include "crypto/client_assertion.h"
#include "crypto/digest.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kJwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

tl::unexpected<OAuthError> invalid_client() {
  OAuthError error{"invalid_client", "client authentication failed", 401};
  error.challenge = R"(Basic realm="oauth")";  // RFC 6749 §5.2
  return tl::unexpected(std::move(error));
}

bool begins_with_basic(std::string_view authorization) noexcept {
  constexpr std::string_view scheme = "basic ";
  return authorization.size() > scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), authorization.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
std::optional<std::pair<std::string, std::string>> read_basic(std::string_view authorization) {
  std::string_view encoded = authorization.substr(6);
  while (encoded.starts_with(' ')) encoded.remove_prefix(1);
  const auto text = codec::base64_decode(encoded);
  if (!text) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto decode = [](std::string_view part) -> std::optional<std::string> {
    if (part.find('&') != std::string_view::npos || part.find('=') != std::string_view::npos) return std::nullopt;
    const auto form = codec::Form::parse(std::string("v=").append(part));
    if (!form) return std::nullopt;
    return std::string(form->get_or("v", ""));
  };
  auto id = decode(std::string_view(*text).substr(0, colon));
  auto secret = decode(std::string_view(*text).substr(colon + 1));
  if (!id || !secret) return std::nullopt;
  return std::pair{std::move(*id), std::move(*secret)};
}

bool has_certificate_of(const Client& client, const WebRequest& request) {
  const ClientSettings& s = client.settings;
  if (request.certificate_sha256.empty()) return false;
  if (s.auth == ClientAuth::self_signed_tls_client_auth)
    return crypto::equal_in_constant_time(request.certificate_sha256, s.tls_sha256);
  if (!s.tls_subject.empty()) return request.certificate_subject == s.tls_subject;
  return !s.tls_san.empty() && std::find(request.certificate_sans.begin(), request.certificate_sans.end(), s.tls_san) !=
                                   request.certificate_sans.end();
}

}  // namespace

Result<bool> UsedOnce::use(std::string_view name, WallTime expires) {
  const auto until = std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count() + 1;
  auto stored = database_.run("INSERT INTO used_once (id_hash, expires_at) VALUES ($1, $2)",
                              {store::Bytes{std::string(crypto::as_text(crypto::sha256(name)))}, until});
  if (stored) return true;
  if (stored.error().code == ErrorCode::conflict) return false;
  return tl::unexpected(stored.error());
}

OAuthResult<ClientAuthenticator::Offered> ClientAuthenticator::offered(const WebRequest& request,
                                                                       const codec::Form& form) const {
  const bool basic = begins_with_basic(request.authorization);
  const auto secret = form.get("client_secret");
  const auto assertion = form.get("client_assertion");
  const auto assertion_type = form.get("client_assertion_type");
  if (int{basic} + int{secret.has_value()} + int{assertion.has_value()} > 1)
    return oauth_error("invalid_request", "more than one way of client authentication");
  Offered offer;
  offer.id = form.get_or("client_id", "");
  if (basic) {
    auto pair = read_basic(request.authorization);
    if (!pair || (!offer.id.empty() && offer.id != pair->first)) return invalid_client();
    offer.method = ClientAuth::client_secret_basic;
    offer.id = std::move(pair->first);
    offer.secret = std::move(pair->second);
  } else if (secret) {
    offer.method = ClientAuth::client_secret_post;
    offer.secret = *secret;
  } else if (assertion || assertion_type) {
    if (!assertion || assertion_type != kJwtBearer)
      return oauth_error("invalid_request", "client_assertion goes with client_assertion_type jwt-bearer");
    offer.method = ClientAuth::private_key_jwt;
    offer.assertion = *assertion;
    std::string subject = crypto::client_of_assertion(*assertion);
    if (subject.empty() || (!offer.id.empty() && offer.id != subject)) return invalid_client();
    offer.id = std::move(subject);
  }
  if (offer.id.empty()) return invalid_client();
  return offer;
}

OAuthResult<void> ClientAuthenticator::check_assertion(const Offered& offer, const Client& client, WallTime now) const {
  auto keys = keys_.of(client);
  if (!keys && keys.error().code == ErrorCode::unavailable) return temporarily_unavailable(keys.error());
  if (!keys) return invalid_client();
  crypto::ClientAssertionExpectation expected;
  expected.client_id = client.id;
  expected.audiences = audiences_;
  expected.algorithms = crypto::AlgorithmSet::all();
  crypto::ClientAssertion assertion;
  using Status = crypto::ClientAssertionStatus;
  Status status = crypto::verify_client_assertion(offer.assertion, **keys, expected, now, assertion);
  if (status == Status::key_unknown) {
    // The client may have a new key: at its jwks_uri, if it has one.
    const auto newer = keys_.newer_than(*keys, client);
    if (newer && *newer != *keys)
      status = crypto::verify_client_assertion(offer.assertion, **newer, expected, now, assertion);
  }
  if (status != Status::ok) return invalid_client();
  auto first =
      used_.use(std::string("assertion ").append(client.id).append(" ").append(assertion.id), assertion.expires);
  if (!first) return temporarily_unavailable(first.error());
  if (!*first) return invalid_client();
  return {};
}

OAuthResult<ClientAuthenticator::Proved> ClientAuthenticator::check(const Offered& offer, Proved client,
                                                                    const WebRequest& request) const {
  const bool by_certificate = client && (client->settings.auth == ClientAuth::tls_client_auth ||
                                         client->settings.auth == ClientAuth::self_signed_tls_client_auth);
  if (!client || (client->settings.auth != offer.method && !(by_certificate && offer.method == ClientAuth::none)))
    return invalid_client();
  switch (client->settings.auth) {
    case ClientAuth::none: return client;
    case ClientAuth::client_secret_basic:
    case ClientAuth::client_secret_post: {
      const crypto::Sha256 hash = crypto::sha256(offer.secret);
      if (!crypto::equal_in_constant_time(crypto::as_text(hash), client->secret_hash)) return invalid_client();
      return client;
    }
    case ClientAuth::private_key_jwt:
      if (auto good = check_assertion(offer, *client, request.now); !good) return tl::unexpected(good.error());
      return client;
    case ClientAuth::tls_client_auth:
    case ClientAuth::self_signed_tls_client_auth:
      if (!has_certificate_of(*client, request)) return invalid_client();
      return client;
  }
  return invalid_client();
}

OAuthResult<ClientAuthenticator::Proved> ClientAuthenticator::authenticate(const WebRequest& request,
                                                                           const codec::Form& form) const {
  auto offer = offered(request, form);
  if (!offer) return tl::unexpected(offer.error());
  auto client = clients_.find(offer->id);
  if (!client) return temporarily_unavailable(client.error());
  return check(*offer, std::move(*client), request);
}

std::optional<OAuthResult<ClientAuthenticator::Proved>> ClientAuthenticator::authenticate_at_once(
    const WebRequest& request, const codec::Form& form) const {
  auto offer = offered(request, form);
  if (!offer) return tl::unexpected(offer.error());
  auto client = clients_.cached(offer->id);
  if (!client || offer->method == ClientAuth::private_key_jwt) return std::nullopt;
  return check(*offer, std::move(client), request);
}

}  // namespace gatehouse::identity
