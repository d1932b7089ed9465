#pragma once
// The tables of one database, made anew in another and filled.

#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

// All that `from` holds at one moment, into `to`, whose tables must be empty or not there yet (ErrorCode::conflict).
// Returns the number of rows. A failure leaves empty tables in `to`.
Result<std::int64_t> copy_tables(Database& from, Database& to);

}  // namespace gatehouse::store
