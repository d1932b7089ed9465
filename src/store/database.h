#pragma once
// What outlives the process, over SQLite (embedded) or PostgreSQL (many gateways): the same SQL text for both.
//
// Thread safety: a Database may be used from any thread; each call takes a connection of its own from a bounded pool
// and may wait for it. Calls block: they belong on worker threads, never on a shard.
// The text both back ends understand: parameters are `$1`, `$2`, … in the order of their first use; integers are
// BIGINT, truth is 0 or 1, times are BIGINT seconds or milliseconds since 1970 (the column's name says which), bytes
// are BYTES (a migration's word for BLOB or BYTEA); `INSERT … ON CONFLICT`, `UPDATE … RETURNING`, `DELETE … RETURNING`
// exist in both. What must happen once (a code is used) is one statement with its condition in it, not a read and a
// write.
// Text is UTF-8 without NUL, and is compared byte by byte; LIKE tells upper from lower case. A statement gives integers
// (truth and counts, too), text, bytes and NULL; SUM gives an integer inside CAST(… AS BIGINT). A value is of its
// column's type already: each back end refuses some mistakes that the other converts.
// Errors: ErrorCode::conflict, a unique key or a row's reference refuses the change; unavailable with Retry::safe, the
// database cannot be reached and nothing was changed; unavailable without, it was lost at a moment that leaves open
// whether the change was made; exhausted, the disk is full, a value or an answer is too large, or no connection came
// free in time; timeout, the statement took too long and was undone; io, the file is damaged; invalid otherwise.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::store {

// Bytes that are no text.
struct Bytes {
  std::string data;
  bool operator==(const Bytes&) const = default;
};

// A parameter or a column.
class Value {
 public:
  Value() = default;  // NULL
  template <class T>
  requires std::is_integral_v<T> Value(T number)
      : value_(static_cast<std::int64_t>(number)) {}           // NOLINT: parameters are written in place
  Value(std::string text) : value_(std::move(text)) {}         // NOLINT
  Value(std::string_view text) : value_(std::string(text)) {}  // NOLINT
  Value(const char* text) : value_(std::string(text)) {}       // NOLINT
  Value(Bytes bytes) : value_(std::move(bytes)) {}             // NOLINT
  template <class T>
  Value(std::optional<T> maybe) {  // NOLINT
    if (maybe) *this = Value(std::move(*maybe));
  }

  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(value_); }
  // What the column's type promises; a column of another type is a mistake of the program and ends it. NULL is 0 and
  // empty: who needs to tell asks `is_null`.
  std::int64_t integer() const;
  const std::string& text() const;
  const std::string& bytes() const;

  const auto& variant() const noexcept { return value_; }
  bool operator==(const Value&) const = default;

 private:
  std::variant<std::monostate, std::int64_t, std::string, Bytes> value_;
};

using Row = std::vector<Value>;

struct Rows {
  std::vector<Row> rows;     // of SELECT and RETURNING
  std::int64_t changed = 0;  // rows that INSERT, UPDATE or DELETE touched

  bool empty() const noexcept { return rows.empty(); }
  const Row* first() const noexcept { return rows.empty() ? nullptr : &rows.front(); }
};

using Parameters = std::vector<Value>;

// Where a statement runs: by itself, or inside a transaction.
class Executor {
 public:
  // One statement. More than `kRowsMax` rows or 64 MiB of them are ErrorCode::exhausted. In a transaction, a statement
  // that fails undoes all of it: those after it fail alike, and so does the transaction.
  virtual Result<Rows> run(std::string_view sql, const Parameters& parameters = {}) = 0;
  static constexpr std::size_t kRowsMax = 100'000;

 protected:
  ~Executor() = default;
};

// One step of a product's schema, applied once and in order.
struct Migration {
  int version;           // 1, 2, 3 …
  std::string_view sql;  // statements separated by `;`, BYTES for the type of bytes
  // The oldest version of this list whose programs still work with the tables as this step leaves them: what makes it
  // possible that N and N+1 run side by side. A step that only adds names 1, or what was named before it.
  int oldest_reader = 1;
};

class Database : public Executor {
 public:
  virtual ~Database() = default;

  // Everything or nothing, isolated from others (SERIALIZABLE in effect). `body` may run more than once, when another
  // transaction was in the way: it must have no effect but through `tx`. What it returns as an error undoes it.
  using Body = std::function<Status(Executor& tx)>;
  virtual Status transact(const Body& body) = 0;

  // Brings the tables of `product` up to the last of `migrations`; concurrent callers wait for one another. Refuses
  // (ErrorCode::invalid) when a newer program has left them in a form that this one cannot read.
  virtual Status migrate(std::string_view product, std::span<const Migration> migrations) = 0;

  virtual std::string_view kind() const noexcept = 0;  // "sqlite", "postgresql"
  virtual bool reachable() = 0;                        // asks it
};

struct DatabaseOptions {
  std::string location;  // "sqlite:/path/gatehouse.db" or "postgresql://user@host/name?sslmode=verify-full"
  SecretBytes password;  // for PostgreSQL; goes before one in the location
  std::uint32_t connections = 8;
  Duration wait_max = std::chrono::seconds(5);        // for a connection, and for another's lock
  Duration statement_max = std::chrono::seconds(30);  // PostgreSQL undoes what takes longer
};

// SQLite's file is opened or made; of PostgreSQL nothing is asked before the first statement, so that a gateway starts
// without it.
Result<std::unique_ptr<Database>> open_database(const DatabaseOptions& options,
                                                const Clock& clock = SystemClock::instance());

}  // namespace gatehouse::store
