#pragma once
// A layer: one small class with one job. It looks at the request and says pass, deny, delay or answer.
//
// Thread safety: one instance per configuration snapshot, shared by all shards, so every call is const; what must be
// remembered between requests lives in `SharedState`, in lock-free tables that survive a reload.
// A layer decides as if it were in enforce mode; the exchange applies the mode. It never throws and never blocks.

#include <string_view>

#include "gateway/request.h"

namespace gatehouse::gateway {

using telemetry::Verdict;

struct Decision {
  Verdict verdict = Verdict::pass;
  std::string_view reason;     // static: "rate.exceeded". Empty only for an unremarkable pass
  std::string_view evidence;   // in the request's arena or static; masked
  std::uint16_t status = 0;    // for deny and answer
  Duration delay{};            // for delay
  std::string_view challenge;  // for a 401: the WWW-Authenticate value
  std::string_view location;   // for a 303
  std::string_view allow;      // for a 405: the methods there are; outlives the exchange
};

class Layer {
 public:
  virtual ~Layer() = default;
  virtual telemetry::Layer id() const noexcept = 0;
  virtual Decision decide(Request& request) const = 0;
  // May add or change fields of the answer, whoever made it (the upstream, or us). Views must outlive the exchange.
  virtual void on_response(Request&, http::ResponseHead&) const {}
  // Whether `on_response` is called for every answer of a route, those of layers that refused before this one's turn
  // included; otherwise only where `decide` was called. Never where the layer's mode is off.
  virtual bool decorates_every_response() const noexcept { return false; }
  // Once per request for which `decide` was called, after everything, with the status that was sent (0: none).
  virtual void on_end(Request&, int /*status*/) const {}
};

}  // namespace gatehouse::gateway
