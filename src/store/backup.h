#pragma once
// Backups: one format for both back ends, a SQLite file with the same tables. What was saved from SQLite can be put
// back into PostgreSQL and the other way round.
//
// Sealed columns stay sealed: a backup is of no use without the root key, and opens nothing to whoever finds it.
// Thread safety: none is needed; these block for as long as the data is large.

#include <string>

#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

// The store as it is at one moment, while others go on using it, in the file `target` (mode 0600). `target` is replaced
// in one step, after the copy was found to be sound.
Status back_up(const DatabaseOptions& from, const std::string& target);

struct Restored {
  std::string aside;  // where the file went that was there before; empty: there was none, or it is PostgreSQL
  std::int64_t rows = 0;
};
// Puts `source` in the place of the store. ErrorCode::conflict: SQLite's file is in use, or PostgreSQL's database has
// something in it already. `source` is as trusted as the database itself: it holds the statements that make the tables.
Result<Restored> restore(const std::string& source, const DatabaseOptions& to);

}  // namespace gatehouse::store
