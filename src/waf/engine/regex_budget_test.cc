#include "waf/engine/regex_budget.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace gatehouse::waf {
namespace {

using Outcome = Regex::Outcome;
using Purpose = RegexBudget::Purpose;
using Bound = RegexBudget::Bound;

// Few steps from each place, as nearly every value takes: a hundred rules may look at each byte of a request.
TEST(RegexBudget, OrdinaryValuesAreNeverRefused) {
  const auto pattern = Regex::compile("(?i)union\\s+select");
  const std::string value = "a text of some length about unions, selects and other things " + std::string(1000, 'u');
  RegexBudget budget;
  budget.begin(Bound::planned);
  for (int request = 0; request < 2; ++request) {
    budget.add_bytes(value.size());
    for (int rule = 0; rule < 60; ++rule) {
      Captures groups{};
      ASSERT_EQ(budget.match(*pattern, value, &groups, Purpose::verdict), Outcome::no_match) << rule;
    }
  }
}

TEST(RegexBudget, AMatchThatTakesManyStepsIsStillFound) {
  const auto pattern = Regex::compile("^(?:a|aa)+b?$");
  RegexBudget budget;
  budget.begin(Bound::planned);
  budget.add_bytes(100);
  Captures groups{};
  const std::string value = std::string(14, 'a') + "c" + "\n" + "aab";
  EXPECT_EQ(pattern->match(value, nullptr, 64), Outcome::limit_reached);  // so that it is one of them
  ASSERT_EQ(budget.match(*pattern, value, &groups, Purpose::verdict), Outcome::match);
  EXPECT_EQ(groups.front()->offset, 16u);
}

// `[^)]*` gives nothing back, so that it goes to the end from each place without a step counted: minutes for this
// value.
TEST(RegexBudget, RunsWithoutStepsAreBoundInTime) {
  const auto pattern = Regex::compile("\\|([^)]*)\\)\\1x");
  const std::string value = std::string(1 << 20, '|') + ") x";
  RegexBudget budget;
  budget.begin(Bound::planned);
  budget.add_bytes(value.size());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(budget.match(*pattern, value, nullptr, Purpose::verdict), Outcome::limit_reached);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));  // of 0.54 s of this thread's time
}

TEST(RegexBudget, LongValuesAreMatchedInParts) {
  const auto pattern = Regex::compile("(?<=a )(b+)c$");
  for (const std::size_t before : {0u, 14u, 15u, 16u, 17u, 2000u, 16000u, 50000u}) {
    const std::string value = std::string(before, 'x') + "a bbbc\n" + std::string(3000, 'b');
    RegexBudget budget;
    budget.begin(Bound::planned);
    budget.add_bytes(value.size());
    Captures groups{};
    ASSERT_EQ(budget.match(*pattern, value, &groups, Purpose::verdict), Outcome::match) << before;
    EXPECT_EQ(groups[0], (Match{before + 2, 4}));
    EXPECT_EQ(groups[1], (Match{before + 2, 3}));
  }
}

// Hostile values in any number: the sum is bounded, and beyond it each counts as a match.
TEST(RegexBudget, TheSumIsBounded) {
  const auto pattern = Regex::compile("(?:a|aa)+b");
  const std::string value = std::string(1000, 'a') + "cb";  // without the b it would not be tried at all
  RegexBudget budget;
  budget.begin(Bound::planned);
  budget.add_bytes(value.size());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10'000; ++i) {
    Captures groups{};
    ASSERT_EQ(budget.match(*pattern, value, &groups, i % 2 == 0 ? Purpose::verdict : Purpose::place),
              Outcome::limit_reached);
  }
  // 5 s by the limit of each alone.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

TEST(RegexBudget, PlacesDoNotUseUpWhatVerdictsNeed) {
  const auto hostile = Regex::compile("(?:a|aa)+b"), plain = Regex::compile("d");
  const std::string value = std::string(1000, 'a') + "cb";  // without the b it would not be tried at all
  RegexBudget budget;
  budget.begin(Bound::planned);
  budget.add_bytes(value.size());
  Captures groups{};
  for (int i = 0; i < 1000; ++i) budget.match(*hostile, value, &groups, Purpose::place);
  EXPECT_EQ(budget.match(*plain, value, &groups, Purpose::place), Outcome::limit_reached);
  EXPECT_EQ(budget.match(*plain, value, &groups, Purpose::verdict), Outcome::no_match);
}

// Looking behind, word bounds and line starts see the whole value wherever the trying begins.
TEST(RegexBudget, PartByPartFindsWhatTheWholeHolds) {
  const char* const patterns[] = {
      "(?<=ab)a+(b)?", "\\bb(a+)c",        "(?<!a)b+c",       "^b(a|aa)+c",
      "(?:a|aa)+(c)",  "(a+)+\\nc",        "(?:(a)|b)*?\\nb", "a\\Kb(a|aa)+c",
      "\\Ab",          ".*(c)b",           "(?-m)^c",         "$",
      "a*?(?=c\\n)",   "(?>a+)b|(aa?)+?c", "(a)(?1)+c",       "(?:(a+)(?=c))+c\\1",
  };
  std::uint32_t seed = 1;
  std::size_t divided = 0, found = 0;
  for (const char* text : patterns) {
    const auto pattern = Regex::compile(text);
    ASSERT_TRUE(pattern) << text;
    ASSERT_TRUE(pattern->is_divisible());
    for (int turn = 0; turn < 300; ++turn) {
      std::string value;
      for (int i = 0; i < turn / 10; ++i) {
        seed = seed * 1664525 + 1013904223;
        value += "aaaabbc\n"[seed >> 29];
      }
      Captures whole{}, parts{};
      RegexBudget budget;
      budget.begin(Bound::planned);
      budget.add_bytes(1'000'000);
      const Outcome expected = pattern->match(value, &whole);
      ASSERT_EQ(budget.match(*pattern, value, &parts, Purpose::verdict), expected) << text << " on " << value;
      ASSERT_EQ(parts, whole) << text << " on " << value;
      divided += pattern->match(value, nullptr, 8) == Outcome::limit_reached ? 1 : 0;
      found += expected == Outcome::match ? 1 : 0;
    }
  }
  EXPECT_GT(divided, 100u);  // so that there is something to get wrong
  EXPECT_GT(found, 1000u);
}

// What depends on where the trying began is tried as a whole.
TEST(RegexBudget, VerbsAreNotDivided) {
  for (const char* text : {"(*COMMIT)b", "a(*SKIP)b", "\\Gb", "a(*PRUNE)b"})
    EXPECT_FALSE(Regex::compile(text)->is_divisible()) << text;
}

// Also where a value is so long that others are tried part by part: what a verb forbids, no later part may find.
TEST(RegexBudget, LongValuesAreTriedAsAWholeWhereVerbsPassOverPlaces) {
  const struct {
    const char* pattern;
    std::string value;
    Outcome outcome;
    std::size_t offset;
  } cases[] = {
      // Tried from the first a alone; each later part would begin with one that matches.
      {"(*COMMIT)a+b", "ac" + std::string(10'000, 'x') + "aab", Outcome::no_match, 0},
      {"a+(*COMMIT)b", std::string(5'000, 'x') + "ac" + std::string(5'000, 'x') + "aab", Outcome::no_match, 0},
      {"a+(*COMMIT)b", std::string(5'000, 'x') + "aab" + std::string(5'000, 'x'), Outcome::match, 5'000},
      // What has been passed over is not looked at again: the part behind the run's middle would find `aac` in it.
      {"a+(*SKIP)b|aac", std::string(5'000, 'a') + "c", Outcome::no_match, 0},
      {"a+(*SKIP)b|xac", std::string(5'000, 'a') + "cxac", Outcome::match, 5'001},
      {"a(*PRUNE)b|.c", std::string(5'000, 'x') + "ac" + std::string(5'000, 'x'), Outcome::no_match, 0},
      {"\\Gb", std::string(5'000, 'x') + "b", Outcome::no_match, 0},
      {"\\Gx+b", std::string(5'000, 'x') + "b", Outcome::match, 0},
  };
  for (const auto& c : cases) {
    const auto pattern = Regex::compile(c.pattern);
    ASSERT_TRUE(pattern);
    ASSERT_FALSE(pattern->is_divisible()) << c.pattern;
    Captures whole{}, groups{};
    ASSERT_EQ(pattern->match(c.value, &whole), c.outcome) << c.pattern;
    RegexBudget budget;
    budget.begin(Bound::planned);
    budget.add_bytes(c.value.size());
    EXPECT_EQ(budget.match(*pattern, c.value, &groups, Purpose::verdict), c.outcome) << c.pattern;
    EXPECT_EQ(groups, whole) << c.pattern;
    if (c.outcome == Outcome::match) {
      EXPECT_EQ(groups[0]->offset, c.offset) << c.pattern;
    }
  }
}

// They cannot be tried in parts, so that they are not tried again and again: their time is bounded all the same.
TEST(RegexBudget, LongValuesThatCannotBeTriedInPartsAreBound) {
  const auto pattern = Regex::compile("\\|([^)]*)\\)\\1(*PRUNE)x");
  ASSERT_FALSE(pattern->is_divisible());
  const std::string value = std::string(1 << 16, '|') + ") x";
  RegexBudget budget;
  budget.begin(Bound::planned);
  budget.add_bytes(value.size());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(budget.match(*pattern, value, nullptr, Purpose::verdict), Outcome::limit_reached);
  EXPECT_EQ(budget.match(*pattern, value, nullptr, Purpose::verdict), Outcome::limit_reached);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));  // of 53 ms of this thread's time
}

// For comparing: what a pattern would find if it could cost anything, from each place up to PCRE2's limit.
TEST(RegexBudget, WhatOthersAreComparedWithHasNoSum) {
  const auto pattern = Regex::compile("(?:a|aa)+b");
  const std::string value = std::string(12, 'a') + "cb";
  RegexBudget budget;
  for (const Bound bound : {Bound::planned, Bound::rule_by_rule, Bound::each_place}) {
    budget.begin(bound);
    Outcome last = Outcome::no_match;
    for (int i = 0; i < 5'000 && last == Outcome::no_match; ++i)
      last = budget.match(*pattern, value, nullptr, Purpose::verdict);
    EXPECT_EQ(last, bound == Bound::each_place ? Outcome::no_match : Outcome::limit_reached);
  }
  EXPECT_EQ(budget.match(*pattern, std::string(100, 'a') + "cb", nullptr, Purpose::verdict), Outcome::limit_reached);
}

// The charge goes by what was needed: one place that needs many steps does not cost as if all did.
TEST(RegexBudget, OnePlaceDoesNotCostAsIfAllDid) {
  const auto pattern = Regex::compile("x(?:a|aa)+b");
  const std::string value = std::string(10'000, 'y') + "x" + std::string(18, 'a') + std::string(10'000, 'y') + "b";
  EXPECT_EQ(pattern->match(value, nullptr, 4096), Outcome::limit_reached);
  RegexBudget budget;
  budget.begin(Bound::planned);
  budget.add_bytes(value.size());
  for (int i = 0; i < 3; ++i) {
    Captures groups{};
    ASSERT_EQ(budget.match(*pattern, value, &groups, Purpose::verdict), Outcome::no_match) << i;
  }
}

}  // namespace
}  // namespace gatehouse::waf
