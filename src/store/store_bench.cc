// What the stores cost: commits, reads, and look-ups among a million rows. Files are where temporary files go
// (TMPDIR): the disk's sync is most of a commit.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>

#include "store/database_testing.h"

namespace gatehouse::store {
namespace {

constexpr Migration kTable[] = {
    {1, "CREATE TABLE sessions (token BYTES PRIMARY KEY, user_id TEXT NOT NULL, seen_at BIGINT NOT NULL)", 1}};

Bytes token(std::int64_t number) {
  // Spread like hashes, so that neighbours in time are no neighbours in the index.
  std::string bytes(32, '\0');
  std::uint64_t x = static_cast<std::uint64_t>(number);
  for (char& byte : bytes) {
    x = x * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<char>(x >> 56);
  }
  return {bytes};
}

struct Bench {
  std::unique_ptr<PostgresqlCluster> cluster;  // with fsync, unlike that of the tests
  std::unique_ptr<Site> site;
  std::unique_ptr<Database> database;
  std::atomic<std::int64_t> next = 0;

  static Bench& of(BackEnd back_end) {
    static Bench sqlite(BackEnd::sqlite), postgresql(BackEnd::postgresql);
    return back_end == BackEnd::sqlite ? sqlite : postgresql;
  }
  explicit Bench(BackEnd back_end) {
    if (back_end == BackEnd::sqlite) {
      site = std::make_unique<SqliteSite>();
    } else if ((cluster = PostgresqlCluster::start({"fsync=on"}))) {
      site = std::make_unique<PostgresqlSite>(*cluster);
    }
    if (!site) return;
    database = value_of(open_database(site->options()));
    GH_CHECK(database->migrate("bench", kTable));
    fill(1000);
  }
  void fill(std::int64_t rows) {
    while (next < rows) {
      GH_CHECK(database->transact([&](Executor& tx) -> Status {
        for (int i = 0; i < 10'000 && next < rows; ++i) {
          GH_CHECK(tx.run("INSERT INTO sessions (token, user_id, seen_at) VALUES ($1, '01J0000000000000000000000', $2)",
                          {token(next), next.load()}));
          ++next;
        }
        return {};
      }));
    }
  }
};

void insert_one(benchmark::State& state, BackEnd back_end) {
  Bench& bench = Bench::of(back_end);
  if (!bench.database) return state.SkipWithError("PostgreSQL is not installed");
  for (auto _ : state) {
    const std::int64_t number = bench.next++;
    GH_CHECK(bench.database->run("INSERT INTO sessions (token, user_id, seen_at) VALUES ($1, 'someone', $2)",
                                 {token(number), number}));
  }
  state.SetItemsProcessed(state.iterations());
}

void read_one(benchmark::State& state, BackEnd back_end) {
  Bench& bench = Bench::of(back_end);
  if (!bench.database) return state.SkipWithError("PostgreSQL is not installed");
  std::int64_t i = state.thread_index() * 7919;
  for (auto _ : state) {
    auto rows = bench.database->run("SELECT user_id, seen_at FROM sessions WHERE token = $1", {token(i++ % 1000)});
    GH_CHECK(rows && rows->rows.size() == 1);
  }
  state.SetItemsProcessed(state.iterations());
}

void transaction_of_four(benchmark::State& state, BackEnd back_end) {
  Bench& bench = Bench::of(back_end);
  if (!bench.database) return state.SkipWithError("PostgreSQL is not installed");
  for (auto _ : state) {
    GH_CHECK(bench.database->transact([&](Executor& tx) -> Status {
      const std::int64_t number = bench.next++;
      GH_CHECK(tx.run("SELECT user_id FROM sessions WHERE token = $1", {token(number % 1000)}));
      GH_CHECK(
          tx.run("INSERT INTO sessions (token, user_id, seen_at) VALUES ($1, 'someone', $2)", {token(number), number}));
      GH_CHECK(tx.run("UPDATE sessions SET seen_at = $2 WHERE token = $1", {token(number), 1}));
      return {};
    }));
  }
  state.SetItemsProcessed(state.iterations());
}

void read_one_of_a_million(benchmark::State& state) {
  Bench& bench = Bench::of(BackEnd::sqlite);
  bench.fill(1'000'000);
  std::int64_t i = state.thread_index() * 500'003;
  for (auto _ : state) {
    auto rows = bench.database->run("SELECT user_id, seen_at FROM sessions WHERE token = $1",
                                    {token((i += 7'919) % 1'000'000)});
    GH_CHECK(rows && rows->rows.size() == 1);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(insert_one, sqlite, BackEnd::sqlite)->UseRealTime()->Threads(1)->Threads(8);
BENCHMARK_CAPTURE(insert_one, postgresql, BackEnd::postgresql)->UseRealTime()->Threads(1)->Threads(8);
BENCHMARK_CAPTURE(transaction_of_four, sqlite, BackEnd::sqlite)->UseRealTime();
BENCHMARK_CAPTURE(transaction_of_four, postgresql, BackEnd::postgresql)->UseRealTime();
BENCHMARK_CAPTURE(read_one, sqlite, BackEnd::sqlite)->UseRealTime()->Threads(1)->Threads(8);
BENCHMARK_CAPTURE(read_one, postgresql, BackEnd::postgresql)->UseRealTime()->Threads(1)->Threads(8);
BENCHMARK(read_one_of_a_million)->UseRealTime()->Threads(1)->Threads(8);

}  // namespace
}  // namespace gatehouse::store
