#include "telemetry/record_ring.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "base/check.h"
#include "telemetry/record_pack.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

constexpr std::size_t kBytesMin = 64 * 1024;
constexpr std::size_t kWordsPerEntryMin = 32;  // 256 bytes: no packed decision record is shorter, header included

constexpr std::size_t kWordsPerLine = 8, kWordsAhead = 80;  // of a usual record: 640 bytes

std::uint64_t* zeroed_words(std::size_t count) {
  auto* words = static_cast<std::uint64_t*>(std::calloc(count, sizeof(std::uint64_t)));
  GH_CHECK(words != nullptr);
  return words;
}

std::size_t words_of(std::size_t bytes) noexcept { return (bytes + 7) / 8; }

struct Meta {
  std::uint32_t bytes;
  Verdict verdict;
  Layer layer;
};

std::uint64_t pack(const Meta& meta) noexcept {
  return meta.bytes | std::uint64_t{static_cast<std::uint8_t>(meta.verdict)} << 32 |
         std::uint64_t{static_cast<std::uint8_t>(meta.layer)} << 40;
}

Meta unpack(std::uint64_t word) noexcept {
  return {static_cast<std::uint32_t>(word), static_cast<Verdict>(word >> 32 & 0xff),
          static_cast<Layer>(word >> 40 & 0xff)};
}

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

bool RecordRing::add(const DecisionRecord& record, std::string_view bytes) noexcept {
  const std::size_t words = kHeaderWords + words_of(bytes.size());
  if (words > words_ / 4) return false;

  Header header{};
  header[kMeta] = pack({static_cast<std::uint32_t>(bytes.size()), record.verdict, record.layer});
  header[kTime] = static_cast<std::uint64_t>(record.time.time_since_epoch().count());
  std::memcpy(&header[kIp0], record.client_ip.bytes.data(), 16);
  if (!record.request_id.empty()) {
    std::memcpy(&header[kId0], record.request_id.data(), std::min<std::size_t>(record.request_id.size(), 32));
  }

  const std::uint64_t position = reserved_.load(std::memory_order_relaxed);
  reserved_.store(position + words, std::memory_order_release);
  for (std::size_t i = 0; i < kHeaderWords; ++i) store(position + i, header[i]);
  std::uint64_t to = position + kHeaderWords;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    store(to++, word);
  }
  if (!bytes.empty()) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
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

bool RecordRing::read_header(std::uint64_t entry, std::uint64_t& position, Header& header) const noexcept {
  position = std::atomic_ref(index_[entry & (entries_ - 1)]).load(std::memory_order_acquire);
  if (!intact(position)) return false;
  for (std::size_t i = 0; i < kHeaderWords; ++i) header[i] = load(position + i);
  return intact(position);
}

bool RecordRing::read_bytes(std::uint64_t position, const Header& header, std::string& out) const {
  const std::size_t bytes = unpack(header[kMeta]).bytes;
  if (bytes > words_ * 2) return false;  // `add` keeps none that long: the words are another record's
  out.resize(bytes);
  std::uint64_t from = position + kHeaderWords;
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::uint64_t word = load(from++);
    std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, bytes - at));
  }
  return intact(position);
}

std::optional<std::string> RecordRing::find(std::string_view request_id) const {
  if (request_id.empty() || request_id.size() > 32) return std::nullopt;
  std::array<std::uint64_t, 4> wanted{};
  std::memcpy(wanted.data(), request_id.data(), request_id.size());
  const std::uint64_t newest = published_.load(std::memory_order_acquire);
  for (std::uint64_t back = 1; back <= std::min<std::uint64_t>(newest, entries_); ++back) {
    std::uint64_t position;
    Header header;
    if (!read_header(newest - back, position, header)) return std::nullopt;  // all older ones are gone, too
    if (std::memcmp(wanted.data(), &header[kId0], sizeof wanted) != 0) continue;
    std::string text;
    if (read_bytes(position, header, text)) return text;
    return std::nullopt;
  }
  return std::nullopt;
}

std::vector<RecordRing::Entry> RecordRing::recent(std::size_t limit, const RecordFilter& filter) const {
  std::vector<Entry> found;
  const std::uint64_t newest = published_.load(std::memory_order_acquire);
  for (std::uint64_t back = 1; back <= std::min<std::uint64_t>(newest, entries_) && found.size() < limit; ++back) {
    std::uint64_t position;
    Header header;
    if (!read_header(newest - back, position, header)) break;
    const Meta meta = unpack(header[kMeta]);
    IpAddress client;
    std::memcpy(client.bytes.data(), &header[kIp0], 16);
    if (filter.verdict && meta.verdict != *filter.verdict) continue;
    if (filter.layer && meta.layer != *filter.layer) continue;
    if (filter.client && !filter.client->contains(client)) continue;
    Entry record{WallTime(Duration(static_cast<std::int64_t>(header[kTime]))), {}};
    if (!read_bytes(position, header, record.bytes)) break;
    found.push_back(std::move(record));
  }
  return found;
}

namespace {

std::string to_json(std::string_view packed) {
  DecisionRecord record;
  GH_CHECK(unpack(packed, record));
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
  (denied ? own.denied : own.passed).add(record, {own.packed.get(), pack(record, own.packed.get())});
}

std::optional<std::string> RecordStore::find(std::string_view request_id) const {
  for (const auto& shard : shards_) {
    if (const auto found = shard->denied.find(request_id)) return to_json(*found);
    if (const auto found = shard->passed.find(request_id)) return to_json(*found);
  }
  return std::nullopt;
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
