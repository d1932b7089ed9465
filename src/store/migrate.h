#pragma once
// The steps of a schema, applied once and in order, for both back ends.
//
// Table `schema_versions`: a product's version, and the oldest program that still works with its tables. It never
// falls: what one step forbade, a later step that only adds does not allow again.

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

struct MigrationDialect {
  std::function<std::string(std::string_view statement)> translate;
  std::string_view lock;  // a statement that makes other starters wait until the transaction ends; empty: it does
};

// All that is missing, in one transaction: a program that dies in the middle leaves what was there before.
Status apply_migrations(Database& database, const MigrationDialect& dialect, std::string_view product,
                        std::span<const Migration> migrations);

}  // namespace gatehouse::store
