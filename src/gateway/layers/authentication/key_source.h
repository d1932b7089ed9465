#pragma once
// Where the keys of token issuers come from, as the gateway sees it. Whoever has keys (a fetcher of key sets, an
// identity provider in the same process) publishes; the authentication layer reads.
//
// Thread safety: any thread. Reading the epoch, which every request with a cached token does, takes no lock. Reading
// the keys, which comes before a signature check of a hundred microseconds, takes a lock for one reference count.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "crypto/jwk.h"
#include "gateway/config.h"

namespace gatehouse::gateway {

// What names a token to the issuer that made it. Empty: it has no such claim.
struct TokenName {
  std::string_view id, grant, session, user;  // jti, gid, sid, sub
  std::int64_t issued_s = 0;                  // iat
};

// What an issuer in this process has taken back before its time. Never blocks; any thread.
class RevokedTokens {
 public:
  virtual ~RevokedTokens() = default;
  virtual bool covers(const TokenName& token) const noexcept = 0;
};

class IssuerKeys {
 public:
  // `revoked` may be null: what outside issuers take back is not known here.
  explicit IssuerKeys(std::shared_ptr<const RevokedTokens> revoked = nullptr) noexcept : revoked_(std::move(revoked)) {}
  const RevokedTokens* revoked() const noexcept { return revoked_.get(); }

  // Null until a first set was published: tokens of this issuer are refused until then.
  std::shared_ptr<const crypto::KeySet> get() const;
  // Changes when a key was taken away or replaced: what it verified is worth nothing any more. Read it before `get`, so
  // that a change in between is not missed.
  std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }
  void publish(crypto::KeySet keys);

  // A token named a key that isn't here: the issuer may have a new one. The publisher asks it, at its own pace.
  void want() noexcept { wanted_.store(true, std::memory_order_relaxed); }
  bool wanted() const noexcept { return wanted_.load(std::memory_order_relaxed); }
  bool take_wanted() noexcept { return wanted_.exchange(false, std::memory_order_relaxed); }

 private:
  const std::shared_ptr<const RevokedTokens> revoked_;
  mutable std::mutex mutex_;
  std::shared_ptr<const crypto::KeySet> keys_;
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<bool> wanted_{false};
};

// The issuers of one configuration, by their index in `authentication.jwt`. An issuer that stays the same over a reload
// keeps its IssuerKeys, and with it its keys.
using KeySource = std::vector<std::shared_ptr<IssuerKeys>>;

// What `algorithms` names; a name that is none is left out (the configuration has refused it).
crypto::AlgorithmSet algorithms_of(const JwtIssuerConfig& issuer);

}  // namespace gatehouse::gateway
