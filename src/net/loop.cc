#include "net/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.h"

namespace gatehouse::net {
namespace {
constexpr std::uint64_t kWakeKey = UINT64_MAX;
constexpr int kBatch = 256;

std::uint64_t pack(IoToken token) noexcept {
  return (static_cast<std::uint64_t>(token.generation) << 32) | token.index;
}
}  // namespace

// ----------------------------------------------------------------------------------------------------------------
// timers

// Each slot's list is doubly linked through the timers themselves. `previous_` of the first is null and the slot's head
// is found again from `due_tick_`: cheaper than a sentinel per slot (a thousand of them per shard).
void Timer::cancel() noexcept {
  if (!armed()) return;
  // Circular: a timer alone in its list points to itself.
  if (next_ == this) {
    *list_ = nullptr;
    loop_->mark_empty(list_);
  } else {
    if (*list_ == this) *list_ = next_;
    next_->previous_ = previous_;
    previous_->next_ = next_;
  }
  next_ = previous_ = nullptr;
  --loop_->timers_;
}

void Loop::mark_empty(Timer** list) noexcept {
  const auto slot = static_cast<std::size_t>(list - wheel_[0].data());
  if (slot < kSlots) occupied_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
}

void Loop::place(Timer& timer) {
  const std::uint64_t distance = timer.due_tick_ > tick_ ? timer.due_tick_ - tick_ : 0;
  std::size_t level = 0;
  while (level + 1 < kLevels && distance >= (std::uint64_t{1} << (8 * (level + 1)))) ++level;
  const std::size_t slot = (timer.due_tick_ >> (8 * level)) & (kSlots - 1);
  Timer** list = &wheel_[level][slot];
  if (level == 0) occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  timer.list_ = list;
  if (*list == nullptr) {
    *list = timer.next_ = timer.previous_ = &timer;
  } else {
    Timer* first = *list;
    timer.next_ = first;
    timer.previous_ = first->previous_;
    first->previous_->next_ = &timer;
    first->previous_ = &timer;
  }
  ++timers_;
}

void Loop::arm(Timer& timer, Duration after) {
  // +1 because the current tick is partly over: a timer never fires early.
  constexpr std::uint64_t kFurthest = (std::uint64_t{1} << (8 * kLevels)) - 1;
  const auto ns = static_cast<std::uint64_t>(std::max<Duration::rep>(after.count(), 0));
  const auto now = static_cast<std::uint64_t>(now_.time_since_epoch().count());
  std::uint64_t due = ((now + ns) >> kTickBits) + 1;
  due = std::min(due, tick_ + kFurthest);
  if (timer.armed()) {
    // Re-arming to the same tick is the common case on a busy connection: nothing to do.
    if (timer.due_tick_ == due) return;
    timer.cancel();
  }
  timer.loop_ = this;
  timer.due_tick_ = due;
  place(timer);
}

void Loop::advance_timers() {
  const std::uint64_t now_tick = static_cast<std::uint64_t>(now_.time_since_epoch().count()) >> kTickBits;
  if (timers_ == 0) {
    tick_ = std::max(tick_, now_tick);
    return;
  }
  while (tick_ < now_tick) {
    ++tick_;
    // Where a lower level has come round, the next slot of the level above is spread over it.
    for (std::size_t level = 1; level < kLevels && (tick_ & ((std::uint64_t{1} << (8 * level)) - 1)) == 0; ++level) {
      Timer** list = &wheel_[level][(tick_ >> (8 * level)) & (kSlots - 1)];
      while (*list != nullptr) {
        Timer& timer = **list;
        timer.cancel();
        place(timer);
      }
    }
    Timer** due = &wheel_[0][tick_ & (kSlots - 1)];
    while (*due != nullptr) {
      Timer& timer = **due;
      timer.cancel();
      timer.handler_->on_timer(timer);  // may arm, cancel and destroy timers, this one included
    }
    if (timers_ == 0) {
      tick_ = std::max(tick_, now_tick);
      return;
    }
  }
}

int Loop::wait_ms(Duration wait) const {
  if (!deferred_.empty() || !graveyard_.empty()) return 0;
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  if (timers_ > 0) {
    // The next occupied slot of the lowest level, at most one round ahead; what is on higher levels is reached by then.
    const std::size_t first = (tick_ + 1) & (kSlots - 1);
    std::size_t slot = first;
    if (slot != 0) {
      std::size_t word = slot / 64;
      std::uint64_t bits = occupied_[word] & (~std::uint64_t{0} << (slot % 64));
      while (bits == 0 && ++word < occupied_.size()) bits = occupied_[word];
      slot = bits == 0 ? kSlots : word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    }
    const auto due = static_cast<std::int64_t>((tick_ + 1 + (slot - first)) << kTickBits);
    const auto until = std::max<std::int64_t>(0, due - now_.time_since_epoch().count());
    ms = std::min<std::int64_t>(ms, (until + 999'999) / 1'000'000);
  }
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

// --------------------------------------------------------------------------------------------------------------
// deferred

Deferred::~Deferred() {
  if (deferred_in_ != nullptr) deferred_in_->forget(*this);
}

void Loop::forget(Deferred& work) noexcept {
  for (auto* list : {&deferred_, &deferred_running_}) {
    for (Deferred*& entry : *list) {
      if (entry == &work) entry = nullptr;
    }
  }
}

void Loop::defer(Deferred& work) {
  if (work.deferred_in_ != nullptr) return;
  work.deferred_in_ = this;
  deferred_.push_back(&work);
}

void Loop::run_deferred() {
  // Work deferred by deferred work runs in the same turn: an answer made in a flush must leave before the next wait.
  // The bound keeps two that defer each other from starving the sockets.
  for (int round = 0; round < 8 && !deferred_.empty(); ++round) {
    deferred_running_.swap(deferred_);
    for (std::size_t i = 0; i < deferred_running_.size(); ++i) {
      Deferred* work = deferred_running_[i];
      if (work == nullptr) continue;
      deferred_running_[i] = nullptr;
      work->deferred_in_ = nullptr;
      work->run_deferred();
    }
    deferred_running_.clear();
  }
}

void Loop::bury() {
  while (!graveyard_.empty()) {
    std::vector<Tomb> dead;
    dead.swap(graveyard_);
    for (const Tomb& tomb : dead) tomb.destroy(tomb.object);
  }
}

// ------------------------------------------------------------------------------------------------------------------
// loop

Loop::Loop(const Clock& clock)
    : clock_(clock), now_(clock.now()), scratch_(std::make_unique_for_overwrite<char[]>(kScratchBytes)) {
  tick_ = static_cast<std::uint64_t>(now_.time_since_epoch().count()) >> kTickBits;
}

Loop::~Loop() {
  bury();
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

Result<std::unique_ptr<Loop>> Loop::create(const Clock& clock) {
  auto loop = std::unique_ptr<Loop>(new Loop(clock));
  loop->epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (loop->epoll_fd_ < 0) return fail_errno("epoll_create1");
  loop->wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (loop->wake_fd_ < 0) return fail_errno("eventfd");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeKey;
  if (::epoll_ctl(loop->epoll_fd_, EPOLL_CTL_ADD, loop->wake_fd_, &event) != 0) return fail_errno("epoll_ctl");
  return loop;
}

Result<IoToken> Loop::add(int fd, std::uint32_t events, IoHandler& handler) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const IoToken token{free_slots_.back(), slots_[free_slots_.back()].generation};
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = pack(token);
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll_ctl");
  free_slots_.pop_back();
  slots_[token.index].handler = &handler;
  return token;
}

void Loop::modify(IoToken token, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = pack(token);
  GH_CHECK(::epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::remove(IoToken& token, int fd) {
  if (!token.valid()) return;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  Slot& slot = slots_[token.index];
  slot.handler = nullptr;
  ++slot.generation;
  free_slots_.push_back(token.index);
  token = {};
}

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  if (!wake_pending_.exchange(true)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
  }
}

void Loop::stop() {
  stopping_ = true;
  post([] {});
}

void Loop::run_posted() {
  // In this order: a poster that still sees the flag has its work in the list before we take it, and one that doesn't
  // writes anew. The other way round its wake-up could be read away here while the flag stayed up, and no later one
  // came.
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(wake_fd_, &count, sizeof count);
  wake_pending_ = false;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& each : work) each();
}

void Loop::run() {
  while (!stopping_) run_once(std::chrono::seconds(60));
}

void Loop::run_once(Duration wait) {
  epoll_event events[kBatch];
  const int count = ::epoll_wait(epoll_fd_, events, kBatch, wait_ms(wait));
  now_ = clock_.now();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t key = events[i].data.u64;
    if (key == kWakeKey) {
      run_posted();
      continue;
    }
    const auto index = static_cast<std::uint32_t>(key);
    const auto generation = static_cast<std::uint32_t>(key >> 32);
    const Slot slot = slots_[index];
    if (slot.generation == generation && slot.handler != nullptr) slot.handler->on_io(events[i].events);
  }
  advance_timers();
  run_deferred();
  bury();
}

}  // namespace gatehouse::net
