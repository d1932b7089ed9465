#pragma once
// Is a log what its key signed? Everything is read and computed anew: entries against leaves, tiles against tiles, the
// root against the checkpoint, the journal's batches against their signatures. tools/gatehouse-audit-verify does
// the same, written apart from this.
//
// Thread safety: pure. A log that is being written can be verified: what is published meanwhile is looked at again.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "audit/note.h"

namespace gatehouse::audit {

enum class Verdict : std::uint8_t { verified, tampered, unusable };  // unusable: it could not be judged
std::string_view name_of(Verdict verdict) noexcept;

struct VerifyReport {
  Verdict verdict = Verdict::verified;
  std::string reason;            // the first thing that is wrong
  Checkpoint checkpoint;         // as published
  std::uint64_t journal = 0;     // entries behind it
  std::uint64_t unfinished = 0;  // bytes of a batch that a crash cut off; no entry of it was ever said to be there
  std::optional<Checkpoint> since;
};

VerifyReport verify_log(const Files& files, const std::string& folder, const NoteVerifier& verifier,
                        std::optional<std::string_view> since = std::nullopt);

// The sequence of a leaf that is written as it must be; nullopt: it is not.
std::optional<std::uint64_t> sequence_of(std::string_view leaf);

}  // namespace gatehouse::audit
