#include "gateway/layers/authentication/claims.h"

#include <algorithm>
#include <array>

#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"

namespace gatehouse::gateway {
namespace {

using codec::Json;

constexpr std::size_t kListMax = 256;
constexpr std::size_t kTextMax = 256;

const Json* find_claim(const Json& claims, std::string_view name) {
  if (const Json* literal = claims.find(name)) return literal;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const Json* outer = claims.find(name.substr(0, dot));
  return outer ? find_claim(*outer, name.substr(dot + 1)) : nullptr;
}

// A list of strings, or one string of words between spaces (RFC 8693 §4.2). False when it is anything else.
bool read_words(const Json* claim, bool split, std::vector<std::string>& out) {
  if (!claim) return true;
  if (const auto text = claim->string()) {
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t space = split ? rest.find(' ') : std::string_view::npos;
      if (const std::string_view word = rest.substr(0, space); !word.empty()) out.emplace_back(word);
      if (space == std::string_view::npos) break;
      rest.remove_prefix(space + 1);
    }
  } else if (claim->is_array()) {
    for (const Json& item : claim->items()) {
      const auto word = item.string();
      if (!word) return false;
      out.emplace_back(*word);
    }
  } else {
    return false;
  }
  return out.size() <= kListMax &&
         std::all_of(out.begin(), out.end(), [](const std::string& word) { return word.size() <= kTextMax; });
}

// RFC 8176: "mfa", or methods of two different kinds: something known, held, or of the body.
bool is_multi_factor(const std::vector<std::string>& methods) {
  constexpr std::array<std::string_view, 3> kKnown = {"pwd", "pin", "kba"};
  constexpr std::array<std::string_view, 6> kHeld = {"otp", "hwk", "swk", "sc", "sms", "tel"};
  constexpr std::array<std::string_view, 5> kBody = {"fpt", "face", "iris", "retina", "vbm"};
  bool known = false, held = false, body = false;
  const auto in = [](const auto& kind, std::string_view method) {
    return std::find(kind.begin(), kind.end(), method) != kind.end();
  };
  for (const std::string& method : methods) {
    if (method == "mfa") return true;
    known |= in(kKnown, method);
    held |= in(kHeld, method);
    body |= in(kBody, method);
  }
  return known + held + body >= 2;
}

}  // namespace

std::optional<PrincipalFacts> facts_of(const Json& claims, const JwtIssuerConfig& issuer) {
  PrincipalFacts facts;
  facts.method = AuthMethod::jwt;
  facts.issuer = issuer.name;
  const Json* user = find_claim(claims, issuer.user_claim);
  facts.user = user ? user->string().value_or("") : "";
  if (facts.user.empty() || facts.user.size() > kTextMax) return std::nullopt;

  const Json* mfa = find_claim(claims, issuer.mfa_claim);
  std::vector<std::string> methods;
  if (mfa && mfa->boolean()) {
    facts.mfa = *mfa->boolean();
  } else if (!read_words(mfa, true, methods)) {
    return std::nullopt;
  } else {
    facts.mfa = is_multi_factor(methods);
  }
  // A role may hold a space ("Domain Users"), a scope cannot.
  if (!read_words(find_claim(claims, issuer.roles_claim), false, facts.roles) ||
      !read_words(find_claim(claims, issuer.scopes_claim), true, facts.scopes) ||
      !read_words(claims.find("aud"), false, facts.audiences)) {
    return std::nullopt;
  }
  for (const char* name : {"auth_time", "iat"}) {
    if (const auto time = crypto::numeric_date(claims.find(name))) {
      facts.authenticated_at = *time;
      break;
    }
  }
  return facts;
}

TokenBinding binding_of(const Json& claims) {
  const Json* confirmation = claims.find("cnf");
  if (!confirmation) return {};
  const auto thumbprint = confirmation->find_string("x5t#S256");
  const auto bytes = thumbprint ? codec::base64url_decode(*thumbprint) : std::nullopt;
  if (!bytes || bytes->size() != 32 || confirmation->size() != 1) return {TokenBinding::Kind::unknown, {}};
  return {TokenBinding::Kind::certificate, crypto::to_hex(*bytes)};
}

}  // namespace gatehouse::gateway
