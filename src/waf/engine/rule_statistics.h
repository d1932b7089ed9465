#pragma once
// How often each rule matched, and what rules cost: by rule id, over all shards and all rule sets that were in force.
//
// Matches are counted in every request. Time is taken in a sample of them, about one in `kOneIn` at random distances
// (fixed ones would always meet the same request of a client that sends in turn), and in more of the first ones, so
// that there is something to see early. A request that is not in the sample pays nothing for it. An evaluation in whose
// course the scheduler took the processor away says nothing about the rule: its time is left out, and counted as such.
//
// Thread safety: a `Writer` and its counters belong to one thread, which writes by relaxed stores and takes the lock
// only when it meets a rule set. `report` may be called by any thread; its figures are not of one instant.
// Invariants: (1) cells are never moved or freed, so a rule id keeps its counts over reloads; (2) at most `rules_max`
// ids are told apart, the others are counted together as id 0.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "waf/engine/program.h"

namespace gatehouse::waf {

// What inspection takes besides the evaluation of rules one by one.
enum class CostPart : std::uint8_t {
  reading,   // the request, and the answer, into the values that rules look at
  scanning,  // for the patterns of all rules at once, transformations included
  rest,      // from rule to rule, and what is recorded
  count_,
};
constexpr std::size_t kCostParts = static_cast<std::size_t>(CostPart::count_);

struct RuleCell {
  std::atomic<std::uint64_t> hits{0};  // requests in which the rule matched, its chain included
  std::atomic<std::uint64_t> evaluations{0}, ticks{0}, worst{0};  // in timed requests; ticks of CycleClock
};

class RuleStatistics {
 public:
  static constexpr std::size_t kRulesMax = 65'536;
  static constexpr std::uint32_t kOneIn = 64;

  class Writer;
  // The rules of one program, for one thread. The program may go before it.
  class Counters {
   public:
    void hit(std::uint32_t head) noexcept { bump(cells_[head]->hits, 1); }

    // In timed requests. Between two stretches of work on a request others have their turn: each begins so.
    void resume() noexcept;
    void evaluated(std::uint32_t head, std::uint64_t ticks) noexcept { take(*cells_[head], ticks); }
    void spent(CostPart part, std::uint64_t ticks) noexcept;
    // The stretch took so long: what nothing was told of yet is the rest.
    void pause(std::uint64_t ticks) noexcept;

   private:
    friend class RuleStatistics;
    static void bump(std::atomic<std::uint64_t>& cell, std::uint64_t by) noexcept {
      cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    void take(RuleCell& cell, std::uint64_t ticks) noexcept;

    Writer* writer_ = nullptr;
    std::vector<RuleCell*> cells_;  // by rule; null where none is a chain's head
  };

  struct Figures {
    std::uint64_t hits = 0, evaluations = 0;
    std::chrono::nanoseconds spent{}, worst{};
  };
  struct RuleFigures : Figures {
    std::uint64_t id = 0;
    std::string message;  // as in the rule set that had it last, macros as they are written
    WallTime since;       // when it was first in force
  };
  struct Report {
    WallTime since;
    std::uint64_t requests = 0, timed = 0;
    std::uint64_t interrupted = 0;  // evaluations whose time is left out
    std::array<Figures, kCostParts> parts;
    std::vector<RuleFigures> rules;  // every one that was ever in force
  };

  RuleStatistics(const Clock& clock, std::uint64_t seed, std::size_t rules_max = kRulesMax);
  ~RuleStatistics();

  Writer& add_writer();
  Report report() const;

 private:
  struct Row {
    std::uint64_t id;
    std::string message;
    WallTime since;
  };
  Counters counters_for(Writer& writer, const Program& program);
  std::uint32_t row_of(const Rule& rule);

  const Clock& clock_;
  const WallTime since_;
  const std::size_t rules_max_;
  std::uint64_t seed_;
  mutable std::mutex mutex_;
  std::vector<Row> rows_;  // the first stands for ids beyond rules_max_
  std::unordered_map<std::uint64_t, std::uint32_t> row_of_id_;
  bool folded_ = false;  // there were such ids
  std::vector<std::unique_ptr<Writer>> writers_;
};

// One thread's.
class RuleStatistics::Writer {
 public:
  Counters counters_for(const Program& program) { return statistics_.counters_for(*this, program); }
  // Another request is inspected. True: it is timed.
  bool begin_request() noexcept;

 private:
  friend class RuleStatistics;
  Writer(RuleStatistics& statistics, std::uint64_t seed) : statistics_(statistics), random_(seed | 1) {}

  RuleStatistics& statistics_;
  std::deque<RuleCell> cells_;  // by row
  std::array<RuleCell, kCostParts> parts_;
  std::atomic<std::uint64_t> requests_{0}, timed_{0}, interrupted_{0};
  std::uint64_t random_;
  std::uint64_t until_next_ = kFewest;
  std::uint64_t attributed_ = 0;  // ticks of this stretch
  std::uint64_t switches_ = 0;    // of this thread, when it was last asked

  // The first requests meet cold caches.
  static constexpr std::uint64_t kFewest = 4;
};

}  // namespace gatehouse::waf
