#include "crypto/dpop.h"

#include <algorithm>

#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"

namespace gatehouse::crypto {
namespace {

using codec::Json;

constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kUriBytesMax = 4096;
constexpr std::string_view kTypes[] = {"dpop+jwt"};
const JwtForm kForm{.types = kTypes, .embedded_key = JwtForm::Key::required};

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// Percent-encoding normalized (RFC 3986 §6.2.2.1 and §6.2.2.2). Null when it is broken.
std::optional<std::string> normal_path(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out += path[i];
      continue;
    }
    if (i + 2 >= path.size()) return std::nullopt;
    const int high = hex_value(path[i + 1]), low = hex_value(path[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    const char byte = static_cast<char>(high * 16 + low);
    if (is_unreserved(byte)) {
      out += byte;
    } else {
      constexpr char kDigits[] = "0123456789ABCDEF";
      (out += '%') += kDigits[high];
      out += kDigits[low];
    }
    i += 2;
  }
  return out.empty() ? "/" : out;
}

// Syntax and scheme normalized, without query and fragment (RFC 9449 §4.3). Dot segments stay as they are: the gateway
// has resolved them in what the request asked for, and a client that signs them means something else. Null for what is
// no http URI, or names a user.
std::optional<std::string> normal_uri(std::string_view uri) {
  uri = uri.substr(0, uri.find_first_of("?#"));
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos || uri.size() > kUriBytesMax) return std::nullopt;
  const std::string scheme = lower(uri.substr(0, colon));
  if (scheme != "https" && scheme != "http") return std::nullopt;
  const std::string_view rest = uri.substr(colon + 3);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string authority = lower(rest.substr(0, slash));
  if (authority.empty() || authority.find('@') != std::string::npos) return std::nullopt;
  const std::string_view default_port = scheme == "https" ? ":443" : ":80";
  if (authority.ends_with(default_port)) authority.resize(authority.size() - default_port.size());
  const auto path = normal_path(rest.substr(slash));
  if (!path || authority.empty()) return std::nullopt;
  return scheme + "://" + authority + *path;
}

// The claims that bind a proof to its request, in the order of §4.3 but for the URI, which the caller compares.
DpopStatus check_claims(const Json& claims, const DpopExpectation& expected, WallTime now) {
  if (claims.find_string("htm") != expected.method) return DpopStatus::method;
  const auto issued = numeric_date(claims.find("iat"));
  if (!issued) return DpopStatus::malformed;
  if (*issued > now + expected.leeway || *issued < now - expected.age_max - expected.leeway) return DpopStatus::stale;
  if (!expected.nonces.empty()) {
    const auto nonce = claims.find_string("nonce");
    const bool known = nonce && std::any_of(expected.nonces.begin(), expected.nonces.end(),
                                            [&](const auto& ours) { return equal_in_constant_time(ours, *nonce); });
    if (!known) return DpopStatus::nonce;
  }
  if (expected.access_token && claims.find_string("ath") != dpop_token_digest(*expected.access_token)) {
    return DpopStatus::access_token;
  }
  return DpopStatus::ok;
}

}  // namespace

std::string_view name_of(DpopStatus status) noexcept {
  constexpr std::string_view kNames[] = {"ok",  "malformed", "algorithm", "key",          "signature", "method",
                                         "uri", "stale",     "nonce",     "access_token", "binding"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string dpop_token_digest(std::string_view access_token) {
  return codec::base64url_encode(as_text(sha256(access_token)));
}

DpopStatus verify_dpop(std::string_view proof, const DpopExpectation& expected, WallTime now, DpopProof& out) {
  UnverifiedJwt token;
  const JwtStatus parsed = parse_jwt(proof, kForm, token);
  if (parsed != JwtStatus::ok) return parsed == JwtStatus::algorithm ? DpopStatus::algorithm : DpopStatus::malformed;
  if (!expected.algorithms.has(token.algorithm)) return DpopStatus::algorithm;
  // The proof's own `alg` chooses among what its key can do: nobody else has an opinion about that key.
  AlgorithmSet only;
  only.add(token.algorithm);
  const auto key = VerificationKey::parse(token.embedded_key, only);
  if (!key) return DpopStatus::key;
  if (key->verify(token.signed_part, token.signature) != Signature::valid) return DpopStatus::signature;

  const auto id = token.claims.find_string("jti");
  if (!id || id->empty() || id->size() > kIdBytesMax) return DpopStatus::malformed;
  if (const DpopStatus status = check_claims(token.claims, expected, now); status != DpopStatus::ok) return status;
  const auto uri = normal_uri(token.claims.find_string("htu").value_or(""));
  if (!uri || uri != normal_uri(expected.uri)) return DpopStatus::uri;

  std::string thumbprint = key->thumbprint();
  if (!expected.thumbprint.empty() && !equal_in_constant_time(expected.thumbprint, thumbprint)) {
    return DpopStatus::binding;
  }
  // The parts cannot run into one another: thumbprint and digest have one length each.
  const std::string identity = thumbprint + dpop_token_digest(*id) + *uri;
  out = {.thumbprint = std::move(thumbprint),
         .replay_key = codec::base64url_encode(as_text(sha256(identity))),
         .replay_until = *numeric_date(token.claims.find("iat")) + expected.age_max + expected.leeway};
  return DpopStatus::ok;
}

std::string DpopNonces::at(WallTime now, std::int64_t offset) const {
  const std::int64_t step = now.time_since_epoch() / step_ + offset;
  return codec::base64url_encode(as_text(hmac_sha256(key_.expose(), fmt::format("DPoP nonce {}", step))));
}

}  // namespace gatehouse::crypto
