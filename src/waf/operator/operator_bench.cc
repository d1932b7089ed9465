// What operators cost, and what the worst value costs at the limit of regular expressions.
#include <benchmark/benchmark.h>

#include <string>

#include "waf/operator/injection.h"
#include "waf/operator/operator.h"
#include "waf/operator/regex.h"

namespace {

using namespace gatehouse::waf;

const std::string& sentence() {
  static const std::string kText = "the quick brown fox jumps over the lazy dog, and then some..";
  return kText;
}

// The worst that is known of each: values on which backtracking doubles, and long ones.
void regex_at_its_limit(benchmark::State& state, const char* pattern) {
  const auto regex = Regex::compile(pattern);
  const std::string value = std::string(static_cast<std::size_t>(state.range(0)), 'a') + "!";
  for (auto _ : state) {
    if (regex->match(value) == Regex::Outcome::match) state.SkipWithError("matched");
  }
}
BENCHMARK_CAPTURE(regex_at_its_limit, nested, "^(?:a+)+$")->Arg(64)->Arg(65536);
BENCHMARK_CAPTURE(regex_at_its_limit, unanchored, "(?:a|aa|aaa)*b")->Arg(64)->Arg(65536);
BENCHMARK_CAPTURE(regex_at_its_limit, three_stars, ".*a.*a.*b")->Arg(64)->Arg(65536);
BENCHMARK_CAPTURE(regex_at_its_limit, interpreter, "(*NO_JIT)^(?:a+)+$")->Arg(64)->Arg(65536);

void regex_sentence(benchmark::State& state) {
  const auto regex = Regex::compile("(?i)\\bunion\\b.{1,100}?\\bselect\\b");
  for (auto _ : state) benchmark::DoNotOptimize(regex->match(sentence()));
}
BENCHMARK(regex_sentence);

void sqli_sentence(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(detect_sqli(sentence()));
}
BENCHMARK(sqli_sentence);

void xss_sentence(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(detect_xss(sentence()));
}
BENCHMARK(xss_sentence);

// libinjection must stay linear: twice the bytes, twice the time.
void injection_of_many(benchmark::State& state, bool xss, const char* part) {
  std::string value;
  while (value.size() < static_cast<std::size_t>(state.range(0))) value += part;
  for (auto _ : state) {
    if (xss) {
      benchmark::DoNotOptimize(detect_xss(value));
    } else {
      benchmark::DoNotOptimize(detect_sqli(value));
    }
  }
}
BENCHMARK_CAPTURE(injection_of_many, xss_open, true, "<")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, xss_tags, true, "<b c=d ")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, xss_comments, true, "<!-")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, xss_entities, true, "&#0000")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, sqli_quotes, false, "'")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, sqli_comments, false, "/**/")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, sqli_dollars, false, "$a$")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, sqli_signs, false, "-+ ")->Arg(1 << 15)->Arg(1 << 16);
BENCHMARK_CAPTURE(injection_of_many, sqli_parentheses, false, "(")->Arg(1 << 15)->Arg(1 << 16);

}  // namespace
