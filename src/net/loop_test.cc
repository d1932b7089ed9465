#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <thread>

namespace gatehouse::net {
namespace {

using namespace std::chrono_literals;

struct Recorder : Timer::Handler {
  void on_timer(Timer&) override { fired_at.push_back(clock->now()); }
  FakeClock* clock = nullptr;
  std::vector<MonotonicTime> fired_at;
};

TEST(TimerWheel, NeverEarlyAndAtMostTwoTicksLateAtAnyDistance) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  FakeClock clock;
  auto loop = Loop::create(clock).value();
  struct Case {
    explicit Case(Recorder& r) : timer(r) {}
    Timer timer;
    MonotonicTime due;
  };
  for (const Duration range : {Duration(20ms), Duration(3s), Duration(10min), Duration(2h)}) {
    Recorder recorder;
    recorder.clock = &clock;
    const auto after = Duration(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(range.count())));
    Case one(recorder);
    loop->run_once(0ms);
    one.due = clock.now() + after;
    loop->arm(one.timer, after);
    while (recorder.fired_at.empty()) {
      ASSERT_LT(clock.now(), one.due + 1s) << "lost a timer of " << after.count() << " ns";
      clock.advance(4ms);
      loop->run_once(0ms);
    }
    EXPECT_GE(recorder.fired_at[0], one.due);
    EXPECT_LE(recorder.fired_at[0], one.due + 20ms);
  }
}

TEST(TimerWheel, ALongPauseFiresEverythingOnce) {
  FakeClock clock;
  auto loop = Loop::create(clock).value();
  Recorder recorder;
  recorder.clock = &clock;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 1000; ++i) {
    timers.push_back(std::make_unique<Timer>(recorder));
    loop->arm(*timers.back(), 37ms * i);
  }
  for (int i = 0; i < 1000; i += 2) timers[i]->cancel();
  clock.advance(1h);
  loop->run_once(0ms);
  EXPECT_EQ(recorder.fired_at.size(), 500u);
}

struct DestroysItself final : Timer::Handler {
  explicit DestroysItself(bool& gone) : gone_flag(gone), timer(*this), second(*this) {}
  ~DestroysItself() { gone_flag = true; }
  void on_timer(Timer&) override { delete this; }
  bool& gone_flag;
  Timer timer, second;
};

TEST(TimerWheel, AHandlerMayDestroyItselfAndItsOtherTimers) {
  FakeClock clock;
  auto loop = Loop::create(clock).value();
  bool gone = false;
  auto* owner = new DestroysItself(gone);
  loop->arm(owner->timer, 10ms);
  loop->arm(owner->second, 10ms);
  clock.advance(1s);
  loop->run_once(0ms);
  EXPECT_TRUE(gone);
}

struct Removes : IoHandler {
  void on_io(std::uint32_t) override {
    ++events;
    if (other != nullptr) loop->remove(other->token, other->fd);
  }
  Loop* loop = nullptr;
  Removes* other = nullptr;
  IoToken token;
  int fd = -1, events = 0;
};

TEST(Loop, AnEventOfARemovedDescriptorInTheSameBatchIsDropped) {
  auto loop = Loop::create().value();
  int a[2], b[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
  Removes first, second;
  first.loop = second.loop = loop.get();
  first.fd = a[0], second.fd = b[0];
  first.other = &second, second.other = &first;
  first.token = loop->add(a[0], EPOLLIN, first).value();
  second.token = loop->add(b[0], EPOLLIN, second).value();
  ASSERT_EQ(write(a[1], "x", 1), 1);
  ASSERT_EQ(write(b[1], "x", 1), 1);
  loop->run_once(100ms);
  EXPECT_EQ(first.events + second.events, 1);
  for (int fd : {a[0], a[1], b[0], b[1]}) close(fd);
}

TEST(Loop, PostedWorkFromManyThreadsAllRuns) {
  auto loop = Loop::create().value();
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        loop->post([&] {
          if (++ran == 4000) loop->stop();
        });
      }
    });
  }
  loop->run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ran, 4000);
}

struct Again : Deferred {
  void run_deferred() override {
    if (++runs < 3) loop->defer(*this);
  }
  Loop* loop = nullptr;
  int runs = 0;
};

TEST(Loop, DeferredWorkRunsOnceHoweverOftenItWasAskedForAndMayDeferAgain) {
  auto loop = Loop::create().value();
  Again work;
  work.loop = loop.get();
  loop->defer(work);
  loop->defer(work);
  loop->run_once(0ms);
  EXPECT_EQ(work.runs, 3);
}

}  // namespace
}  // namespace gatehouse::net
