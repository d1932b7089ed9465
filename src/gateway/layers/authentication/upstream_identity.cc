#include "gateway/layers/authentication/upstream_identity.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/keyed_hash.h"
#include "gateway/json_list.h"
#include "gateway/layers/authentication/authentication_layer.h"
#include "gateway/login/login_cookies.h"
#include "gateway/login/login_routes.h"

namespace gatehouse::gateway {
namespace {

std::int64_t seconds_of(WallTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

bool is_plain(char c, bool in_list) noexcept { return c > 0x20 && c < 0x7f && c != '%' && !(in_list && c == ','); }

// A claim is the issuer's text, and some users choose theirs: a line feed in it must not become a header line.
char* put_escaped(char* to, std::string_view text, bool in_list) noexcept {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (is_plain(c, in_list)) {
      *to++ = c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      *to++ = '%';
      *to++ = kDigits[byte >> 4];
      *to++ = kDigits[byte & 15];
    }
  }
  return to;
}

std::string_view escaped(Arena& arena, std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return is_plain(c, false); })) return text;
  char* from = arena.allocate(3 * text.size());
  return {from, static_cast<std::size_t>(put_escaped(from, text, false) - from)};
}

std::string_view joined(Arena& arena, std::span<const std::string_view> list, char separator) {
  std::size_t most = list.size();
  for (const std::string_view item : list) most += 3 * item.size();
  if (most == 0) return {};
  char* const from = arena.allocate(most);
  char* to = from;
  for (const std::string_view item : list) {
    if (to != from) *to++ = separator;
    to = put_escaped(to, item, true);
  }
  return {from, static_cast<std::size_t>(to - from)};
}

}  // namespace

UpstreamIdentity::UpstreamIdentity(const Config& config, std::shared_ptr<const crypto::SigningKey> key)
    : config_(config), key_(std::move(key)) {
  strips_cookies_ = lets_sign_in(config);
  if (!config.authentication.internal_token.enabled) return;
  GH_CHECK(key_);
  tokens_ = std::make_unique<BoundedCache<std::string>>(kTokensMax);
}

// Was this Authorization field for us? On a public route another scheme is the service's own affair: a login form
// behind HTTP Basic, say. Everywhere else nothing was let through on the strength of what we did not check.
bool UpstreamIdentity::takes_authorization(const Request& request, std::string_view value) const noexcept {
  if (!request.route || !request.route->is_public) return true;
  return !config_.authentication.jwt.empty() && !bearer_token(value).empty();
}

void UpstreamIdentity::apply(Request& request, std::string_view service, http::Fields& fields) const {
  const AuthenticationConfig& authentication = config_.authentication;
  const std::string_view token_header = authentication.internal_token.header;
  const bool strip = !authentication.forward_credentials;
  const std::string_view key_header = authentication.api_keys ? authentication.api_keys->header : std::string_view();
  fields.remove_if([&](const http::Field& field) {
    if (field.name.starts_with("x-gatehouse-") || field.name == token_header) return true;
    if (!strip) return false;
    if (field.name == "authorization") return takes_authorization(request, field.value);
    return !key_header.empty() && field.name == key_header;
  });

  // What signs people in here is nobody else's affair, on routes without `login` as well.
  if (strips_cookies_) {
    if (const auto cookies = fields.get("cookie")) {
      if (const auto kept = without_own_cookies(*cookies)) {
        fields.remove("cookie");
        if (!kept->empty()) fields.add("cookie", request.arena.copy(*kept));
      }
    }
  }

  const Principal& who = request.principal;
  fields.add("x-gatehouse-auth", name_of(who.method));
  if (who.method == AuthMethod::none) return;
  fields.add("x-gatehouse-user", escaped(request.arena, who.user));
  if (!who.roles.empty()) fields.add("x-gatehouse-roles", joined(request.arena, who.roles, ','));
  if (!who.scopes.empty()) fields.add("x-gatehouse-scopes", joined(request.arena, who.scopes, ' '));
  if (tokens_) fields.add(token_header, token_for(request, service));
}

std::string_view UpstreamIdentity::token_for(Request& request, std::string_view service) const {
  const Principal& who = request.principal;
  // The fingerprint has a fixed size, so that the two parts of the key cannot run into each other.
  char* const key_bytes = request.arena.allocate(who.fingerprint.size() + service.size());
  std::copy(who.fingerprint.begin(), who.fingerprint.end(), key_bytes);
  std::copy(service.begin(), service.end(), key_bytes + who.fingerprint.size());
  const std::string_view key(key_bytes, who.fingerprint.size() + service.size());
  const std::uint64_t hash = crypto::keyed_hash(key);

  std::string_view token;
  tokens_->find(hash, key, request.wall, [&](const std::string& known) { token = request.arena.copy(known); });
  if (!token.empty()) return token;

  const Duration lifetime = config_.authentication.internal_token.lifetime;
  WallTime expires = request.wall + lifetime;
  // Never longer than what it stands for.
  if (who.expires != WallTime{} && who.expires < expires) expires = who.expires;
  std::string claims;
  {
    codec::JsonWriter out(claims);
    out.raw("{\"iss\":");
    out.string(config_.trust_domain);
    out.raw(",\"aud\":");
    out.string(service);
    out.raw(",\"sub\":");
    out.string(who.user);
    out.raw(",\"iat\":");
    out.number(seconds_of(request.wall));
    out.raw(",\"exp\":");
    out.number(seconds_of(expires));
    out.raw(",\"auth\":");
    out.string(name_of(who.method));
    if (!who.issuer.empty()) out.raw(",\"idp\":"), out.string(who.issuer);
    if (!who.key_id.empty()) out.raw(",\"key_id\":"), out.string(who.key_id);
    write_list(out, ",\"roles\":", who.roles);
    out.raw(",\"scope\":\"");
    for (std::size_t i = 0; i < who.scopes.size(); ++i) {
      if (i > 0) out.raw(" ");
      out.escaped(who.scopes[i]);
    }
    out.raw("\",\"mfa\":");
    out.boolean(who.mfa);
    if (who.authenticated_at != WallTime{}) out.raw(",\"auth_time\":"), out.number(seconds_of(who.authenticated_at));
    out.raw("}");
  }
  std::string signed_token = key_->sign(claims);
  token = request.arena.copy(signed_token);
  tokens_->insert(hash, key, request.wall, request.wall + (expires - request.wall) / 2, std::move(signed_token));
  return token;
}

}  // namespace gatehouse::gateway
