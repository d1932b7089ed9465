#include "waf/engine/persistent_collections.h"

#include <algorithm>
#include <utility>

#include "crypto/keyed_hash.h"
#include "waf/operator/operator.h"

namespace gatehouse::waf {
namespace {

// What a record and a variable cost besides their texts: nodes of the list and the map, the vector, the allocator.
constexpr std::size_t kRecordBytes = 192;
constexpr std::size_t kVariableBytes = 96;
constexpr std::size_t kEndedAtOnce = 2;  // records that have ended and go with one change

std::size_t bytes_of(const KeptVariable& variable) noexcept {
  return kVariableBytes + variable.name.size() + variable.value.size();
}

MonotonicTime after(MonotonicTime now, std::chrono::seconds time) noexcept {
  return time < std::chrono::duration_cast<std::chrono::seconds>(MonotonicTime::max() - now) ? now + time
                                                                                             : MonotonicTime::max();
}

}  // namespace

std::string changed_value(SetVar::Kind kind, std::string_view old, std::string_view by) {
  if (kind != SetVar::Kind::add && kind != SetVar::Kind::subtract) return std::string(by);
  const bool subtract = kind == SetVar::Kind::subtract;
  const std::int64_t a = number_of(old), b = number_of(by);
  std::int64_t result = 0;
  const bool overflow = subtract ? __builtin_sub_overflow(a, b, &result) : __builtin_add_overflow(a, b, &result);
  if (overflow) result = a < 0 ? INT64_MIN : INT64_MAX;
  return std::to_string(result);
}

MemoryCollections::MemoryCollections(const Clock& clock, const Limits& limits)
    : clock_(clock),
      stripe_records_max_((limits.records_max + kStripes - 1) / kStripes),
      stripe_bytes_max_(std::max((limits.bytes_max + kStripes - 1) / kStripes, kRecordBytesMax)) {}

void MemoryCollections::read(std::string_view key, Record& record) {
  record.clear();
  const std::uint64_t hash = crypto::keyed_hash(key);
  Stripe& stripe = stripe_of(hash);
  if (!stripe.used.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(stripe.mutex);
  if (const Entry* const entry = find(stripe, hash, clock_.now())) tell(*entry, record);
}

void MemoryCollections::change(std::string_view key, SetVar::Kind kind, std::string_view name, NamedBy named_by,
                               std::string_view by, std::chrono::seconds timeout, Record& record) {
  record.clear();
  const std::uint64_t hash = crypto::keyed_hash(key);
  Stripe& stripe = stripe_of(hash);
  const std::lock_guard lock(stripe.mutex);
  const MonotonicTime now = clock_.now();
  Entry* entry = find(stripe, hash, now);
  if (entry == nullptr) {
    if (kind == SetVar::Kind::unset) return;
    if (stripe.by_key.empty()) stripe.by_key.reserve(stripe_records_max_ + 1);  // never again under load
    entry = &stripe.entries.emplace_back();
    entry->key = hash;
    stripe.by_key.emplace(hash, std::prev(stripe.entries.end()));
    ++stripe.statistics.records;
    stripe.used.store(true, std::memory_order_release);
    resize(stripe, *entry, kRecordBytes);
  }
  if (!apply(stripe, *entry, kind, name, named_by, by)) ++stripe.statistics.refused;
  if (entry->variables.empty()) return erase(stripe, std::prev(stripe.entries.end()));
  entry->ends = after(now, std::max(timeout, std::chrono::seconds(1)));
  tell(*entry, record);
  make_room(stripe, now);
}

void MemoryCollections::expire(std::string_view key, std::string_view name, std::chrono::seconds time, Record& record) {
  record.clear();
  const std::uint64_t hash = crypto::keyed_hash(key);
  Stripe& stripe = stripe_of(hash);
  if (!stripe.used.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(stripe.mutex);
  const MonotonicTime now = clock_.now();
  Entry* const entry = find(stripe, hash, now);
  if (entry == nullptr) return;
  for (Stored& stored : entry->variables) {
    if (stored.variable.name == name) stored.ends = after(now, std::max(time, std::chrono::seconds(0)));
  }
  if (find(stripe, hash, now) != nullptr) tell(*entry, record);
}

MemoryCollections::Statistics MemoryCollections::statistics() {
  Statistics sum;
  for (std::size_t i = 0; i < kStripes; ++i) {
    const std::lock_guard lock(stripes_[i].mutex);
    const Statistics& one = stripes_[i].statistics;
    sum.records += one.records;
    sum.bytes += one.bytes;
    sum.evicted += one.evicted;
    sum.variables_evicted += one.variables_evicted;
    sum.refused += one.refused;
  }
  return sum;
}

MemoryCollections::Entry* MemoryCollections::find(Stripe& stripe, std::uint64_t hash, MonotonicTime now) {
  const auto found = stripe.by_key.find(hash);
  if (found == stripe.by_key.end()) return nullptr;
  Entry& entry = *found->second;
  if (entry.ends <= now) {
    erase(stripe, found->second);
    return nullptr;
  }
  std::size_t bytes = entry.bytes;
  std::erase_if(entry.variables, [&](const Stored& stored) {
    if (stored.ends > now) return false;
    bytes -= bytes_of(stored.variable);
    return true;
  });
  resize(stripe, entry, bytes);
  if (!entry.variables.empty()) {
    stripe.entries.splice(stripe.entries.end(), stripe.entries, found->second);
    return &entry;
  }
  erase(stripe, found->second);
  return nullptr;
}

void MemoryCollections::resize(Stripe& stripe, Entry& entry, std::size_t bytes) noexcept {
  stripe.statistics.bytes += bytes - entry.bytes;
  entry.bytes = bytes;
}

void MemoryCollections::erase(Stripe& stripe, Entries::iterator entry) {
  resize(stripe, *entry, 0);
  stripe.by_key.erase(entry->key);
  stripe.entries.erase(entry);
  if (--stripe.statistics.records == 0) stripe.used.store(false, std::memory_order_release);
}

// False when no record has room for it; this one is then as it was.
bool MemoryCollections::apply(Stripe& stripe, Entry& entry, SetVar::Kind kind, std::string_view name, NamedBy named_by,
                              std::string_view by) {
  const auto at = std::find_if(entry.variables.begin(), entry.variables.end(),
                               [&](const Stored& stored) { return stored.variable.name == name; });
  const bool known = at != entry.variables.end();
  if (kind == SetVar::Kind::unset) {
    if (!known) return true;
    resize(stripe, entry, entry.bytes - bytes_of(at->variable));
    entry.variables.erase(at);
    return true;
  }
  KeptVariable next{std::string(name), changed_value(kind, known ? at->variable.value : std::string_view{}, by)};
  if (kRecordBytes + bytes_of(next) > kRecordBytesMax) return false;
  const std::uint64_t change = ++stripe.changes;
  if (known) {
    resize(stripe, entry, entry.bytes - bytes_of(at->variable) + bytes_of(next));
    at->variable.value = std::move(next.value);  // its end stays: the manual's setvar does not move it
    at->changed = change;
    if (named_by == NamedBy::rule) at->named_by = named_by;
  } else {
    resize(stripe, entry, entry.bytes + bytes_of(next));
    entry.variables.push_back({std::move(next), MonotonicTime::max(), change, named_by});
  }
  // What was changed now is the newest, and fits, unless a request named it and there is nothing else of that kind.
  while (entry.bytes > kRecordBytesMax || entry.variables.size() > kVariablesMax) evict_variable(stripe, entry);
  return true;
}

// A record that is full, because rules name its variables after what clients send, must still take the one that
// matters. Those that have ended are gone already.
void MemoryCollections::evict_variable(Stripe& stripe, Entry& entry) {
  const auto oldest =
      std::min_element(entry.variables.begin(), entry.variables.end(), [](const Stored& one, const Stored& other) {
        if (one.named_by != other.named_by) return one.named_by == NamedBy::request;
        return one.changed < other.changed;
      });
  resize(stripe, entry, entry.bytes - bytes_of(oldest->variable));
  entry.variables.erase(oldest);
  ++stripe.statistics.variables_evicted;
}

// The record that was just changed stands at the end, and stays: no record is larger than a stripe's share.
void MemoryCollections::make_room(Stripe& stripe, MonotonicTime now) {
  std::size_t ended = 0;
  while (stripe.entries.size() > 1) {
    const bool over = stripe.statistics.records > stripe_records_max_ || stripe.statistics.bytes > stripe_bytes_max_;
    const bool has_ended = stripe.entries.front().ends <= now;
    if (!over && (!has_ended || ended == kEndedAtOnce)) return;
    ended += has_ended;
    stripe.statistics.evicted += !has_ended;
    erase(stripe, stripe.entries.begin());
  }
}

void MemoryCollections::tell(const Entry& entry, Record& record) {
  for (const Stored& stored : entry.variables) record.push_back(stored.variable);
}

}  // namespace gatehouse::waf
