#include "store/back_ends.h"

namespace gatehouse::store {

Result<std::unique_ptr<Database>> open_database(const DatabaseOptions& options, const Clock& clock) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (options.connections == 0) return fail(ErrorCode::invalid, "a store needs at least one connection");
  if (options.location.starts_with(kSqlite)) return open_sqlite(options.location.substr(kSqlite.size()), options);
  if (options.location.starts_with("postgresql://") || options.location.starts_with("postgres://")) {
    return open_postgresql(options, clock);
  }
  return fail(ErrorCode::invalid, "a store is sqlite:/path or postgresql://…", ErrorSource::configuration);
}

}  // namespace gatehouse::store
