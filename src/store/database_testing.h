#pragma once
// Where a test's database is, for either back end: empty at first, gone with its Site.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/temp_dir.h"
#include "store/database.h"
#include "store/postgresql_testing.h"

namespace gatehouse::store {

enum class BackEnd : std::uint8_t { sqlite, postgresql };

inline std::string name_of(BackEnd back_end) { return back_end == BackEnd::sqlite ? "Sqlite" : "Postgresql"; }

class Site {
 public:
  virtual ~Site() = default;
  virtual DatabaseOptions options() const = 0;
};

class SqliteSite final : public Site {
 public:
  DatabaseOptions options() const override { return {.location = "sqlite:" + path()}; }
  std::string path() const { return folder_ / "gatehouse.db"; }

 private:
  TempDir folder_;
};

class PostgresqlSite final : public Site {
 public:
  explicit PostgresqlSite(PostgresqlCluster& cluster) : location_(cluster.location(cluster.make_database())) {}
  DatabaseOptions options() const override { return {.location = location_}; }

 private:
  std::string location_;
};

// One for all tests of a program: it takes seconds to start. Null when PostgreSQL is not installed here.
inline PostgresqlCluster* shared_cluster() {
  static const std::unique_ptr<PostgresqlCluster> cluster = PostgresqlCluster::start();
  return cluster.get();
}

// Null when its server is not installed here.
inline std::unique_ptr<Site> make_site(BackEnd back_end) {
  if (back_end == BackEnd::sqlite) return std::make_unique<SqliteSite>();
  PostgresqlCluster* cluster = shared_cluster();
  return cluster ? std::make_unique<PostgresqlSite>(*cluster) : nullptr;
}

// What must be there for the test to go on at all.
template <class T>
T value_of(Result<T> result) {
  if (result) return std::move(*result);
  ADD_FAILURE() << result.error().message;
  return T{};
}

}  // namespace gatehouse::store
