// What identity costs: logins against cores ÷ hash time, and finding people and sessions among a million of each.
//
//   GATEHOUSE_BENCH_USERS=1000000 identity_bench     (100,000 unless told)
//   GATEHOUSE_BENCH_DATA=FOLDER identity_bench       leaves them in a new `data_dir` that a gateway can be started on
//
// The figures that matter are printed as counters: logins per second and their ratio to cores ÷ hash time, median and
// 99th percentile of single look-ups in microseconds, resident memory.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "base/check.h"
#include "base/temp_dir.h"
#include "identity/ids.h"
#include "identity/schema.h"
#include "identity/seconds.h"
#include "identity/sessions/sessions.h"
#include "identity/token_hash.h"
#include "identity/users/passwords.h"
#include "secrets/keyring.h"

namespace gatehouse::identity {
namespace {

std::size_t users_wanted() {
  const char* wanted = std::getenv("GATEHOUSE_BENCH_USERS");
  return wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 100'000;
}

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  long size = 0, resident = 0;
  in >> size >> resident;
  return static_cast<double>(resident) * 4096.0 / 1048576.0;
}

// One store with all of them, made once for the program.
struct World {
  TempDir temporary;
  const Clock& clock = SystemClock::instance();
  std::unique_ptr<store::Database> database;
  std::unique_ptr<secrets::Keyring> keyring;
  std::unique_ptr<Accounts> accounts;
  std::unique_ptr<Revocations> revocations;
  std::unique_ptr<Sessions> sessions;
  std::size_t count = users_wanted();

  static std::string name(std::size_t i) { return "user" + std::to_string(i); }
  static std::string token(std::size_t i) {
    std::string text = std::to_string(i);
    return std::string(43 - text.size(), 'A') + text;
  }
  static World& get() {
    static World world;
    return world;
  }

 private:
  World() {
    const char* kept = std::getenv("GATEHOUSE_BENCH_DATA");
    const std::string folder = kept != nullptr ? std::string(kept) : temporary.path();
    auto opened = store::open_database({.location = "sqlite:" + folder + "/gatehouse.db"});
    GH_CHECK(opened.has_value());
    database = std::move(*opened);
    secrets::RootKeySource root;
    root.path = folder + "/root.key";
    auto keys = secrets::Keyring::open(*database, root, clock);
    GH_CHECK(keys.has_value());
    keyring = std::move(*keys);
    GH_CHECK(database->migrate(kProduct, migrations()).has_value());
    accounts = std::make_unique<Accounts>(*database, *keyring, clock);
    revocations = std::make_unique<Revocations>(*database, clock);
    sessions = std::make_unique<Sessions>(*database, *accounts, *revocations, clock, Sessions::Options{});
    constexpr std::size_t kBatch = 10'000;
    for (std::size_t from = 0; from < count; from += kBatch) {
      const Status filled = database->transact([&](store::Executor& tx) -> Status {
        for (std::size_t i = from; i < std::min(from + kBatch, count); ++i) {
          if (auto added = add(tx, i); !added) return added;
        }
        return {};
      });
      GH_CHECK(filled.has_value());
    }
  }
  Status add(store::Executor& tx, std::size_t i) {
    NewUser wanted{.username = name(i), .profile = {}};
    wanted.profile.email = name(i) + "@example.org";
    wanted.profile.name = "Somebody With A Name";
    wanted.state = UserState::active;
    auto id = accounts->create(tx, wanted);
    if (!id) return tl::unexpected(std::move(id.error()));
    const std::int64_t now_s = seconds_of(clock.wall());
    auto added = tx.run(
        "INSERT INTO sessions (token_hash, id, user_id, auth_at, amr, created_at, seen_at, expires_at) "
        "VALUES ($1, $2, $3, $4, 'pwd', $4, $4, $5)",
        {token_hash(token(i)), new_id(clock.wall()), *id, now_s, now_s + 1'000'000});
    if (!added) return tl::unexpected(std::move(added.error()));
    return {};
  }
};

// Times single calls, for the percentiles.
template <class Act>
void run_timed(benchmark::State& state, Act act) {
  World& world = World::get();
  std::mt19937_64 random(42);
  std::vector<double> times;
  for (auto _ : state) {
    const std::size_t i = random() % world.count;
    const auto begin = std::chrono::steady_clock::now();
    GH_CHECK(act(world, i));
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  state.counters["p50_us"] = times[times.size() / 2];
  state.counters["p99_us"] = times[times.size() * 99 / 100];
  state.counters["rows"] = static_cast<double>(world.count);
  state.counters["rss_MiB"] = resident_mib();
}

void BM_FindUserByName(benchmark::State& state) {
  run_timed(state, [](World& w, std::size_t i) {
    const auto user = w.accounts->find_by_username(World::name(i));
    return user && *user;
  });
}
BENCHMARK(BM_FindUserByName)->MinTime(2);

void BM_FindUserByEmail(benchmark::State& state) {
  run_timed(state, [](World& w, std::size_t i) {
    const auto user = w.accounts->find_by_email(World::name(i) + "@example.org");
    return user && *user;
  });
}
BENCHMARK(BM_FindUserByEmail)->MinTime(2);

void BM_FindSession(benchmark::State& state) {
  run_timed(state, [](World& w, std::size_t i) {
    const auto session = w.sessions->find(World::token(i));
    return session && *session;
  });
}
BENCHMARK(BM_FindSession)->MinTime(2);

void BM_FindRememberedSession(benchmark::State& state) {
  run_timed(state, [](World& w, std::size_t) {
    const auto session = w.sessions->find(World::token(7));
    return session && *session;
  });
}
BENCHMARK(BM_FindRememberedSession)->MinTime(1);

void BM_StartSession(benchmark::State& state) {
  run_timed(state, [](World& w, std::size_t i) {
    const auto user = w.accounts->find_by_username(World::name(i));
    return user && w.sessions->start((*user)->id, {"pwd", false}, "Firefox on Linux", "192.0.2.1").has_value();
  });
}
BENCHMARK(BM_StartSession)->MinTime(2);

void BM_RevocationAsked(benchmark::State& state) {
  World& world = World::get();
  for (auto _ : state) benchmark::DoNotOptimize(world.revocations->covers(RevokedKind::token, "some-token-id", 1));
}
BENCHMARK(BM_RevocationAsked);

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

// As many threads as cores verify passwords for two seconds; what they manage against cores ÷ (time of one hash alone).
// `hash_of_cpu` is the share of the processor's time that went into hashes: it holds on a busy machine, too.
void BM_Logins(benchmark::State& state) {
  World& world = World::get();
  PasswordService passwords(*world.accounts, *world.keyring, BreachedList(), {});
  const auto user = world.accounts->find_by_username(World::name(1));
  GH_CHECK(user && *user && passwords.set((*user)->id, "correct horse battery staple"));
  const auto once = [&] {
    GH_CHECK(passwords.verify(World::name(1), "correct horse battery staple").result == PasswordResult::right);
  };
  const auto stored = world.accounts->password_of((*user)->id);
  const SecretBytes pepper = world.keyring->derive("password pepper");
  std::vector<double> alone;
  const double cpu_before = cpu_seconds();
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    GH_CHECK(crypto::verify_password((*stored)->hash, "correct horse battery staple", pepper.expose()) ==
             crypto::PasswordVerdict::match);
    alone.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  const double hash_cpu_s = (cpu_seconds() - cpu_before) / static_cast<double>(alone.size());
  std::sort(alone.begin(), alone.end());
  const double hash_s = alone[alone.size() / 2];
  const unsigned cores = std::max(std::thread::hardware_concurrency(), 1U);
  for (auto _ : state) {
    std::atomic<int> done{0};
    const auto begin = std::chrono::steady_clock::now();
    const double cpu_begin = cpu_seconds();
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < cores; ++i) {
      threads.emplace_back([&] {
        while (std::chrono::steady_clock::now() - begin < std::chrono::seconds(2)) once(), ++done;
      });
    }
    for (std::thread& thread : threads) thread.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    state.counters["hash_of_cpu"] = done * hash_cpu_s / (cpu_seconds() - cpu_begin);
    state.counters["logins_per_s"] = done / seconds;
    state.counters["hash_ms"] = hash_s * 1000;
    state.counters["of_cores_by_hash"] = done / seconds / (cores / hash_s);
  }
}
BENCHMARK(BM_Logins)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace gatehouse::identity
