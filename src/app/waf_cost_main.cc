// waf_cost: what inspection costs, offline.
//
//   waf_cost measure                      nanoseconds by stage of each input, remembered values on and defeated
//   waf_cost write FOLDER                 the inputs as files, for bench/waf
//   waf_cost search                       looks for requests that cost more than others of their size
//   waf_cost slow                         the worst known, and how they grow with their size
//
// Instructions of one input, function by function. Patterns are compiled for valgrind's processor first, once:
//
//   waf_cost --portable --cache FILE run form
//   valgrind --tool=callgrind --toggle-collect=measured_turns --collect-atstart=no waf_cost --cache FILE run form

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/file.h"
#include "waf/cost/meter.h"
#include "waf/cost/payload.h"
#include "waf/cost/portable_patterns.h"
#include "waf/cost/requests.h"
#include "waf/cost/search.h"
#include "waf/cost/slow_cases.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {

// Kept apart by name for callgrind's --toggle-collect.
extern "C" [[gnu::noinline]] void measured_turns(Meter& meter, const std::vector<RawRequest>& variants,
                                                 unsigned turns) {
  for (unsigned i = 0; i < turns; ++i) meter.inspect(variants[i % variants.size()]);
}

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> rules{"crs"};
  std::vector<unsigned> paranoia{1};
  std::string cache_file;
  std::string tests;
  std::vector<std::string> inputs;
  bool as_json = false;
  double seconds = 0.5;
  std::string folder;
  std::uint32_t variants = 1;
  unsigned turns = 20;
  bool varied = false;
  std::string statistics = "none";
  std::vector<std::size_t> bytes{1024, 8192, 65536};
  std::vector<std::string> places;
  std::uint64_t seed = 1;
};

int say(const std::string& message) {
  std::fprintf(stderr, "waf_cost: %s\n", message.c_str());
  return 2;
}

std::vector<CostInput> all_inputs(const RuleEngine& engine, const Options& options) {
  std::vector<CostInput> inputs = ordinary_inputs();
  const auto& wanted = options.inputs;
  std::vector<RawRequest> hostile;
  if (wanted.empty() || std::find(wanted.begin(), wanted.end(), "hostile") != wanted.end()) {
    hostile = hostile_requests(engine, options.tests, 40);
  }
  if (!hostile.empty()) {
    inputs.push_back({"hostile", fmt::format("{} requests of the rules' own tests, all blocked", hostile.size()),
                      [hostile](std::uint32_t variant) { return hostile[variant % hostile.size()]; }});
  }
  if (wanted.empty()) return inputs;
  std::erase_if(inputs, [&](const CostInput& input) {
    return std::find(wanted.begin(), wanted.end(), input.name) == wanted.end();
  });
  for (const std::string& name : wanted) {
    if (!fs::exists(name)) continue;
    const auto text = read_file(name, 64 << 20);
    const auto request = text ? parse_raw_request(*text) : std::nullopt;
    if (request) inputs.push_back({name, "a file", [request = *request](std::uint32_t) { return request; }});
  }
  return inputs;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

json measure_one(Meter& meter, const CostInput& input, bool varied, double seconds) {
  // Memory for hundreds of variants of large inputs would measure the memory.
  const std::size_t bytes = input.make(0).text().size();
  const std::uint32_t count = input.name == "hostile" ? 40
                              : varied
                                  ? static_cast<std::uint32_t>(std::clamp<std::size_t>((32u << 20) / bytes, 3, 2000))
                                  : 1;
  std::vector<RawRequest> variants;
  for (std::uint32_t i = 0; i < count; ++i) variants.push_back(input.make(varied ? i + 1 : i));
  std::vector<double> totals, stages[Meter::kStages];
  for (const RawRequest& request : variants) {
    if (totals.size() < 8) totals.push_back(meter.inspect(request).total_ns);  // warms up
  }
  totals.clear();
  double spent = 0;
  for (std::size_t turn = 0; turn < 3 || (spent < seconds * 1e9 && turn < 200'000); ++turn) {
    const Meter::Cost cost = meter.inspect(variants[turn % count]);
    spent += cost.total_ns;
    totals.push_back(cost.total_ns);
    for (std::size_t i = 0; i < Meter::kStages; ++i) stages[i].push_back(cost.stage_ns[i]);
  }
  json result{{"input", input.name},
              {"varied", varied},
              {"bytes", bytes},
              {"turns", totals.size()},
              {"ns", median(totals)},
              {"fired", meter.transaction().fired().size()},
              {"blocked", meter.transaction().interruption() != nullptr}};
  for (std::size_t i = 0; i < Meter::kStages; ++i)
    result["stages"][std::string(Meter::kStageNames[i])] = median(stages[i]);
  return result;
}

// What `gatehouse waf stats` shows is counted, or not, as the option says.
class Counted {
 public:
  Counted(const RuleEngine& engine, const Options& options)
      : counters_(statistics_.add_writer().counters_for(*engine.program)), options_(options) {}
  void with(Meter& meter) {
    if (options_.statistics != "none") meter.count(&counters_, options_.statistics == "timed");
  }

 private:
  RuleStatistics statistics_{SystemClock::instance(), 1};
  RuleStatistics::Counters counters_;
  const Options& options_;
};

int measure(const RuleEngine& engine, const Options& options) {
  Counted counted(engine, options);
  json results = json::array();
  if (!options.as_json) {
    std::printf("%-10s %3s %-9s %9s %11s", "input", "PL", "values", "bytes", "us");
    for (const std::string_view stage : Meter::kStageNames)
      std::printf(" %10.*s", static_cast<int>(stage.size()), stage.data());
    std::printf("  fired\n");
  }
  for (const CostInput& input : all_inputs(engine, options)) {
    for (const unsigned level : options.paranoia) {
      for (const bool varied : {false, true}) {
        if (varied && input.name == "hostile") continue;
        Meter meter(engine, level);
        counted.with(meter);
        json result = measure_one(meter, input, varied, options.seconds);
        result["paranoia"] = level;
        if (!options.as_json) {
          std::printf("%-10s %3u %-9s %9zu %11.1f", input.name.c_str(), level, varied ? "varied" : "repeated",
                      result["bytes"].get<std::size_t>(), result["ns"].get<double>() / 1e3);
          for (const std::string_view stage : Meter::kStageNames)
            std::printf(" %10.1f", result["stages"][std::string(stage)].get<double>() / 1e3);
          std::printf("  %zu%s\n", result["fired"].get<std::size_t>(),
                      result["blocked"].get<bool>() ? ", blocked" : "");
          std::fflush(stdout);
        }
        results.push_back(std::move(result));
      }
    }
  }
  if (options.as_json) std::printf("%s\n", results.dump(1).c_str());
  return results.empty() ? say("no such input") : 0;
}

int write(const RuleEngine& engine, const Options& options) {
  for (const CostInput& input : all_inputs(engine, options)) {
    const bool hostile = input.name == "hostile";
    for (std::uint32_t i = 0; i < (hostile ? 40 : options.variants); ++i) {
      const std::string path = fmt::format("{}/{}.{}.http", options.folder, input.name, i);
      std::ofstream(path, std::ios::binary) << input.make(i).text();
      if (!fs::exists(path)) return say("cannot write " + path);
    }
    std::printf("%s\t%s\n", input.name.c_str(), input.what.c_str());
  }
  return 0;
}

int run(const RuleEngine& engine, const Options& options) {
  const std::vector<CostInput> inputs = all_inputs(engine, options);
  if (inputs.empty()) return say("no such input");
  Counted counted(engine, options);
  for (const CostInput& input : inputs) {
    Meter meter(engine, options.paranoia.front());
    counted.with(meter);
    std::vector<RawRequest> variants;
    const bool many = options.varied || input.name == "hostile";
    for (std::uint32_t i = 0; i < (many ? options.turns : 1); ++i) variants.push_back(input.make(many ? i + 1 : 0));
    meter.inspect(input.make(0));
    measured_turns(meter, variants, options.turns);
  }
  return 0;
}

int search(const RuleEngine& engine, const Options& options) {
  const std::vector<std::string> words = search_words(*engine.program, options.tests);
  Meter meter(engine, options.paranoia.front());
  SlowSearch search(meter, words, options.seed);
  for (const std::size_t bytes : options.bytes) {
    for (std::size_t i = 0; i < kPlaces; ++i) {
      const auto place = static_cast<Place>(i);
      const std::string_view name = name_of(place);
      if (!options.places.empty() &&
          std::find(options.places.begin(), options.places.end(), name) == options.places.end())
        continue;
      // The gateway's own limits: 8 KiB of a URI, 32 KiB of a head.
      if (i < static_cast<std::size_t>(Place::form) && bytes > (i < 2 ? 8192u : 32768u)) continue;
      const SlowRequest worst = search.run(place, bytes, options.seconds);
      const RawRequest request = render(worst.payload, bytes);
      std::printf(
          "%-9.*s %6zu B: %10.1f us, %6.1f ns a byte, %5.1f times an ordinary one (%.1f us), %llu tried\n  %s\n",
          static_cast<int>(name.size()), name.data(), bytes, worst.ns / 1e3, worst.ns / static_cast<double>(bytes),
          worst.ns / worst.ordinary_ns, worst.ordinary_ns / 1e3, static_cast<unsigned long long>(worst.tried),
          describe(worst.payload).c_str());
      std::printf("  of it:");
      for (const RuleCost& rule : search.blame(request, 8)) {
        std::printf(" %llu %.0f%%", static_cast<unsigned long long>(rule.id), 100 * rule.ns / worst.ns);
      }
      std::printf("\n");
      if (!options.folder.empty()) {
        std::ofstream(fmt::format("{}/{}.{}.http", options.folder, name, bytes), std::ios::binary) << request.text();
      }
      std::fflush(stdout);
    }
  }
  return 0;
}

int slow(const RuleEngine& engine, const Options& options) {
  Meter meter(engine, options.paranoia.front());
  std::printf("%-32s", "us, and nanoseconds a byte");
  for (const std::size_t bytes : options.bytes) std::printf(" %10zu B      ", bytes);
  std::printf("  times an ordinary one\n");
  for (const SlowCase& known : slow_cases()) {
    std::printf("%-32.*s", static_cast<int>(known.name.size()), known.name.data());
    double ns = 0;
    for (const std::size_t bytes : options.bytes) {
      ns = meter.least_ns(render(known.payload, bytes), 5);
      std::printf(" %10.1f %7.1f", ns / 1e3, ns / static_cast<double>(bytes));
    }
    std::printf("  %6.1f\n", ns / meter.least_ns(ordinary(known.payload.place, options.bytes.back()), 5));
    std::fflush(stdout);
  }
  return 0;
}

int main_of(int argc, char** argv) {
  Options options;
  options.cache_file = (fs::temp_directory_path() / "gatehouse-waf-cost.cache").string();
  if (const auto crs = crs_main_folder()) options.tests = (*crs / "tests").string();
  CLI::App app("What inspection costs, offline");
  app.require_subcommand(1);
  app.add_option("--rules", options.rules, "rule files and patterns, in order; crs: the installed Core Rule Set");
  app.add_option("--paranoia", options.paranoia, "levels")->delimiter(',');
  app.add_option("--cache", options.cache_file, "where compiled patterns are kept");
  app.add_option("--tests", options.tests, "the rule set's regression tests");
  app.add_option("--statistics", options.statistics, "what of them is counted: none, hits or timed")
      ->check(CLI::IsMember({"none", "hits", "timed"}));
  app.add_flag("--portable", compile_portable_patterns, "compile patterns for AVX2, whatever the processor has");
  CLI::App* measured = app.add_subcommand("measure", "nanoseconds by stage");
  measured->add_option("inputs", options.inputs, "names, or files with one request");
  measured->add_flag("--json", options.as_json);
  measured->add_option("--seconds", options.seconds, "for each line");
  CLI::App* written = app.add_subcommand("write", "the inputs as files");
  written->add_option("folder", options.folder)->required();
  written->add_option("inputs", options.inputs);
  written->add_option("--variants", options.variants, "of each");
  CLI::App* ran = app.add_subcommand("run", "some turns of one input, for callgrind");
  ran->add_option("inputs", options.inputs)->required();
  ran->add_option("--turns", options.turns);
  ran->add_flag("--varied", options.varied, "no value twice");
  CLI::App* searched = app.add_subcommand("search", "for slow requests");
  searched->add_option("--bytes", options.bytes)->delimiter(',');
  searched->add_option("--places", options.places, "path query header cookies form json multipart xml")->delimiter(',');
  searched->add_option("--seconds", options.seconds, "of CPU time for each place and size");
  searched->add_option("--seed", options.seed);
  searched->add_option("--into", options.folder, "a folder for the worst");
  CLI::App* listed = app.add_subcommand("slow", "the worst known");
  listed->add_option("--bytes", options.bytes)->delimiter(',');
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const auto engine = load_rule_engine(options.rules, options.cache_file);
  if (!engine) return say(engine.error().message);
  if (*measured) return measure(**engine, options);
  if (*written) return write(**engine, options);
  if (*ran) return run(**engine, options);
  return *listed ? slow(**engine, options) : search(**engine, options);
}

}  // namespace
}  // namespace gatehouse::waf

int main(int argc, char** argv) { return gatehouse::waf::main_of(argc, argv); }
