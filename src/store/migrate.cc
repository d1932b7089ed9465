#include "store/migrate.h"

#include <algorithm>

#include "store/sql_text.h"

namespace gatehouse::store {
namespace {

constexpr std::string_view kVersions =
    "CREATE TABLE IF NOT EXISTS schema_versions"
    " (product TEXT PRIMARY KEY, version BIGINT NOT NULL, oldest_reader BIGINT NOT NULL)";

constexpr std::string_view kSteps =
    "CREATE TABLE IF NOT EXISTS schema_steps"
    " (product TEXT NOT NULL, version BIGINT NOT NULL, oldest_reader BIGINT NOT NULL, position BIGINT NOT NULL UNIQUE,"
    " statements TEXT NOT NULL, PRIMARY KEY (product, version))";

Status check_order(std::string_view product, std::span<const Migration> migrations) {
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    const Migration& step = migrations[i];
    if (step.version != static_cast<int>(i) + 1 || step.oldest_reader < 1 || step.oldest_reader > step.version) {
      return fail(ErrorCode::internal, fmt::format("step {} of {} is out of order", i + 1, product));
    }
  }
  return {};
}

Status apply_step(Executor& tx, const MigrationDialect& dialect, std::string_view product, const Migration& step) {
  for (const std::string& statement : split_statements(step.sql)) {
    auto done = tx.run(dialect.translate(statement));
    if (!done)
      return tl::unexpected(std::move(done.error()).while_(fmt::format("step {} of {}", step.version, product)));
  }
  auto noted = tx.run(
      "INSERT INTO schema_steps (product, version, oldest_reader, position, statements)"
      " VALUES ($1, $2, $3, (SELECT COUNT(*) FROM schema_steps), $4)",
      {product, step.version, step.oldest_reader, step.sql});
  if (!noted) return tl::unexpected(std::move(noted.error()));
  return {};
}

struct Standing {
  std::int64_t version = 0, oldest_reader = 1;
};

Result<Standing> standing_of(Executor& executor, std::string_view product) {
  auto found = executor.run("SELECT version, oldest_reader FROM schema_versions WHERE product = $1", {product});
  if (!found) return tl::unexpected(std::move(found.error()));
  const Row* row = found->first();
  return row ? Standing{(*row)[0].integer(), (*row)[1].integer()} : Standing{};
}

Status check_readable(const Standing& standing, std::string_view product, int newest) {
  if (standing.oldest_reader <= newest) return {};
  return fail(ErrorCode::invalid,
              fmt::format("the tables of {} are at version {}, which needs a program that knows version {}; this one "
                          "knows {}: install the newer release again, or restore a backup from before",
                          product, standing.version, standing.oldest_reader, newest));
}

Status bring_up(Executor& tx, const MigrationDialect& dialect, std::string_view product,
                std::span<const Migration> migrations) {
  for (const std::string_view statement : dialect.first) {
    if (auto done = tx.run(statement); !done) return tl::unexpected(std::move(done.error()));
  }
  for (const std::string_view table : {kVersions, kSteps}) {
    if (auto made = tx.run(dialect.translate(table)); !made) return tl::unexpected(std::move(made.error()));
  }
  auto standing = standing_of(tx, product);
  if (!standing) return tl::unexpected(std::move(standing.error()));
  if (auto readable = check_readable(*standing, product, static_cast<int>(migrations.size())); !readable) {
    return readable;
  }
  for (const Migration& step : migrations) {
    if (step.version <= standing->version) continue;
    if (auto applied = apply_step(tx, dialect, product, step); !applied) return applied;
    standing->version = step.version;
    standing->oldest_reader = std::max<std::int64_t>(standing->oldest_reader, step.oldest_reader);
  }
  auto noted = tx.run(
      "INSERT INTO schema_versions (product, version, oldest_reader) VALUES ($1, $2, $3)"
      " ON CONFLICT (product) DO UPDATE SET version = $2, oldest_reader = $3",
      {product, standing->version, standing->oldest_reader});
  if (!noted) return tl::unexpected(std::move(noted.error()));
  return {};
}

}  // namespace

Status apply_migrations(const Transact& transact, const MigrationDialect& dialect, std::string_view product,
                        std::span<const Migration> migrations) {
  if (auto ordered = check_order(product, migrations); !ordered) return ordered;
  return transact([&](Executor& tx) { return bring_up(tx, dialect, product, migrations); })
      .map_error([](Error&& error) { return std::move(error).while_("migrating the store"); });
}

}  // namespace gatehouse::store
