// Lookups among 1, 100 and 10,000 routes: the time must not grow with their number, except by cache misses.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "base/check.h"
#include "gateway/routing/router.h"

namespace gatehouse::gateway {
namespace {

struct Table {
  Config config;
  Result<Router> router = fail(ErrorCode::internal, "");

  Table(std::size_t routes, bool by_host) {
    for (std::size_t i = 0; i < routes; ++i) {
      RouteConfig route;
      route.name = std::to_string(i);
      route.match.hosts = {by_host ? fmt::format("tenant-{}.shop.example", i) : "shop.example"};
      route.match.path = fmt::format("/api/service-{}/{{id}}/items/**", by_host ? 0 : i);
      route.match.methods = {"GET"};
      route.services = {{0, 1}};
      config.routes.push_back(std::move(route));
    }
    router = Router::create(config);
    GH_CHECK(router.has_value());
  }
};

void lookup(benchmark::State& state, bool by_host) {
  const auto routes = static_cast<std::size_t>(state.range(0));
  const Table table(routes, by_host);
  // As many different requests as routes, in an order the cache cannot guess. The request itself is in the cache, as it
  // is when it has just been parsed.
  constexpr std::size_t kStride = 64;
  std::vector<char> texts(routes * kStride);
  for (std::size_t i = 0; i < routes; ++i) {
    const std::size_t n = (i * 7919) % routes;
    const std::string text =
        by_host ? fmt::format("tenant-{}.shop.example", n) : fmt::format("/api/service-{}/81723/items/17", n);
    std::copy(text.begin(), text.end(), &texts[i * kStride]);
  }
  http::CanonicalRequest request;
  request.method = "GET";
  request.host = "shop.example";
  request.path = "/api/service-0/81723/items/17";
  Arena arena;
  std::size_t at = 0;
  for (auto _ : state) {
    const std::string_view text(&texts[at * kStride]);
    (by_host ? request.host : request.path) = text;
    const RouteMatch match = table.router->match(request, arena);
    benchmark::DoNotOptimize(match.route);
    GH_CHECK(match.route != nullptr);
    if (++at == routes) at = 0;
  }
}

void by_path(benchmark::State& state) { lookup(state, false); }
void by_host(benchmark::State& state) { lookup(state, true); }
BENCHMARK(by_path)->Arg(1)->Arg(100)->Arg(10'000);
BENCHMARK(by_host)->Arg(1)->Arg(100)->Arg(10'000);

void build(benchmark::State& state) {
  const Table table(static_cast<std::size_t>(state.range(0)), false);
  for (auto _ : state) benchmark::DoNotOptimize(Router::create(table.config));
}
BENCHMARK(build)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gatehouse::gateway
