#pragma once
// Who did what to whom, and how it ended: table audit_events, and one line each in the program's log.
//
// Thread safety: any thread; `record` blocks for the store.
// An event is never a reason to refuse what it tells of: when the store takes none, the line in the log says so, and
// `lost` counts it. Details never hold a secret, a code or a token; they are sealed all the same, since they may hold
// addresses.

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

enum class Outcome : std::uint8_t { ok, refused };

struct AuditEvent {
  std::string id;  // in the order of time
  std::int64_t at_s = 0;
  std::string actor, action, target;
  Outcome outcome = Outcome::ok;
  std::string request_id;
  std::vector<std::pair<std::string, std::string>> details;
};

struct AuditFilter {
  std::string target;     // exactly; empty: all
  std::string before_id;  // older than this one; empty: from the newest
  std::size_t limit = 100;
};

class AuditTrail {
 public:
  static constexpr std::size_t kLimitMax = 1000;
  using Details = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  AuditTrail(store::Database& database, secrets::Keyring& keyring, const Clock& clock)
      : database_(database), keyring_(keyring), clock_(clock) {}

  // `actor`: "user:01j…", "admin:uid=0", "client:shop", "system". `action`: "user.create", "login.password". `target`:
  // "user:01j…", "session:…"; may be empty.
  void record(std::string_view actor, std::string_view action, std::string_view target, Outcome outcome,
              Details details = {}, std::string_view request_id = {});
  // Whoever else is to hear of each event, by the thread that records it; before there are any.
  void also_tell(std::function<void(const AuditEvent&)> listener) { listeners_.push_back(std::move(listener)); }
  // The newest first.
  Result<std::vector<AuditEvent>> list(const AuditFilter& filter);
  // Those older than `age`, a bounded number a call; how many.
  Result<std::int64_t> remove_older_than(Duration age);
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  Status write(const AuditEvent& event);

  store::Database& database_;
  secrets::Keyring& keyring_;
  const Clock& clock_;
  std::vector<std::function<void(const AuditEvent&)>> listeners_;
  std::atomic<std::uint64_t> lost_{0};
};

inline std::string actor_of_user(std::string_view user_id) { return "user:" + std::string(user_id); }

}  // namespace gatehouse::identity
