// The plan's candidates are a superset of what PCRE2 matches rule by rule: with the plan and without it the same rules
// fire, on the same bytes, and leave the same variables behind. Tried on the rules' own test data, on generated
// requests, on changed ones, and on strings made from each pattern. For that, what patterns may cost has no bound; with
// it, no rule is lost.
//
// The plan of a whole rule set takes minutes to compile when it is not yet there, so that GATEHOUSE_LONG=1 asks
// for it; otherwise the rule sets are those files that compile in seconds. GATEHOUSE_WAF_INPUTS sets how many generated
// and changed requests there are of each, GATEHOUSE_WAF_SEED where they start.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "waf/differential/engine_under_test.h"
#include "waf/differential/generated_traffic_for_tests.h"
#include "waf/differential/pattern_samples_for_tests.h"

namespace gatehouse::waf {
namespace {

std::size_t number_from(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Debian's rules know one paranoia level where the newer ones know two.
constexpr std::string_view kParanoiaOfOlderRules =
    "SecAction \"id:900006,phase:1,nolog,pass,setvar:tx.paranoia_level=4,setvar:tx.executing_paranoia_level=4\"\n";

struct RuleSetCase {
  const char* name;
  std::vector<RuleSource> (*sources)();
};
void PrintTo(const RuleSetCase& rule_set, std::ostream* out) { *out << rule_set.name; }

bool is_long() { return std::getenv("GATEHOUSE_LONG") != nullptr; }

struct Prepared {
  std::unique_ptr<const Program> program;
  std::unique_ptr<const MatchPlan> plan;
};

// Made once for all tests of a rule set.
const Prepared& prepared(const RuleSetCase& rule_set) {
  static std::map<std::string, Prepared> made;
  auto [at, is_new] = made.try_emplace(rule_set.name);
  if (!is_new) return at->second;
  std::vector<RuleSource> sources = rule_set.sources();
  if (sources.empty()) return at->second;
  if (!is_long()) sources = files_that_compile_in_seconds(sources);
  sources.insert(sources.begin(), {"paranoia", std::string(kParanoiaOfOlderRules)});
  sources.insert(sources.begin(), {"the suite's set-up", std::string(kRegressionSetUp)});
  at->second.program = compile_rules(sources);
  MatchPlan::BuildOptions options;
  if (is_long()) options.cache_file = plan_cache_file(rule_set.name);
  if (auto plan = MatchPlan::build(*at->second.program, options)) {
    at->second.plan = std::move(*plan);
  } else {
    ADD_FAILURE() << plan.error().message;
  }
  return at->second;
}

class Superset : public testing::TestWithParam<RuleSetCase> {
 protected:
  void SetUp() override {
    const Prepared& rules = prepared(GetParam());
    if (!rules.program) GTEST_SKIP() << "this rule set is not here";
    ASSERT_TRUE(rules.plan);
    program_ = rules.program.get();
    plain_work_ = std::make_unique<Workspace>(*program_, nullptr);
    planned_work_ = std::make_unique<Workspace>(*program_, rules.plan.get());
    plain_ = std::make_unique<Transaction>(*plain_work_, SystemClock::instance());
    planned_ = std::make_unique<Transaction>(*planned_work_, SystemClock::instance());
  }

  Seen run(Transaction& transaction, const Exchange& exchange, const Transaction::Settings& settings) {
    transaction.begin(settings);
    inspect(transaction, exchange.request, &exchange.response);
    return seen_by(transaction, *program_);
  }

  void compare(const Exchange& exchange) {
    const Seen plain = run(*plain_, exchange, {.each_place_alone_is_bound = true});
    const Seen planned = run(*planned_, exchange, {.each_place_alone_is_bound = true});
    const Seen bounded = run(*planned_, exchange, {});
    ++compared_;
    for (const Seen::Rule& rule : planned.fired) fired_.insert(rule.id);
    // From one place alone a pattern may reach PCRE2's limit, which counts as a match; a scan that knows better than to
    // try it is no fault.
    if (plain != planned) {
      if (plain.limit_reached || planned.limit_reached) {
        ++limits_;
      } else if (++different_ <= 10) {
        ADD_FAILURE() << exchange.name << ": without the plan, with it: " << difference(plain, planned) << "\n"
                      << exchange.request.text();
      }
    }
    // The bound on what all patterns of a request may cost takes no rule away.
    given_up_ += bounded.limit_reached ? 1 : 0;
    const std::set<std::uint64_t> with_bound = bounded.ids(), without = planned.ids();
    if (with_bound == without) return;
    ++more_;
    if (bounded.limit_reached && std::includes(with_bound.begin(), with_bound.end(), without.begin(), without.end()))
      return;
    if (++lost_ <= 10)
      ADD_FAILURE() << exchange.name << ": without the bound, with it: " << difference(planned, bounded) << "\n"
                    << exchange.request.text();
  }

  void report(std::string_view what) {
    std::printf("%s, %s: %zu compared, %zu differ, %zu at a pattern's limit, %zu rules fired at least once\n",
                GetParam().name, std::string(what).c_str(), compared_, different_, limits_, fired_.size());
    std::printf("  bounded: %zu with a pattern that gave up, %zu with a rule more for it, %zu with one less\n",
                given_up_, more_, lost_);
    EXPECT_EQ(different_, 0u);
    EXPECT_EQ(lost_, 0u);
    EXPECT_LE(limits_, compared_ / 200) << "too many to be left out";
    EXPECT_LE(more_, compared_ / 200) << "the bound makes rules fire on what is ordinary";
  }

  std::vector<Exchange> suite() const {
    const auto folder = crs_main_folder();
    return folder ? suite_exchanges(*folder / "tests") : std::vector<Exchange>{};
  }

  const Program* program_ = nullptr;
  std::unique_ptr<Workspace> plain_work_, planned_work_;
  std::unique_ptr<Transaction> plain_, planned_;
  std::size_t compared_ = 0, different_ = 0, limits_ = 0;
  std::size_t given_up_ = 0, more_ = 0, lost_ = 0;  // under the bound
  std::set<std::uint64_t> fired_;
  std::uint64_t seed_ = number_from("GATEHOUSE_WAF_SEED", 1);
  std::size_t inputs_ = number_from("GATEHOUSE_WAF_INPUTS", 500);
};

TEST_P(Superset, OnTheRulesOwnTestData) {
  const auto exchanges = suite();
  if (exchanges.empty()) GTEST_SKIP() << "the regression tests are not here";
  for (const Exchange& exchange : exchanges) compare(exchange);
  report("regression tests");
  EXPECT_GT(compared_, 4000u);
}

TEST_P(Superset, OnChangedTestData) {
  const auto exchanges = suite();
  if (exchanges.empty()) GTEST_SKIP() << "the regression tests are not here";
  Random random(seed_);
  TrafficMutator mutator(seed_);
  for (std::size_t i = 0; i < inputs_; ++i) {
    Exchange exchange = random.of(exchanges);
    mutator.change(exchange.request);
    exchange.name += fmt::format(", changed {} of seed {}", i, seed_);
    compare(exchange);
  }
  report("changed tests");
}

TEST_P(Superset, OnGeneratedTraffic) {
  TrafficGenerator generator(seed_);
  TrafficMutator mutator(seed_);
  for (std::size_t i = 0; i < inputs_; ++i) {
    Exchange exchange = generator.next();
    compare(exchange);
    mutator.change(exchange.request);
    exchange.name += ", changed";
    compare(exchange);
  }
  report("generated");
}

// A request that has `value` wherever rules look.
Exchange with_value(std::string_view value, const CompiledRule& rule, std::size_t kind) {
  Exchange exchange;
  RawRequest& request = exchange.request;
  request = {"POST", "/x/" + percent_encoded(value, "/.-_") + "?q=" + percent_encoded(value), "HTTP/1.1", {}, {}};
  const std::string head = head_text(value);
  request.headers = {{"Host", "shop.example"}, {"User-Agent", head}, {"Referer", head}, {"Cookie", "c=" + head}};
  for (const CompiledTarget& target : rule.targets) {
    if (target.variable == Variable::request_headers && target.select == Target::Select::key)
      request.headers.emplace_back(target.key, head);
  }
  std::string type = "application/x-www-form-urlencoded";
  switch (kind % 4) {
    case 0: request.body = "p=" + percent_encoded(value) + "&" + percent_encoded(value) + "=1"; break;
    case 1:
      type = "multipart/form-data; boundary=b";
      request.body = fmt::format(
          "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{}\"\r\nX-Part: {}\r\n\r\n{}\r\n--b--\r\n",
          head, head, value);
      break;
    case 2:
      type = "text/xml";
      request.body =
          "<a b=\"" + percent_encoded(value, " '();:/.,-_=") + "\"><![CDATA[" + std::string(value) + "]]></a>";
      break;
    default: type = "text/plain"; request.body = value;
  }
  request.headers.emplace_back("Content-Type", type);
  request.headers.emplace_back("Content-Length", std::to_string(request.body.size()));
  exchange.response = {
      200, {{"Content-Type", "text/html"}, {"X-Powered-By", head}, {"Location", head}}, std::string(value)};
  return exchange;
}

TEST_P(Superset, OnSamplesOfEachPattern) {
  Random random(seed_);
  std::size_t patterns = 0, sampled = 0, samples = 0;
  for (std::uint32_t index = 0; index < program_->rules().size(); ++index) {
    const CompiledRule& rule = program_->rule(index);
    const bool regex = rule.op.regex.has_value(), phrases = !rule.source->op.phrases.empty();
    if (!regex && !phrases) continue;
    ++patterns;
    PatternSamples of_pattern(rule.op.argument.literal(), random);
    std::size_t matching = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      auto value = phrases ? std::optional(random.of(rule.source->op.phrases)) : of_pattern.next();
      if (!value) break;
      matching += phrases || rule.op.regex->match(*value) != Regex::Outcome::no_match;
      Exchange exchange = with_value(*value, rule, i);
      exchange.name = fmt::format("sample {} of rule {}, seed {}", i, rule.source->actions.id, seed_);
      compare(exchange);
      ++samples;
    }
    sampled += matching > 0;
  }
  std::printf("%zu patterns, %zu of them with a sample that matches; %zu samples\n", patterns, sampled, samples);
  report("samples");
  EXPECT_GT(sampled, patterns * 95 / 100);
}

INSTANTIATE_TEST_SUITE_P(CoreRuleSet, Superset,
                         testing::Values(RuleSetCase{"crs_main", crs_main}, RuleSetCase{"crs_debian", crs_debian}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace gatehouse::waf
