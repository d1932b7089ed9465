#pragma once
// One connection to a SQLite file.
//
// Thread safety: one thread at a time.
// What is set, and why: `synchronous=FULL`, because in WAL mode NORMAL syncs at checkpoints only, and a power cut would
// bring back codes that were used and sessions that were revoked (the price is in docs/performance.md); foreign keys;
// tables are STRICT, so that a column has one type; LIKE tells upper from lower case, as PostgreSQL does; text in
// double quotes is a name and never a string.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"
#include "store/lru_cache.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gatehouse::store {

class SqliteConnection {
 public:
  enum class Role : std::uint8_t { reader, writer };

  // `wait_max`: for the lock of another process.
  static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, Role role, Duration wait_max);
  ~SqliteConnection();

  Result<Rows> run(std::string_view sql, const Parameters& parameters);
  // Whether `sql` changes nothing. Fails when it cannot be prepared.
  Result<bool> reads_only(std::string_view sql);

  // Takes the file's only write lock, so that nothing that is read from here on can change before `commit`.
  Status begin();
  // Everything or nothing of `body`, between `begin` and `commit`. When the disk fails SQLite undoes all since `begin`:
  // see `in_transaction`.
  Status nested(const Database::Body& body);
  bool in_transaction() const noexcept;
  Status commit();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  struct Prepared {
    std::unique_ptr<sqlite3_stmt, Finalize> statement;
    std::vector<std::size_t> numbers;  // of the parameters `$n`, in SQLite's own order
    std::size_t highest = 0;
  };

  SqliteConnection(std::string path, Duration wait_max);
  Status set_up(Role role);
  Result<Prepared*> prepare(std::string_view sql);
  Status bind(const Prepared& prepared, const Parameters& parameters);
  Status read_row(sqlite3_stmt* statement, std::size_t& bytes, Rows& rows);
  Status execute(const char* sql);
  tl::unexpected<Error> failure(int code) const;
  static int on_busy(void* self, int count);

  std::string path_;
  Duration wait_max_;
  MonotonicTime busy_since_;
  sqlite3* handle_ = nullptr;
  LruCache<Prepared> prepared_;
};

}  // namespace gatehouse::store
