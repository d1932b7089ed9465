#pragma once
// Where access-log lines go: a file, a stream that others read (stdout into a pipe), or syslog. Called by the access
// log's writer thread alone, so that calls may take their time; each is bounded to a few seconds at worst.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::telemetry {

// Queued bytes, oldest first; the second part continues the first. Whole lines, each with its line break, except that
// the first may continue one that `take` has begun.
using QueuedLines = std::array<std::span<const char>, 2>;

class LogDestination {
 public:
  virtual ~LogDestination() = default;
  // Passes on some bytes from the front and says how many, at least one. On an error nothing more was taken; the same
  // bytes come again later.
  virtual Result<std::size_t> take(const QueuedLines& lines) = 0;
  virtual Status reopen() { return {}; }
};

struct LogTarget {
  enum class Kind : std::uint8_t { off, stdout_, file, syslog_udp, syslog_tcp, syslog_local };
  Kind kind = Kind::off;
  std::string path;  // of the file, or of the local socket
  std::string host;
  std::uint16_t port = 0;
};

// "off", "stdout", a path, "syslog://host[:port]" (UDP, 514), "syslog+tcp://host[:port]" (601) or "tcp://host:port"
// (RFC 6587 octet counting), "syslog:///dev/log". The error says what is wrong with it, for `check`.
Result<LogTarget> parse_log_target(std::string_view text);

// For a file: opens it for appending (0640), an error if that fails. A syslog server is connected when the first line
// comes, and again whenever it went away.
Result<std::unique_ptr<LogDestination>> open_log_destination(const LogTarget& target, const Clock& clock);

// The first line of `lines` without its line break; joined in `scratch` where it wraps. Empty optional: no line break.
bool first_line(const QueuedLines& lines, std::string& scratch, std::string_view& line);

// In syslog.cc; `target.kind` is one of the three.
std::unique_ptr<LogDestination> make_syslog(const LogTarget& target, const Clock& clock);

}  // namespace gatehouse::telemetry
