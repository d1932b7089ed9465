#include "waf/engine/regex_budget.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace gatehouse::waf {
namespace {

using Outcome = Regex::Outcome;
using Purpose = RegexBudget::Purpose;

// Few steps from each place, as nearly every value takes: a hundred rules may look at each byte of a request.
TEST(RegexBudget, OrdinaryValuesAreNeverRefused) {
  const auto pattern = Regex::compile("(?i)union\\s+select");
  const std::string value = "a text of some length about unions, selects and other things " + std::string(1000, 'u');
  RegexBudget budget;
  budget.begin(true);
  for (int request = 0; request < 2; ++request) {
    budget.add_bytes(value.size());
    for (int rule = 0; rule < 60; ++rule) {
      Captures groups{};
      ASSERT_EQ(budget.match(*pattern, value, groups, Purpose::verdict), Outcome::no_match) << rule;
    }
  }
}

TEST(RegexBudget, AMatchThatTakesManyStepsIsStillFound) {
  const auto pattern = Regex::compile("^(?:a|aa)+b?$");
  RegexBudget budget;
  budget.begin(true);
  budget.add_bytes(100);
  Captures groups{};
  const std::string value = std::string(14, 'a') + "c" + "\n" + "aab";
  EXPECT_EQ(pattern->match(value, nullptr, 64), Outcome::limit_reached);  // so that it is one of them
  ASSERT_EQ(budget.match(*pattern, value, groups, Purpose::verdict), Outcome::match);
  EXPECT_EQ(groups.front()->offset, 16u);
}

// Hostile values in any number: the sum is bounded, and beyond it each counts as a match.
TEST(RegexBudget, TheSumIsBounded) {
  const auto pattern = Regex::compile("(?:a|aa)+b");
  const std::string value = std::string(1000, 'a') + "cb";  // without the b it would not be tried at all
  RegexBudget budget;
  budget.begin(true);
  budget.add_bytes(value.size());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10'000; ++i) {
    Captures groups{};
    ASSERT_EQ(budget.match(*pattern, value, groups, i % 2 == 0 ? Purpose::verdict : Purpose::place),
              Outcome::limit_reached);
  }
  // 5 s by the limit of each alone.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

TEST(RegexBudget, PlacesDoNotUseUpWhatVerdictsNeed) {
  const auto hostile = Regex::compile("(?:a|aa)+b"), plain = Regex::compile("d");
  const std::string value = std::string(1000, 'a') + "cb";  // without the b it would not be tried at all
  RegexBudget budget;
  budget.begin(true);
  budget.add_bytes(value.size());
  Captures groups{};
  for (int i = 0; i < 1000; ++i) budget.match(*hostile, value, groups, Purpose::place);
  EXPECT_EQ(budget.match(*plain, value, groups, Purpose::place), Outcome::limit_reached);
  EXPECT_EQ(budget.match(*plain, value, groups, Purpose::verdict), Outcome::no_match);
}

}  // namespace
}  // namespace gatehouse::waf
