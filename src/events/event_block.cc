#include "events/event_block.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "events/term_filter.h"

namespace gatehouse::events {
namespace {

constexpr std::string_view kMagic = "GHEV1";
constexpr std::size_t kPlaceBytes = 8 + 1 + 4;
constexpr std::size_t kPlainBytesMax =
    kMagic.size() + 4 + BlockBuilder::kEventsMax * kPlaceBytes + BlockBuilder::kBytesFull + BlockBuilder::kLineBytesMax;
constexpr int kCompression = 3;

template <class Number>
void put(std::string& out, Number number) {
  auto rest = static_cast<std::uint64_t>(number);
  for (std::size_t i = 0; i < sizeof number; ++i, rest >>= 8) out += static_cast<char>(rest & 0xff);
}

template <class Number>
Number take(std::string_view& bytes) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(sizeof(Number));
  return static_cast<Number>(number);
}

tl::unexpected<Error> damaged() { return fail(ErrorCode::invalid, "a block of events is damaged"); }

}  // namespace

std::string_view name_of(EventKind kind) noexcept { return kind == EventKind::act ? "act" : "request"; }

bool BlockBuilder::add(const Event& event, std::span<const Term> terms) {
  if (event.line.size() > kLineBytesMax) return false;
  if (events_.empty()) since_ = until_ = event.time;
  since_ = std::min(since_, event.time);
  until_ = std::max(until_, event.time);
  events_.push_back({event.time.time_since_epoch().count(), event.kind, static_cast<std::uint32_t>(event.line.size())});
  text_ += event.line;
  terms_.insert(terms.begin(), terms.end());
  return true;
}

std::string BlockBuilder::filter() const { return make_term_filter(std::vector<Term>(terms_.begin(), terms_.end())); }

Result<std::string> BlockBuilder::data() const {
  std::string plain(kMagic);
  plain.reserve(kMagic.size() + 4 + events_.size() * kPlaceBytes + text_.size());
  put(plain, static_cast<std::uint32_t>(events_.size()));
  for (const Place& place : events_) {
    put(plain, place.time_ns);
    put(plain, static_cast<std::uint8_t>(place.kind));
    put(plain, place.bytes);
  }
  plain += text_;
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const std::size_t bytes = ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), kCompression);
  if (ZSTD_isError(bytes) != 0) return fail(ErrorCode::exhausted, "no memory to compress events", ErrorSource::system);
  out.resize(bytes);
  return out;
}

void BlockBuilder::clear() {
  events_.clear();
  text_.clear();
  terms_.clear();
}

Result<Block> Block::read(std::string_view data) {
  const unsigned long long size = ZSTD_getFrameContentSize(data.data(), data.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kPlainBytesMax) return damaged();
  Block block;
  block.plain_.resize(static_cast<std::size_t>(size));
  const std::size_t got = ZSTD_decompress(block.plain_.data(), block.plain_.size(), data.data(), data.size());
  std::string_view rest = block.plain_;
  if (ZSTD_isError(got) != 0 || got != size || !rest.starts_with(kMagic)) return damaged();
  rest.remove_prefix(kMagic.size());
  if (rest.size() < 4) return damaged();
  const auto count = take<std::uint32_t>(rest);
  if (count > BlockBuilder::kEventsMax || rest.size() < count * kPlaceBytes) return damaged();
  std::size_t begin = block.plain_.size() - rest.size() + count * kPlaceBytes;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto time_ns = take<std::int64_t>(rest);
    const auto kind = static_cast<EventKind>(take<std::uint8_t>(rest));
    const auto bytes = take<std::uint32_t>(rest);
    if (bytes > block.plain_.size() - begin) return damaged();
    block.events_.push_back({WallTime(Duration(time_ns)), kind, begin, bytes});
    begin += bytes;
  }
  if (begin != block.plain_.size()) return damaged();
  return block;
}

Event Block::event(std::size_t index) const noexcept {
  const Place& place = events_[index];
  return {place.time, place.kind, std::string_view(plain_).substr(place.begin, place.bytes)};
}

}  // namespace gatehouse::events
