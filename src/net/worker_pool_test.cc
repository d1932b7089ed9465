#include "net/worker_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <set>

namespace gatehouse::net {
namespace {

// Holds workers until it is opened.
class Barrier {
 public:
  void wait() { opened_.wait(); }
  void open() { promise_.set_value(); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> opened_ = promise_.get_future().share();
};

TEST(WorkerPool, RunsWhatItAcceptedAndDrainsWhenItEnds) {
  std::atomic<int> done{0};
  Barrier barrier;
  {
    WorkerPool pool("test", 2, 100);
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(pool.submit([&] {
        barrier.wait();
        ++done;
      }));
    }
    EXPECT_EQ(done, 0);
    barrier.open();
  }
  EXPECT_EQ(done, 50);
}

TEST(WorkerPool, RefusesWhenFullAndLeavesTheWorkWithTheCaller) {
  Barrier barrier;
  std::promise<void> begun;
  WorkerPool pool("test", 1, 2);
  ASSERT_TRUE(pool.submit([&] {
    begun.set_value();
    barrier.wait();
  }));
  begun.get_future().wait();  // it no longer waits
  EXPECT_EQ(pool.running(), 1U);
  ASSERT_TRUE(pool.submit([] {}));
  ASSERT_TRUE(pool.submit([] {}));
  EXPECT_EQ(pool.waiting(), 2U);
  auto kept = [value = std::make_unique<int>(7)] { EXPECT_EQ(*value, 7); };
  EXPECT_FALSE(pool.submit(std::move(kept)));
  kept();  // was not moved from
  barrier.open();
}

TEST(WorkerPool, TakesMoveOnlyWorkAndFreesItOnTheWorker) {
  auto value = std::make_unique<int>(41);
  std::promise<int> result;
  {
    WorkerPool pool("test", 1, 1);
    ASSERT_TRUE(pool.submit([held = std::move(value), &result] { result.set_value(*held + 1); }));
  }
  EXPECT_EQ(result.get_future().get(), 42);
}

TEST(WorkerPool, WorkMaySubmitMoreUntilThePoolEnds) {
  std::promise<bool> inner;
  WorkerPool pool("test", 1, 1);
  ASSERT_TRUE(pool.submit([&] { EXPECT_TRUE(pool.submit([&] { inner.set_value(true); })); }));
  EXPECT_TRUE(inner.get_future().get());
}

TEST(WorkerPool, ManyThreadsSubmitAtOnceAndNothingIsLostOrRunTwice) {
  constexpr int kEach = 2000;
  std::atomic<int> accepted{0}, ran{0};
  {
    WorkerPool pool("test", 3, 16);
    std::vector<std::thread> callers;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) accepted += pool.submit([&] { ++ran; });
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  EXPECT_EQ(ran, accepted);
  EXPECT_GT(accepted, 0);
}

TEST(WorkerPool, ThreadsBearTheirName) {
  std::promise<std::string> name;
  WorkerPool pool("a-rather-long-name", 1, 1);
  ASSERT_TRUE(pool.submit([&] {
    char text[16];
    ::pthread_getname_np(::pthread_self(), text, sizeof text);
    name.set_value(text);
  }));
  EXPECT_EQ(name.get_future().get(), "a-rather-lo-0");
}

TEST(WorkerPool, ThreadsGiveWayToShards) {
  std::promise<int> nice;
  WorkerPool pool("test", 1, 1);
  ASSERT_TRUE(pool.submit([&] { nice.set_value(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()))); }));
  EXPECT_EQ(nice.get_future().get(), std::max(10, ::getpriority(PRIO_PROCESS, 0)));
}

}  // namespace
}  // namespace gatehouse::net
