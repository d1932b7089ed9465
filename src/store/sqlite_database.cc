#include <utility>

#include "store/back_ends.h"
#include "store/migrate.h"
#include "store/pool.h"
#include "store/sql_text.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_file.h"
#include "store/sqlite_writer.h"

namespace gatehouse::store {
namespace {

// One connection writes; a pool of others reads, in nobody's way (WAL).
class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(Duration wait_max) : wait_max_(wait_max), writer_(wait_max) {}

  Status open(const std::string& path, std::uint32_t readers) {
    auto in_use = FileInUse::take(path, FileInUse::Kind::shared);
    if (!in_use) return tl::unexpected(std::move(in_use.error()));
    in_use_ = std::move(*in_use);
    auto writer = SqliteConnection::open(path, SqliteConnection::Role::writer, wait_max_);
    if (!writer) return tl::unexpected(std::move(writer.error()));
    writer_.use(std::move(*writer));
    for (std::uint32_t i = 0; i < readers; ++i) {
      auto reader = SqliteConnection::open(path, SqliteConnection::Role::reader, wait_max_);
      if (!reader) return tl::unexpected(std::move(reader.error()));
      readers_.add(std::move(*reader));
    }
    return {};
  }

  Result<Rows> run(std::string_view sql, const Parameters& parameters) override {
    if (begins_with_words(sql, "SELECT") || begins_with_words(sql, "WITH")) {
      const auto reader = readers_.take(wait_max_);
      if (!reader) return none_free();
      auto reads = reader->reads_only(sql);
      if (!reads) return tl::unexpected(std::move(reads.error()));
      if (*reads) return reader->run(sql, parameters);
    }
    // Within BEGIN and COMMIT, so that too many rows of RETURNING undo the change like any other error.
    Rows rows;
    const Status done = transact([&](Executor& tx) -> Status {
      auto ran = tx.run(sql, parameters);
      if (!ran) return tl::unexpected(std::move(ran.error()));
      rows = std::move(*ran);
      return {};
    });
    if (!done) return tl::unexpected(done.error());
    return rows;
  }

  Status transact(const Body& body) override { return writer_.transact(body); }

  Status migrate(std::string_view product, std::span<const Migration> migrations) override {
    return apply_migrations([this](const Body& body) { return transact(body); }, {translate, {}}, product, migrations);
  }

  std::string_view kind() const noexcept override { return "sqlite"; }

  // Asks for what is in the file: a constant would not touch it.
  bool reachable() override { return run("SELECT COUNT(*) FROM sqlite_schema", {}).has_value(); }

 private:
  // STRICT tables, whose columns hold one type each and nothing else.
  static std::string translate(std::string_view statement) {
    static constexpr WordReplacement kTypes[] = {{"BYTES", "BLOB"}, {"BIGINT", "INT"}};
    std::string translated = replace_words(statement, kTypes);
    if (begins_with_words(statement, "CREATE TABLE")) translated += " STRICT";
    return translated;
  }

  static tl::unexpected<Error> none_free() {
    return tl::unexpected(
        Error{ErrorCode::exhausted, ErrorSource::system, Retry::safe, "no connection to the store came free in time"});
  }

  Duration wait_max_;
  FileInUse in_use_;
  SqliteWriter writer_;
  Pool<SqliteConnection> readers_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, const DatabaseOptions& options) {
  if (path.empty()) return fail(ErrorCode::invalid, "sqlite: names no file", ErrorSource::configuration);
  if (auto prepared = prepare_sqlite_file(path); !prepared) return tl::unexpected(std::move(prepared.error()));
  auto database = std::make_unique<SqliteDatabase>(options.wait_max);
  if (auto opened = database->open(path, options.connections); !opened) {
    return tl::unexpected(std::move(opened.error()));
  }
  return database;
}

}  // namespace gatehouse::store
