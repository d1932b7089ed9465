#include "audit/journal.h"

#include <algorithm>
#include <charconv>

#include "audit/tiles.h"
#include "crypto/digest.h"

namespace gatehouse::audit {
namespace {

constexpr std::string_view kMagic = "GHAUDIT1";
constexpr std::size_t kHeadBytes = 8 + 8 + 4 * 4, kDigestBytes = 32, kSegmentDigits = 20;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t take_number(std::string_view& from, std::size_t bytes) noexcept {
  std::uint64_t value = 0;
  for (const char c : from.substr(0, bytes)) value = value << 8 | static_cast<std::uint8_t>(c);
  from.remove_prefix(bytes);
  return value;
}

}  // namespace

std::string segment_name(std::uint64_t first) { return fmt::format("{:020}", first); }

std::optional<std::uint64_t> first_of_segment(std::string_view name) noexcept {
  std::uint64_t first = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), first);
  if (name.size() != kSegmentDigits || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return first;
}

std::string frame_of(std::uint64_t first, std::uint32_t count, std::string_view entries, std::string_view sealed,
                     std::string_view note) {
  std::string frame;
  frame.reserve(kHeadBytes + entries.size() + sealed.size() + note.size() + kDigestBytes);
  frame += kMagic;
  put(frame, first, 8);
  put(frame, count, 4);
  for (const std::string_view part : {entries, sealed, note}) put(frame, part.size(), 4);
  frame.append(entries).append(sealed).append(note);
  frame += crypto::as_text(crypto::sha256(frame));
  return frame;
}

Result<std::optional<Batch>> take_batch(std::string_view& rest) {
  const std::string_view all = rest;
  // What cannot be one is the remains of the last, unless another begins behind it.
  const auto no_batch = [&all]() -> Result<std::optional<Batch>> {
    if (all.size() > 1 && all.find(kMagic, 1) != std::string_view::npos) {
      return fail(ErrorCode::invalid, "a batch of the journal is damaged, and it is not the last");
    }
    return std::optional<Batch>();
  };
  if (all.size() < kHeadBytes || !all.starts_with(kMagic)) return no_batch();
  std::string_view head = all.substr(kMagic.size());
  Batch batch;
  batch.first = take_number(head, 8);
  const std::uint64_t count = take_number(head, 4);
  const std::size_t entries = take_number(head, 4), sealed = take_number(head, 4), note = take_number(head, 4);
  const std::size_t bytes = kHeadBytes + entries + sealed + note;
  if (all.size() < bytes + kDigestBytes) return no_batch();
  if (crypto::as_text(crypto::sha256(all.substr(0, bytes))) != all.substr(bytes, kDigestBytes)) return no_batch();
  auto entry_items = split_bundle(all.substr(kHeadBytes, entries), count);
  auto sealed_items = split_bundle(all.substr(kHeadBytes + entries, sealed), count);
  if (!entry_items || !sealed_items) return fail(ErrorCode::invalid, "a batch of the journal contradicts itself");
  batch.entries = std::move(*entry_items);
  batch.sealed = std::move(*sealed_items);
  batch.note = all.substr(kHeadBytes + entries + sealed, note);
  rest.remove_prefix(bytes + kDigestBytes);
  return batch;
}

}  // namespace gatehouse::audit
