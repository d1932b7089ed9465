#pragma once
// What a transaction's body sees of its connection.
//
// A statement that fails undoes the transaction: PostgreSQL refuses whatever follows it, so SQLite does the same here,
// and a body that returned success in spite of it is told so.

#include <optional>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

template <class Connection>
class Transaction final : public Executor {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) {}

  Result<Rows> run(std::string_view sql, const Parameters& parameters) override {
    if (failure_) return tl::unexpected(*failure_);
    auto rows = connection_.run(sql, parameters);
    if (!rows) failure_ = rows.error();
    return rows;
  }

  // The first statement that failed.
  const std::optional<Error>& failure() const noexcept { return failure_; }

 private:
  Connection& connection_;
  std::optional<Error> failure_;
};

}  // namespace gatehouse::store
