#include <benchmark/benchmark.h>

#include "http/canonical.h"

namespace gatehouse::http {
namespace {

RequestHead browser_request(std::string_view target) {
  RequestHead head;
  head.method = "GET";
  head.scheme = "https";
  head.authority = "shop.example";
  head.target = target;
  head.fields.add("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
  head.fields.add("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
  head.fields.add("accept-language", "en-US,en;q=0.5");
  head.fields.add("accept-encoding", "gzip, deflate, br, zstd");
  head.fields.add("referer", "https://shop.example/orders");
  head.fields.add("cookie", "session=0123456789abcdef0123456789abcdef");
  head.fields.add("connection", "keep-alive");
  head.fields.add("sec-fetch-mode", "navigate");
  return head;
}

void run(benchmark::State& state, std::string_view target) {
  const RequestHead head = browser_request(target);
  Arena arena;
  CanonicalRequest out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(canonicalize(head, {}, arena, out));
    arena.reset();
  }
}

void request_plain(benchmark::State& state) { run(state, "/orders/17/items?page=2&sort=price"); }
void request_escaped(benchmark::State& state) { run(state, "/orders/caf%C3%A9/./17/items?page=2&sort=price"); }
BENCHMARK(request_plain);
BENCHMARK(request_escaped);

void path_alone(benchmark::State& state) {
  Arena arena;
  std::string_view out;
  for (auto _ : state) {
    benchmark::DoNotOptimize(canonicalize_path("/api/v2/customers/8812/orders/17/items", {}, arena, out));
    arena.reset();
  }
}
BENCHMARK(path_alone);

}  // namespace
}  // namespace gatehouse::http
