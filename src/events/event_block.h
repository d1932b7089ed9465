#pragma once
// Some hundred events as one value of the store: compressed together, found by one filter, encrypted as one.
//
// The form, little-endian, inside a Zstandard frame:
//
//   "GHEV1" | u32 count | count × { i64 time in ns since 1970 | u8 kind | u32 bytes of its line } | the lines, in a row
//
// Events keep the order in which they came. Bounds: kEventsMax, kLineBytesMax a line (a longer one is refused), and a
// block is full at kBytesFull. Thread safety: one owner.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "events/terms.h"

namespace gatehouse::events {

enum class EventKind : std::uint8_t {
  request = 1,  // a decision record
  act = 2,      // what a person, an administrator or a program did: a login, a change
};
std::string_view name_of(EventKind kind) noexcept;  // "request"

struct Event {
  WallTime time;
  EventKind kind = EventKind::request;
  std::string_view line;  // a JSON object
};

class BlockBuilder {
 public:
  static constexpr std::size_t kEventsMax = 512;
  static constexpr std::size_t kBytesFull = 384 * 1024;
  static constexpr std::size_t kLineBytesMax = 128 * 1024;

  // False: the line is too long, and nothing was added.
  bool add(const Event& event, std::span<const Term> terms);

  bool full() const noexcept { return events_.size() >= kEventsMax || text_.size() >= kBytesFull; }
  bool empty() const noexcept { return events_.empty(); }
  std::size_t count() const noexcept { return events_.size(); }
  WallTime since() const noexcept { return since_; }  // of the oldest event
  WallTime until() const noexcept { return until_; }  // of the newest
  std::string filter() const;
  Result<std::string> data() const;
  void clear();

 private:
  struct Place {
    std::int64_t time_ns;
    EventKind kind;
    std::uint32_t bytes;
  };
  std::vector<Place> events_;
  std::string text_;
  std::unordered_set<Term> terms_;
  WallTime since_, until_;
};

class Block {
 public:
  // ErrorCode::invalid: these are no such bytes.
  static Result<Block> read(std::string_view data);

  std::size_t count() const noexcept { return events_.size(); }
  Event event(std::size_t index) const noexcept;

 private:
  struct Place {
    WallTime time;
    EventKind kind;
    std::size_t begin, bytes;
  };
  std::string plain_;
  std::vector<Place> events_;
};

}  // namespace gatehouse::events
