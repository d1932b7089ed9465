// What the cheap layers cost one request. `build/release/src/gateway_bench --benchmark_filter=…`
#include <benchmark/benchmark.h>

#include <random>

#include "gateway/client_address.h"
#include "gateway/compression.h"
#include "gateway/layers/bans/bans_layer.h"
#include "gateway/layers/header_policy/header_policy_layer.h"
#include "gateway/layers/penalties/penalties_layer.h"
#include "gateway/layers/rate/rate_layer.h"
#include "gateway/layers/sample_request.h"
#include "gateway/layers/zone/zone_layer.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

const SystemClock& kClock = SystemClock::instance();

void admit(benchmark::State& state, std::size_t keys) {
  static RateTable table = RateTable::create(1 << 20).value();
  std::vector<std::uint64_t> names(keys);
  std::mt19937_64 random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  for (std::uint64_t& name : names) name = random();
  const RateLimit limit{1'000'000'000, 1s, 1000};
  std::size_t i = 0;
  MonotonicTime now = kClock.now();
  for (auto _ : state) {
    now += 10ns;
    benchmark::DoNotOptimize(table.admit(names[i++ & (keys - 1)], limit, now));
  }
}
void rate_admit_one_key(benchmark::State& state) { admit(state, 1); }
void rate_admit_64k_keys(benchmark::State& state) { admit(state, 65536); }
BENCHMARK(rate_admit_one_key)->Threads(1)->Threads(2);
BENCHMARK(rate_admit_64k_keys)->Threads(1)->Threads(2);

// Both threads fight for one word.
void rate_admit_contended(benchmark::State& state) {
  static RateTable table = RateTable::create(1024).value();
  const RateLimit limit{1'000'000'000, 1s, 1'000'000};
  const MonotonicTime start = kClock.now();
  std::int64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.admit(7, limit, start + Duration(++i * 50)));
}
BENCHMARK(rate_admit_contended)->Threads(2);

RateLimitConfig by_client(std::uint64_t requests, std::uint32_t burst) {
  RateLimitConfig limit;
  limit.requests = requests, limit.burst = burst;
  return limit;
}

template <class Make>
void decide(benchmark::State& state, Config config, Make make) {
  const auto shared = SharedState::create(config, kClock).value();
  shared->bans().add(*Network::parse("192.0.2.0/24"), 1h, "bench");
  const auto layer = make(config, *shared);
  SampleRequest sample(config, kClock);
  sample.connection.tls = true;
  for (auto _ : state) {
    sample.request.rate_note = nullptr;
    sample.request.now += 1ms;
    benchmark::DoNotOptimize(layer.decide(sample.request));
    http::ResponseHead response;
    response.fields.reserve(16);
    response.fields.add("content-type", "application/json");
    layer.on_response(sample.request, response);
    layer.on_end(sample.request, 200);
    sample.arena.reset();
  }
}

void layer_rate_two_limits(benchmark::State& state) {
  Config config = sample_config();
  config.rate_limit = {by_client(1'000'000, 1000)};
  config.routes[0].rate_limit = {by_client(100'000, 1000)};
  decide(state, config,
         [](const Config& c, SharedState& s) { return RateLayer(c, s, kClock, Phase::before_authentication); });
}
BENCHMARK(layer_rate_two_limits);

// The same two limits with counts that other gateways hear of: each admitted request is handed over, and picked up here
// too, which the sharing thread does otherwise.
void layer_rate_two_limits_shared(benchmark::State& state) {
  Config config = sample_config();
  config.rate_limit = {by_client(1'000'000, 1000)};
  config.routes[0].rate_limit = {by_client(100'000, 1000)};
  const auto shared = SharedState::create(config, kClock).value();
  shared->desk().open();
  shared->desk().set_sharing(true);
  const RateLayer layer(config, *shared, kClock, Phase::before_authentication);
  SampleRequest sample(config, kClock);
  std::uint64_t handed = 0, picked = 0;
  for (auto _ : state) {
    sample.request.rate_note = nullptr;
    sample.request.now += 1ms;
    benchmark::DoNotOptimize(layer.decide(sample.request));
    sample.arena.reset();
    if (++handed % 1024 == 0) shared->desk().take_uses([&](const RateUse&) { ++picked; });
  }
  state.counters["left out"] = static_cast<double>(shared->desk().left_out());
}
BENCHMARK(layer_rate_two_limits_shared);

void layer_rate_two_limits_decision(benchmark::State& state) {  // what the one above is compared with
  Config config = sample_config();
  config.rate_limit = {by_client(1'000'000, 1000)};
  config.routes[0].rate_limit = {by_client(100'000, 1000)};
  const auto shared = SharedState::create(config, kClock).value();
  const RateLayer layer(config, *shared, kClock, Phase::before_authentication);
  SampleRequest sample(config, kClock);
  for (auto _ : state) {
    sample.request.rate_note = nullptr;
    sample.request.now += 1ms;
    benchmark::DoNotOptimize(layer.decide(sample.request));
    sample.arena.reset();
  }
}
BENCHMARK(layer_rate_two_limits_decision);

void layer_bans(benchmark::State& state) {
  Config config = sample_config();
  std::mt19937 random(1);
  for (int i = 0; i < state.range(0); ++i) {
    config.bans.deny.push_back({IpAddress::v4(static_cast<std::uint32_t>(random()) & 0xffffff00u), 120});
  }
  decide(state, config, [](const Config& c, SharedState& s) { return BansLayer(c, s, kClock); });
}
BENCHMARK(layer_bans)->Arg(10)->Arg(100'000);

void layer_penalties(benchmark::State& state) {
  decide(state, sample_config(),
         [](const Config& c, SharedState& s) { return PenaltiesLayer(c, s, kClock, Phase::before_authentication); });
}
BENCHMARK(layer_penalties);

void layer_header_policy(benchmark::State& state) {
  decide(state, sample_config(), [](const Config& c, SharedState& s) { return HeaderPolicyLayer(c, s, kClock); });
}
BENCHMARK(layer_header_policy);

void network_map_find(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<Network> networks;
  for (int i = 0; i < state.range(0); ++i) {
    const auto prefix = static_cast<std::uint8_t>(112 + random() % 17);
    const std::uint32_t base = static_cast<std::uint32_t>(random()) & (0xffffffffu << (128 - prefix));
    networks.push_back({IpAddress::v4(base), prefix});
  }
  const NetworkMap map(networks);
  std::vector<IpAddress> clients;
  for (int i = 0; i < 65536; ++i) clients.push_back(IpAddress::v4(static_cast<std::uint32_t>(random())));
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(map.find(clients[i++ & 65535]));
}
BENCHMARK(network_map_find)->Arg(100)->Arg(100'000);

void forwarded_fields(benchmark::State& state) {
  const Config config = sample_config();
  const NetworkMap trusted;
  SampleRequest sample(config, kClock);
  for (auto _ : state) {
    http::Fields fields;
    fields.reserve(16);
    fields.add("accept", "*/*");
    const ClientAddress client = find_client(sample.connection, fields, trusted);
    set_forwarded(client, "https", "shop.example", sample.arena, fields);
    benchmark::DoNotOptimize(fields.size());
    sample.arena.reset();
  }
}
BENCHMARK(forwarded_fields);

void compress(benchmark::State& state) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < 20'000) text += "{\"id\":" + std::to_string(random() % 100000) + ",\"name\":\"item\"},\n";
  std::string out;
  for (auto _ : state) {
    out.clear();
    const auto encoder = make_encoder(static_cast<Coding>(state.range(0)), text.size(), false);
    benchmark::DoNotOptimize(encoder->encode(text, http::End::yes, out));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetLabel(std::string(name_of(static_cast<Coding>(state.range(0)))) + " to " +
                 std::to_string(out.size() * 100 / text.size()) + " %");
}
BENCHMARK(compress)->DenseRange(1, 3);

}  // namespace
}  // namespace gatehouse::gateway
