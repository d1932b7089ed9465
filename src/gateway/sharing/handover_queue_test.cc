#include "gateway/sharing/handover_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace gatehouse::gateway {
namespace {

TEST(HandoverQueue, FullRefusesAndRoomComesBack) {
  HandoverQueue<int> queue(4);
  int out = 0;
  EXPECT_FALSE(queue.pop(out));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i));
    EXPECT_FALSE(queue.push(4));
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(queue.pop(out));
      EXPECT_EQ(out, i);
    }
    EXPECT_FALSE(queue.pop(out));
  }
}

TEST(HandoverQueue, NothingIsLostOrDoubledAmongThreads) {
  HandoverQueue<std::pair<int, int>> queue(64);
  constexpr int kThreads = 3, kEach = 50'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&queue, t] {
      for (int i = 0; i < kEach; ++i)
        while (!queue.push({t, i})) std::this_thread::yield();
    });
  }
  std::array<int, kThreads> next{};
  std::pair<int, int> out;
  for (int got = 0; got < kThreads * kEach;) {
    if (!queue.pop(out)) {
      std::this_thread::yield();
      continue;
    }
    ++got;
    ASSERT_EQ(out.second, next[static_cast<std::size_t>(out.first)]++) << "in order, of each thread";
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(queue.pop(out));
}

}  // namespace
}  // namespace gatehouse::gateway
