#pragma once
// Where hashes and entries lie in a folder: C2SP tlog-tiles.
//
//   tile/<L>/<N>[.p/<W>]       256 hashes (W: so many), of the complete subtrees of 256^L entries
//   tile/entries/<N>[.p/<W>]   256 entries, each behind its length as two bytes, the higher first
//
// N in groups of three digits, all but the last behind an x: x001/x234/067. What is full never changes. What is not is
// a file of its own for each width at which a checkpoint was published, until the full one is there. Thread safety:
// `TileReader` has one owner; everything else is pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "audit/files.h"
#include "audit/merkle.h"

namespace gatehouse::audit {

inline constexpr std::uint64_t kTileWidth = 256;
inline constexpr unsigned kTileLevels = 8;  // 256^8 entries are more than there can be
inline constexpr std::size_t kEntryBytesMax = 65535;

// `width`: 1 to 256. `kind`: "0" to "7", "entries".
std::string tile_path(std::string_view kind, std::uint64_t index, std::uint64_t width);
std::string partial_folder(std::string_view kind, std::uint64_t index);  // that of a tile that is not full
// How many hashes tile `index` of `level` has in a log of `size` entries; 0: it isn't there.
std::uint64_t tile_width(unsigned level, std::uint64_t index, std::uint64_t size) noexcept;

void append_item(std::string& bundle, std::string_view item);  // at most kEntryBytesMax bytes
// Takes one from the front; false: there is no whole one.
bool take_item(std::string_view& bundle, std::string_view& item) noexcept;
// Views into `bundle`. invalid: it is cut off, or there are not `count`.
Result<std::vector<std::string_view>> split_bundle(std::string_view bundle, std::uint64_t count);
// The same for what is kept beside entries, of which nothing is proved, and anything may have been erased: `count`
// items, and what is not there is empty.
std::vector<std::string> split_sealed(std::string_view bundle, std::uint64_t count);
// invalid: not `width` hashes.
Result<std::vector<Hash>> split_tile(std::string_view tile, std::uint64_t width);
std::string join_tile(std::span<const Hash> hashes);

// What a log of `size` entries says in its folder. Keeps the tiles that it read, a bounded number.
class TileReader {
 public:
  TileReader(const Files& files, std::string folder, std::uint64_t size)
      : files_(files), folder_(std::move(folder)), size_(size) {}

  std::uint64_t size() const noexcept { return size_; }
  Result<Hash> subtree(const Subtree& wanted);
  SubtreeReader reader() {
    return [this](const Subtree& wanted) { return subtree(wanted); };
  }
  Result<std::vector<Hash>> tile(unsigned level, std::uint64_t index);
  Result<std::string> bundle(std::uint64_t index, std::uint64_t* count);
  Result<std::string> entry(std::uint64_t index);

 private:
  static constexpr std::size_t kTilesMax = 1024;
  const Files& files_;
  const std::string folder_;
  const std::uint64_t size_;
  std::unordered_map<std::string, std::vector<Hash>> tiles_;
};

}  // namespace gatehouse::audit
