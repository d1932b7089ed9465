#pragma once
// Entries of a log in their order, for people: those in tiles and, behind them, those in the journal. Nothing is
// verified here.
//
// Thread safety: pure; a log that is being written can be read.

#include <cstdint>
#include <string>
#include <vector>

#include "audit/files.h"

namespace gatehouse::audit {

struct EntryRange {
  std::uint64_t first = 0;
  std::vector<std::string> entries;
  std::uint64_t size = 0;  // of the log now, the journal included
};

// From `first` on, at most `count`.
Result<EntryRange> read_entries(const Files& files, const std::string& folder, std::uint64_t first,
                                std::uint64_t count);
Result<EntryRange> read_last_entries(const Files& files, const std::string& folder, std::uint64_t count);

}  // namespace gatehouse::audit
