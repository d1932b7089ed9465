#pragma once
// What the inspection rules found in one request and its answer, as plain values: which rules matched, on what, and
// what each added to the anomaly score.
//
// Views as in DecisionRecord. Bounds: kHitsMax rules, kTagsMax tags each; texts are cut where they are made. Already
// masked.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace gatehouse::telemetry {

struct WafHit {
  static constexpr std::size_t kTagsMax = 8;
  static constexpr std::size_t kTextBytesMax = 256;
  static constexpr std::size_t kAlsoMax = 3;

  std::uint64_t rule = 0;   // its id
  std::int32_t score = 0;   // what it added
  std::uint8_t level = 0;   // the paranoia level that it counts for; 0: it adds nothing
  std::uint8_t phase = 0;   // 1 to 4
  std::uint16_t times = 1;  // values that matched
  // A pattern gave up at its bound of work, which counts as a match.
  bool limit_reached = false;
  std::string_view severity, message;
  std::string_view variable, matched;           // "ARGS:id", and the bytes after the rule's transformations
  std::array<std::string_view, kAlsoMax> also;  // the other variables in which it matched
  std::uint8_t also_count = 0;
  std::uint16_t elsewhere = 0;  // values that matched in yet others
  std::array<std::string_view, kTagsMax> tags;
  std::uint8_t tag_count = 0;
};

struct WafRecord {
  static constexpr std::size_t kHitsMax = 24;
  static constexpr std::size_t kLevels = 4;

  // Request and answer have a score each. This is the one that was decided upon.
  bool outbound = false;                     // the answer's, to which rules of phases 3 and 4 add
  std::int32_t score = 0, threshold = 0;     // threshold 0: the rules keep no score
  std::array<std::int32_t, kLevels> levels;  // what the rules of each paranoia level added
  std::array<WafHit, kHitsMax> hits;
  std::uint16_t hit_count = 0;
  std::uint16_t omitted = 0;  // rules that matched beyond that

  std::span<const WafHit> all() const noexcept { return {hits.data(), hit_count}; }
};

}  // namespace gatehouse::telemetry
