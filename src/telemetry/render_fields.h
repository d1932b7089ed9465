#pragma once
// What the mappers of a decision record to JSON share, for this module's .cc files.

#include <arpa/inet.h>

#include <cstdint>
#include <string_view>

#include "base/ip.h"
#include "codec/json_writer.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {

inline constexpr std::string_view kCut = "…";

// A field of text: `key` is everything up to and including the opening quote. Inlined so that a key's length is a
// constant: copying it is then a few moves and no call.
[[gnu::always_inline]] inline void text_field(codec::JsonWriter& json, std::string_view key, std::string_view value,
                                              std::size_t bytes_max = kTextBytesMax) {
  json.raw(key);
  if (value.size() <= bytes_max) [[likely]] {
    json.escaped(value);
  } else {
    json.escaped(codec::utf8_prefix(value, bytes_max));
    json.raw(kCut);
  }
}

// The same with its closing quote, and nothing at all where there is no value: most schemas want absent, not empty.
[[gnu::always_inline]] inline void text_if_any(codec::JsonWriter& json, std::string_view key, std::string_view value,
                                               std::size_t bytes_max = kTextBytesMax) {
  if (value.empty()) return;
  text_field(json, key, value, bytes_max);
  json.raw("\"");
}

[[gnu::always_inline]] inline void number_field(codec::JsonWriter& json, std::string_view key, std::uint64_t value) {
  json.raw(key);
  json.number(value);
}

// Empty for a client on a Unix socket. In render.cc.
std::string_view format_ip(const IpAddress& ip, char (&buffer)[INET6_ADDRSTRLEN]) noexcept;

// Empty where the request had no trace.
inline std::string_view trace_of(const RecordSummary& record) noexcept {
  return {record.trace_id.data(), record.trace_id[0] == '\0' ? 0 : record.trace_id.size()};
}

// "shop.example" and "8443" of "shop.example:8443"; the port is empty where none is written.
struct HostAndPort {
  std::string_view name, port;
};
inline HostAndPort split_host(std::string_view host) noexcept {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return {host, {}};
  const std::string_view port = host.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos)
    return {host, {}};
  return {host.substr(0, colon), port};
}

// The decisions that say something: all but those of layers that let the request pass without remark.
inline bool says_something(const LayerDecision& decision) noexcept {
  return decision.verdict != Verdict::pass || !decision.reason.empty();
}

// `,"layers":[…]` of the decisions that say something, or nothing. In ecs.cc.
void append_decisions(codec::JsonWriter& json, const DecisionRecord& record);

}  // namespace gatehouse::telemetry
