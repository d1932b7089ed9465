#pragma once
// A shard's event loop: epoll, timers, deferred work and messages from other threads. Thin on purpose: a proxy's cost
// is its system calls.
//
// Thread safety: everything is called from the loop's own thread, except `post` and `stop`.
// Invariants: (1) events are edge-triggered and carry {index, generation}: an event for an fd that was removed earlier
// in the same batch is dropped, so a handler may destroy another. (2) A handler that removes itself is freed through
// `destroy_later`, never inside its own callback. (3) Deferred work runs after each batch of events, before the next
// wait.

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::net {

class Loop;

class IoHandler {
 public:
  virtual void on_io(std::uint32_t epoll_events) = 0;

 protected:
  ~IoHandler() = default;
};

struct IoToken {
  std::uint32_t index = UINT32_MAX;
  std::uint32_t generation = 0;
  bool valid() const noexcept { return index != UINT32_MAX; }
};

// An intrusive timer. Arming and cancelling are O(1); the resolution is the wheel's tick of 8 ms, and a timer never
// fires early. Cancelled by its destructor.
class Timer {
 public:
  class Handler {
   public:
    virtual void on_timer(Timer& timer) = 0;

   protected:
    ~Handler() = default;
  };
  explicit Timer(Handler& handler) noexcept : handler_(&handler) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }
  bool armed() const noexcept { return next_ != nullptr; }
  void cancel() noexcept;

 private:
  friend class Loop;
  Handler* handler_;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  Timer** list_ = nullptr;  // the head of the list it is in
  Loop* loop_ = nullptr;
  std::uint64_t due_tick_ = 0;
};

// Work to do once after the current batch of events, however often it was asked for.
class Deferred {
 public:
  virtual void run_deferred() = 0;

 protected:
  ~Deferred();

 private:
  friend class Loop;
  Loop* deferred_in_ = nullptr;
};

class Loop {
 public:
  static Result<std::unique_ptr<Loop>> create(const Clock& clock = SystemClock::instance());
  ~Loop();

  // `handler` must stay until `remove`. `events` beyond EPOLLET: EPOLLIN | EPOLLOUT | EPOLLRDHUP.
  Result<IoToken> add(int fd, std::uint32_t events, IoHandler& handler);
  void modify(IoToken token, int fd, std::uint32_t events);
  void remove(IoToken& token, int fd);  // before the fd is closed; makes the token invalid

  void arm(Timer& timer, Duration after);  // re-arms when armed
  void defer(Deferred& work);

  // Frees an object after the current batch: callbacks may be on the stack.
  template <class T>
  void destroy_later(std::unique_ptr<T> object) {
    graveyard_.emplace_back(object.release(), [](void* p) { delete static_cast<T*>(p); });
  }

  void post(std::function<void()> work);  // from any thread
  void run();                             // until `stop`
  void stop();                            // from any thread, and from signal-free contexts only
  // One wait of at most `wait`, its events, timers and deferred work; for tests.
  void run_once(Duration wait);

  MonotonicTime now() const noexcept { return now_; }  // of this batch
  const Clock& clock() const noexcept { return clock_; }
  // The shard's read buffer: 64 KiB, shared by all connections, free again when a callback returns.
  std::span<char> scratch() noexcept { return {scratch_.get(), kScratchBytes}; }

  static constexpr std::size_t kScratchBytes = 64 * 1024;

 private:
  friend class Timer;
  friend class Deferred;
  static constexpr int kTickBits = 23;  // 2^23 ns: 8.4 ms
  static constexpr std::size_t kSlots = 256;
  static constexpr std::size_t kLevels = 4;
  struct Slot {
    IoHandler* handler = nullptr;
    std::uint32_t generation = 0;
  };
  struct Tomb {
    void* object;
    void (*destroy)(void*);
    Tomb(void* o, void (*d)(void*)) : object(o), destroy(d) {}
  };

  explicit Loop(const Clock& clock);
  void place(Timer& timer);
  void mark_empty(Timer** list) noexcept;
  void advance_timers();
  int wait_ms(Duration wait) const;
  void run_posted();
  void run_deferred();
  void forget(Deferred& work) noexcept;
  void bury();

  const Clock& clock_;
  MonotonicTime now_;
  int epoll_fd_ = -1;
  int wake_fd_ = -1;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  // A hierarchical wheel of circular lists, linked through the timers themselves.
  std::array<std::array<Timer*, kSlots>, kLevels> wheel_{};
  std::array<std::uint64_t, kSlots / 64> occupied_{};  // which slots of the lowest level are in use
  std::uint64_t tick_ = 0;
  std::size_t timers_ = 0;
  std::vector<Deferred*> deferred_;
  std::vector<Deferred*> deferred_running_;
  std::vector<Tomb> graveyard_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> wake_pending_{false};
  std::atomic<bool> stopping_{false};
  std::unique_ptr<char[]> scratch_;
};

}  // namespace gatehouse::net
