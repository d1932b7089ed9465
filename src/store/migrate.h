#pragma once
// The steps of a schema, applied once and in order, for both back ends.
//
// Table `schema_steps`: the steps themselves, as they were given. A backup has them, too, and so can be restored into
// the other back end by a program that doesn't know every product. Table `schema_versions`: a product's version, and
// the oldest program that still works with its tables. It never falls: what one step forbade, a later step that only
// adds does not allow again.

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

struct MigrationDialect {
  std::function<std::string(std::string_view statement)> translate;
  // Run first in the transaction. The last makes other starters wait until it ends; none: the transaction does so
  // itself.
  std::span<const std::string_view> first;
};

// All that is missing, in one transaction: a program that dies in the middle leaves what was there before.
using Transact = std::function<Status(const Database::Body&)>;
Status apply_migrations(const Transact& transact, const MigrationDialect& dialect, std::string_view product,
                        std::span<const Migration> migrations);

}  // namespace gatehouse::store
