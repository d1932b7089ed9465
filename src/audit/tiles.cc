#include "audit/tiles.h"

#include <algorithm>
#include <cstring>

namespace gatehouse::audit {

std::string tile_path(std::string_view kind, std::uint64_t index, std::uint64_t width) {
  std::string number = fmt::format("{:03}", index % 1000);
  for (index /= 1000; index > 0; index /= 1000) number = fmt::format("x{:03}/{}", index % 1000, number);
  if (width == kTileWidth) return fmt::format("tile/{}/{}", kind, number);
  return fmt::format("tile/{}/{}.p/{}", kind, number, width);
}

std::string partial_folder(std::string_view kind, std::uint64_t index) {
  return tile_path(kind, index, kTileWidth) + ".p";
}

std::uint64_t tile_width(unsigned level, std::uint64_t index, std::uint64_t size) noexcept {
  const std::uint64_t hashes = level < kTileLevels ? size >> (8 * level) : 0;
  const std::uint64_t begin = index * kTileWidth;
  return hashes <= begin ? 0 : std::min(hashes - begin, kTileWidth);
}

void append_item(std::string& bundle, std::string_view item) {
  bundle += static_cast<char>(item.size() >> 8);
  bundle += static_cast<char>(item.size() & 0xff);
  bundle += item;
}

bool take_item(std::string_view& bundle, std::string_view& item) noexcept {
  if (bundle.size() < 2) return false;
  const auto bytes =
      static_cast<std::size_t>(static_cast<std::uint8_t>(bundle[0]) << 8 | static_cast<std::uint8_t>(bundle[1]));
  if (bundle.size() - 2 < bytes) return false;
  item = bundle.substr(2, bytes);
  bundle.remove_prefix(2 + bytes);
  return true;
}

std::vector<std::string> split_sealed(std::string_view bundle, std::uint64_t count) {
  std::vector<std::string> items(count);
  std::string_view item;
  for (std::size_t i = 0; i < count && take_item(bundle, item); ++i) items[i] = item;
  return items;
}

Result<std::vector<std::string_view>> split_bundle(std::string_view bundle, std::uint64_t count) {
  std::vector<std::string_view> items;
  items.reserve(std::min<std::uint64_t>(count, bundle.size() / 2));
  while (!bundle.empty()) {
    std::string_view item;
    if (!take_item(bundle, item)) return fail(ErrorCode::invalid, "a bundle of entries is cut off");
    items.push_back(item);
  }
  if (items.size() != count) {
    return fail(ErrorCode::invalid, fmt::format("a bundle has {} entries instead of {}", items.size(), count));
  }
  return items;
}

Result<std::vector<Hash>> split_tile(std::string_view tile, std::uint64_t width) {
  if (tile.size() != width * sizeof(Hash)) {
    return fail(ErrorCode::invalid, fmt::format("a tile has {} bytes instead of {} hashes", tile.size(), width));
  }
  std::vector<Hash> hashes(width);
  std::memcpy(hashes.data(), tile.data(), tile.size());
  return hashes;
}

std::string join_tile(std::span<const Hash> hashes) {
  std::string tile;
  tile.reserve(hashes.size() * sizeof(Hash));
  for (const Hash& hash : hashes) tile += crypto::as_text(hash);
  return tile;
}

Result<std::vector<Hash>> TileReader::tile(unsigned level, std::uint64_t index) {
  const std::uint64_t width = tile_width(level, index, size_);
  if (width == 0) return fail(ErrorCode::invalid, fmt::format("{} entries have no such tile", size_));
  const std::string path = tile_path(std::to_string(level), index, width);
  if (const auto known = tiles_.find(path); known != tiles_.end()) return known->second;
  const auto bytes = files_.read(folder_ + "/" + path, kTileWidth * sizeof(Hash));
  if (!bytes) return tl::unexpected(bytes.error());
  auto hashes = split_tile(*bytes, width);
  if (!hashes) return tl::unexpected(std::move(hashes.error()).while_(path));
  if (tiles_.size() >= kTilesMax) tiles_.clear();
  tiles_.emplace(path, *hashes);
  return hashes;
}

Result<Hash> TileReader::subtree(const Subtree& wanted) {
  const unsigned level = std::min(wanted.level / 8, kTileLevels - 1), above = wanted.level - 8 * level;
  const std::uint64_t first = wanted.index << above, count = std::uint64_t{1} << above;
  if (above > 8) return fail(ErrorCode::invalid, "no log is as large");
  auto hashes = tile(level, first / kTileWidth);
  if (!hashes) return tl::unexpected(std::move(hashes.error()));
  const std::uint64_t begin = first % kTileWidth;
  if (begin + count > hashes->size()) return fail(ErrorCode::invalid, "a tile is not as wide");
  // Within a tile: pairs are hashed until one is left.
  std::vector<Hash> row(hashes->begin() + static_cast<std::ptrdiff_t>(begin),
                        hashes->begin() + static_cast<std::ptrdiff_t>(begin + count));
  while (row.size() > 1) {
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = node_hash(row[2 * i], row[2 * i + 1]);
    row.resize(row.size() / 2);
  }
  return row[0];
}

Result<std::string> TileReader::bundle(std::uint64_t index, std::uint64_t* count) {
  *count = tile_width(0, index, size_);
  if (*count == 0) return fail(ErrorCode::invalid, fmt::format("{} entries have no such bundle", size_));
  return files_.read(folder_ + "/" + tile_path("entries", index, *count), kTileWidth * (kEntryBytesMax + 2));
}

Result<std::string> TileReader::entry(std::uint64_t index) {
  std::uint64_t count = 0;
  const auto bytes = bundle(index / kTileWidth, &count);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto items = split_bundle(*bytes, count);
  if (!items) return tl::unexpected(items.error());
  if (index % kTileWidth >= items->size())
    return fail(ErrorCode::not_found, fmt::format("there is no entry {}", index));
  return std::string((*items)[index % kTileWidth]);
}

}  // namespace gatehouse::audit
