#pragma once
// A decision record as the bytes that are kept of it: everything that `append_json` prints, in a third of its length
// and a tenth of its time. Rendering waits until somebody asks, which for nearly every request is never.
//
// Bytes live only inside a process: native byte order, no version. Texts are cut one byte after the bound that
// rendering cuts them at (render.h), so that a record prints the same from its bytes as from itself.
//
// Thread safety: any thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "telemetry/decision_record.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {

// What the bytes begin with: what a record is found by, to be read without the rest.
struct PackedKey {
  std::array<char, 32> request_id;  // filled up with zeros; a longer one is cut
  std::array<std::uint8_t, 16> client_ip;
  std::int64_t time_ns;
  std::uint32_t bytes;  // of the whole record, the key included
  Verdict verdict;
  Layer layer;
  std::uint8_t remark;        // 1: an inspection rule matched, or a layer that only watches would have acted
  std::uint8_t status_class;  // 2: 2xx …; 0: no answer
};
static_assert(sizeof(PackedKey) == 64);

// A request id as it stands in a key.
std::array<char, 32> packed_id(std::string_view request_id) noexcept;

inline constexpr std::size_t kPackedBytesMax =
    1024 + (kPathBytesMax + 1) + (13 + 2 * DecisionRecord::kLayersMax) * (kTextBytesMax + 1) + 64 +
    WafRecord::kHitsMax * (64 + (4 + WafHit::kTagsMax + WafHit::kAlsoMax) * (WafHit::kTextBytesMax + 1));

// Writes the record to `to`, which has room for kPackedBytesMax; returns how many bytes it took.
std::size_t pack(const DecisionRecord& record, char* to) noexcept;

// The record again; its texts point into `bytes`, and it into `waf` if rules had matched. False: these are no such
// bytes, and the record is not to be used.
bool unpack(std::string_view bytes, DecisionRecord& record, WafRecord& waf) noexcept;

}  // namespace gatehouse::telemetry
