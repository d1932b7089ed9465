#include "gateway/upstream/retry.h"

#include <algorithm>

namespace gatehouse::gateway {
namespace {

// One second's word: 24 bits of its number, 20 bits of requests, 20 bits of retries; counts stop at their maximum.
constexpr std::uint64_t kCountMax = (1 << 20) - 1;

constexpr std::uint64_t tag_of(std::uint64_t word) noexcept { return word >> 40; }
constexpr std::uint64_t requests_of(std::uint64_t word) noexcept { return (word >> 20) & kCountMax; }
constexpr std::uint64_t retries_of(std::uint64_t word) noexcept { return word & kCountMax; }
constexpr std::uint64_t make_word(std::uint64_t second, std::uint64_t requests, std::uint64_t retries) noexcept {
  return (second & 0xffffff) << 40 | std::min(requests, kCountMax) << 20 | std::min(retries, kCountMax);
}

std::uint64_t second_of(MonotonicTime now) noexcept {
  // From 1, so that an untouched word is never taken for the current second.
  return 1 +
         static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

}  // namespace

void RetryBudget::count_request(MonotonicTime now) noexcept {
  const std::uint64_t second = second_of(now);
  std::atomic<std::uint64_t>& place = seconds_[second % kSeconds];
  std::uint64_t word = place.load(std::memory_order_relaxed);
  std::uint64_t next;
  do {
    const bool current = tag_of(word) == (second & 0xffffff);
    next = current ? make_word(second, requests_of(word) + 1, retries_of(word)) : make_word(second, 1, 0);
  } while (!place.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

RetryBudget::Sum RetryBudget::sum(std::uint64_t second) const noexcept {
  Sum total;
  for (const auto& place : seconds_) {
    const std::uint64_t word = place.load(std::memory_order_relaxed);
    const std::uint64_t age = (second - tag_of(word)) & 0xffffff;
    if (word == 0 || age >= kSeconds) continue;
    total.requests += requests_of(word);
    total.retries += retries_of(word);
  }
  return total;
}

bool RetryBudget::take_retry(MonotonicTime now) noexcept {
  const std::uint64_t second = second_of(now);
  std::atomic<std::uint64_t>& place = seconds_[second % kSeconds];
  std::uint64_t word = place.load(std::memory_order_relaxed);
  while (true) {
    // The sum is taken after `word` was read: whoever takes a retry in between changes it, and we look again.
    const Sum total = sum(second);
    const std::uint64_t allowed = std::max<std::uint64_t>(kRetriesMin, total.requests * percent_ / 100);
    if (total.retries >= allowed) return false;
    const bool current = tag_of(word) == (second & 0xffffff);
    const std::uint64_t next =
        current ? make_word(second, requests_of(word), retries_of(word) + 1) : make_word(second, 0, 1);
    if (place.compare_exchange_weak(word, next, std::memory_order_relaxed)) return true;
  }
}

std::string_view name_of(RetryVerdict verdict) noexcept {
  switch (verdict) {
    case RetryVerdict::retry: return "retry";
    case RetryVerdict::answered: return "answered";
    case RetryVerdict::attempts_spent: return "attempts_spent";
    case RetryVerdict::not_configured: return "not_configured";
    case RetryVerdict::not_idempotent: return "not_idempotent";
    case RetryVerdict::body_not_replayable: return "body_not_replayable";
    case RetryVerdict::limit_of_ours: return "limit_of_ours";
  }
  return "";
}

RetryVerdict judge_retry(const RetryConfig& config, const AttemptResult& result) noexcept {
  bool configured = false;
  bool unseen = false;  // the upstream has processed nothing for certain: any method may be sent again
  if (result.failure != nullptr) {
    const http::Failure& failure = *result.failure;
    if (failure.kind == http::FailureKind::circuit_open) return RetryVerdict::limit_of_ours;
    if (failure.response_begun) return RetryVerdict::answered;
    switch (failure.kind) {
      case http::FailureKind::connect:
      case http::FailureKind::connect_timeout:
      case http::FailureKind::tls:
        configured = config.on_connect_failure;
        unseen = true;
        break;
      case http::FailureKind::reset:
        configured = config.on_reset;
        unseen = failure.request_unseen;
        break;
      case http::FailureKind::refused_stream:
        configured = config.on_reset;
        unseen = true;
        break;
      case http::FailureKind::bad_response:      // it answered, only not in HTTP: it has acted
      case http::FailureKind::response_timeout:  // it may still be at it; another one would double the load
      case http::FailureKind::circuit_open: break;
    }
  } else {
    configured = std::find(config.on_status.begin(), config.on_status.end(), result.status) != config.on_status.end();
  }
  if (result.answered) return RetryVerdict::answered;
  if (!configured) return RetryVerdict::not_configured;
  if (result.attempts >= config.attempts) return RetryVerdict::attempts_spent;
  if (!unseen && !http::is_idempotent(result.method)) return RetryVerdict::not_idempotent;
  if (!result.body_replayable) return RetryVerdict::body_not_replayable;
  return RetryVerdict::retry;
}

}  // namespace gatehouse::gateway
