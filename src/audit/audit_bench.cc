// Durable entries a second, and the time for a proof in a large log, on the disk where temporary files go.
//
// AUDIT_BENCH_ENTRIES: of the log in which proofs are made; 10 million take 320 MB, 100 million 3.2 GB.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>

#include "audit/audit_log.h"
#include "audit/proof.h"
#include "base/temp_dir.h"

namespace gatehouse::audit {
namespace {

Entry denial(std::uint64_t number) {
  Entry entry;
  entry.kind = Entry::Kind::denial;
  entry.time = SystemClock::instance().wall();
  entry.actor = "client";
  entry.action = "request.deny";
  entry.target = "route:orders";
  entry.outcome = "refused";
  entry.request_id = "01jtestrequest000000000000";
  entry.details = {{"layer", "waf"}, {"method", "GET"}, {"reason", "waf.score"}, {"status", "403"}};
  entry.personal = {{"client_ip", "203.0.113." + std::to_string(number % 256)}, {"path", "/orders/1234"}};
  return entry;
}

// Everything there is to it: queue, leaf, commitments sealed, tree, journal synced, tiles and checkpoints published.
void DurableEntries(benchmark::State& state) {
  const std::uint64_t count = 200'000;
  for (auto _ : state) {
    TempDir dir;
    auto log = AuditLog::open(system_files(), {.log = {dir / "log", {}}}, NoteSigner::generate(),
                              SecretBytes(std::string(32, 'p')), SystemClock::instance());
    if (!log) return state.SkipWithError(log.error().message.c_str());
    (*log)->start();
    std::atomic<std::uint64_t> durable{0};
    const auto began = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < count;) {
      const Status taken = (*log)->append(denial(i), [&durable](const Status& status) {
        if (status) durable.fetch_add(1, std::memory_order_relaxed);
      });
      if (taken) {
        ++i;
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    while (durable.load() < count && (*log)->state().trouble.empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    if (durable.load() != count) return state.SkipWithError((*log)->state().trouble.c_str());
    (*log)->stop();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(count));
}
BENCHMARK(DurableEntries)->UseManualTime()->Unit(benchmark::kSecond)->Iterations(3);

std::uint64_t proof_entries() {
  const char* wanted = std::getenv("AUDIT_BENCH_ENTRIES");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 10'000'000;
}

// The tiles of a log of `size` entries, without the entries.
void write_tiles(const std::string& folder, std::uint64_t size) {
  std::vector<Hash> row;
  row.reserve(size);
  for (std::uint64_t i = 0; i < size; ++i) {
    row.push_back(crypto::sha256({reinterpret_cast<const char*>(&i), sizeof i}));
  }
  for (unsigned level = 0; !row.empty(); ++level) {
    std::vector<Hash> above;
    for (std::uint64_t at = 0; at < row.size(); at += kTileWidth) {
      const std::uint64_t width = std::min<std::uint64_t>(kTileWidth, row.size() - at);
      const std::string path = folder + "/" + tile_path(std::to_string(level), at / kTileWidth, width);
      std::filesystem::create_directories(std::filesystem::path(path).parent_path());
      (void)system_files().write(path, join_tile(std::span(row).subspan(at, width)));
      if (width < kTileWidth) continue;
      Frontier tile;
      for (const Hash& hash : std::span(row).subspan(at, width)) tile.append(hash);
      above.push_back(tile.root());
    }
    row = std::move(above);
  }
}

// A proof of an entry anywhere, by a reader that knows no tile yet. `worst_ms` is of all that were made.
void InclusionProof(benchmark::State& state) {
  static const std::uint64_t size = proof_entries();
  static const TempDir dir;
  static const bool written = (write_tiles(dir.path(), size), true);
  (void)written;
  std::mt19937_64 random(1);
  double worst = 0;
  for (auto _ : state) {
    const std::uint64_t index = random() % size;
    const auto began = std::chrono::steady_clock::now();
    TileReader reader(system_files(), dir.path(), size);
    auto proof = inclusion_proof(index, size, reader.reader());
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    if (!proof) return state.SkipWithError(proof.error().message.c_str());
    worst = std::max(worst, took);
    state.SetIterationTime(took);
  }
  state.counters["entries"] = static_cast<double>(size);
  state.counters["worst_ms"] = worst * 1000;
}
BENCHMARK(InclusionProof)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(5000);

}  // namespace
}  // namespace gatehouse::audit
