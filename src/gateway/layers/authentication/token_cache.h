#pragma once
// Tokens that have been verified, so that the next request with one costs a comparison instead of a signature check.
//
// Thread safety: any thread; see BoundedCache.
// Invariant: an entry serves only while its issuer's keys are those that verified it (the epoch), within the token's
// own times, and for the exact bytes of the token: a keyed hash over its end finds the place, the comparison decides.

#include <optional>
#include <string_view>

#include "base/bounded_cache.h"
#include "base/striped_counter.h"
#include "gateway/layers/authentication/principal_record.h"

namespace gatehouse::gateway {

struct VerifiedToken {
  PrincipalRecord principal;
  std::uint32_t issuer = 0;     // index into the configuration's
  std::uint64_t key_epoch = 0;  // of that issuer when the token was verified
  WallTime not_before{}, expires{};
  // Of issuers that tell what they have taken back (IssuerKeys::revoked); the user is the principal's.
  std::string id, grant, session;
  std::int64_t issued_s = 0;
  std::string certificate_sha256;  // hexadecimal; the client certificate it is bound to (RFC 8705 §3.1), else empty
};

// How often a token was known, since the start; outlives the caches of single configurations.
struct TokenLookups {
  StripedCounter hits, misses;
};

class TokenCache {
 public:
  static constexpr std::size_t kEntriesDefault = 16 * 1024;

  explicit TokenCache(std::size_t entries_max = kEntriesDefault) : entries_(entries_max) {}

  // `use` sees the entry under its lock and must be short.
  template <class Use>
  bool find(std::string_view token, WallTime now, Use use) {
    return entries_.find(hash_of(token), token, now, use);
  }
  void insert(std::string_view token, WallTime now, VerifiedToken verified) {
    const WallTime expires = verified.expires;
    entries_.insert(hash_of(token), token, now, expires, std::move(verified));
  }

 private:
  // The end of a token is its signature: as different as anything could be, and shorter than the whole.
  static std::uint64_t hash_of(std::string_view token) noexcept;
  BoundedCache<VerifiedToken> entries_;
};

}  // namespace gatehouse::gateway
