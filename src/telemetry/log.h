#pragma once
// The program's own log: what an operator has to know, one line each to stderr. Text for people on a terminal, one JSON
// object a line otherwise. What happens to single requests belongs into decision records, not here.
//
//   GH_LOG(warn, "upstream ejected", {"service", name}, {"errors", count});
//
// Bounds: each call site may write 10 lines in 10 seconds; what it had to leave out is counted and said with its next
// line ("suppressed"). A line holds at most 4 KiB. A stderr that takes nothing (a full pipe) loses lines, counted,
// rather than holding up a shard.
//
// Thread safety: any thread. Configure before threads start.

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gatehouse::telemetry {

enum class LogLevel : std::uint8_t { debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

std::string_view name_of(LogLevel level) noexcept;                     // "warn"
std::optional<LogLevel> log_level_of(std::string_view name) noexcept;  // the inverse

// A name and a value; views live until the call returns.
struct LogField {
  enum class Kind : std::uint8_t { text, integer, natural, real, boolean };

  LogField(std::string_view n, std::string_view value) : name(n), kind(Kind::text), text(value) {}
  LogField(std::string_view n, const char* value) : LogField(n, std::string_view(value)) {}
  LogField(std::string_view n, const std::string& value) : LogField(n, std::string_view(value)) {}
  LogField(std::string_view n, bool value) : name(n), kind(Kind::boolean), natural(value) {}
  LogField(std::string_view n, std::signed_integral auto value) : name(n), kind(Kind::integer), integer(value) {}
  LogField(std::string_view n, std::unsigned_integral auto value) : name(n), kind(Kind::natural), natural(value) {}
  LogField(std::string_view n, double value) : name(n), kind(Kind::real), real(value) {}

  std::string_view name;
  Kind kind;
  std::string_view text;
  union {
    std::int64_t integer;
    std::uint64_t natural = 0;
    double real;
  };
};

// How often one place in the code may write. Constant-initialised, so that a function-local static costs no guard.
class LogSite {
 public:
  static constexpr std::uint32_t kLines = 10;
  static constexpr Duration kWindow = std::chrono::seconds(10);

  constexpr LogSite() = default;
  // nullopt: not now. Otherwise how many lines were left out since the last one.
  std::optional<std::uint64_t> admit(MonotonicTime now) noexcept;

 private:
  std::atomic<std::int64_t> window_start_ns_{INT64_MIN};
  std::atomic<std::uint32_t> lines_{0};
  std::atomic<std::uint64_t> suppressed_{0};
};

class Log {
 public:
  static Log& instance();  // to stderr

  // For tests: any descriptor, a clock.
  Log(int fd, LogFormat format, const Clock& clock, bool colour = false) noexcept
      : fd_(fd), format_(format), colour_(colour), clock_(&clock) {}

  void set_level(LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }
  void set_format(LogFormat format) noexcept { format_ = format; }
  bool enabled(LogLevel level) const noexcept { return level >= level_.load(std::memory_order_relaxed); }

  void write(LogLevel level, LogSite& site, std::string_view message, std::initializer_list<LogField> fields);
  std::uint64_t lost() const noexcept { return lost_.load(std::memory_order_relaxed); }

 private:
  void emit(std::string& line);

  int fd_;
  LogFormat format_;
  bool colour_;
  const Clock* clock_;
  std::atomic<LogLevel> level_{LogLevel::info};
  std::atomic<std::uint64_t> lost_{0};
  std::mutex mutex_;  // of the descriptor: asking whether it takes a line, and writing it, belong together
};

}  // namespace gatehouse::telemetry

#define GH_LOG_TO(log, level_name, message, ...)                                                      \
  do {                                                                                                \
    static constinit ::gatehouse::telemetry::LogSite gh_log_site;                                     \
    if ((log).enabled(::gatehouse::telemetry::LogLevel::level_name))                                  \
      (log).write(::gatehouse::telemetry::LogLevel::level_name, gh_log_site, message, {__VA_ARGS__}); \
  } while (false)
#define GH_LOG(level_name, message, ...) \
  GH_LOG_TO(::gatehouse::telemetry::Log::instance(), level_name, message __VA_OPT__(, ) __VA_ARGS__)
