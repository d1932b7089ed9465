#pragma once
// One connection to a PostgreSQL server, opened when it is first needed and again when it was lost.
//
// Thread safety: one thread at a time.
// Transactions and statements alone are SERIALIZABLE: a statement alone that were not would escape what the server
// checks between the others. Parameters and columns are binary: bytes are bytes, integers have 64 bits.
// What is sent again and what isn't: a statement alone that failed is sent again only when it is certain that it was
// not done; see `Again`.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"
#include "store/lru_cache.h"
#include "store/postgresql_location.h"

struct pg_conn;
struct pg_result;

namespace gatehouse::store {

struct EncodedParameters;

// What to do about the failure of the last statement.
enum class Again : std::uint8_t {
  no,         // it is the statement's own, or nobody knows whether it was done
  contended,  // another transaction was in the way (40001, 40P01); nothing was done
  replan,     // its plan is of tables that have changed since; nothing was done
  reconnect,  // the connection was gone before it was sent, or it only read; nothing was done
};

struct PostgresqlPatience {
  Duration lock = std::chrono::seconds(5);        // for another's lock, and for a connection to be made
  Duration statement = std::chrono::seconds(30);  // then the server undoes it
};

class PostgresqlConnection {
 public:
  PostgresqlConnection(const PostgresqlLocation& location, const PostgresqlPatience& patience);
  ~PostgresqlConnection();

  // Whether there is a connection that the server has not closed meanwhile.
  bool usable();
  // Makes a new one. ErrorCode::unavailable with Retry::safe.
  Status connect();

  Result<Rows> run(std::string_view sql, const Parameters& parameters);
  Status transact(const Database::Body& body);
  // Of the last call of `run` or `transact` that failed.
  Again again() const noexcept { return again_; }

  // The server may take this long over what follows; zero: the usual time.
  void set_patience(Duration statement) noexcept { longer_ = statement; }

 private:
  struct Close {
    void operator()(pg_conn* connection) const noexcept;
  };
  struct Clear {
    void operator()(pg_result* result) const noexcept;
  };
  using ResultPtr = std::unique_ptr<pg_result, Clear>;

  Status command(const std::string& sql);
  Result<std::string> prepare(std::string_view sql, const EncodedParameters& encoded);
  Result<ResultPtr> next_result(MonotonicTime deadline);
  Status wait(MonotonicTime deadline);
  Result<Rows> read_rows(bool reads);
  Status drain(MonotonicTime deadline);
  Status read_row(const pg_result* result, std::size_t& bytes, Rows& rows);
  tl::unexpected<Error> failure_of(const pg_result* result, bool completed);
  tl::unexpected<Error> lost(bool nothing_done);
  MonotonicTime deadline() const;
  void forget_plans();

  const PostgresqlLocation& location_;
  PostgresqlPatience patience_;
  Duration longer_{0};
  std::unique_ptr<pg_conn, Close> connection_;
  LruCache<std::string> prepared_;  // statement and types to the name that the server knows it by
  std::uint64_t names_ = 0;
  Again again_ = Again::no;
  bool in_transaction_ = false;
};

}  // namespace gatehouse::store
