#include "store/table_copy.h"

#include <algorithm>
#include <limits>
#include <map>

#include "store/sql_text.h"

namespace gatehouse::store {
namespace {

constexpr std::int64_t kRowsAtOnce = 250;

// A name as SQL: it comes from a catalogue, which may hold anything.
std::string quoted(std::string_view name) {
  std::string sql = "\"";
  for (const char c : name) sql.append(c == '"' ? 2 : 1, c);
  return sql + "\"";
}

Result<std::vector<std::string>> names(Executor& executor, std::string_view sql, const Parameters& parameters = {}) {
  auto rows = executor.run(sql, parameters);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<std::string> found;
  for (const Row& row : rows->rows) found.push_back(row.at(0).text());
  return found;
}

// In the order in which they were made: what a row refers to is in an earlier table.
Result<std::vector<std::string>> tables_of(Executor& executor, bool sqlite) {
  return names(executor, sqlite ? "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                                  " AND name NOT IN ('schema_versions', 'schema_steps') ORDER BY rowid"
                                : "SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind = 'r'"
                                  " AND relnamespace = CAST(current_schema() AS regnamespace)"
                                  " AND relname NOT IN ('schema_versions', 'schema_steps') ORDER BY oid");
}

Result<std::vector<std::string>> columns_of(Executor& executor, bool sqlite, const std::string& table) {
  return names(executor,
               sqlite ? "SELECT name FROM pragma_table_info($1) ORDER BY cid"
                      : "SELECT CAST(column_name AS TEXT) FROM information_schema.columns"
                        " WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
               {table});
}

struct Step {
  std::string product, statements;
  int version, oldest_reader;
};

Result<std::vector<Step>> steps_of(Executor& executor) {
  auto rows = executor.run("SELECT product, statements, version, oldest_reader FROM schema_steps ORDER BY position");
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<Step> steps;
  for (const Row& row : rows->rows) {
    steps.push_back(
        {row[0].text(), row[1].text(), static_cast<int>(row[2].integer()), static_cast<int>(row[3].integer())});
    for (const std::string& statement : split_statements(steps.back().statements)) {
      static constexpr std::string_view kExpected[] = {"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE"};
      if (std::none_of(std::begin(kExpected), std::end(kExpected),
                       [&](std::string_view word) { return begins_with_words(statement, word); })) {
        return fail(ErrorCode::invalid,
                    fmt::format("step {} of {} is no step of a schema", row[2].integer(), row[0].text()));
      }
    }
  }
  return steps;
}

// One by one, because a step may refer to the table of another product.
Status make_tables(Database& to, const std::vector<Step>& steps) {
  std::map<std::string, std::vector<Migration>> products;
  for (const Step& step : steps) {
    auto& migrations = products[step.product];
    migrations.push_back({step.version, step.statements, step.oldest_reader});
    if (auto done = to.migrate(step.product, migrations); !done) return done;
  }
  return {};
}

// Reads a table piece by piece: PostgreSQL through a cursor of its transaction, SQLite by its row ids.
class TableReader {
 public:
  TableReader(Executor& from, bool sqlite, const std::string& table, const std::string& columns)
      : from_(from),
        next_(sqlite ? fmt::format("SELECT {}, rowid FROM {} WHERE rowid > $1 ORDER BY rowid LIMIT {}", columns,
                                   quoted(table), kRowsAtOnce)
                     : fmt::format("FETCH {} FROM table_copy", kRowsAtOnce)),
        sqlite_(sqlite) {
    if (!sqlite)
      opened_ = from.run(fmt::format("DECLARE table_copy CURSOR FOR SELECT {} FROM {}", columns, quoted(table)));
  }

  // None: the end.
  Result<std::vector<Row>> next() {
    if (!opened_) return tl::unexpected(opened_.error());
    auto rows = from_.run(next_, sqlite_ ? Parameters{last_} : Parameters{});
    if (!rows) return tl::unexpected(std::move(rows.error()));
    if (sqlite_ && !rows->empty()) {
      last_ = rows->rows.back().back().integer();
      for (Row& row : rows->rows) row.pop_back();
    }
    if (!sqlite_ && rows->empty()) opened_ = from_.run("CLOSE table_copy");
    if (!opened_) return tl::unexpected(opened_.error());
    return std::move(rows->rows);
  }

 private:
  Executor& from_;
  std::string next_;
  bool sqlite_;
  Result<Rows> opened_;
  std::int64_t last_ = std::numeric_limits<std::int64_t>::min();
};

Result<std::int64_t> copy_table(Executor& from, bool from_sqlite, Executor& to, const std::string& table) {
  // Of `from`: `to` may be at a later version, whose columns have defaults.
  auto columns = columns_of(from, from_sqlite, table);
  if (!columns) return tl::unexpected(std::move(columns.error()));
  std::string list, places;
  for (std::size_t i = 0; i < columns->size(); ++i) {
    list += (i ? ", " : "") + quoted((*columns)[i]);
    places += fmt::format("{}${}", i ? ", " : "", i + 1);
  }
  const std::string insert = fmt::format("INSERT INTO {} ({}) VALUES ({})", quoted(table), list, places);
  TableReader reader(from, from_sqlite, table, list);
  for (std::int64_t copied = 0;;) {
    auto rows = reader.next();
    if (!rows) return tl::unexpected(std::move(rows.error()));
    if (rows->empty()) return copied;
    for (const Row& row : *rows) {
      if (auto written = to.run(insert, row); !written) return tl::unexpected(std::move(written.error()));
      ++copied;
    }
  }
}

// Rows that the steps themselves have put there are those of `from`, too.
Status clear_tables(Executor& to, const std::vector<std::string>& tables) {
  for (auto table = tables.rbegin(); table != tables.rend(); ++table) {
    if (auto done = to.run("DELETE FROM " + quoted(*table)); !done) return tl::unexpected(std::move(done.error()));
  }
  return {};
}

Status check_empty(Database& to, bool sqlite) {
  auto tables = tables_of(to, sqlite);
  if (!tables) return tl::unexpected(std::move(tables.error()));
  for (const std::string& table : *tables) {
    auto row = to.run(fmt::format("SELECT 1 FROM {} LIMIT 1", quoted(table)));
    if (!row) return tl::unexpected(std::move(row.error()));
    if (row->empty()) continue;
    return fail(ErrorCode::conflict,
                fmt::format("the database has rows already (in {}): it takes an empty one", table));
  }
  return {};
}

}  // namespace

Result<std::int64_t> copy_tables(Database& from, Database& to) {
  const bool from_sqlite = from.kind() == "sqlite", to_sqlite = to.kind() == "sqlite";
  if (auto empty = check_empty(to, to_sqlite); !empty) return tl::unexpected(std::move(empty.error()));
  std::int64_t total = 0;
  const Status copied = from.transact([&](Executor& source) -> Status {
    if (!from_sqlite) {
      // One snapshot for all tables, in nobody's way.
      auto set = source.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      if (!set) return tl::unexpected(std::move(set.error()));
    }
    auto steps = steps_of(source);
    if (!steps) return tl::unexpected(std::move(steps.error()));
    if (auto made = make_tables(to, *steps); !made) return made;
    return to.transact([&](Executor& target) -> Status {
      total = 0;
      auto tables = tables_of(target, to_sqlite);
      if (!tables) return tl::unexpected(std::move(tables.error()));
      if (auto cleared = clear_tables(target, *tables); !cleared) return cleared;
      for (const std::string& table : *tables) {
        auto rows = copy_table(source, from_sqlite, target, table);
        if (!rows) return tl::unexpected(std::move(rows.error()).while_(table));
        total += *rows;
      }
      return {};
    });
  });
  if (!copied) return tl::unexpected(copied.error());
  return total;
}

}  // namespace gatehouse::store
