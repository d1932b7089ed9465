#pragma once
// The journal: what is durable already and not yet in tiles. One file, a *segment*, journal/<20 digits>, named by the
// first entry that may be in it; in it one batch behind the other, each made durable by one fdatasync:
//
//   "GHAUDIT1"                      8 bytes
//   first, count                    the place of its first entry, and how many: 8 and 4 bytes, the highest first
//   entries, sealed, note bytes     4 bytes each
//   entries                         each behind its length, as in a bundle
//   sealed                          the same for what belongs to each entry; length 0: nothing
//   note                            the checkpoint of the log with these entries, signed
//   SHA-256 of all of the above     32 bytes
//
// Invariant: a batch is complete or it isn't one. What a crash left of the last is no entry and was never said to be.
// Thread safety: pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::audit {

inline constexpr std::size_t kBatchBytesMax = 64 * 1024 * 1024;
inline constexpr std::size_t kSegmentBytesMax = 256 * 1024 * 1024;

struct Batch {
  std::uint64_t first = 0;
  std::vector<std::string_view> entries, sealed;  // as many
  std::string_view note;
};

std::string segment_name(std::uint64_t first);
std::optional<std::uint64_t> first_of_segment(std::string_view name) noexcept;  // nullopt: not a segment

// Writes the batch around `entries` and `sealed`, which append_item has made.
std::string frame_of(std::uint64_t first, std::uint32_t count, std::string_view entries, std::string_view sealed,
                     std::string_view note);

// Takes a batch from the front of `rest`. nullopt: what is there is no whole batch, and is the last that is there: what
// a crash leaves. invalid: it is none, and others come after it: nothing but a change leaves that.
Result<std::optional<Batch>> take_batch(std::string_view& rest);

}  // namespace gatehouse::audit
