// The same rules fire as in libmodsecurity 3.0.9, on the same requests. What is known to differ stands in
// known_differences_for_tests.h, each class with its reason.
//
// GATEHOUSE_LONG=1 compares all regression tests and more of the rest, GATEHOUSE_WAF_INPUTS sets how many generated and
// changed requests there are of each, GATEHOUSE_WAF_SEED where they start.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "waf/differential/generated_traffic_for_tests.h"
#include "waf/differential/known_differences_for_tests.h"

namespace gatehouse::waf {
namespace {

bool is_long() { return std::getenv("GATEHOUSE_LONG") != nullptr; }
std::size_t number_from(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Loaded once for all tests of a rule set; null when it is not here.
BothEngines* both(const RuleSetUnderTest& rule_set) {
  static std::map<std::string, std::unique_ptr<BothEngines>> made;
  auto [at, is_new] = made.try_emplace(fmt::format("{} {}", rule_set.name, rule_set.paranoia));
  if (is_new) {
    std::string error;
    at->second = BothEngines::load(rule_set, error);
    EXPECT_EQ(error, "");
  }
  return at->second.get();
}

class AgainstModSecurity : public testing::TestWithParam<RuleSetUnderTest> {
 protected:
  void SetUp() override {
    both_ = both(GetParam());
    if (both_ == nullptr) GTEST_SKIP() << "this rule set is not here";
  }

  void compare(const Exchange& exchange) {
    const Comparison comparison = compare_both(*both_, exchange);
    ++compared_;
    scores_ += comparison.with_tx ? 1 : 0;
    for (const std::string_view reason : comparison.known) ++known_[std::string(reason)];
    for (const std::string& name : comparison.classes) ++classes_[name];
    if (comparison.unexplained.empty()) return;
    if (++different_ <= 10)
      ADD_FAILURE() << exchange.name << ": only in ours (+), only in libmodsecurity (-):" << comparison.unexplained
                    << "\n"
                    << exchange.request.text();
  }

  void report(std::string_view what) {
    std::printf("%s at paranoia %d, %s: %zu compared, %zu of them with all TX variables; %zu differ\n", GetParam().name,
                GetParam().paranoia, std::string(what).c_str(), compared_, scores_, different_);
    for (const auto& [name, count] : known_) std::printf("  known: %s %zu\n", name.c_str(), count);
    for (const auto& [name, count] : classes_) std::printf("  %s %zu\n", name.c_str(), count);
    EXPECT_EQ(different_, 0u);
  }

  // Every seventeenth test, unless all are asked for.
  std::vector<Exchange> suite() const {
    const auto folder = crs_main_folder();
    if (!folder || !std::filesystem::exists(*folder / "tests")) return {};
    std::vector<Exchange> all = suite_exchanges(*folder / "tests");
    if (is_long()) return all;
    std::vector<Exchange> some;
    for (std::size_t i = 0; i < all.size(); i += 17) some.push_back(std::move(all[i]));
    return some;
  }

  BothEngines* both_ = nullptr;
  std::size_t compared_ = 0, different_ = 0, scores_ = 0;
  std::map<std::string, std::size_t> classes_, known_;
  std::uint64_t seed_ = number_from("GATEHOUSE_WAF_SEED", 1);
  std::size_t inputs_ = number_from("GATEHOUSE_WAF_INPUTS", is_long() ? 1000 : 100);
};

TEST_P(AgainstModSecurity, OnTheRulesOwnTestData) {
  const auto exchanges = suite();
  if (exchanges.empty()) GTEST_SKIP() << "the regression tests are not here";
  for (const Exchange& exchange : exchanges) compare(exchange);
  report("regression tests");
}

TEST_P(AgainstModSecurity, OnGeneratedTraffic) {
  TrafficGenerator generator(seed_);
  for (std::size_t i = 0; i < inputs_; ++i) compare(generator.next());
  report("generated");
}

TEST_P(AgainstModSecurity, OnChangedTraffic) {
  const auto exchanges = suite();
  Random random(seed_);
  TrafficGenerator generator(seed_);
  TrafficMutator mutator(seed_);
  for (std::size_t i = 0; i < inputs_; ++i) {
    Exchange exchange = exchanges.empty() || random.one_in(2) ? generator.next() : random.of(exchanges);
    mutator.change(exchange.request);
    exchange.name += fmt::format(", changed {} of seed {}", i, seed_);
    compare(exchange);
  }
  report("changed");
}

INSTANTIATE_TEST_SUITE_P(
    CoreRuleSet, AgainstModSecurity,
    testing::Values(RuleSetUnderTest{"crs_main", crs_main, 1}, RuleSetUnderTest{"crs_main", crs_main, 4},
                    RuleSetUnderTest{"crs_debian", crs_debian, 1}, RuleSetUnderTest{"crs_debian", crs_debian, 4}),
    [](const auto& tested) { return fmt::format("{}_paranoia_{}", tested.param.name, tested.param.paranoia); });

}  // namespace
}  // namespace gatehouse::waf
