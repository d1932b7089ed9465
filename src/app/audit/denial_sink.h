#pragma once
// Denials of requests, as entries of the audit log: each by itself while there are few, summed up while there are many.
//
// Whoever is denied chooses how often. An entry of each would let him fill the disk, at some 0.7 kB a time; so beyond
// kBurst at once and kPerSecond in the long run denials are counted by client, route and reason, and told every
// kSumEvery: kGroupsMax of them by name, all others in one number. Every denial is in the log, if only in a sum.
//
// Thread safety: the record follower's thread; `finish` after it has ended.

#include <functional>
#include <map>
#include <string>

#include "audit/entry.h"
#include "base/clock.h"
#include "telemetry/record_follower.h"

namespace gatehouse::app {

class DenialSink final : public telemetry::RecordSink {
 public:
  static constexpr double kBurst = 1000, kPerSecond = 10;
  static constexpr Duration kSumEvery = std::chrono::seconds(10);
  static constexpr std::size_t kGroupsMax = 32;

  DenialSink(std::function<void(audit::Entry)> tell, const Clock& clock)
      : tell_(std::move(tell)), clock_(clock), refilled_(clock.now()), sum_at_(clock.now() + kSumEvery) {}

  bool wants(const telemetry::PackedKey& key) noexcept override { return key.verdict == telemetry::Verdict::deny; }
  void take(const telemetry::DecisionRecord& record) override;
  void missed(std::uint64_t records) override { missed_ += records; }
  void flush() override;
  void finish();  // tells what was counted and not told yet

 private:
  struct Group {
    std::string client, route, layer, reason;
    auto operator<=>(const Group&) const = default;
  };
  bool may_be_whole();
  void tell_sums();

  const std::function<void(audit::Entry)> tell_;
  const Clock& clock_;
  MonotonicTime refilled_, sum_at_;
  double whole_ = kBurst;  // that may still be entries of their own
  std::map<Group, std::uint64_t> sums_;
  std::uint64_t others_ = 0, missed_ = 0;
};

}  // namespace gatehouse::app
