#include "store/postgresql_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "store/postgresql_values.h"
#include "store/sql_text.h"
#include "store/transaction.h"

namespace gatehouse::store {
namespace {

constexpr std::size_t kPreparedMax = 256;
// How much later than the server we give up on a statement: a server that hangs doesn't enforce its own limit.
constexpr Duration kSlack = std::chrono::seconds(5);

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string one_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// Appendix A of PostgreSQL's documentation.
ErrorCode code_of(std::string_view state) noexcept {
  if (state == "23505" || state == "23503" || state == "23001" || state == "23P01") return ErrorCode::conflict;
  if (state == "57014") return ErrorCode::timeout;
  if (state.starts_with("XX")) return ErrorCode::io;
  if (state == "53300") return ErrorCode::unavailable;
  if (state.starts_with("53") || state.starts_with("54")) return ErrorCode::exhausted;
  for (const std::string_view kind : {"08", "57P", "55P03", "40001", "40P01", "25006", "58"}) {
    if (state.starts_with(kind)) return ErrorCode::unavailable;
  }
  return ErrorCode::invalid;
}

}  // namespace

void PostgresqlConnection::Close::operator()(pg_conn* connection) const noexcept { ::PQfinish(connection); }
void PostgresqlConnection::Clear::operator()(pg_result* result) const noexcept { ::PQclear(result); }

PostgresqlConnection::PostgresqlConnection(const PostgresqlLocation& location, const PostgresqlPatience& patience)
    : location_(location), patience_(patience), prepared_(kPreparedMax) {}

PostgresqlConnection::~PostgresqlConnection() = default;

bool PostgresqlConnection::usable() {
  if (!connection_ || ::PQstatus(connection_.get()) != CONNECTION_OK) return false;
  // Between statements the server has nothing to say but good-bye (or, rarely, that a setting has changed: a new
  // connection does no harm). The end of the stream may come later than its last words, so that isn't waited for.
  pollfd socket{::PQsocket(connection_.get()), POLLIN, 0};
  return ::poll(&socket, 1, 0) == 0;
}

Status PostgresqlConnection::connect() {
  connection_.reset();
  forget_plans();
  in_transaction_ = false;
  const std::string password(location_.password.expose());
  const std::string timeout = std::to_string(std::max<std::int64_t>(2, milliseconds(patience_.lock) / 1000));
  std::vector<const char*> names, values;
  for (const auto& [name, value] : location_.parameters) names.push_back(name.c_str()), values.push_back(value.c_str());
  names.push_back("password"), values.push_back(password.c_str());
  names.push_back("connect_timeout"), values.push_back(timeout.c_str());
  names.push_back(nullptr), values.push_back(nullptr);
  connection_.reset(::PQconnectdbParams(names.data(), values.data(), 0));
  if (!connection_ || ::PQstatus(connection_.get()) != CONNECTION_OK) return lost(true);
  ::PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  ::PQsetnonblocking(connection_.get(), 1);
  auto set =
      command(fmt::format("SET default_transaction_isolation = 'serializable'; SET statement_timeout = {};"
                          " SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 60000;"
                          " SET standard_conforming_strings = on",
                          milliseconds(patience_.statement), milliseconds(patience_.lock)));
  if (!set) connection_.reset();
  return set;
}

MonotonicTime PostgresqlConnection::deadline() const {
  return std::chrono::steady_clock::now() + (longer_.count() > 0 ? longer_ : patience_.statement) + kSlack;
}

void PostgresqlConnection::forget_plans() { prepared_.clear(); }

tl::unexpected<Error> PostgresqlConnection::lost(bool nothing_done) {
  std::string why = connection_ ? one_line(::PQerrorMessage(connection_.get())) : std::string("out of memory");
  connection_.reset();
  again_ = nothing_done ? Again::reconnect : Again::no;
  if (!nothing_done) why += "; whether the change was made is not known";
  return tl::unexpected(Error{ErrorCode::unavailable, ErrorSource::system, nothing_done ? Retry::safe : Retry::no,
                              fmt::format("{}: {}", location_.printable, why)});
}

tl::unexpected<Error> PostgresqlConnection::failure_of(const pg_result* result, bool completed) {
  const auto field = [&](int name) {
    const char* text = ::PQresultErrorField(result, name);
    return std::string_view(text ? text : "");
  };
  const std::string_view state = field(PG_DIAG_SQLSTATE);
  // The primary message alone: details quote the row's values.
  const std::string_view primary = field(PG_DIAG_MESSAGE_PRIMARY);
  Error error{code_of(state), ErrorSource::system, Retry::no, fmt::format("{} ({})", primary, state)};
  again_ = Again::no;
  if (state == "40001" || state == "40P01" || state == "55P03") {
    again_ = state == "55P03" ? Again::no : Again::contended;
    error.retry = Retry::safe;
  } else if ((state == "0A000" && primary.starts_with("cached plan")) || state == "26000") {
    again_ = Again::replan;
  } else if (state.starts_with("57P") && !completed) {
    // The server goes down. It says so instead of the statement's completion: the statement is undone.
    again_ = Again::reconnect;
    error.retry = Retry::safe;
  } else if (state == "53300" || state == "25006") {
    error.retry = Retry::safe;
  }
  return tl::unexpected(std::move(error));
}

Status PostgresqlConnection::wait(MonotonicTime deadline) {
  pg_conn* connection = connection_.get();
  for (;;) {
    const int unsent = ::PQflush(connection);
    if (unsent < 0) return fail(ErrorCode::unavailable, "lost");
    if (unsent == 0 && ::PQisBusy(connection) == 0) return {};
    const auto left = milliseconds(deadline - std::chrono::steady_clock::now());
    pollfd socket{::PQsocket(connection), static_cast<short>(POLLIN | (unsent ? POLLOUT : 0)), 0};
    const int ready = left > 0 ? ::poll(&socket, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000))) : 0;
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::unavailable, "lost");
    if (ready == 0 && left <= 60'000) return fail(ErrorCode::timeout, "no answer");
    if (ready > 0 && ::PQconsumeInput(connection) == 0) return fail(ErrorCode::unavailable, "lost");
  }
}

// Null at the end of what one statement gives.
Result<PostgresqlConnection::ResultPtr> PostgresqlConnection::next_result(MonotonicTime deadline) {
  auto ready = wait(deadline);
  if (!ready) return tl::unexpected(std::move(ready.error()));
  return ResultPtr(::PQgetResult(connection_.get()));
}

Status PostgresqlConnection::drain(MonotonicTime deadline) {
  for (;;) {
    auto result = next_result(deadline);
    if (!result) return tl::unexpected(std::move(result.error()));
    if (!*result) return {};
  }
}

Status PostgresqlConnection::command(const std::string& sql) {
  const MonotonicTime until = deadline();
  if (!connection_ || ::PQsendQuery(connection_.get(), sql.c_str()) == 0) return lost(true);
  Status status;
  for (;;) {
    auto result = next_result(until);
    if (!result) return lost(false);
    if (!*result) break;
    if (::PQresultStatus(result->get()) != PGRES_COMMAND_OK && status) status = failure_of(result->get(), false);
  }
  if (::PQstatus(connection_.get()) != CONNECTION_OK) {
    if (status) return lost(false);
    connection_.reset();
  }
  return status;
}

Result<std::string> PostgresqlConnection::prepare(std::string_view sql, const EncodedParameters& encoded) {
  std::string key = encoded.key(sql);
  if (const std::string* known = prepared_.find(key)) return *known;
  // The server takes more than a statement names, and gives no hint of the mistake.
  if (const std::size_t named = highest_parameter(sql); named != encoded.types.size()) {
    return fail(ErrorCode::invalid, fmt::format("{} parameters given, {} named", encoded.types.size(), named));
  }
  const std::string name = fmt::format("s{}", ++names_);
  const MonotonicTime until = deadline();
  const int sent = ::PQsendPrepare(connection_.get(), name.c_str(), std::string(sql).c_str(),
                                   static_cast<int>(encoded.types.size()), encoded.types.data());
  if (sent == 0) return lost(true);
  auto result = next_result(until);
  if (!result || !*result) return lost(true);
  Status status;
  if (::PQresultStatus(result->get()) != PGRES_COMMAND_OK) status = failure_of(result->get(), false);
  if (!drain(until) || ::PQstatus(connection_.get()) != CONNECTION_OK) return lost(true);
  if (!status) return tl::unexpected(std::move(status.error()));
  std::string gone;
  prepared_.put(std::move(key), name, [&](std::string&& evicted) { gone = std::move(evicted); });
  if (!gone.empty()) {
    if (auto freed = command("DEALLOCATE " + gone); !freed) return tl::unexpected(std::move(freed.error()));
  }
  return name;
}

Status PostgresqlConnection::read_row(const pg_result* result, std::size_t& bytes, Rows& rows) {
  auto row = decode_row(result, bytes);
  if (!row) return tl::unexpected(std::move(row.error()));
  rows.rows.push_back(std::move(*row));
  if (rows.rows.size() > Executor::kRowsMax || bytes > kResultBytesMax) {
    return fail(ErrorCode::exhausted,
                fmt::format("more than {} rows or {} bytes", Executor::kRowsMax, kResultBytesMax));
  }
  return {};
}

// `reads`: the statement changes nothing, so that nothing is done when its answer is lost.
Result<Rows> PostgresqlConnection::read_rows(bool reads) {
  const MonotonicTime until = deadline();
  Rows rows;
  std::size_t bytes = 0;
  Status status;
  bool completed = false;
  for (;;) {
    auto result = next_result(until);
    if (!result) return lost(reads || in_transaction_);
    if (!*result) break;
    const ExecStatusType kind = ::PQresultStatus(result->get());
    if (kind == PGRES_SINGLE_TUPLE) {
      if (status) status = read_row(result->get(), bytes, rows);
      if (!status && status.error().code == ErrorCode::exhausted) {
        // The rest is not read: the server notices that nobody listens.
        connection_.reset();
        return tl::unexpected(std::move(status.error()));
      }
    } else if (kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK) {
      completed = true;
      if (!reads) rows.changed = std::atoll(::PQcmdTuples(result->get()));
    } else if (status) {
      status = kind == PGRES_EMPTY_QUERY ? fail(ErrorCode::invalid, "an empty statement")
                                         : failure_of(result->get(), completed);
    }
  }
  if (::PQstatus(connection_.get()) != CONNECTION_OK) {
    // What the server said last is better than that it is gone.
    if (status || again_ == Again::no) return lost(reads || in_transaction_);
    connection_.reset();
  }
  if (!status) return tl::unexpected(std::move(status.error()));
  return rows;
}

Result<Rows> PostgresqlConnection::run(std::string_view sql, const Parameters& parameters) {
  again_ = Again::no;
  if (auto good = check_parameters(parameters); !good) return tl::unexpected(std::move(good.error()));
  if (!connection_) return lost(true);
  const EncodedParameters encoded(parameters);
  auto name = prepare(sql, encoded);
  if (!name) return tl::unexpected(std::move(name.error()));
  const int sent = ::PQsendQueryPrepared(connection_.get(), name->c_str(), static_cast<int>(parameters.size()),
                                         encoded.values.data(), encoded.lengths.data(), encoded.formats.data(), 1);
  if (sent == 0 || ::PQsetSingleRowMode(connection_.get()) == 0) return lost(true);
  auto rows = read_rows(begins_with_words(sql, "SELECT"));
  if (!rows && again_ == Again::replan) forget_plans();
  return rows;
}

Status PostgresqlConnection::transact(const Database::Body& body) {
  again_ = Again::no;
  if (auto begun = command("BEGIN"); !begun) {
    if (again_ == Again::no && !connection_) again_ = Again::reconnect;  // nothing is done in it yet
    return begun;
  }
  in_transaction_ = true;
  Transaction tx(*this);
  Status status = body(tx);
  in_transaction_ = false;
  // A body's own refusal is final; a statement's failure may be worth another run.
  if (!tx.failure()) again_ = Again::no;
  if (status && tx.failure()) status = tl::unexpected(*tx.failure());
  if (status) return command("COMMIT");
  if (connection_) {
    const Again again = again_;
    if (!command("ROLLBACK")) connection_.reset();
    again_ = again;
  }
  return status;
}

}  // namespace gatehouse::store
