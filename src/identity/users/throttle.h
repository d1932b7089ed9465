#pragma once
// Slows down guessing: asked before anything is computed, told afterwards.
//
// Three things are counted: failures of an account from browsers that nobody knows, failures of an address prefix (/32
// of IPv4, /64 of IPv6) over all accounts, and failures of a known device (a cookie that only a completed login gives).
// Each is free for a few, then the next try has to wait: 1 s, 2 s, 4 s … up to a bound, which time forgives again. Who
// brings a known-device cookie of the account is counted by that device alone: strangers' failures, however many and
// from wherever, don't slow the owner down; and a stolen cookie has a count of its own. There is no lock-out: even
// under attack an account's next try is at most `delay_max` away. Thread safety: any thread; no call blocks but for a
// lock held shortly. Bounded: each table holds `entries_max` keys; a full one forgets the
// one that failed longest ago.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"

namespace gatehouse::identity {

// Lets other gateways know, whose failures come in by `failed_elsewhere` and `forgotten_elsewhere`. From any thread; no
// call waits for anybody. What `name` says is between two throttles.
class FailureNews {
 public:
  virtual ~FailureNews() = default;
  virtual void failed(std::string_view name) = 0;
  virtual void forgotten(std::string_view name) = 0;
};

struct ThrottleOptions {
  std::uint32_t free_per_account = 5;  // failures before the first delay
  std::uint32_t free_per_address = 20;
  std::uint32_t free_per_device = 5;
  Duration delay = std::chrono::seconds(1);  // the first; doubles
  Duration delay_max = std::chrono::seconds(60);
  Duration window = std::chrono::minutes(15);  // without a failure: all is forgotten
  std::size_t entries_max = 64 * 1024;         // of each table
};

// Who tries. Views live for the call.
struct ThrottleKey {
  std::string_view account;  // as normalised: a user's id, or the username that was typed
  IpAddress address;
  std::string_view device;  // of a known device of *this* account (Devices::find said so); else empty
};

struct ThrottleDecision {
  enum class Verdict : std::uint8_t { proceed, wait } verdict = Verdict::proceed;
  Duration retry_after{};  // at least 1 s when it is `wait`: 429 with Retry-After
};

class Throttle {
 public:
  Throttle(const Clock& clock, ThrottleOptions options = {}, FailureNews* news = nullptr);
  ~Throttle();

  // Takes a try, which counts as a failure until it is known to be none: a thousand guesses at the same moment find the
  // same bounds as one after another. Who proceeds says how it ended, by one of the three below.
  ThrottleDecision ask(const ThrottleKey& key);
  void failed(const ThrottleKey& key);
  // Forgets the failures of the device, or of the account; those of the address stay, or one's own account would buy
  // guesses at others'.
  void succeeded(const ThrottleKey& key);
  void not_tried(const ThrottleKey& key);  // too busy, no store: it counts as nothing

  // What other gateways let us know: counted as if it had happened here. Names that say nothing are ignored.
  void failed_elsewhere(std::string_view name, std::uint32_t failures);
  void forgotten_elsewhere(std::string_view name);

 private:
  class Table;
  struct Count {
    Table* table;
    std::string name;
    std::uint64_t hash;
    std::uint32_t free;
  };
  Count count_of(Table& table, std::string name) const;
  std::vector<Count> counts_of(const ThrottleKey& key);
  std::optional<Count> named(std::string_view name);

  const ThrottleOptions options_;
  FailureNews* const news_;
  std::unique_ptr<Table> accounts_, addresses_, devices_;
};

}  // namespace gatehouse::identity
