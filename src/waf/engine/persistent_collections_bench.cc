// What a look at a client's record and a change to it cost, alone and with two threads at once; a flood of new keys.

#include <benchmark/benchmark.h>

#include "waf/engine/persistent_collections.h"

namespace gatehouse::waf {
namespace {

constexpr std::chrono::seconds kHour{3600};
MemoryCollections& kept() {
  static MemoryCollections table(SystemClock::instance());
  return table;
}
const std::string kKey = "192.0.2.1_70b1d3ba7c1a11a0a5e5e1b8e0d5b1c2f3a4b5c6";

void ReadOfNothing(benchmark::State& state) {
  MemoryCollections empty(SystemClock::instance());
  PersistentCollections::Record record;
  for (auto _ : state) empty.read(kKey, record);
}
void Read(benchmark::State& state) {
  PersistentCollections::Record record;
  kept().change(kKey, SetVar::Kind::set, "blocked", NamedBy::rule, "1", kHour, record);
  for (auto _ : state) kept().read(kKey, record);
}
void AddToOneRecord(benchmark::State& state) {
  PersistentCollections::Record record;
  for (auto _ : state) kept().change(kKey, SetVar::Kind::add, "count", NamedBy::rule, "1", kHour, record);
}
void AddToNewRecords(benchmark::State& state) {
  PersistentCollections::Record record;
  static std::atomic<std::uint64_t> next{0};
  std::string key;
  for (auto _ : state) {
    key = std::to_string(next.fetch_add(1, std::memory_order_relaxed)) + kKey;
    kept().change(key, SetVar::Kind::add, "count", NamedBy::rule, "1", kHour, record);
  }
  if (state.thread_index() == 0) state.counters["records"] = static_cast<double>(kept().statistics().records);
}

BENCHMARK(ReadOfNothing);
BENCHMARK(Read)->Threads(1)->Threads(2);
BENCHMARK(AddToOneRecord)->Threads(1)->Threads(2);
BENCHMARK(AddToNewRecords)->Iterations(1 << 20)->Threads(1)->Threads(2);

}  // namespace
}  // namespace gatehouse::waf
