#include "events/schema.h"

#include <array>

namespace gatehouse::events {

std::span<const store::Migration> key_migrations() {
  static constexpr std::array kMigrations{
      store::Migration{1, R"(
        CREATE TABLE event_keys (
          id TEXT PRIMARY KEY,
          since_ms BIGINT NOT NULL,
          version BIGINT NOT NULL,
          key_sealed BYTES NOT NULL);
        CREATE INDEX event_keys_since ON event_keys (since_ms))"},
  };
  return kMigrations;
}

// `filter` stands before `data`, so that reading it does not read that. `size` is what both of them take; it is in the
// index, so that the sum of all is found there.
std::span<const store::Migration> block_migrations() {
  static constexpr std::array kMigrations{
      store::Migration{1, R"(
        CREATE TABLE event_blocks (
          id TEXT PRIMARY KEY,
          key_id TEXT NOT NULL,
          since_ms BIGINT NOT NULL,
          until_ms BIGINT NOT NULL,
          events BIGINT NOT NULL,
          size BIGINT NOT NULL,
          version BIGINT NOT NULL,
          filter BYTES NOT NULL,
          data BYTES NOT NULL);
        CREATE INDEX event_blocks_until ON event_blocks (until_ms, id, size))"},
  };
  return kMigrations;
}

std::string bound_to(std::string_view block, std::uint64_t version) {
  return "event_blocks/" + std::string(block) + "/" + std::to_string(version);
}

}  // namespace gatehouse::events
