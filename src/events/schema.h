#pragma once
// The tables of events: keys where everything that is sealed is, blocks there or in a file of their own (SQLite, where
// what is written all day shall not be in the way of who signs in).

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "store/database.h"

namespace gatehouse::events {

inline constexpr std::string_view kKeysProduct = "event keys", kBlocksProduct = "events";
std::span<const store::Migration> key_migrations();
std::span<const store::Migration> block_migrations();

// What the bytes of a block are bound to: put in another's place, or back from a copy of before, they do not open.
std::string bound_to(std::string_view block, std::uint64_t version);

inline std::int64_t milliseconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace gatehouse::events
