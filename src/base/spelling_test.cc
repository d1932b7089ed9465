#include "base/spelling.h"

#include <gtest/gtest.h>

#include <array>

namespace gatehouse {
namespace {

TEST(Spelling, Closest) {
  static constexpr std::array<std::string_view, 4> kKnown{"listeners", "services", "routes", "data_dir"};
  struct Case {
    std::string_view word, closest;
  };
  for (const Case& c : {Case{"listner", "listeners"}, Case{"Services", "services"}, Case{"data-dir", "data_dir"},
                        Case{"ruotes", "routes"}, Case{"colour", ""}, Case{"", ""},
                        Case{"listenersandmanymanymanymanymanymanymanymanymore", ""}}) {
    EXPECT_EQ(closest(c.word, kKnown), c.closest) << c.word;
  }
}

}  // namespace
}  // namespace gatehouse
