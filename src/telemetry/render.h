#pragma once
// A decision record as one line of text: JSON (the fields of docs/configuration.md "Access log", always all of them, in
// that order, and `waf` behind them when an inspection rule matched) or the Combined Log Format of Apache and nginx.
//
// Bounds: a path is cut after kPathBytesMax bytes, any other text after kTextBytesMax, at a character's boundary, and
// then ends in "…". A line never contains a line break. Both functions take under a microsecond for a usual record.
//
// Thread safety: any thread; the second's prefix of the time is cached per thread.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "telemetry/decision_record.h"

namespace gatehouse::telemetry {

inline constexpr std::size_t kPathBytesMax = 8192;
inline constexpr std::size_t kTextBytesMax = 1024;

// Both end without a line break.
void append_json(const DecisionRecord& record, std::string& out);
// client - user [time] "METHOD path PROTOCOL" status bytes "-" "-". The record keeps neither referrer nor user agent;
// the two dashes stand for them so that tools which read the format find all their columns.
void append_common(const DecisionRecord& record, std::string& out);

// "2025-06-15T15:06:40.123456Z" (RFC 3339), 27 characters; times outside the years 1970 to 9999 are clamped.
inline constexpr std::size_t kTimeBytes = 27;
std::string_view format_time(WallTime time, char (&buffer)[kTimeBytes]) noexcept;

}  // namespace gatehouse::telemetry
