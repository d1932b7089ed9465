#pragma once
// When a failed attempt may be made again: never so that a request could take effect twice, and never so often that
// retries keep a struggling service down.
//
// Thread safety: `judge_retry` is pure; a RetryBudget may be used from any shard, without locks.

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "gateway/config.h"
#include "http/stream.h"

namespace gatehouse::gateway {

// Retries ÷ requests over the last ten seconds, with a floor for services that get few requests.
//
// Ten words of one second each: the second, its requests and its retries. A retry is counted by compare-and-swap in the
// current word, so two shards cannot both take the last one.
class RetryBudget {
 public:
  static constexpr std::uint32_t kRetriesMin = 3;  // in ten seconds, whatever the requests

  explicit RetryBudget(std::uint32_t percent) noexcept : percent_(percent) {}
  void count_request(MonotonicTime now) noexcept;
  bool take_retry(MonotonicTime now) noexcept;  // false: the budget is spent

 private:
  static constexpr std::size_t kSeconds = 10;
  struct Sum {
    std::uint64_t requests = 0, retries = 0;
  };
  Sum sum(std::uint64_t second) const noexcept;

  const std::uint32_t percent_;
  alignas(64) std::array<std::atomic<std::uint64_t>, kSeconds> seconds_{};
};

// What happened to an attempt: `failure`, or else an answer with `status`.
struct AttemptResult {
  std::string_view method;
  const http::Failure* failure = nullptr;
  int status = 0;
  std::uint32_t attempts = 1;   // made so far, this one included
  bool body_replayable = true;  // nothing was sent of it, or all that was sent is still here
  bool answered = false;        // a part of the answer went to the client
};

enum class RetryVerdict : std::uint8_t {
  retry,
  answered,             // the client has seen a part of the answer
  attempts_spent,       //
  not_configured,       // `retry.on` does not name what happened
  not_idempotent,       // the upstream may have acted, and the method must not act twice
  body_not_replayable,  //
  limit_of_ours,        // the circuit was open: another attempt would meet the same limit
};
std::string_view name_of(RetryVerdict verdict) noexcept;  // "not_idempotent"

// All but the budget, which is asked last: `verdict == retry && cluster.retry_budget().take_retry(now)`.
RetryVerdict judge_retry(const RetryConfig& config, const AttemptResult& result) noexcept;

}  // namespace gatehouse::gateway
