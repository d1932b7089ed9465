#include "gateway/layers/authentication/principal_record.h"

#include <fmt/format.h>

#include "crypto/digest.h"

namespace gatehouse::gateway {
namespace {

// The strings with their lengths in front, so that no two different principals make the same bytes.
void append_counted(std::string& to, std::string_view text) { to += fmt::format("{}:{},", text.size(), text); }

}  // namespace

PrincipalRecord::PrincipalRecord(const PrincipalFacts& facts)
    : roles_(facts.roles.size()),
      scopes_(facts.scopes.size()),
      authenticated_at_(facts.authenticated_at),
      expires_(facts.expires),
      method_(facts.method),
      mfa_(facts.mfa) {
  std::string all = fmt::format("{} {} {} {} {} {} {},", static_cast<int>(method_), mfa_,
                                authenticated_at_.time_since_epoch().count(), expires_.time_since_epoch().count(),
                                roles_, scopes_, facts.audiences.size());
  text_.assign(crypto::Sha256{}.size(), '\0');
  const auto add = [&](const std::string& text) {
    append_counted(all, text);
    text_ += text;
    ends_.push_back(static_cast<std::uint32_t>(text_.size()));
  };
  for (const std::string* text : {&facts.user, &facts.issuer, &facts.key_id}) add(*text);
  for (const auto* list : {&facts.roles, &facts.scopes, &facts.audiences}) {
    for (const std::string& text : *list) add(text);
  }
  text_.replace(0, crypto::Sha256{}.size(), crypto::as_text(crypto::sha256(all)));
}

void PrincipalRecord::unpack(Arena& arena, Principal& out) const {
  const std::string_view text = arena.copy(text_);
  const std::span<std::string_view> parts = arena.array<std::string_view>(ends_.size());
  std::size_t from = crypto::Sha256{}.size();
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    parts[i] = text.substr(from, ends_[i] - from);
    from = ends_[i];
  }
  out.method = method_;
  out.user = parts[0];
  out.issuer = parts[1];
  out.key_id = parts[2];
  out.roles = parts.subspan(3, roles_);
  out.scopes = parts.subspan(3 + roles_, scopes_);
  out.audiences = parts.subspan(3 + roles_ + scopes_);
  out.mfa = mfa_;
  out.authenticated_at = authenticated_at_;
  out.expires = expires_;
  out.fingerprint = text.substr(0, crypto::Sha256{}.size());
}

}  // namespace gatehouse::gateway
