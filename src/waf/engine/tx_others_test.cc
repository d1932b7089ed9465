#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "waf/engine/tx_variables.h"

namespace gatehouse::waf {
namespace {

// Against a plain list, few names and many: the same values, in the same order, and accounts that are right.
TEST(TxOthers, AreAList) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  TxOthers others;
  for (const unsigned names : {3u, 9u, 40u, 3000u}) {
    std::vector<std::pair<std::string, std::string>> expected;
    for (int i = 0; i < 6000; ++i) {
      const std::string name = "name_of_some_length_" + std::to_string(random() % names);
      const auto found = std::find_if(expected.begin(), expected.end(), [&](auto& pair) { return pair.first == name; });
      ASSERT_EQ(others.text(name), found != expected.end() ? found->second : "") << i;
      if (random() % 3 == 0) {
        others.unset(name);
        if (found != expected.end()) expected.erase(found);
      } else {
        std::string value(random() % 50, 'v');
        others.set(name, value);
        if (found != expected.end()) found->second = value;
        if (found == expected.end()) expected.emplace_back(name, value);
      }
    }
    std::vector<std::pair<std::string, std::string>> told;
    std::size_t texts = 0;
    for (std::size_t i = 0; i < others.places(); ++i) {
      if (others.at(i) == nullptr) continue;
      told.emplace_back(others.at(i)->name, others.at(i)->value);
      texts += told.back().first.size() + told.back().second.size();
    }
    EXPECT_EQ(told, expected);
    EXPECT_GE(others.bytes(), texts);
    others.release();
    EXPECT_EQ(others.text("name_of_some_length_1"), "");
    EXPECT_EQ(others.places(), 0u);
    EXPECT_LT(others.bytes(), 8u << 10);
  }
}

TEST(TxOthers, AreBounded) {
  TxOthers others;
  for (std::size_t i = 0; i < 10 * TxOthers::kMax; ++i) {
    others.set("gone" + std::to_string(i), "1");
    others.unset("gone" + std::to_string(i));
  }
  EXPECT_LT(others.bytes(), 8u << 10) << "what was unset takes no room";
  for (std::size_t i = 0; i <= TxOthers::kMax; ++i) others.set("n" + std::to_string(i), "1");
  EXPECT_EQ(others.text("n" + std::to_string(TxOthers::kMax - 1)), "1");
  EXPECT_EQ(others.text("n" + std::to_string(TxOthers::kMax)), "") << "one too many";
  others.set("n0", "2");
  EXPECT_EQ(others.text("n0"), "2");
  others.unset("n1");
  others.set("last", "3");
  EXPECT_EQ(others.text("last"), "3");
}

}  // namespace
}  // namespace gatehouse::waf
