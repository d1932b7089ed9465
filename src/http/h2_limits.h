#pragma once
// Bounds of an HTTP/2 connection: on what a peer may send, hold and make us do.
//
// Frames that cost the peer nothing are counted by leaky counters, one per kind. A counter holds a theoretical arrival
// time (GCRA), so that it is one word and needs no timer: every event moves it `1 / per_second` into the future, and
// more than `burst` events ahead of now is a flood. Work that the peer has paid for (an answer taken, data
// acknowledged) gives events back through `forgive`, so that a busy honest peer never comes near.
//
// Sources: CVE-2023-44487 (rapid reset), CVE-2025-8671 (MadeYouReset), CVE-2024-27316 (CONTINUATION), CVE-2019-9511 to
// 9518 (window, ping, reset, settings, priority, empty frames).

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace gatehouse::http {

struct FloodBound {
  std::uint32_t burst;       // events at once after a pause
  std::uint32_t per_second;  // at least 1
};

struct H2FloodBounds {
  FloodBound resets{200, 20};           // RST_STREAM before the answer was complete; every answer taken forgives one
  FloodBound provoked_resets{100, 10};  // streams that we had to reset or refuse; forgiven likewise
  FloodBound settings{20, 1};
  FloodBound pings{200, 20};             // every DATA frame that we send forgives one: gRPC probes its window that way
  FloodBound idle_frames{200, 50};       // empty DATA, PRIORITY, unknown types, frames of streams that are gone
  FloodBound window_updates{2000, 500};  // every DATA frame of a KiB or more that we send forgives four
  FloodBound stalls{16, 1};              // streams cut because the peer took nothing of their data
  std::uint32_t continuations_max = 16;  // of one header block
  std::uint32_t acks_max = 200;          // of SETTINGS and PING, waiting for a peer that does not read
};

struct H2Limits {
  // Of one header block, in RFC 9113's measure: names, values, and 32 bytes a field (§6.5.2). Past it the message is
  // refused; past `kExpansionFactor` times it the connection is.
  std::size_t header_bytes = 32 * 1024;
  std::size_t headers = 100;
  std::size_t uri_bytes = 8 * 1024;
  bool allow_underscore_names = false;

  std::uint32_t streams_max = 100;  // open at once
  std::uint32_t stream_window_bytes = 256 * 1024;
  std::uint32_t connection_window_bytes = 1024 * 1024;

  Duration header_timeout = std::chrono::seconds(10);  // from a header block's first byte to its end; of the preface
  Duration idle_timeout = std::chrono::seconds(60);    // without a stream
  Duration stall_timeout = std::chrono::seconds(60);   // for a peer that takes nothing of what waits for it
  std::uint32_t body_min_rate = 500;                   // bytes a second over five seconds; 0: no bound

  H2FloodBounds flood;

  static constexpr std::size_t kExpansionFactor = 4;
};

class LeakyCounter {
 public:
  // Counts one event. false: past the bound.
  bool admit(MonotonicTime now, const FloodBound& bound) noexcept {
    if (arrival_ < now) arrival_ = now;
    arrival_ += interval(bound);
    return arrival_ - now <= interval(bound) * bound.burst;
  }
  void forgive(std::uint32_t events, const FloodBound& bound) noexcept { arrival_ -= interval(bound) * events; }

 private:
  static Duration interval(const FloodBound& bound) noexcept {
    return Duration(std::chrono::seconds(1)) / bound.per_second;
  }
  MonotonicTime arrival_{};
};

}  // namespace gatehouse::http
