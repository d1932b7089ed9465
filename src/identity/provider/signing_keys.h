#pragma once
// The keys that sign tokens: kept sealed in the store, shared by all gateways, replaced by schedule.
//
//   published ──(kPublishAhead)──> signs ──(rotation)──> published only ──(kKeepAfter)──> gone
//
// A key stands in the JWK Set of every gateway before it signs, so that whoever caches the set has it, and after it,
// until what it signed has expired. Thread safety: any thread; `current` takes a lock for one reference count.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "crypto/jwk.h"
#include "crypto/signing_key.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

struct SigningKeyView {
  std::string id, algorithm;
  WallTime created{}, signs_from{}, signs_until{}, published_until{};
};
// "next", "signing" or "previous": changes by itself while the time goes on.
std::string_view state_at(const SigningKeyView& view, WallTime now) noexcept;

// Immutable.
class SigningKeySet {
 public:
  struct Entry {
    SigningKeyView view;
    crypto::JoseAlgorithm algorithm;
    crypto::SigningKey key;
  };
  SigningKeySet(std::vector<Entry> entries, crypto::KeySet verifying, std::string jwks)
      : entries_(std::move(entries)), verifying_(std::move(verifying)), jwks_(std::move(jwks)) {}

  // The key that signs now; null when there is none for this algorithm.
  const crypto::SigningKey* signer(crypto::JoseAlgorithm algorithm, WallTime now) const noexcept;
  const crypto::KeySet& verifying() const noexcept { return verifying_; }
  const std::string& jwks() const noexcept { return jwks_; }  // the document to publish
  const std::vector<Entry>& entries() const noexcept { return entries_; }

 private:
  std::vector<Entry> entries_;
  crypto::KeySet verifying_;
  std::string jwks_;
};

class SigningKeys {
 public:
  static constexpr Duration kPublishAhead = std::chrono::hours(24);
  // From a change that one gateway makes until all have read it (`follow`, every second).
  static constexpr Duration kEverywhere = std::chrono::seconds(3);
  static constexpr Duration kKeepAfter = std::chrono::hours(48);  // more than any token of ours lives

  struct Options {
    std::vector<crypto::JoseAlgorithm> algorithms{crypto::JoseAlgorithm::es256, crypto::JoseAlgorithm::rs256};
    Duration rotation = std::chrono::hours(24 * 30);
  };
  SigningKeys(store::Database& database, secrets::Keyring& keyring, const Clock& clock, Options options)
      : database_(database), keyring_(keyring), clock_(clock), options_(std::move(options)) {}

  // Reads the keys, makes those that the schedule wants, removes those that nobody needs. At start, and every minute
  // from then on.
  Status refresh();
  // The same if another gateway has made or removed keys; every second.
  Status follow();
  // Makes new keys that sign as soon as every gateway publishes them, whatever the schedule says; the old ones stay
  // published.
  Status rotate_now();

  std::shared_ptr<const SigningKeySet> current() const;

 private:
  using Entries = std::vector<SigningKeySet::Entry>;
  Result<Entries> read(store::Executor& from);
  Result<SigningKeySet::Entry> make(store::Executor& in, crypto::JoseAlgorithm algorithm, WallTime from);
  Status keep_schedule(store::Executor& in, Entries& entries);
  Status publish(Entries entries);

  store::Database& database_;
  secrets::Keyring& keyring_;
  const Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const SigningKeySet> current_;
};

}  // namespace gatehouse::identity
