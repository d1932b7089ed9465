#include "app/control/handover.h"

#include <gtest/gtest.h>

namespace gatehouse::app {
namespace {

using Arguments = std::vector<std::string>;

// The successor wrote its addresses to that number, and closed it: a listening socket, an epoll set.
TEST(Handover, TheSuccessorIsNotToldOfADescriptorThatIsNotItsOwn) {
  const struct {
    Arguments ours, theirs;
  } cases[] = {
      {{"gatehouse", "run", "-c", "a.yaml"}, {"gatehouse", "run", "-c", "a.yaml"}},
      {{"gatehouse", "run", "--ready-fd", "7", "-c", "a.yaml"}, {"gatehouse", "run", "-c", "a.yaml"}},
      {{"gatehouse", "run", "-c", "a.yaml", "--ready-fd=7"}, {"gatehouse", "run", "-c", "a.yaml"}},
      {{"gatehouse", "run", "-c", "a.yaml", "--ready-fd"}, {"gatehouse", "run", "-c", "a.yaml"}},
      {{"gatehouse", "--ready-fds"}, {"gatehouse", "--ready-fds"}},
      {{}, {}},
  };
  for (const auto& one : cases) EXPECT_EQ(arguments_of_successor(one.ours), one.theirs);
}

}  // namespace
}  // namespace gatehouse::app
