#include "telemetry/log.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "codec/json_writer.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 4> kTags = {"DEBUG", "INFO ", "WARN ", "ERROR"};
constexpr std::array<std::string_view, 4> kColours = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
// PIPE_BUF: what a pipe that is ready takes whole, so that lines of several writers don't mix.
constexpr std::size_t kLineBytesMax = 4096;
constexpr std::size_t kFieldBytesMax = 1024;

void append_value(codec::JsonWriter& json, const LogField& field, bool quote_text) {
  switch (field.kind) {
    case LogField::Kind::text: {
      const std::string_view text = codec::utf8_prefix(field.text, kFieldBytesMax);
      quote_text ? json.string(text) : json.escaped(text);
      break;
    }
    case LogField::Kind::integer: json.number(field.integer); break;
    case LogField::Kind::natural: json.number(field.natural); break;
    case LogField::Kind::real: json.number(field.real); break;
    case LogField::Kind::boolean: json.boolean(field.natural != 0); break;
  }
}

void append_json_line(std::string_view time, LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields, std::uint64_t suppressed, std::string& out) {
  codec::JsonWriter json(out);
  json.raw("{\"time\":\"");
  json.raw(time);
  json.raw("\",\"level\":\"");
  json.raw(name_of(level));
  json.raw("\",\"message\":");
  json.string(codec::utf8_prefix(message, kFieldBytesMax));
  for (const LogField& field : fields) {
    json.raw(",");
    json.string(field.name);
    json.raw(":");
    append_value(json, field, true);
  }
  if (suppressed != 0) {
    json.raw(",\"suppressed\":");
    json.number(suppressed);
  }
  json.raw("}");
}

void append_text_line(std::string_view time, LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields, std::uint64_t suppressed, bool colour, std::string& out) {
  const auto index = static_cast<std::size_t>(level);
  codec::JsonWriter text(out);  // its escaping also keeps control bytes away from the terminal
  text.raw(time.substr(11, 12));
  text.raw(" ");
  if (colour) text.raw(kColours[index]);
  text.raw(kTags[index]);
  if (colour) text.raw("\x1b[0m");
  text.raw(" ");
  text.escaped(codec::utf8_prefix(message, kFieldBytesMax));
  for (const LogField& field : fields) {
    text.raw("  ");
    text.raw(field.name);
    text.raw("=");
    append_value(text, field, field.text.empty() || field.text.find_first_of(" \"=") != std::string_view::npos);
  }
  if (suppressed != 0) {
    text.raw("  suppressed=");
    text.number(suppressed);
  }
}

}  // namespace

std::string_view name_of(LogLevel level) noexcept { return kNames[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> log_level_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> LogSite::admit(MonotonicTime now) noexcept {
  const std::int64_t now_ns = now.time_since_epoch().count();
  std::int64_t start = window_start_ns_.load(std::memory_order_relaxed);
  const bool over = start == INT64_MIN || now_ns - start >= Duration(kWindow).count();
  // Of several threads that see the window's end one resets it; the bound may be missed by one line a thread.
  if (over && window_start_ns_.compare_exchange_strong(start, now_ns, std::memory_order_relaxed)) {
    lines_.store(0, std::memory_order_relaxed);
  }
  if (lines_.fetch_add(1, std::memory_order_relaxed) >= kLines) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  return suppressed_.exchange(0, std::memory_order_relaxed);
}

Log& Log::instance() {
  static Log log(
      STDERR_FILENO, isatty(STDERR_FILENO) ? LogFormat::text : LogFormat::json, SystemClock::instance(),
      isatty(STDERR_FILENO) && std::getenv("NO_COLOR") == nullptr);  // NOLINT(concurrency-mt-unsafe): read once
  return log;
}

void Log::write(LogLevel level, LogSite& site, std::string_view message, std::initializer_list<LogField> fields) {
  const std::optional<std::uint64_t> suppressed = site.admit(clock_->now());
  if (!suppressed) return;
  char buffer[kTimeBytes];
  const std::string_view time = format_time(clock_->wall(), buffer);
  std::string line;
  if (format_ == LogFormat::json) {
    append_json_line(time, level, message, fields, *suppressed, line);
    if (line.size() >= kLineBytesMax) {  // cut JSON would be no JSON: keep what says the most
      line.clear();
      append_json_line(time, level, message, {{"fields_dropped", fields.size()}}, *suppressed, line);
    }
  } else {
    append_text_line(time, level, message, fields, *suppressed, colour_, line);
  }
  emit(line);
}

void Log::emit(std::string& line) {
  if (line.size() >= kLineBytesMax) line.resize(codec::utf8_prefix(line, kLineBytesMax - 1).size());
  line += '\n';
  const std::lock_guard lock(mutex_);
  pollfd ready{fd_, POLLOUT, 0};
  if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
    lost_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  ssize_t written;
  do {
    written = ::write(fd_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(line.size())) lost_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace gatehouse::telemetry
