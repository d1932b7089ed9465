#pragma once
// Who is kept out for a time: addresses and networks, put there by an administrator or by the penalties layer.
//
// Thread safety: `banned` may be called from any shard for every request; it takes no lock, and without any ban it
// reads one word. The others take a mutex: bans are rare events.
// Invariants: (1) bounded: when full, the entry that would be forgotten first makes room. (2) An IPv6 address is banned
// with its /64, since whoever has one address of it has all. (3) A repeated offender's level is remembered for `max`
// after the end of his last ban, and each new ban takes twice as long as the one before.

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "gateway/word_table.h"

namespace gatehouse::gateway {

struct Ban {
  Network network;
  WallTime since, until;
  std::uint32_t level = 0;  // how many bans came before
  std::string reason;
  WallTime forget{};  // until when `level` counts
};

// The network that stands for one address: itself, or its /64.
Network ban_network(const IpAddress& address) noexcept;

class BanTable {
 public:
  static constexpr Duration kLongest = std::chrono::hours(24 * 365 * 100);  // "for ever"
  static constexpr std::size_t kReasonMax = 120;                            // bytes kept

  static Result<std::unique_ptr<BanTable>> create(std::size_t entries_max, const Clock& clock);

  // How long the address stays out; zero: it isn't banned.
  Duration banned(const IpAddress& address, MonotonicTime now) const noexcept;

  // Bans for `duration` from now, whatever was there before.
  void add(const Network& network, Duration duration, std::string_view reason);
  // A further offence: `first`, then twice that, and so on up to `max`. Returns how long; an address that is banned
  // already stays so for what is left.
  Duration add_repeated(const IpAddress& address, Duration first, Duration max, std::string_view reason);
  bool remove(const Network& network);  // false: there was none
  void forget(const Network& network);  // another gateway lifted it: nobody is told
  std::vector<Ban> list() const;        // those in force, the soonest to end first
  std::size_t size() const;
  // All that is known, also what is over and counts for the next time; what will be forgotten first comes first.
  std::vector<Ban> remembered() const;
  void restore(const Ban& ban);  // of another time or another gateway: nobody is told
  // Called with every ban that is made or lifted here, under the table's lock; before the table is shared.
  void on_change(std::function<void(const Ban&, bool lifted)> told) { told_ = std::move(told); }
  // Changes with every ban that comes or goes.
  std::uint64_t revision() const noexcept { return revision_.load(std::memory_order_relaxed); }
  std::uint64_t repeated() const noexcept { return repeated_.load(std::memory_order_relaxed); }  // by add_repeated

 private:
  struct Entry {
    Network network;
    MonotonicTime since, until, forget;
    std::uint32_t level = 0;
    std::string reason;
  };
  using Entries = std::unordered_map<std::uint64_t, Entry>;

  BanTable(WordTable words, std::size_t entries_max, const Clock& clock)
      : words_(std::move(words)), entries_max_(entries_max), clock_(clock) {}
  static Ban ban_of(const Entry& entry, MonotonicTime now, WallTime wall);  // by the calendar
  static std::uint64_t key_of(const IpAddress& base, std::uint8_t prefix) noexcept;
  void put(std::uint64_t key, Entry entry);
  void tell(const Entry& entry, bool lifted) const;
  void drop(Entries::iterator at);
  void forget_until(MonotonicTime now);
  void count_prefix(std::uint8_t prefix, int by) noexcept;

  WordTable words_;  // key: network; word: end, in monotonic nanoseconds
  // Which prefix lengths occur, so that a lookup tries only those: bit p of word p / 64.
  std::array<std::atomic<std::uint64_t>, 3> prefixes_{};
  const std::size_t entries_max_;
  const Clock& clock_;
  std::function<void(const Ban&, bool)> told_;
  std::atomic<std::uint64_t> revision_{0}, repeated_{0};

  mutable std::mutex mutex_;
  Entries entries_;
  std::set<std::pair<MonotonicTime, std::uint64_t>> by_forget_;
  std::array<std::uint32_t, 129> prefix_counts_{};
};

}  // namespace gatehouse::gateway
