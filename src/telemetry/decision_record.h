#pragma once
// What was decided about one request, by whom, why, on which evidence and at what cost. The one source of the access
// log, the metrics, `gatehouse explain` and everything later that asks "why".
//
// One owner: the request. Views point into the request's arena, the configuration snapshot or static storage, and die
// with the request; the line that `append_json` (render.h) makes of it is what outlives it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"
#include "telemetry/waf_record.h"

namespace gatehouse::telemetry {

enum class Verdict : std::uint8_t { pass, deny, delay, answer };
enum class Mode : std::uint8_t { enforce, monitor, off };
enum class Layer : std::uint8_t {
  http,  // parsing, canonical form, bounds of the codec
  bans,
  zone,
  limits,
  rate,
  penalties,
  authentication,
  authorization,
  cors,
  schema,
  waf,
  cache,
  upstream,
  header_policy,
  count_,
};
std::string_view name_of(Layer layer) noexcept;      // "rate"
std::string_view name_of(Verdict verdict) noexcept;  // "deny"
std::string_view name_of(Mode mode) noexcept;        // "enforce"

struct LayerDecision {
  Layer layer = Layer::http;
  Verdict verdict = Verdict::pass;
  Mode mode = Mode::enforce;
  std::uint32_t ns = 0;
  std::string_view reason;    // stable code, "rate.exceeded"; empty when it passed without remark
  std::string_view evidence;  // for people: "client_ip 203.0.113.9: 201 of 200 in the burst"; already masked
};

// All of a record but the layers' decisions.
struct RecordSummary {
  WallTime time;
  std::string_view request_id;  // 26 characters, sorts by time
  std::array<char, 32> trace_id{};
  IpAddress client_ip;
  std::string_view zone, listener, route, service, endpoint;
  std::string_view method, host, path;  // path without the query: queries carry secrets
  std::string_view protocol;            // "HTTP/1.1"
  int status = 0;                       // 0: the client went away before an answer
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t duration_us = 0;   // first byte of the request to last byte of the response
  std::uint64_t upstream_us = 0;   // waiting for the upstream
  std::uint64_t gatehouse_us = 0;  // our own share of duration_us: everything but the upstream and the client's pace
  std::string_view user, auth;     // auth: "jwt", "api_key", "client_certificate", "none"
  std::string_view tls;            // "TLSv1.3"; empty on plain connections
  // What became of the request: the first layer that did anything but pass in enforce mode. A delay is not the end, so
  // a denial or an answer after it takes its place.
  Verdict verdict = Verdict::pass;
  Layer layer = Layer::upstream;
  std::string_view reason;
  const WafRecord* waf = nullptr;  // what the inspection rules found; null: nothing
};

struct DecisionRecord : RecordSummary {
  static constexpr std::size_t kLayersMax = 24;
  std::array<LayerDecision, kLayersMax> layers;
  std::uint8_t layer_count = 0;

  // Adds a layer's decision; the request's own verdict follows it when it is the first to act in enforce mode. Past
  // kLayersMax it is dropped (there are fewer layers than that; retries are counted in evidence).
  void add(const LayerDecision& decision) noexcept;

  // As new. Leaves the places of decisions alone, which are the most of a record and count for nothing.
  void clear() noexcept {
    static_cast<RecordSummary&>(*this) = {};
    layer_count = 0;
  }
};

}  // namespace gatehouse::telemetry
