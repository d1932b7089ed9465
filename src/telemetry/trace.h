#pragma once
// Request ids, and the W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1) that ties our record to the
// spans of the services behind us.
//
// An inbound `traceparent` from outside is a stranger's word: it is kept as a link, and a new trace begins here. Only
// on a listener that trusts its peers is it the parent, and only then does `tracestate` travel on.
//
// Thread safety: `IdGenerator` belongs to one shard; everything else is a value.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::telemetry {

// 128 and 64 bits in lower-case hexadecimal, never all zero.
using TraceId = std::array<char, 32>;
using SpanId = std::array<char, 16>;
// 26 characters of lower-case Crockford base32: 48 bits of milliseconds, 80 random bits (as a ULID), so ids sort by
// time.
using RequestId = std::array<char, 26>;

struct TraceParent {
  TraceId trace_id;
  SpanId span_id;
  std::uint8_t flags;  // bit 0: sampled
};

// §3.2.2. What has been sent twice must not be given here: it is invalid. Version "ff", upper case, all-zero ids, a
// wrong length, or anything but '-' after the flags of a later version is invalid.
std::optional<TraceParent> parse_traceparent(std::string_view value) noexcept;

// §3.3: list members `key=value`, at most 32 and 512 bytes, each key once.
bool is_tracestate(std::string_view value) noexcept;

// "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
inline constexpr std::size_t kTraceParentBytes = 55;

// The trace of one request as we pass it on.
struct TraceContext {
  TraceId trace_id;
  SpanId span_id;  // ours: the parent of the upstream's span
  std::uint8_t flags = 1;
  std::optional<TraceParent> parent;  // trusted
  std::optional<TraceParent> link;    // inbound, not trusted
  std::string_view tracestate;        // to pass on; a view of the inbound field. Empty unless `parent`

  std::array<char, kTraceParentBytes> traceparent() const noexcept;
};

class IdGenerator {
 public:
  // Seeds from the kernel. Fails only where getrandom does.
  static Result<IdGenerator> create();
  explicit IdGenerator(const std::array<std::uint64_t, 4>& seed) noexcept;  // for tests

  RequestId request_id(WallTime now) noexcept;
  // `traceparent`, `tracestate`: the inbound fields' values, empty when absent or repeated.
  TraceContext begin(std::string_view traceparent, std::string_view tracestate, bool trust_peer) noexcept;
  SpanId span_id() noexcept;  // for another attempt of the same request

 private:
  std::uint64_t next() noexcept;

  std::array<std::uint64_t, 4> state_;
};

// The id of a request's own span, of the random bits at the end of the request's id: so that whoever exports the span
// later needs only the record.
SpanId span_of_request(std::string_view request_id) noexcept;

// Could `text` be a request id of ours? For lookups: what is not one need not be searched.
bool is_request_id(std::string_view text) noexcept;

}  // namespace gatehouse::telemetry
