#include "telemetry/record_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

constexpr std::size_t kBytesMin = 64 * 1024;
constexpr std::size_t kWordsPerEntryMin = 16;  // 128 bytes: no packed decision record is shorter

constexpr std::size_t kWordsPerLine = 8, kWordsAhead = 72;  // of a usual record: 576 bytes

std::uint64_t* zeroed_words(std::size_t count) {
  auto* words = static_cast<std::uint64_t*>(std::calloc(count, sizeof(std::uint64_t)));
  GH_CHECK(words != nullptr);
  return words;
}

std::size_t words_of(std::size_t bytes) noexcept { return (bytes + 7) / 8; }

using KeyWords = std::array<std::uint64_t, sizeof(PackedKey) / 8>;

}  // namespace

RecordRing::RecordRing(std::size_t bytes)
    : words_(std::bit_ceil(std::max(bytes, kBytesMin)) / 8),
      entries_(words_ / kWordsPerEntryMin),
      data_(zeroed_words(words_)),
      index_(zeroed_words(entries_)) {}

std::uint64_t RecordRing::load(std::uint64_t position) const noexcept {
  return std::atomic_ref(data_[position & (words_ - 1)]).load(std::memory_order_acquire);
}

void RecordRing::store(std::uint64_t position, std::uint64_t word) noexcept {
  std::atomic_ref(data_[position & (words_ - 1)]).store(word, std::memory_order_release);
}

bool RecordRing::intact(std::uint64_t position) const noexcept {
  return reserved_.load(std::memory_order_acquire) - position <= words_;
}

bool RecordRing::add(std::string_view packed) noexcept {
  const std::size_t words = words_of(packed.size());
  if (words > words_ / 4) return false;

  const std::uint64_t position = reserved_.load(std::memory_order_relaxed);
  reserved_.store(position + words, std::memory_order_release);
  std::uint64_t to = position;
  for (; packed.size() >= 8; packed.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, packed.data(), 8);
    store(to++, word);
  }
  if (!packed.empty()) {
    std::uint64_t word = 0;
    std::memcpy(&word, packed.data(), packed.size());
    store(to, word);
  }
  const std::uint64_t entry = published_.load(std::memory_order_relaxed);
  std::atomic_ref(index_[entry & (entries_ - 1)]).store(position, std::memory_order_release);
  published_.store(entry + 1, std::memory_order_release);
  // The ring is larger than the cache; where the next record will stand is fetched while its request is under way.
  for (std::size_t ahead = 0; ahead < kWordsAhead; ahead += kWordsPerLine) {
    __builtin_prefetch(&data_[(position + words + ahead) & (words_ - 1)], 1);
  }
  return true;
}

bool RecordRing::read_key(std::uint64_t entry, std::uint64_t& position, PackedKey& key) const noexcept {
  position = std::atomic_ref(index_[entry & (entries_ - 1)]).load(std::memory_order_acquire);
  // A writer that has come round the index has left another entry's position there.
  if (published_.load(std::memory_order_acquire) - entry >= entries_ || !intact(position)) return false;
  KeyWords words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = load(position + i);
  std::memcpy(&key, words.data(), sizeof key);
  return intact(position);
}

bool RecordRing::read_bytes(std::uint64_t position, const PackedKey& key, std::string& out) const {
  if (key.bytes > words_ * 2) return false;  // `add` keeps none that long: the words are another record's
  out.resize(key.bytes);
  for (std::size_t at = 0; at < key.bytes; at += 8) {
    const std::uint64_t word = load(position + at / 8);
    std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, key.bytes - at));
  }
  return intact(position);
}

bool RecordRing::next(std::uint64_t& entry, PackedKey& key, std::uint64_t& position,
                      std::uint64_t& missed) const noexcept {
  const std::uint64_t newest = published_.load(std::memory_order_acquire);
  if (newest - entry > entries_) {
    missed += newest - entries_ - entry;
    entry = newest - entries_;
  }
  for (; entry < newest; ++entry, ++missed) {
    if (read_key(entry, position, key)) return true;
  }
  return false;
}

std::optional<std::string> RecordRing::find(std::string_view request_id) const {
  const auto wanted = packed_id(request_id);
  if (request_id.empty() || request_id.size() > wanted.size()) return std::nullopt;
  const std::uint64_t newest = published_.load(std::memory_order_acquire);
  for (std::uint64_t back = 1; back <= std::min<std::uint64_t>(newest, entries_); ++back) {
    std::uint64_t position;
    PackedKey key;
    if (!read_key(newest - back, position, key)) return std::nullopt;  // all older ones are gone, too
    if (key.request_id != wanted) continue;
    std::string bytes;
    if (read_bytes(position, key, bytes)) return bytes;
    return std::nullopt;
  }
  return std::nullopt;
}

std::vector<RecordRing::Entry> RecordRing::recent(std::size_t limit, const RecordFilter& filter) const {
  std::vector<Entry> found;
  const std::uint64_t newest = published_.load(std::memory_order_acquire);
  for (std::uint64_t back = 1; back <= std::min<std::uint64_t>(newest, entries_) && found.size() < limit; ++back) {
    std::uint64_t position;
    PackedKey key;
    if (!read_key(newest - back, position, key)) break;
    if (filter.verdict && key.verdict != *filter.verdict) continue;
    if (filter.layer && key.layer != *filter.layer) continue;
    if (filter.client && !filter.client->contains(IpAddress{key.client_ip})) continue;
    Entry record{WallTime(Duration(key.time_ns)), {}};
    if (!read_bytes(position, key, record.bytes)) break;
    found.push_back(std::move(record));
  }
  return found;
}

namespace {

std::string to_json(std::string_view packed) {
  DecisionRecord record;
  WafRecord waf;
  GH_CHECK(unpack(packed, record, waf));
  std::string out;
  append_json(record, out);
  return out;
}

}  // namespace

RecordStore::Shard::Shard(std::size_t bytes)
    : passed(bytes / 2), denied(bytes / 2), packed(std::make_unique_for_overwrite<char[]>(kPackedBytesMax)) {}

RecordStore::RecordStore(std::size_t shards, std::size_t bytes_per_shard) {
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>(bytes_per_shard));
}

void RecordStore::add(std::size_t shard, const DecisionRecord& record) noexcept {
  Shard& own = *shards_[shard];
  const bool denied = record.verdict == Verdict::deny || record.verdict == Verdict::delay;
  (denied ? own.denied : own.passed).add({own.packed.get(), pack(record, own.packed.get())});
}

std::optional<std::string> RecordStore::find(std::string_view request_id) const {
  for (const auto& shard : shards_) {
    if (const auto found = shard->denied.find(request_id)) return to_json(*found);
    if (const auto found = shard->passed.find(request_id)) return to_json(*found);
  }
  return std::nullopt;
}

std::vector<const RecordRing*> RecordStore::rings() const {
  std::vector<const RecordRing*> all;
  for (const auto& shard : shards_) all.push_back(&shard->denied);
  for (const auto& shard : shards_) all.push_back(&shard->passed);
  return all;
}

std::vector<StoredRecord> RecordStore::recent(std::size_t limit, const RecordFilter& filter) const {
  std::vector<RecordRing::Entry> newest;
  for (const auto& shard : shards_) {
    for (const RecordRing* ring : {&shard->denied, &shard->passed}) {
      auto some = ring->recent(limit, filter);
      std::move(some.begin(), some.end(), std::back_inserter(newest));
    }
  }
  std::stable_sort(newest.begin(), newest.end(), [](const auto& a, const auto& b) { return a.time > b.time; });
  if (newest.size() > limit) newest.resize(limit);
  std::vector<StoredRecord> all;
  for (const RecordRing::Entry& entry : newest) all.push_back({entry.time, to_json(entry.bytes)});
  return all;
}

}  // namespace gatehouse::telemetry
