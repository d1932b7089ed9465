#include "crypto/jwt.h"

#include <algorithm>

#include "codec/base64.h"

namespace gatehouse::crypto {
namespace {

using codec::Json;

constexpr codec::JsonLimits kHeaderLimits{.bytes_max = 1024, .depth_max = 4, .values_max = 64};
constexpr codec::JsonLimits kKeyHeaderLimits{.bytes_max = 4096, .depth_max = 4, .values_max = 64};
constexpr codec::JsonLimits kClaimsLimits{.bytes_max = kJwtBytesMax, .depth_max = 8, .values_max = 1024};
constexpr std::size_t kKeyIdBytesMax = 256;

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

bool is_of_form(const Json* type, const JwtForm& form) {
  if (!type) return form.type == JwtForm::Type::optional;
  auto text = type->string();
  if (!text) return false;
  constexpr std::string_view kPrefix = "application/";
  if (text->size() > kPrefix.size() && equals_ignoring_case(text->substr(0, kPrefix.size()), kPrefix)) {
    text->remove_prefix(kPrefix.size());
  }
  return std::any_of(form.types.begin(), form.types.end(),
                     [&](std::string_view accepted) { return equals_ignoring_case(*text, accepted); });
}

JwtStatus read_algorithm_and_key(const Json& header, UnverifiedJwt& out) {
  const auto name = header.find_string("alg");
  if (!name) return JwtStatus::malformed;
  const auto algorithm = parse_jose_algorithm(*name);
  if (!algorithm) return JwtStatus::algorithm;
  out.algorithm = *algorithm;
  out.key_id.reset();
  if (const Json* id = header.find("kid")) {
    const auto text = id->string();
    if (!text || text->size() > kKeyIdBytesMax) return JwtStatus::malformed;
    out.key_id = std::string(*text);
  }
  return JwtStatus::ok;
}

JwtStatus read_header(std::string_view encoded, const JwtForm& form, UnverifiedJwt& out) {
  const bool embeds_key = form.embedded_key == JwtForm::Key::required;
  const auto text = codec::base64url_decode(encoded);
  const auto header = text ? Json::parse(*text, embeds_key ? kKeyHeaderLimits : kHeaderLimits) : std::nullopt;
  if (!header || !header->is_object()) return JwtStatus::malformed;
  for (const std::string_view refused : {"crit", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty"}) {
    if (header->find(refused)) return JwtStatus::malformed;
  }
  const Json* key = header->find("jwk");
  if ((key != nullptr) != embeds_key || (key && !key->is_object())) return JwtStatus::malformed;
  out.embedded_key = key ? *key : Json();
  if (!is_of_form(header->find("typ"), form)) return JwtStatus::malformed;
  return read_algorithm_and_key(*header, out);
}

bool has_audience(const Json* claim, std::span<const std::string> wanted) {
  const auto is_wanted = [&](std::optional<std::string_view> audience) {
    return audience && std::find(wanted.begin(), wanted.end(), *audience) != wanted.end();
  };
  if (!claim) return false;
  if (claim->is_string()) return is_wanted(claim->string());
  return std::any_of(claim->items().begin(), claim->items().end(),
                     [&](const Json& audience) { return is_wanted(audience.string()); });
}

constexpr std::string_view kAccessTypes[] = {"jwt", "at+jwt"};
constexpr std::string_view kOurAccessTypes[] = {"at+jwt"};
constexpr std::string_view kIdTypes[] = {"jwt"};
constexpr std::string_view kLogoutTypes[] = {"logout+jwt", "jwt"};
constexpr std::string_view kRequestTypes[] = {"oauth-authz-req+jwt", "jwt"};

}  // namespace

const JwtForm kAccessTokenForm{.types = kAccessTypes, .type = JwtForm::Type::optional};
const JwtForm kOurAccessTokenForm{.types = kOurAccessTypes};
const JwtForm kIdTokenForm{.types = kIdTypes, .type = JwtForm::Type::optional};
const JwtForm kLogoutTokenForm{.types = kLogoutTypes, .type = JwtForm::Type::optional};
const JwtForm kRequestForm{.types = kRequestTypes, .type = JwtForm::Type::optional};

JwtStatus parse_jwt(std::string_view token, const JwtForm& form, UnverifiedJwt& out) {
  if (token.size() > kJwtBytesMax) return JwtStatus::malformed;
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return JwtStatus::malformed;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return JwtStatus::malformed;
  }
  if (const JwtStatus status = read_header(token.substr(0, first), form, out); status != JwtStatus::ok) return status;
  const auto claims = codec::base64url_decode(token.substr(first + 1, second - first - 1));
  auto signature = codec::base64url_decode(token.substr(second + 1));
  if (!claims || !signature || signature->empty()) return JwtStatus::malformed;
  auto parsed = Json::parse(*claims, kClaimsLimits);
  if (!parsed || !parsed->is_object()) return JwtStatus::malformed;
  out.signed_part = token.substr(0, second);
  out.signature = std::move(*signature);
  out.claims = std::move(*parsed);
  return JwtStatus::ok;
}

std::optional<WallTime> numeric_date(const Json* claim) noexcept {
  const auto seconds = claim ? claim->number() : std::nullopt;
  if (!seconds || *seconds < 0 || *seconds > 9e9) return std::nullopt;  // until the year 2255; int64 ns end in 2262
  return WallTime(Duration(static_cast<std::int64_t>(*seconds * 1e3) * 1'000'000));
}

JwtStatus verify_jwt(const UnverifiedJwt& token, const KeySet& keys, const JwtExpectation& expected, WallTime now,
                     JwtValidity& validity) {
  if (!expected.algorithms.has(token.algorithm)) return JwtStatus::algorithm;
  const VerificationKey* key = keys.find(token.key_id);
  if (!key) return JwtStatus::key_unknown;
  if (key->algorithm() != token.algorithm) return JwtStatus::algorithm;
  if (key->verify(token.signed_part, token.signature) != Signature::valid) return JwtStatus::signature;

  if (expected.issuer.empty() || token.issuer() != expected.issuer) return JwtStatus::issuer;
  if (!expected.audiences.empty() && !has_audience(token.claims.find("aud"), expected.audiences)) {
    return JwtStatus::audience;
  }
  const auto expires = numeric_date(token.claims.find("exp"));
  if (!expires) return JwtStatus::malformed;
  validity = {WallTime{}, *expires + expected.leeway};
  for (const std::string_view name : {"nbf", "iat"}) {
    const Json* claim = token.claims.find(name);
    if (!claim) continue;
    const auto from = numeric_date(claim);
    if (!from) return JwtStatus::malformed;
    validity.not_before = std::max(validity.not_before, *from - expected.leeway);
  }
  if (now < validity.not_before) return JwtStatus::not_yet_valid;
  if (now >= validity.expires) return JwtStatus::expired;
  return JwtStatus::ok;
}

}  // namespace gatehouse::crypto
