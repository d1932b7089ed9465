#pragma once
// The public keys of clients, parsed: those that they registered, and those behind a `jwks_uri` (RFC 7591 §2).
//
// What it holds to: a set behind an address is fetched when it is first asked for, again after ten minutes, and at once
// when an assertion names a key that it lacks, but no more than once in ten seconds. The last good set serves for a day
// when the address fails; an address that goes on failing is asked twice as seldom each time, down to every ten
// minutes. Only a few fetches run at once, and one for each host, so that a server that hangs holds up nobody else's
// keys; after its first failures hanging servers together are asked too seldom to hold all places. Which addresses are
// good is settled when a client is registered: https only, and none for clients that registered themselves without a
// token (registration_endpoint.h). Thread safety: any thread; `of` may block for a fetch and belongs on workers.
// Bounded: kCachedMax sets.

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "crypto/jwk.h"
#include "identity/provider/client.h"

namespace gatehouse::identity {

class ClientKeys {
 public:
  static constexpr Duration kRefresh = std::chrono::minutes(10);
  static constexpr Duration kPause = std::chrono::seconds(10);
  static constexpr Duration kStaleMax = std::chrono::hours(24);
  static constexpr std::size_t kCachedMax = 10'000;
  static constexpr std::size_t kFetchesMax = 4;  // half of identity's threads

  // The document at an https URL: bounded in time and size, no redirects.
  using Fetch = std::function<Result<std::string>(const std::string& url)>;
  using Keys = std::shared_ptr<const crypto::KeySet>;

  ClientKeys(Fetch fetch, const Clock& clock) : fetch_(std::move(fetch)), clock_(clock) {}

  // ErrorCode::unavailable: they cannot be fetched now; invalid: the client has none.
  Result<Keys> of(const Client& client);
  // The same, fetched anew if `seen` is what is remembered still and the pause is over: it lacks a key.
  Result<Keys> newer_than(const Keys& seen, const Client& client);

 private:
  struct Entry {
    Keys keys;
    MonotonicTime fetched{}, tried{};
    bool attempted = false, fetching = false;
    int failures = 0;  // since it last answered
  };
  Result<Keys> registered(const std::string& jwks);
  Result<Keys> fetched(const std::string& uri, const Keys& seen);
  Result<Keys> fetch_now(const std::string& uri);
  Entry& entry(const std::string& name);

  const Fetch fetch_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;  // by address, or by the digest of what was registered
  std::set<std::string, std::less<>> hosts_;        // that are being asked
};

}  // namespace gatehouse::identity
