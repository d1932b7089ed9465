#pragma once
// What is over before its time: tokens, grants, sessions, users. Every gateway learns of it within about a second and
// from then on answers for itself.
//
// Thread safety: `covers` may be asked from any thread, shards included: it reads an immutable snapshot, takes no lock
// that a writer holds for longer than an exchange of pointers, and allocates nothing. `add` and `refresh` block.
// While the store cannot be reached, what is known stays known.
// Bounded: an entry goes when it expires. Above kEntriesMax all of them give way to one moment: whatever was issued
// before it counts as revoked (it fails closed), and people sign in anew.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace gatehouse::identity {

enum class RevokedKind : std::uint8_t {
  token,    // by `jti`
  grant,    // all that an authorization gave
  session,  // by `sid`
  user,     // what was issued to a user before that moment
};
std::string_view name_of(RevokedKind kind) noexcept;

class Revocations {
 public:
  static constexpr std::size_t kEntriesMax = 500'000;  // of about 40 bytes
  // How long what refers to a session or a user is remembered: longer than any access token lives.
  static constexpr Duration kKeep = std::chrono::hours(48);

  Revocations(store::Database& database, const Clock& clock, std::size_t entries_max = kEntriesMax);
  ~Revocations();

  // Writes it, as a part of the caller's transaction. It takes effect here with the next `refresh`, which the caller
  // calls after the commit; elsewhere within a second.
  Status add(store::Executor& in, RevokedKind kind, std::string_view id, std::int64_t expires_s);
  // By itself; takes effect here before it returns.
  Status add(RevokedKind kind, std::string_view id, std::int64_t expires_s);

  // Reads what is new. Every second, and after an `add` of one's own.
  Status refresh();
  Status remove_expired();  // from the store, now and then

  // Is it over? `issued_s`: when what is in hand was issued (a user's entry covers what is older than itself; a moment
  // of overflow covers what is not younger).
  bool covers(RevokedKind kind, std::string_view id, std::int64_t issued_s) const noexcept;
  std::size_t size() const noexcept;
  // When the store was last read with success; never: the epoch.
  MonotonicTime refreshed() const noexcept {
    return MonotonicTime(Duration(refreshed_.load(std::memory_order_relaxed)));
  }

 private:
  struct Snapshot;
  std::shared_ptr<const Snapshot> merged(const Snapshot& before, const store::Rows& rows) const;

  store::Database& database_;
  const Clock& clock_;
  const std::size_t entries_max_;
  std::mutex mutex_;  // one refresh at a time; over `last_`
  std::int64_t last_ = 0;
  std::atomic<std::int64_t> refreshed_{0};
  std::atomic<std::shared_ptr<const Snapshot>> snapshot_;
};

}  // namespace gatehouse::identity
