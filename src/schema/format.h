#pragma once
// The formats of JSON Schema and OpenAPI that are checked, strictly: what a service's own parser may read in two ways
// is refused here.
//
// Thread safety: functions without state. Linear in the text.
// Source: RFC 3339 §5.6, RFC 4122 §3, RFC 5321 §4.1.2 (without quoted local parts and address literals), RFC 4291
// §2.2, RFC 1123 §2.1, RFC 4648 §4; OpenAPI 3.0.3 "Data Types".

#include <cstdint>
#include <optional>
#include <string_view>

namespace gatehouse::schema {

enum class Format : std::uint8_t {
  none,
  date,       // 2026-02-28, a day that exists
  date_time,  // with an offset; a leap second only as the last of a day in UTC
  time,
  uuid,
  email,
  hostname,
  ipv4,
  ipv6,
  byte,    // base64 with its padding
  binary,  // any bytes
  int32,
  int64,
  single_precision,  // `float`: |x| ≤ 3.4e38
  double_precision,
};

// Empty: a format that is not checked.
std::optional<Format> format_named(std::string_view name) noexcept;
std::string_view name_of(Format format) noexcept;

// Whether a string has the format. True for the formats of numbers, and for none and binary.
bool has_format(Format format, std::string_view text) noexcept;

}  // namespace gatehouse::schema
