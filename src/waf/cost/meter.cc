#include "waf/cost/meter.h"

#include <ctime>

#include <algorithm>
#include <limits>
#include <thread>

#include "base/clock.h"

namespace gatehouse::waf {
namespace {

// As many as the largest of the inputs has values.
constexpr std::size_t kArgumentsMax = 200'000;

double thread_cpu_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

Result<std::unique_ptr<const RuleEngine>> load_rule_engine(const std::vector<std::string>& rules,
                                                           const std::string& cache_file, Plan plan) {
  ParseResult parsed = parse_rules(rule_sources(rules));
  if (!parsed.errors.empty()) return fail(ErrorCode::invalid, to_string(parsed.errors.front(), parsed.rules));
  Program::Compiled compiled = Program::compile(std::move(parsed.rules));
  if (!compiled.errors.empty()) return fail(ErrorCode::invalid, to_string(compiled.errors.front(), compiled.rules));
  auto engine = std::make_unique<RuleEngine>();
  engine->program = std::move(compiled.program);
  if (plan == Plan::none) return std::unique_ptr<const RuleEngine>(std::move(engine));
  MatchPlan::BuildOptions options;
  options.cache_file = cache_file;
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  auto made = MatchPlan::build(*engine->program, options);
  if (!made) return tl::unexpected(std::move(made.error()));
  engine->plan = std::move(*made);
  return std::unique_ptr<const RuleEngine>(std::move(engine));
}

Tuning tuning_for(const Program& program, unsigned paranoia) {
  Tuning tuning;
  // The first is what version 3 calls it.
  for (const std::string_view name : {"paranoia_level", "blocking_paranoia_level"}) {
    if (const TxSlot slot = program.slot_of(name); slot != kNoSlot) {
      tuning.presets.emplace_back(slot, std::to_string(paranoia));
    }
  }
  return tuning;
}

Meter::Meter(const RuleEngine& engine, unsigned paranoia)
    : engine_(engine),
      workspace_(engine),
      tuning_(tuning_for(*engine.program, paranoia)),
      transaction_(workspace_, SystemClock::instance()) {
  settings_.arguments_max = kArgumentsMax;
  settings_.tuning = &tuning_;
  settings_.collections = &collections_;
  clock_ns_ = std::numeric_limits<double>::max();
  for (int i = 0; i < 1000; ++i) {
    const double begin = thread_cpu_ns();
    clock_ns_ = std::min(clock_ns_, thread_cpu_ns() - begin);
  }
}

void Meter::switch_off(std::uint32_t rule, bool off) {
  tuning_.off.resize(engine_.program->rules().size());
  tuning_.off[rule] = off;
}

Meter::Cost Meter::inspect(const RawRequest& request) {
  Cost cost;
  double last = thread_cpu_ns();
  const auto done = [&](Stage stage) {
    const double now = thread_cpu_ns();
    const double spent = std::max(0.0, now - last - clock_ns_);
    cost.stage_ns[static_cast<std::size_t>(stage)] = spent;
    cost.total_ns += spent;
    last = now;
  };
  transaction_.begin(settings_);
  transaction_.connection("192.0.2.1", "cost");
  transaction_.request_line(request.method, request.uri, request.protocol);
  for (const auto& [name, value] : request.headers) transaction_.request_header(name, value);
  done(Stage::head);
  transaction_.run(1);
  done(Stage::phase1);
  if (!transaction_.interruption()) {
    transaction_.request_body(request.body);
    done(Stage::body);
    transaction_.run(2);
    done(Stage::phase2);
  }
  transaction_.run_counting();
  done(Stage::log);
  return cost;
}

double Meter::least_ns(const RawRequest& request, int turns) {
  double least = std::numeric_limits<double>::max();
  for (int turn = 0; turn < turns; ++turn) {
    least = std::min(least, inspect(request).total_ns);
  }
  return least;
}

}  // namespace gatehouse::waf
