#include "identity/provider/proof_of_possession.h"

#include <fmt/format.h>

#include "codec/base64.h"

namespace gatehouse::identity {
namespace {

// `hex` is what the TLS connection said of its certificate.
std::string x5t_s256(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return codec::base64url_encode(bytes);
}

}  // namespace

OAuthResult<std::string> ProofOfPossession::thumbprint(const WebRequest& request, std::string_view path,
                                                       std::string_view access_token, std::string_view bound) const {
  if (request.dpop_count != 1) return oauth_error("invalid_dpop_proof", "one DPoP field, not several");
  const std::string uri = issuer_ + std::string(path);
  crypto::DpopExpectation expected;
  expected.method = request.method;
  expected.uri = uri;
  if (!access_token.empty()) expected.access_token = access_token;
  expected.thumbprint = bound;
  std::array<std::string, 2> nonces;
  if (nonces_) expected.nonces = nonces = nonces_->accepted(request.now);
  crypto::DpopProof proof;
  if (const auto status = crypto::verify_dpop(request.dpop, expected, request.now, proof);
      status == crypto::DpopStatus::nonce) {
    return oauth_error("use_dpop_nonce", "the DPoP proof needs the nonce of this answer");
  } else if (status != crypto::DpopStatus::ok) {
    return oauth_error("invalid_dpop_proof", fmt::format("the DPoP proof is not good: {}", crypto::name_of(status)));
  }
  auto first = used_.use("dpop " + proof.replay_key, proof.replay_until);
  if (!first) return temporarily_unavailable(first.error());
  if (!*first) return oauth_error("invalid_dpop_proof", "this DPoP proof was used before");
  return std::move(proof.thumbprint);
}

void ProofOfPossession::add_nonce(const WebRequest& request, WebResponse& response) const {
  if (nonces_ && request.dpop_count != 0) response.set("dpop-nonce", nonces_->current(request.now));
}

OAuthResult<Confirmation> ProofOfPossession::binding(const WebRequest& request, std::string_view path,
                                                     const Client& client) const {
  Confirmation bound;
  if (request.dpop_count != 0) {
    auto jkt = thumbprint(request, path, {}, {});
    if (!jkt) return tl::unexpected(jkt.error());
    bound.jkt = std::move(*jkt);
  } else if (client.settings.require_dpop && path == "/token") {
    return oauth_error("invalid_dpop_proof", "this client needs a DPoP proof");
  }
  if (client.settings.certificate_bound) {
    if (request.certificate_sha256.empty())
      return oauth_error("invalid_request", "this client's tokens are bound to its certificate: use TLS with it");
    bound.x5t_s256 = x5t_s256(request.certificate_sha256);
  }
  return bound;
}

bool ProofOfPossession::has_certificate(const WebRequest& request, const Confirmation& bound) {
  return bound.x5t_s256.empty() || bound.x5t_s256 == x5t_s256(request.certificate_sha256);
}

OAuthResult<void> ProofOfPossession::check(const WebRequest& request, std::string_view path,
                                           std::string_view access_token, const Confirmation& bound) const {
  if (!bound.jkt.empty()) {
    auto jkt = thumbprint(request, path, access_token, bound.jkt);
    if (!jkt) {
      OAuthError error = jkt.error();
      if (error.status == 503) return tl::unexpected(std::move(error));
      error.status = 401;  // RFC 9449 §7.1
      error.challenge = fmt::format(R"(DPoP error="{}", error_description="{}", algs="ES256 EdDSA RS256 PS256")",
                                    error.code, error.description);
      return tl::unexpected(std::move(error));
    }
  }
  if (!has_certificate(request, bound)) {
    OAuthError error{"invalid_token", "the token is bound to another certificate", 401};
    error.challenge = R"(Bearer error="invalid_token", error_description="the token is bound to another certificate")";
    return tl::unexpected(std::move(error));
  }
  return {};
}

}  // namespace gatehouse::identity
