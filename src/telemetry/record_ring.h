#pragma once
// The most recent decision records of each shard, for `gatehouse explain` and the admin API. They are kept packed
// (record_pack.h) and become JSON when somebody reads them.
//
// Each shard has two rings of equal size: one for what passed, one for what was denied or delayed, so that neither a
// flood of one evicts the other. When a ring is full the oldest records make room.
//
// Thread safety: `RecordRing::add` is called by its shard alone and never waits; everything else may be called from any
// thread. Readers copy and then check that the writer has not come round meanwhile (a sequence lock with positions as
// sequence numbers); what was overwritten while it was read counts as gone. Bytes are held in 64-bit words that are
// read with acquire and written with release, which are plain moves on x86, so the race is a defined one. Invariants:
// (1) positions only grow; a record at `p` is whole as long as `reserved - p <= capacity`. (2) `reserved` is moved
// before the words are overwritten, `published` after they are written.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "telemetry/decision_record.h"
#include "telemetry/record_pack.h"

namespace gatehouse::telemetry {

// All that is given must hold.
struct RecordFilter {
  std::optional<Verdict> verdict;
  std::optional<Layer> layer;  // the one that decided
  std::optional<Network> client;
};

struct StoredRecord {
  WallTime time;
  std::string json;
};

// One ring: a single writer, any number of readers. Of what it keeps it reads the PackedKey alone.
class RecordRing {
 public:
  // `bytes` is rounded up to a power of two, at least 64 KiB. The memory is touched only as it is used.
  explicit RecordRing(std::size_t bytes);

  struct Entry {
    WallTime time;
    std::string bytes;
  };

  // `packed` is what `pack` made. What is longer than a quarter of the ring is not kept. Returns whether it was.
  bool add(std::string_view packed) noexcept;

  std::optional<std::string> find(std::string_view request_id) const;
  // Up to `limit` that match, newest first.
  std::vector<Entry> recent(std::size_t limit, const RecordFilter& filter) const;

  // For whoever reads all of them in turn: the key of entry number `entry`, counted from 0, and the position of its
  // bytes for `read_bytes`. Entries that were overwritten are passed over, and added to `missed`. False: there is none.
  bool next(std::uint64_t& entry, PackedKey& key, std::uint64_t& position, std::uint64_t& missed) const noexcept;
  // False: it was overwritten meanwhile.
  bool read_bytes(std::uint64_t position, const PackedKey& key, std::string& out) const;

 private:
  struct Free {
    void operator()(std::uint64_t* words) const noexcept { std::free(words); }
  };

  std::uint64_t load(std::uint64_t position) const noexcept;
  void store(std::uint64_t position, std::uint64_t word) noexcept;
  bool intact(std::uint64_t position) const noexcept;
  // The key of entry number `entry`, if it is still there.
  bool read_key(std::uint64_t entry, std::uint64_t& position, PackedKey& key) const noexcept;

  std::size_t words_;    // a power of two
  std::size_t entries_;  // slots of `index_`, a power of two
  std::unique_ptr<std::uint64_t[], Free> data_;
  std::unique_ptr<std::uint64_t[], Free> index_;  // position of entry number i at i modulo entries_
  std::atomic<std::uint64_t> reserved_{0};        // words ever written, or about to be
  std::atomic<std::uint64_t> published_{0};       // entries ever written
};

// The rings of all shards.
class RecordStore {
 public:
  static constexpr std::size_t kDefaultBytesPerShard = 8 * 1024 * 1024;

  explicit RecordStore(std::size_t shards, std::size_t bytes_per_shard = kDefaultBytesPerShard);

  // By the shard's own thread.
  void add(std::size_t shard, const DecisionRecord& record) noexcept;

  std::optional<std::string> find(std::string_view request_id) const;                     // as JSON
  std::vector<StoredRecord> recent(std::size_t limit, const RecordFilter& filter) const;  // newest first
  std::vector<const RecordRing*> rings() const;  // those of what was denied first

 private:
  struct Shard {
    explicit Shard(std::size_t bytes);
    RecordRing passed, denied;
    std::unique_ptr<char[]> packed;  // room for the record that is being added
  };
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace gatehouse::telemetry
