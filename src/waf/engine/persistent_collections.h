#pragma once
// What rules keep between requests: the variables of a client (`IP`), in a record by the key that `initcol` gave.
//
// Semantics: ModSecurity Reference Manual, "Persistent Storage", "expirevar", "SecCollectionTimeout". A record ends
// when nothing was changed in it for the timeout; a variable when `expirevar` says so, or with its record. Every change
// is atomic: of two requests that add 1 at the same moment, one sees 1 and the other 2.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "waf/rule.h"

namespace gatehouse::waf {

struct KeptVariable {
  std::string name, value;
  friend bool operator==(const KeptVariable&, const KeptVariable&) = default;
};

// Who chose the name of a variable: the rule that spells it out, or what it was made of (`ip.seen_%{ARGS.id}`), which a
// client may have sent.
enum class NamedBy : std::uint8_t { rule, request };

// Thread safety: of every implementation, all calls from any thread; none blocks on anything but memory.
class PersistentCollections {
 public:
  using Record = std::vector<KeptVariable>;  // in the order in which they were first set

  virtual ~PersistentCollections() = default;
  // Into `record` comes what is there and has not ended.
  virtual void read(std::string_view key, Record& record) = 0;
  // Into `record` comes what is there after the change. `by`: the value, or what is added or subtracted.
  virtual void change(std::string_view key, SetVar::Kind kind, std::string_view name, NamedBy named_by,
                      std::string_view by, std::chrono::seconds timeout, Record& record) = 0;
  // Ends a variable that is there after that time; at once when it is not positive.
  virtual void expire(std::string_view key, std::string_view name, std::chrono::seconds after, Record& record) = 0;
};

// What `setvar` makes of a variable. Saturates: a score that wraps around would be a way past it.
std::string changed_value(SetVar::Kind kind, std::string_view old, std::string_view by);

// In the memory of this process, for all its threads.
//
// Thread safety: any thread; one of kStripes locks is held for the time of a look-up and a few copies. A read of a
// stripe that holds nothing takes none.
// Invariants: (1) never more than `records_max` records and `bytes_max` bytes, rounded up to a stripe's share: the
// record that nobody asked for the longest time makes room, whether it has ended or not, so that a flood of keys does
// not take away what is held against a client that is active; (2) a record has at most kVariablesMax variables and
// kRecordBytesMax bytes: the variable that nobody set for the longest time makes room, those that a request named
// before any that a rule did, so that no client pushes out what is counted of it; only what is too large for a record
// of its own, or is named by a request where rules' variables fill the record, is not stored; (3) every call costs the
// same, however many records there are: ended ones go a few with each change. Keys are known by their keyed hash, so
// that nobody can choose which records share a place.
class MemoryCollections final : public PersistentCollections {
 public:
  static constexpr std::size_t kVariablesMax = 64;
  static constexpr std::size_t kRecordBytesMax = 16 * 1024;

  struct Limits {
    std::size_t records_max = std::size_t{1} << 17;
    std::size_t bytes_max = std::size_t{32} << 20;
  };
  struct Statistics {
    std::uint64_t records = 0, bytes = 0;
    std::uint64_t evicted = 0;            // records that had not ended: the table is too small for the load
    std::uint64_t variables_evicted = 0;  // from a full record
    std::uint64_t refused = 0;            // changes that no record takes
  };

  explicit MemoryCollections(const Clock& clock) : MemoryCollections(clock, Limits()) {}
  MemoryCollections(const Clock& clock, const Limits& limits);

  void read(std::string_view key, Record& record) override;
  void change(std::string_view key, SetVar::Kind kind, std::string_view name, NamedBy named_by, std::string_view by,
              std::chrono::seconds timeout, Record& record) override;
  void expire(std::string_view key, std::string_view name, std::chrono::seconds after, Record& record) override;
  Statistics statistics();  // locks all stripes, one by one

 private:
  static constexpr std::size_t kStripes = 64;
  struct Stored {
    KeptVariable variable;
    MonotonicTime ends = MonotonicTime::max();
    std::uint64_t changed = 0;         // the number of the change, in its stripe
    NamedBy named_by = NamedBy::rule;  // by a rule once is by a rule for good
  };
  struct Entry {
    std::uint64_t key = 0;
    MonotonicTime ends{};
    std::size_t bytes = 0;
    std::vector<Stored> variables;
  };
  using Entries = std::list<Entry>;  // the one that was asked for last at the end
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::atomic<bool> used = false;  // it holds something
    Entries entries;
    std::unordered_map<std::uint64_t, Entries::iterator> by_key;
    Statistics statistics;
    std::uint64_t changes = 0;
  };

  Stripe& stripe_of(std::uint64_t hash) noexcept { return stripes_[hash >> 58]; }
  // Under the stripe's lock. What is found moves to the end.
  static Entry* find(Stripe& stripe, std::uint64_t hash, MonotonicTime now);  // without the variables that have ended
  static void resize(Stripe& stripe, Entry& entry, std::size_t bytes) noexcept;
  static void erase(Stripe& stripe, Entries::iterator entry);
  static bool apply(Stripe& stripe, Entry& entry, SetVar::Kind kind, std::string_view name, NamedBy named_by,
                    std::string_view by);
  void make_room(Stripe& stripe, MonotonicTime now);
  static void evict_variable(Stripe& stripe, Entry& entry);
  static void tell(const Entry& entry, Record& record);

  const Clock& clock_;
  const std::size_t stripe_records_max_, stripe_bytes_max_;
  const std::unique_ptr<Stripe[]> stripes_ = std::make_unique<Stripe[]>(kStripes);
};

}  // namespace gatehouse::waf
