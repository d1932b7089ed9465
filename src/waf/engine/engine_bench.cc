// What inspection costs: the Core Rule Set on ordinary requests, with the plan and without it.
//
//   build/release/src/waf_bench --benchmark_filter=Inspect

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {
namespace {

const Program& program() {
  static const std::unique_ptr<const Program> made = [] {
    const auto sources = crs_main();
    auto compiled = Program::compile(parse_rules(sources).rules);
    return std::move(compiled.program);
  }();
  return *made;
}

const MatchPlan& plan() {
  static const std::unique_ptr<const MatchPlan> made = [] {
    MatchPlan::BuildOptions options;
    options.cache_file = "/tmp/gatehouse-waf-bench.cache";
    return std::move(*MatchPlan::build(program(), options));
  }();
  return *made;
}

constexpr std::string_view kTrivial =
    "GET / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";
constexpr std::string_view kBrowser =
    "GET /catalogue/products?page=2&sort=price&category=books HTTP/1.1\r\nHost: shop.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nReferer: "
    "https://shop.example/catalogue\r\n"
    "Connection: keep-alive\r\nCookie: session=6f1c2a9be0d94b7f8f3a; theme=dark; consent=all; cart=p-1001.p-1002\r\n"
    "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: "
    "same-origin\r\n"
    "Sec-Fetch-User: ?1\r\nDNT: 1\r\nPriority: u=0, i\r\n\r\n";

std::string form() {
  std::string body;
  for (int i = 0; i < 50; ++i)
    body += (i ? "&field" : "field") + std::to_string(i) + "=some+ordinary+value+" + std::to_string(i * 37);
  return "POST /orders HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: "
         "application/x-www-form-urlencoded\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string json_body() {
  std::string body = "{";
  for (int i = 0; i < 200; ++i)
    body += (i ? ",\"key" : "\"key") + std::to_string(i) + "\":\"an ordinary value, number " + std::to_string(i * 37) +
            "\"";
  body += "}";
  return "POST /orders HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void inspect_request(benchmark::State& state, const MatchPlan* use, const std::string& text) {
  const auto request = parse_raw_request(text);
  Workspace workspace(program(), use);
  Transaction transaction(workspace, SystemClock::instance());
  std::size_t fired = 0;
  std::chrono::nanoseconds phases[2]{};
  for (auto _ : state) {
    transaction.begin({});
    inspect(transaction, *request, nullptr);
    fired = transaction.fired().size();
    phases[0] += transaction.spent(1);
    phases[1] += transaction.spent(2);
  }
  state.counters["fired"] = static_cast<double>(fired);
  state.counters["phase1_us"] =
      benchmark::Counter(static_cast<double>(phases[0].count()) / 1e3, benchmark::Counter::kAvgIterations);
  state.counters["phase2_us"] =
      benchmark::Counter(static_cast<double>(phases[1].count()) / 1e3, benchmark::Counter::kAvgIterations);
}

void Inspect(benchmark::State& state, bool planned, std::string text) {
  inspect_request(state, planned ? &plan() : nullptr, text);
}

BENCHMARK_CAPTURE(Inspect, trivial_plain, false, std::string(kTrivial));
BENCHMARK_CAPTURE(Inspect, trivial, true, std::string(kTrivial));
BENCHMARK_CAPTURE(Inspect, browser_plain, false, std::string(kBrowser));
BENCHMARK_CAPTURE(Inspect, browser, true, std::string(kBrowser));
BENCHMARK_CAPTURE(Inspect, form_plain, false, form());
BENCHMARK_CAPTURE(Inspect, form, true, form());
BENCHMARK_CAPTURE(Inspect, json_plain, false, json_body());
BENCHMARK_CAPTURE(Inspect, json, true, json_body());

}  // namespace
}  // namespace gatehouse::waf
