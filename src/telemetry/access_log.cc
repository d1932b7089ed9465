#include "telemetry/access_log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "telemetry/log.h"

namespace gatehouse::telemetry {
namespace {

constexpr Duration kReportEvery = std::chrono::seconds(10);

QueuedLines first_bytes(const QueuedLines& lines, std::size_t count) noexcept {
  const std::size_t first = std::min(count, lines[0].size());
  return {lines[0].first(first), lines[1].first(std::min(count - first, lines[1].size()))};
}

}  // namespace

Result<AccessLogFormat> parse_access_log_format(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {"json", "common", "ecs", "ocsf", "cef"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<AccessLogFormat>(found - kNames.begin());
  return fail(ErrorCode::invalid, fmt::format("format '{}' is unknown: json, common, ecs, ocsf or cef", name),
              ErrorSource::configuration);
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(const AccessLogOptions& options, const Clock& clock) {
  Result<LogTarget> target = parse_log_target(options.to);
  if (!target) return tl::unexpected(std::move(target.error()));
  if (target->kind == LogTarget::Kind::off) {
    return std::unique_ptr<AccessLog>(new AccessLog(options, nullptr, -1, clock));
  }
  auto destination = open_log_destination(*target, clock);
  if (!destination) return tl::unexpected(std::move(destination.error()).while_("access log"));
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) return fail_errno("access log");
  return std::unique_ptr<AccessLog>(new AccessLog(options, std::move(*destination), wake_fd, clock));
}

AccessLog::AccessLog(AccessLogOptions options, std::unique_ptr<LogDestination> destination, int wake_fd,
                     const Clock& clock)
    : format_(options.format),
      to_(std::move(options.to)),
      clock_(clock),
      destination_(std::move(destination)),
      wake_fd_(wake_fd),
      held_(options.held) {
  if (!destination_) return;
  for (std::size_t i = 0; i < options.shards; ++i) rings_.push_back(std::make_unique<LineRing>(options.buffer_bytes));
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AccessLog::~AccessLog() {
  if (!destination_) return;
  stop_.store(true);
  begin();
  thread_.join();
  close(wake_fd_);
}

void AccessLog::write(std::size_t shard, std::string_view line) noexcept {
  if (!destination_) return;
  LineRing& ring = *rings_[shard];
  ring.push(line);
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) {
    wake();
  } else if (ring.half_full() && !urgent_.load(std::memory_order_relaxed) && !urgent_.exchange(true)) {
    wake();
  }
}

void AccessLog::begin() noexcept {
  if (!destination_) return;
  held_.store(false);
  wake();
}

void AccessLog::reopen() noexcept {
  if (!destination_) return;
  reopen_.store(true);
  wake();
}

void AccessLog::flush() {
  if (!destination_) return;
  const std::uint64_t mine = flushes_wanted_.fetch_add(1) + 1;
  wake();
  std::unique_lock lock(flush_mutex_);
  flushed_.wait(lock, [&] { return flushes_done_ >= mine; });
}

AccessLogCounters AccessLog::counters() const noexcept {
  return {bytes_written_.load(std::memory_order_relaxed), dropped(), write_failures_.load(std::memory_order_relaxed)};
}

Status can_open_access_log(const AccessLogOptions& options) {
  const Result<LogTarget> target = parse_log_target(options.to);
  if (!target) return tl::unexpected(target.error());
  if (target->kind != LogTarget::Kind::file) return {};
  if (access(target->path.c_str(), W_OK) == 0) return {};
  if (errno != ENOENT) return fail_errno("opening " + target->path);
  const std::size_t slash = target->path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : target->path.substr(0, std::max<std::size_t>(slash, 1));
  if (access(folder.c_str(), W_OK | X_OK) != 0) return fail_errno("opening " + target->path);
  return {};
}

void AccessLog::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

std::uint64_t AccessLog::dropped() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& ring : rings_) sum += ring->dropped();
  return sum;
}

bool AccessLog::all_empty() const noexcept {
  return std::all_of(rings_.begin(), rings_.end(), [](const auto& ring) { return ring->empty(); });
}

void AccessLog::run() {
  pthread_setname_np(pthread_self(), "access-log");
  while (held_.load()) wait_until_begun();
  for (;;) {
    const bool stopping = stop_.load();
    const std::uint64_t wanted = flushes_wanted_.load();
    if (reopen_.exchange(false)) {
      if (Status opened = destination_->reopen(); !opened) {
        GH_LOG(error, "access log not reopened, the old file stays in use", {"error", opened.error().message});
      }
    }
    const bool worked = drain();
    report();
    {
      const std::lock_guard lock(flush_mutex_);
      flushes_done_ = wanted;
    }
    flushed_.notify_all();
    if (stopping && (!worked || all_empty())) return;
    if (!worked) {
      wait(kRetry, false);
    } else {
      wait_for_work();
    }
  }
}

// Once round: of every ring what it held when its turn came, so that a busy shard does not starve the others.
bool AccessLog::drain() {
  urgent_.store(false);
  for (std::size_t turn = 0; turn < rings_.size(); ++turn) {
    LineRing& ring = *rings_[next_ring_];
    const QueuedLines queued = ring.peek();
    for (std::size_t left = queued[0].size() + queued[1].size(); left > 0;) {
      const Result<std::size_t> taken = destination_->take(first_bytes(ring.peek(), left));
      if (!taken) {
        write_failures_.fetch_add(1, std::memory_order_relaxed);
        if (!failing_) GH_LOG(error, "access log cannot be written", {"to", to_}, {"error", taken.error().message});
        failing_ = true;
        return false;
      }
      if (failing_) GH_LOG(info, "access log is written again", {"to", to_});
      failing_ = false;
      ring.consume(*taken);
      left -= *taken;
      bytes_written_.fetch_add(*taken, std::memory_order_relaxed);
    }
    next_ring_ = (next_ring_ + 1) % rings_.size();
  }
  return true;
}

void AccessLog::wait_until_begun() {
  pollfd ready{wake_fd_, POLLIN, 0};
  if (poll(&ready, 1, -1) == 1) {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
  }
}

// Sleeps until the first line, then lets a batch gather.
void AccessLog::wait_for_work() {
  asleep_.store(true, std::memory_order_seq_cst);
  if (all_empty()) {
    wait(Duration::max(), true);
  }
  asleep_.store(false, std::memory_order_seq_cst);
  wait(kLinger, true);
}

// Returns early for a stop, a flush, a reopening and, if it counts, a ring that fills.
void AccessLog::wait(Duration at_most, bool urgent_counts) {
  const bool forever = at_most == Duration::max();
  const auto asked = [&] {
    return stop_.load() || reopen_.load() || flushes_wanted_.load() != flushes_done_ ||
           (urgent_counts && urgent_.load()) || (forever && !asleep_.load());
  };
  const MonotonicTime until = forever ? MonotonicTime::max() : SystemClock::instance().now() + at_most;
  while (!asked()) {
    const Duration left = forever ? Duration::max() : until - SystemClock::instance().now();
    if (left <= Duration::zero()) return;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    pollfd ready{wake_fd_, POLLIN, 0};
    if (poll(&ready, 1, forever ? -1 : static_cast<int>(ms)) == 1) {
      std::uint64_t count;
      [[maybe_unused]] const ssize_t got = read(wake_fd_, &count, sizeof count);
    }
  }
}

void AccessLog::report() {
  const std::uint64_t total = dropped();
  const MonotonicTime now = clock_.now();
  if (total == dropped_reported_ || (reported_at_ && now - *reported_at_ < kReportEvery)) return;
  GH_LOG(warn, "access log lines dropped: it is written too slowly", {"to", to_},
         {"dropped", total - dropped_reported_}, {"dropped_in_all", total});
  dropped_reported_ = total;
  reported_at_ = now;
}

}  // namespace gatehouse::telemetry
