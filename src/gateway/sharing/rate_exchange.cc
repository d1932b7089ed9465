#include "gateway/sharing/rate_exchange.h"

#include <algorithm>

namespace gatehouse::gateway {

std::string_view RateExchange::script() noexcept {
  // `or 0`: a value that is no number counts as none. What is told always costs something, so the time to live is never
  // zero. Microseconds since 1970 are exact in Lua's numbers.
  return R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed = {}
for i, key in ipairs(KEYS) do
  local at = math.max(tonumber(redis.call('GET', key) or 0) or 0, now) + ARGV[2 * i - 1]
  at = math.min(at, now + ARGV[2 * i])
  redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000))
  owed[i] = at - now
end
return owed
)lua";
}

bool RateExchange::add(const RateUse& use, MonotonicTime now) {
  auto found = pending_.find(use.key);
  if (found == pending_.end()) {
    if (pending_.size() >= kKeysMax) return false;
    found = pending_.emplace(use.key, Pending{use.interval, use.whole, 0, now, false}).first;
  }
  Pending& pending = found->second;
  ++pending.uses;
  if (pending.due) return true;
  const bool pressed = use.owed > use.whole / 2;
  if (!pressed && pending.uses * kShare < pending.whole / pending.interval) return true;
  pending.due = true;
  due_.push_back(use.key);
  return true;
}

RateExchange::Batch RateExchange::take(std::size_t most) {
  Batch batch;
  const std::size_t count = std::min(most, due_.size());
  batch.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto found = pending_.find(due_[i]);
    batch.push_back({found->first, found->second.interval, found->second.whole, found->second.uses});
    pending_.erase(found);
  }
  due_.erase(due_.begin(), due_.begin() + static_cast<std::ptrdiff_t>(count));
  return batch;
}

std::vector<std::string> RateExchange::words(const Batch& batch, std::string_view prefix) {
  std::vector<std::string> words;
  words.reserve(1 + 3 * batch.size());
  words.push_back(std::to_string(batch.size()));
  for (const Told& told : batch) words.push_back(fmt::format("{}rate:{:016x}", prefix, told.key));
  const auto microseconds = [](double ns) { return fmt::format("{:.3f}", std::max(ns / 1000, 0.001)); };
  for (const Told& told : batch) {
    words.push_back(microseconds(static_cast<double>(told.interval) * static_cast<double>(told.uses)));
    words.push_back(microseconds(static_cast<double>(told.whole) * static_cast<double>(kOwedMax)));
  }
  return words;
}

void RateExchange::heard(const Batch& batch, const std::vector<std::int64_t>& owed, MonotonicTime now) {
  for (std::size_t i = 0; i < batch.size() && i < owed.size(); ++i) {
    const auto most = static_cast<double>(batch[i].whole) * static_cast<double>(kOwedMax);
    // The script keeps to the bound; who says more is not that script.
    const double nanoseconds = static_cast<double>(owed[i]) * 1000;
    if (owed[i] <= 0 || nanoseconds > most + 1'000'000) continue;
    double whole = nanoseconds;
    // What was admitted here since is not in it yet.
    if (const auto since = pending_.find(batch[i].key); since != pending_.end())
      whole += static_cast<double>(since->second.uses) * static_cast<double>(since->second.interval);
    constexpr double kLongest = 4e18;  // nanoseconds, beyond a century
    table_.raise(batch[i].key, Duration(static_cast<std::int64_t>(std::min(whole, kLongest))), now);
  }
}

void RateExchange::sweep(MonotonicTime now) {
  std::erase_if(pending_, [&](const auto& entry) {
    return !entry.second.due && static_cast<std::uint64_t>((now - entry.second.first).count()) > entry.second.whole;
  });
}

void RateExchange::clear() {
  pending_.clear();
  due_.clear();
}

}  // namespace gatehouse::gateway
