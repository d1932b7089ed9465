// What a request pays for its endpoint: admission, pick, begin and end of the attempt; alone and with two shards that
// count in the same words.
#include <benchmark/benchmark.h>

#include "gateway/upstream/cluster.h"

namespace gatehouse::gateway {
namespace {

ServiceConfig service(Balance balance, std::size_t endpoints) {
  ServiceConfig config;
  config.name = "orders";
  config.balance = balance;
  for (std::size_t i = 0; i < endpoints; ++i) {
    EndpointConfig endpoint;
    endpoint.address = {fmt::format("10.0.{}.{}", i / 250, 1 + i % 250), 9000, ""};
    config.endpoints.push_back(endpoint);
  }
  return config;
}

void attempt(benchmark::State& state, Balance balance) {
  static Cluster* cluster = nullptr;
  if (state.thread_index() == 0) cluster = new Cluster(service(balance, static_cast<std::size_t>(state.range(0))));
  std::uint64_t random = 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(state.thread_index());
  MonotonicTime now{std::chrono::seconds(1000)};
  for (auto _ : state) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    now += std::chrono::microseconds(10);
    const Admission admission = cluster->admit_request(now);
    const Pick pick = cluster->pick({random, random, {}, now});
    cluster->attempt_begun(*pick.endpoint);
    cluster->attempt_ended(*pick.endpoint, AttemptOutcome::success, now);
  }
  if (state.thread_index() == 0) delete cluster;
}

void round_robin(benchmark::State& state) { attempt(state, Balance::round_robin); }
void least_requests(benchmark::State& state) { attempt(state, Balance::least_requests); }
void random_two(benchmark::State& state) { attempt(state, Balance::random_two); }
void consistent_hash(benchmark::State& state) { attempt(state, Balance::hash); }
BENCHMARK(round_robin)->Arg(3)->Threads(1)->Threads(2);
BENCHMARK(least_requests)->Arg(3)->Arg(50)->Threads(1)->Threads(2);
BENCHMARK(random_two)->Arg(3)->Arg(1000)->Threads(1)->Threads(2);
BENCHMARK(consistent_hash)->Arg(3)->Arg(1000)->Threads(1)->Threads(2);

}  // namespace
}  // namespace gatehouse::gateway
