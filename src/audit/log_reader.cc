#include "audit/log_reader.h"

#include <algorithm>
#include <functional>

#include "audit/journal.h"
#include "audit/note.h"
#include "audit/tiles.h"

namespace gatehouse::audit {
namespace {

constexpr int kAttempts = 5;  // while somebody publishes

// `begin` is told the size, and says where to begin. conflict: what was to be read has been published meanwhile.
Result<EntryRange> read_once(const Files& files, const std::string& folder,
                             const std::function<std::uint64_t(std::uint64_t)>& begin, std::uint64_t count) {
  const auto note = files.read(folder + "/checkpoint", kNoteBytesMax);
  if (!note) return tl::unexpected(note.error());
  const auto checkpoint = parse_checkpoint(*note);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  std::vector<std::string> behind;
  const auto names = files.list(folder + "/journal");
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (!first_of_segment(name)) continue;
    const auto bytes = files.read(folder + "/journal/" + name, kSegmentBytesMax + 2 * kBatchBytesMax);
    if (!bytes) return fail(ErrorCode::conflict, bytes.error().message);
    std::string_view rest = *bytes;
    for (;;) {
      auto batch = take_batch(rest);
      if (!batch) return tl::unexpected(std::move(batch.error()));
      if (!*batch) break;
      if ((*batch)->first < checkpoint->size) continue;
      if ((*batch)->first != checkpoint->size + behind.size())
        return fail(ErrorCode::conflict, "the journal has a gap");
      for (const std::string_view entry : (*batch)->entries) behind.emplace_back(entry);
    }
  }
  EntryRange range{0, {}, checkpoint->size + behind.size()};
  range.first = std::min(begin(range.size), range.size);
  TileReader reader(files, folder, checkpoint->size);
  for (std::uint64_t at = range.first; at < range.size && range.entries.size() < count;) {
    if (at >= checkpoint->size) {
      range.entries.push_back(behind[at++ - checkpoint->size]);
      continue;
    }
    std::uint64_t in_bundle = 0;
    const auto bundle = reader.bundle(at / kTileWidth, &in_bundle);
    if (!bundle) return tl::unexpected(bundle.error());
    const auto items = split_bundle(*bundle, in_bundle);
    if (!items) return tl::unexpected(items.error());
    for (std::size_t i = at % kTileWidth; i < items->size() && range.entries.size() < count; ++i, ++at) {
      range.entries.emplace_back((*items)[i]);
    }
  }
  return range;
}

Result<EntryRange> read(const Files& files, const std::string& folder,
                        const std::function<std::uint64_t(std::uint64_t)>& begin, std::uint64_t count) {
  Result<EntryRange> range = fail(ErrorCode::conflict, folder);
  for (int attempt = 0; attempt < kAttempts && !range; ++attempt) {
    range = read_once(files, folder, begin, count);
    // A partial bundle goes when the full one is there: read again, too.
    if (!range && range.error().code != ErrorCode::conflict && range.error().code != ErrorCode::not_found) break;
  }
  return range;
}

}  // namespace

Result<EntryRange> read_entries(const Files& files, const std::string& folder, std::uint64_t first,
                                std::uint64_t count) {
  return read(
      files, folder, [first](std::uint64_t) { return first; }, count);
}

Result<EntryRange> read_last_entries(const Files& files, const std::string& folder, std::uint64_t count) {
  return read(
      files, folder, [count](std::uint64_t size) { return size - std::min(size, count); }, count);
}

}  // namespace gatehouse::audit
