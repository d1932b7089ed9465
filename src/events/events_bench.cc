// What an event costs where it is added, what it costs to be written, and how long searches take among very many.
// GATEHOUSE_BENCH_EVENTS: how many (default 200,000); they stay in GATEHOUSE_BENCH_DATA when that is given.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <thread>

#include "base/temp_dir.h"
#include "events/event_store.h"
#include "store/database.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::events {
namespace {

std::string id_of(std::uint64_t number) {
  std::string id = std::to_string(number);
  return "01" + std::string(24 - id.size(), '0') + id;
}

// Clients, paths and users as various as of a busy shop under attack.
class Traffic {
 public:
  std::string_view line(std::uint64_t number, WallTime time) {
    const std::uint64_t dice = random_();
    const std::string id = id_of(number), path = "/orders/" + std::to_string(dice % 1'000'000) + "/items",
                      user = "user" + std::to_string(dice >> 40 & 0xffff);
    telemetry::DecisionRecord record = telemetry::sample_record();
    record.request_id = id;
    record.path = path;
    record.user = user;
    record.time = time;
    record.client_ip = *IpAddress::parse("10." + std::to_string(dice >> 16 & 15) + "." +
                                         std::to_string(dice >> 8 & 255) + "." + std::to_string(dice & 255));
    record.duration_us = dice % 10'000;
    if (number % 10 == 0) {
      record.verdict = telemetry::Verdict::deny, record.status = 403, record.reason = "waf.score";
      record.layer = telemetry::Layer::waf;
      record.waf = &waf_;
    }
    line_.clear();
    telemetry::append_json(record, line_);
    return line_;
  }

 private:
  std::mt19937_64 random_{42};
  const telemetry::WafRecord waf_ = telemetry::sample_waf();
  std::string line_;
};

template <class T>
T value_of(Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str()), std::abort();
  return std::move(*result);
}

std::uint64_t event_count() {
  const char* given = std::getenv("GATEHOUSE_BENCH_EVENTS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 200'000;
}

struct Site {
  TempDir folder;
  std::string file = std::getenv("GATEHOUSE_BENCH_DATA") != nullptr ? std::getenv("GATEHOUSE_BENCH_DATA")
                                                                    : std::string(folder / "events.db");
  std::unique_ptr<store::Database> database = value_of(store::open_database({.location = "sqlite:" + file}));
  std::unique_ptr<secrets::Keyring> keyring = value_of(secrets::Keyring::open(
      *database,
      {secrets::RootKeySource::Kind::environment, {}, SecretBytes("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")}));
  std::unique_ptr<EventStore> store =
      value_of(EventStore::open(*database, *database, *keyring, {.bytes_max = 1ull << 40}, SystemClock::instance()));
};

Site& filled() {
  static Site site;
  static const bool done = [] {
    Traffic traffic;
    const WallTime now = SystemClock::instance().wall();
    const std::uint64_t count = event_count();
    for (std::uint64_t i = 0; i < count; ++i) {
      const WallTime time = now - std::chrono::milliseconds(50) * (count - i);
      if (!site.store->add({time, EventKind::request, traffic.line(i, time)})) std::abort();
      if (i % 4096 == 0) (void)site.store->write_pending();
    }
    (void)site.store->write_pending();
    (void)site.store->keep_bounds();
    std::fprintf(stderr, "%llu events, %llu MiB\n", static_cast<unsigned long long>(count),
                 static_cast<unsigned long long>(site.store->counters().bytes >> 20));
    return true;
  }();
  (void)done;
  return site;
}

// On the thread that adds; rendering of the line included. `write` beside it, on another.
void BM_AddAndWrite(benchmark::State& state) {
  Site site;
  site.store->start();
  Traffic traffic;
  std::uint64_t number = 0, refused = 0;
  for (auto _ : state) {
    const WallTime now = SystemClock::instance().wall();
    refused += !site.store->add({now, EventKind::request, traffic.line(number++, now)});
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["refused"] = static_cast<double>(refused);
}
BENCHMARK(BM_AddAndWrite)->MeasureProcessCPUTime()->UseRealTime();

void search(benchmark::State& state, const EventQuery& query) {
  Site& site = filled();
  std::size_t found = 0;
  for (auto _ : state) {
    const auto page = site.store->search(query);
    if (!page) return state.SkipWithError(page.error().message.c_str());
    found = page->events.size();
    if (page->searched_to) state.SkipWithError("time ran out");
  }
  state.counters["found"] = static_cast<double>(found);
}

void BM_SearchNewest(benchmark::State& state) { search(state, {}); }
void BM_SearchDenied(benchmark::State& state) { search(state, {.fields = {{"verdict", "deny"}}}); }
void BM_SearchOldestRequest(benchmark::State& state) {
  search(state, {.fields = {{"request_id", id_of(1)}}, .limit = 1});
}
void BM_SearchOneClient(benchmark::State& state) { search(state, {.client = Network::parse("10.3.7.11")}); }
void BM_SearchOneUsersDenials(benchmark::State& state) {
  search(state, {.fields = {{"user", "user4711"}, {"verdict", "deny"}}});
}
// Both are in every block, and never together: each block is opened in vain.
void BM_SearchInVain(benchmark::State& state) { search(state, {.fields = {{"verdict", "deny"}, {"status", "200"}}}); }
void BM_SearchNothing(benchmark::State& state) { search(state, {.text = "nobodyeverwrotethis"}); }
BENCHMARK(BM_SearchNewest)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SearchDenied)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SearchOldestRequest)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SearchOneClient)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SearchOneUsersDenials)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SearchInVain)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_SearchNothing)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gatehouse::events
