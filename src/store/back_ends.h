#pragma once
// What `open_database` chooses from.

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

// The file is made when there is none: for us alone (0600), as SQLite then makes those beside it (`-wal`, `-shm`). Its
// folder must be one in which nobody else can put another file in its place.
Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, const DatabaseOptions& options);

// Nothing is asked of the server yet: connections are made when they are needed.
Result<std::unique_ptr<Database>> open_postgresql(const DatabaseOptions& options, const Clock& clock);

}  // namespace gatehouse::store
