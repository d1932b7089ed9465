#include "store/sqlite_connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "store/sql_text.h"
#include "store/transaction.h"

namespace gatehouse::store {
namespace {

constexpr std::size_t kPreparedMax = 256;

ErrorCode code_of(int code) noexcept {
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
    case SQLITE_CONSTRAINT_TRIGGER:  // what ON DELETE RESTRICT is called
      return ErrorCode::conflict;
    default: break;
  }
  switch (code & 0xff) {
    case SQLITE_FULL: return ErrorCode::exhausted;
    case SQLITE_NOMEM: return ErrorCode::exhausted;
    case SQLITE_TOOBIG: return ErrorCode::exhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_IOERR: return ErrorCode::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::io;
    default: return ErrorCode::invalid;
  }
}

// Whether it is certain that nothing was changed: a failing disk at COMMIT leaves it open.
Retry retry_of(int code) noexcept {
  const int kind = code & 0xff;
  return kind == SQLITE_BUSY || kind == SQLITE_LOCKED || kind == SQLITE_CANTOPEN ? Retry::safe : Retry::no;
}

}  // namespace

void SqliteConnection::Finalize::operator()(sqlite3_stmt* statement) const noexcept { ::sqlite3_finalize(statement); }

SqliteConnection::SqliteConnection(std::string path, Duration wait_max)
    : path_(std::move(path)), wait_max_(wait_max), prepared_(kPreparedMax) {}

SqliteConnection::~SqliteConnection() {
  prepared_.clear();
  ::sqlite3_close_v2(handle_);
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, Role role,
                                                                 Duration wait_max) {
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(path, wait_max));
  // The file is there: whoever made it gave it its mode.
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int opened = ::sqlite3_open_v2(path.c_str(), &connection->handle_, kFlags, nullptr);
  if (opened != SQLITE_OK) return connection->failure(opened);
  if (auto ready = connection->set_up(role); !ready) return tl::unexpected(std::move(ready.error()));
  return connection;
}

Status SqliteConnection::set_up(Role role) {
  ::sqlite3_busy_handler(handle_, &SqliteConnection::on_busy, this);
  ::sqlite3_limit(handle_, SQLITE_LIMIT_ATTACHED, 0);
  for (const int off : {SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_TRUSTED_SCHEMA}) {
    ::sqlite3_db_config(handle_, off, 0, nullptr);
  }
  ::sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON",
                             "PRAGMA case_sensitive_like=ON", "PRAGMA cell_size_check=ON", "PRAGMA temp_store=MEMORY",
                             // what a burst has made of the log is given back at the next checkpoint
                             "PRAGMA journal_size_limit=67108864",
                             role == Role::reader ? "PRAGMA query_only=ON" : "PRAGMA query_only=OFF"}) {
    if (auto set = execute(pragma); !set) return set;
  }
  return {};
}

tl::unexpected<Error> SqliteConnection::failure(int code) const {
  const char* text = handle_ ? ::sqlite3_errmsg(handle_) : ::sqlite3_errstr(code);
  const int kind = code & 0xff;
  const bool damaged = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
  std::string message = damaged ? fmt::format("{} is damaged or no SQLite database ({}): restore a backup", path_, text)
                                : fmt::format("{}: {}", path_, text);
  return tl::unexpected(Error{code_of(code), ErrorSource::system, retry_of(code), std::move(message)});
}

int SqliteConnection::on_busy(void* self, int count) {
  auto& connection = *static_cast<SqliteConnection*>(self);
  const MonotonicTime now = std::chrono::steady_clock::now();
  if (count == 0) connection.busy_since_ = now;
  if (now - connection.busy_since_ >= connection.wait_max_) return 0;
  // Others in this process wait in the pool; this is for another process, whose transactions take milliseconds.
  std::this_thread::sleep_for(std::chrono::microseconds(std::min(5'000, 250 * (count + 1))));
  return 1;
}

Status SqliteConnection::execute(const char* sql) {
  const int code = ::sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

Result<SqliteConnection::Prepared*> SqliteConnection::prepare(std::string_view sql) {
  if (Prepared* known = prepared_.find(sql)) return known;
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int code = ::sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, &rest);
  Prepared prepared{std::unique_ptr<sqlite3_stmt, Finalize>(statement), {}, 0};
  if (code != SQLITE_OK) return failure(code);
  if (!statement || !split_statements(sql.substr(static_cast<std::size_t>(rest - sql.data()))).empty()) {
    return fail(ErrorCode::invalid, "one statement at a time");
  }
  for (int i = 1; i <= ::sqlite3_bind_parameter_count(statement); ++i) {
    const char* name = ::sqlite3_bind_parameter_name(statement, i);
    const std::string_view text = name ? name : "?";
    std::size_t number = 0;
    const auto read = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    if (text.front() != '$' || read.ec != std::errc() || read.ptr != text.data() + text.size() || number == 0) {
      return fail(ErrorCode::invalid, fmt::format("parameters are $1, $2, …, and not {}", text));
    }
    prepared.numbers.push_back(number);
    prepared.highest = std::max(prepared.highest, number);
  }
  return &prepared_.put(std::string(sql), std::move(prepared), [](Prepared&&) {});
}

Result<bool> SqliteConnection::reads_only(std::string_view sql) {
  auto prepared = prepare(sql);
  if (!prepared) return tl::unexpected(std::move(prepared.error()));
  return ::sqlite3_stmt_readonly((*prepared)->statement.get()) != 0;
}

Status SqliteConnection::bind(const Prepared& prepared, const Parameters& parameters) {
  if (prepared.highest != parameters.size()) {
    return fail(ErrorCode::invalid, fmt::format("{} parameters given, {} named", parameters.size(), prepared.highest));
  }
  sqlite3_stmt* statement = prepared.statement.get();
  for (std::size_t i = 0; i < prepared.numbers.size(); ++i) {
    const int at = static_cast<int>(i) + 1;
    const auto& value = parameters[prepared.numbers[i] - 1].variant();
    int code = SQLITE_OK;
    // Not copied: `parameters` outlives the statement's run.
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = ::sqlite3_bind_int64(statement, at, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      code = ::sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else if (const auto* bytes = std::get_if<Bytes>(&value)) {
      code = ::sqlite3_bind_blob64(statement, at, bytes->data.data(), bytes->data.size(), SQLITE_STATIC);
    } else {
      code = ::sqlite3_bind_null(statement, at);
    }
    if (code != SQLITE_OK) return failure(code);
  }
  return {};
}

Status SqliteConnection::read_row(sqlite3_stmt* statement, std::size_t& bytes, Rows& rows) {
  Row row;
  const int columns = ::sqlite3_column_count(statement);
  row.reserve(static_cast<std::size_t>(columns));
  for (int i = 0; i < columns; ++i) {
    const auto content = [&](const void* data) {
      const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(statement, i));
      bytes += size;
      return data ? std::string(static_cast<const char*>(data), size) : std::string();
    };
    switch (::sqlite3_column_type(statement, i)) {
      case SQLITE_NULL: row.emplace_back(); break;
      case SQLITE_INTEGER: row.emplace_back(::sqlite3_column_int64(statement, i)); break;
      case SQLITE_TEXT: row.emplace_back(content(::sqlite3_column_text(statement, i))); break;
      case SQLITE_BLOB: row.emplace_back(Bytes{content(::sqlite3_column_blob(statement, i))}); break;
      default:
        return fail(ErrorCode::invalid,
                    fmt::format("column {} is no integer, text or bytes", ::sqlite3_column_name(statement, i)));
    }
  }
  bytes += sizeof(Value) * row.size();
  rows.rows.push_back(std::move(row));
  if (rows.rows.size() > Executor::kRowsMax || bytes > kResultBytesMax) {
    return fail(ErrorCode::exhausted,
                fmt::format("more than {} rows or {} bytes", Executor::kRowsMax, kResultBytesMax));
  }
  return {};
}

Result<Rows> SqliteConnection::run(std::string_view sql, const Parameters& parameters) {
  if (auto good = check_parameters(parameters); !good) return tl::unexpected(std::move(good.error()));
  auto prepared = prepare(sql);
  if (!prepared) return tl::unexpected(std::move(prepared.error()));
  sqlite3_stmt* statement = (*prepared)->statement.get();
  Status status = bind(**prepared, parameters);
  const std::int64_t changes_before = ::sqlite3_total_changes64(handle_);
  Rows rows;
  std::size_t bytes = 0;
  while (status) {
    const int code = ::sqlite3_step(statement);
    if (code == SQLITE_DONE) break;
    status = code == SQLITE_ROW ? read_row(statement, bytes, rows) : Status(failure(code));
  }
  ::sqlite3_reset(statement);
  ::sqlite3_clear_bindings(statement);
  if (!status) return tl::unexpected(std::move(status.error()));
  // `sqlite3_changes` is that of the last change: a statement that is none leaves it as it was.
  if (::sqlite3_total_changes64(handle_) != changes_before) rows.changed = ::sqlite3_changes64(handle_);
  return rows;
}

Status SqliteConnection::begin() { return execute("BEGIN IMMEDIATE"); }

bool SqliteConnection::in_transaction() const noexcept { return ::sqlite3_get_autocommit(handle_) == 0; }

Status SqliteConnection::nested(const Database::Body& body) {
  if (auto begun = execute("SAVEPOINT body"); !begun) return begun;
  Transaction tx(*this);
  Status status = body(tx);
  if (status && tx.failure()) status = tl::unexpected(*tx.failure());
  if (!in_transaction()) return status;
  if (!status) ::sqlite3_exec(handle_, "ROLLBACK TO body", nullptr, nullptr, nullptr);
  Status released = execute("RELEASE body");
  return status ? released : status;
}

Status SqliteConnection::commit() {
  Status status = execute("COMMIT");
  if (!status && in_transaction()) ::sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  return status;
}

}  // namespace gatehouse::store
