#include "gateway/sharing/notice_seal.h"

#include <algorithm>

#include "crypto/hkdf.h"

namespace gatehouse::gateway {

NoticeSeal::NoticeSeal(std::string_view agreed, const SecretBytes& password)
    : secret_(crypto::hkdf_sha256(agreed, password.expose(), "gatehouse counters", 32)) {
  const SecretBytes names = crypto::hkdf_sha256(secret_.expose(), {}, "names", names_.size());
  std::copy(names.bytes().begin(), names.bytes().end(), names_.begin());
}

const crypto::AeadKey& NoticeSeal::key_of(std::string_view origin) {
  const std::string name(origin);
  if (const auto found = keys_.find(name); found != keys_.end()) return found->second;
  if (keys_.size() >= kOriginsMax) keys_.clear();
  const SecretBytes key = crypto::hkdf_sha256(secret_.expose(), origin, "notices", crypto::AeadKey::kKeyBytes);
  return keys_.emplace(name, crypto::AeadKey(key)).first->second;
}

std::string NoticeSeal::seal(std::string_view text, std::string_view origin, std::string_view stream) {
  return key_of(origin).seal(text, stream);
}

std::optional<std::string> NoticeSeal::open(std::string_view sealed, std::string_view origin, std::string_view stream) {
  if (origin.size() != kOriginBytes) return std::nullopt;
  const auto text = key_of(origin).open(sealed, stream);
  return text ? std::optional(std::string(text->expose())) : std::nullopt;
}

}  // namespace gatehouse::gateway
