#pragma once
// Which uses of which limits are due to be told, and what comes back.
//
// In Redis a limit's key holds the theoretical arrival time of all gateways' requests together, in microseconds of that
// server's clock, and is gone when it has passed. One script adds what was admitted here and answers how long the
// bucket is owed; the local table is moved up to that. So the sum of what all admit follows the limit; a gateway that
// has not heard of a request yet admits one too many, and everybody pays for it afterwards.
//
// Not every use is worth a command. A key is told when its bucket is half used up here, or when a sixteenth of its
// burst was used here since the last time; a client that uses less than a sixteenth of its rate at each gateway is
// never told of: with up to 16 gateways it cannot exceed the limit by that. Bounds: kKeysMax keys, kTellMax of them in
// one exchange. Thread safety: one thread. No I/O.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "gateway/layers/rate/rate_table.h"
#include "gateway/sharing/sharing_desk.h"

namespace gatehouse::gateway {

class RateExchange {
 public:
  static constexpr std::size_t kKeysMax = 1 << 16;
  static constexpr std::size_t kTellMax = 1 << 12;
  static constexpr std::size_t kBatchMax = 256;  // keys of one call: Redis serves nobody else meanwhile
  static constexpr std::uint64_t kShare = 16;    // of the burst
  static constexpr std::uint64_t kOwedMax = 64;  // buckets; more than 64 gateways can make of one is not believed

  explicit RateExchange(RateTable& table) : table_(table) {}

  struct Told {
    std::uint64_t key, interval, whole;
    std::uint64_t uses;
  };
  using Batch = std::vector<Told>;

  bool add(const RateUse& use, MonotonicTime now);  // false: no room
  // What is due, at most `most` keys. They count as told.
  Batch take(std::size_t most);
  // The call of `script` for a batch: key names and arguments, to follow "EVALSHA sha".
  static std::vector<std::string> words(const Batch& batch, std::string_view prefix);
  static std::string_view script() noexcept;
  // What the script answered for each key of the batch, in microseconds.
  void heard(const Batch& batch, const std::vector<std::int64_t>& owed, MonotonicTime now);
  // Forgets what has run out before it was worth telling. Walks everything: once a second.
  void sweep(MonotonicTime now);
  void clear();
  std::size_t keys() const noexcept { return pending_.size(); }

 private:
  struct Pending {
    std::uint64_t interval, whole;
    std::uint64_t uses = 0;
    MonotonicTime first;
    bool due = false;
  };

  RateTable& table_;
  std::unordered_map<std::uint64_t, Pending> pending_;
  std::vector<std::uint64_t> due_;
};

}  // namespace gatehouse::gateway
