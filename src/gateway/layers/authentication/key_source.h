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
#include <vector>

#include "crypto/jwk.h"
#include "gateway/config.h"

namespace gatehouse::gateway {

class IssuerKeys {
 public:
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
