// What each transformation costs on the values of ordinary requests and on a hostile one, beside libmodsecurity's own,
// with its allocations as it makes them for each rule.
#include <benchmark/benchmark.h>

#include <string>

#include "waf/modsecurity_test_peer.h"
#include "waf/transform/transform.h"

namespace {

using namespace gatehouse::waf;

const std::string& value_of(std::int64_t which) {
  static const std::string kHostile = [] {
    std::string text;
    while (text.size() < 2048) text += "%75NiOn/**/\\u0053&#x65;lect +..//./\\61 \xc3\xa9 -- ' ^\"";
    return text.substr(0, 2048);
  }();
  static const std::string kValues[] = {"42", "7f3c2c1e-0d4b-4c55-9d5e-2f1f3a6b7c8d",
                                        "the quick brown fox jumps over the lazy dog, and then some..", kHostile};
  return kValues[which];
}
constexpr const char* kValueNames[] = {"42", "uuid", "sentence", "hostile_2k"};

void ours(benchmark::State& state, Transformation transformation) {
  const std::string& value = value_of(state.range(0));
  state.SetLabel(kValueNames[state.range(0)]);
  std::string out;
  for (auto _ : state) benchmark::DoNotOptimize(transform(transformation, value, out));
}

void libmodsecurity(benchmark::State& state, const char* name) {
  ModSecurityPeer peer;
  const auto action = peer.action(name);
  const std::string& value = value_of(state.range(0));
  state.SetLabel(kValueNames[state.range(0)]);
  for (auto _ : state) benchmark::DoNotOptimize(peer.evaluate(*action, value));
}

void bytes(benchmark::State& state) {
  const std::string& value = value_of(state.range(0));
  state.SetLabel(kValueNames[state.range(0)]);
  for (auto _ : state) benchmark::DoNotOptimize(bytes_of(value));
}
BENCHMARK(bytes)->DenseRange(0, 3);

const bool kRegistered = [] {
  for (std::size_t i = 0; i < kTransformations; ++i) {
    const auto transformation = static_cast<Transformation>(i);
    const std::string name(name_of(transformation));
    benchmark::RegisterBenchmark(name.c_str(), ours, transformation)->DenseRange(0, 3);
  }
  for (const char* name : {"urlDecodeUni", "lowercase", "htmlEntityDecode", "jsDecode", "cssDecode", "utf8toUnicode",
                           "replaceComments", "removeWhitespace", "compressWhitespace", "normalizePath"}) {
    benchmark::RegisterBenchmark((std::string("libmodsecurity_") + name).c_str(), libmodsecurity, name)
        ->DenseRange(0, 3);
  }
  return true;
}();

}  // namespace
