#include "crypto/password_hash.h"

#include <sodium/core.h>
#include <sodium/crypto_pwhash_argon2id.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "crypto/argon2_memory.h"
#include "crypto/digest.h"

namespace gatehouse::crypto {
namespace {

// libsodium chooses its code for this processor here; without it, Argon2 runs at half the speed.
void ensure_ready() {
  static const bool ready = sodium_init() >= 0;
  GH_CHECK(ready);
}

bool is_within_bounds(PasswordCost cost) {
  return cost.memory_kib >= kPasswordMemoryKibMin && cost.memory_kib <= kPasswordMemoryKibMax && cost.passes >= 1 &&
         cost.passes <= kPasswordPassesMax;
}

// Takes `name=<digits><end>` off the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, std::string_view name, char end) {
  if (!text.starts_with(name)) return std::nullopt;
  std::uint32_t value = 0;
  const char* last = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + name.size(), last, value);
  if (error != std::errc() || at == last || *at != end) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(at + 1 - text.data()));
  return value;
}

// libsodium reads a hash's cost itself; this look before keeps a row that somebody wrote from taking all memory.
std::optional<PasswordCost> cost_of(std::string_view phc) {
  constexpr std::string_view kPrefix = "$argon2id$v=19$";
  if (phc.size() >= crypto_pwhash_argon2id_STRBYTES || !phc.starts_with(kPrefix)) return std::nullopt;
  phc.remove_prefix(kPrefix.size());
  const auto memory = take_number(phc, "m=", ',');
  const auto passes = memory ? take_number(phc, "t=", ',') : std::nullopt;
  const auto lanes = passes ? take_number(phc, "p=", '$') : std::nullopt;
  if (!lanes || *lanes != 1) return std::nullopt;
  const PasswordCost cost{*memory, *passes};
  return is_within_bounds(cost) ? std::optional(cost) : std::nullopt;
}

// What Argon2 gets: the password, or its HMAC under the pepper.
SecretBytes peppered(std::string_view password, std::string_view pepper) {
  if (pepper.empty()) return SecretBytes(password);
  Sha256 mixed = hmac_sha256(pepper, password);
  SecretBytes out(as_text(mixed));
  explicit_bzero(mixed.data(), mixed.size());
  return out;
}

// An empty text may have no address, and libsodium declares that it wants one.
const char* address_of(std::string_view text) noexcept { return text.empty() ? "" : text.data(); }

}  // namespace

Result<std::string> hash_password(std::string_view password, std::string_view pepper, PasswordCost cost) {
  ensure_ready();
  if (password.size() > kPasswordBytesMax) return fail(ErrorCode::invalid, "a password is too long");
  if (!is_within_bounds(cost)) return fail(ErrorCode::invalid, "a password hash's cost is out of bounds");
  const SecretBytes input = peppered(password, pepper);
  std::array<char, crypto_pwhash_argon2id_STRBYTES> phc{};
  const Argon2Memory memory;
  if (crypto_pwhash_argon2id_str(phc.data(), address_of(input.expose()), input.size(), cost.passes,
                                 std::size_t{cost.memory_kib} * 1024) != 0) {
    return fail(ErrorCode::exhausted, "no memory for hashing a password", ErrorSource::system);
  }
  return std::string(phc.data());
}

PasswordVerdict verify_password(std::string_view phc, std::string_view password, std::string_view pepper) {
  ensure_ready();
  if (!cost_of(phc)) return PasswordVerdict::malformed;
  if (password.size() > kPasswordBytesMax) return PasswordVerdict::mismatch;
  const SecretBytes input = peppered(password, pepper);
  const std::string text(phc);
  const Argon2Memory memory;
  errno = 0;
  if (crypto_pwhash_argon2id_str_verify(text.c_str(), address_of(input.expose()), input.size()) == 0) {
    return PasswordVerdict::match;
  }
  return errno == ENOMEM ? PasswordVerdict::exhausted : PasswordVerdict::mismatch;
}

bool needs_rehash(std::string_view phc, PasswordCost cost) { return cost_of(phc) != cost; }

Result<SecretBytes> key_from_passphrase(std::string_view passphrase, std::string_view salt, PasswordCost cost) {
  ensure_ready();
  if (!is_within_bounds(cost) || salt.size() != kPassphraseSaltBytes || passphrase.size() > kPasswordBytesMax) {
    return fail(ErrorCode::invalid, "a passphrase, its salt or its cost is out of bounds");
  }
  SecretBytes key(std::size_t{32});
  const Argon2Memory memory;
  if (crypto_pwhash_argon2id(key.bytes().data(), key.size(), address_of(passphrase), passphrase.size(),
                             reinterpret_cast<const unsigned char*>(salt.data()), cost.passes,
                             std::size_t{cost.memory_kib} * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
    return fail(ErrorCode::exhausted, "no memory for deriving a key from a passphrase", ErrorSource::system);
  }
  return key;
}

}  // namespace gatehouse::crypto
