#pragma once
// That an entry is in a log, for whoever has the log's key and nothing else: C2SP tlog-proof.
//
//   c2sp.org/tlog-proof@v1\n extra base64(entry)\n index N\n base64(hash)\n … \n checkpoint
//
// `extra` holds the entry itself here, so that the file says what it proves.
// Thread safety: pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/note.h"
#include "audit/tiles.h"

namespace gatehouse::audit {

inline constexpr std::size_t kProofBytesMax = 256 * 1024;

struct EntryProof {
  std::string entry;
  std::uint64_t index = 0;
  std::vector<Hash> path;
  std::string note;
};

// Of an entry of the log that `reader` reads, under the checkpoint `note` of as many entries.
Result<EntryProof> prove_entry(TileReader& reader, std::uint64_t index, std::string_view note);
std::string write_proof(const EntryProof& proof);
Result<EntryProof> parse_proof(std::string_view text);  // invalid: it is none
// denied: the checkpoint is not signed by this key, or the entry is not in its tree.
Result<Checkpoint> check_proof(const EntryProof& proof, const NoteVerifier& verifier);

}  // namespace gatehouse::audit
