#pragma once
// Writes a log: entries become durable in batches, and tiles later.
//
//   commit   entries ──> journal, fdatasync                      durable: one fdatasync a batch
//   publish  journal ──> tiles, each synced ──> checkpoint ──> a new segment; the old one goes
//
// Why a crash at any point leaves a log that verifies:
// (1) What `commit` said yes to is in a segment whose name and bytes are synced, and stays there until a checkpoint
// that
//     covers it is: the segment is removed last. (2) Tiles and bundles are written before the checkpoint that first
//     needs them, and synced with their folders; a name that an older checkpoint needs is never written to again, since
//     each width has its own. (3) The checkpoint is replaced by a rename. So the folder holds at all times a checkpoint
//     whose tiles are whole, and behind it the batches since then: `open` reads them, and publishes what they say.
// (4) When any call fails, what is on disk is not known any more (after a failed fsync, least of all): the writer
//     refuses until it has read everything again, as `open` does, and has written it anew. An entry whose commit failed
//     may therefore be in the log all the same; one whose commit succeeded always is.
// (5) Two processes may have the same log open, while one takes over from the other: they take turns by a lock, and
//     whoever finds the other's mark reads again.
// What is found is judged: a signature that is wrong, tiles that do not give the checkpoint's root, a damaged batch
// that is not the last, or a checkpoint seen elsewhere that this log does not continue, are ErrorCode::denied; somebody
// has changed it. Whoever holds the key, or puts back an older copy of everything, is found out only by checkpoints
// kept elsewhere. Thread safety: one owner.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "audit/files.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "audit/tiles.h"

namespace gatehouse::audit {

// A checkpoint of this log that is kept elsewhere.
struct SeenCheckpoint {
  std::string where;  // for the operator
  std::string note;
};

class LogWriter {
 public:
  struct Options {
    std::string folder;
    std::vector<SeenCheckpoint> seen;
  };

  // Makes the log when there is none. denied: see above; anything else: it cannot be read or written for now.
  static Result<std::unique_ptr<LogWriter>> open(Files& files, Options options, NoteSigner signer,
                                                 SecretBytes personal_key);
  ~LogWriter();

  // All or none. At most kBatchBytesMax bytes together, which is unavailable otherwise. The place of the first.
  Result<std::uint64_t> commit(std::span<const Entry> entries);
  // The checkpoint of all that is committed, as a note.
  Result<std::string> publish();
  // What the personal values of an entry were is gone when this returns.
  Status erase_personal(std::uint64_t index);

  std::uint64_t size() const noexcept { return tree_.size(); }
  std::size_t unpublished_bytes() const noexcept { return unpublished_bytes_; }
  const NoteSigner& signer() const noexcept { return signer_; }
  const std::string& folder() const noexcept { return options_.folder; }

 private:
  struct Pending {
    std::string leaf, sealed;
    Hash hash;
  };
  // What is not full at the right edge.
  struct Edge {
    std::vector<Hash> hashes[kTileLevels];
    std::vector<std::string> entries, sealed;
  };
  struct Expected {
    std::uint64_t size;
    Hash root;
    std::string where;
  };
  class Turn;

  LogWriter(Files& files, Options options, NoteSigner signer, SecretBytes personal_key);
  Status take_turn();
  Status reload();
  Result<std::string> read_checkpoint();
  Status load_edge(std::uint64_t size);
  Status load_sealed(std::uint64_t size);
  Status replay_journal();
  Status replay_segment(const std::string& name);
  Status expect_seen();
  Status check_expected();

  Result<std::string> write_out();
  Status write_full_tiles(unsigned level);
  Status write_edge(std::uint64_t before);
  Status write_sealed(std::uint64_t index, const std::vector<std::string>& sealed);
  Status start_segment();
  Status write_file(const std::string& path, std::string_view bytes);
  Status replace_file(const std::string& path, std::string_view bytes);
  Status make_folders_of(const std::string& path);
  Status sync_written();
  Status remove_partial(std::string_view kind, std::uint64_t index);
  std::string path_of(std::string_view name) const { return options_.folder + "/" + std::string(name); }

  Files& files_;
  Options options_;
  const NoteSigner signer_;
  const NoteVerifier verifier_;
  const PersonalKey personal_;
  const std::string mark_;  // tells this writer from another
  std::unique_ptr<LockFile> lock_;
  std::unique_ptr<AppendFile> segment_;
  std::size_t segment_bytes_ = 0;
  bool broken_ = true;  // what is on disk is not known

  Frontier tree_;
  std::uint64_t published_ = 0;
  std::string note_;  // of the checkpoint on disk
  Edge edge_;         // of what is published
  std::vector<Pending> pending_;
  std::size_t unpublished_bytes_ = 0;
  std::vector<Expected> expected_;
  std::vector<std::string> written_;  // files to be synced
  std::set<std::string> touched_;     // folders to be synced
  std::set<std::string> known_;       // folders that are there
};

std::string personal_path(std::uint64_t bundle);  // personal/<N>

}  // namespace gatehouse::audit
