#pragma once
// Slowing down those who fail, and keeping out those who attack.
//
// Failed logins: an answer with one of the configured statuses (401, 403), whether the upstream's or that of our own
// authentication and authorization, counts against the client's address and, when known, the user. From `threshold` on,
// requests are delayed: `delay`, doubled with each further failure up to `max_delay`. A user who gets in clears the
// user's count; the address keeps its own, or one valid account would hide the guessing of others. A 401 to a request
// that brought no credentials at all is no failure. A service of our own says itself which logins failed
// (local_service.h).
// Attacks: requests refused by the WAF's rules or for a forged signature, and what `record_attack` is told of.
// `threshold` of them within `window` put the address on the ban list, each time for twice as long. Two instances as in
// the rate layer: the address is known before authentication, the user after it. Outcomes are recorded by the first.
// The number of requests held back is bounded (`parked_max`); past it they are refused.

#include "gateway/layers/layer.h"
#include "gateway/layers/phase.h"

namespace gatehouse::gateway {

class SharedState;

class PenaltiesLayer final : public Layer {
 public:
  PenaltiesLayer(const Config& config, SharedState& state, const Clock& clock, Phase phase);

  telemetry::Layer id() const noexcept override { return telemetry::Layer::penalties; }
  Decision decide(Request& request) const override;
  void on_response(Request& request, http::ResponseHead& response) const override;
  void on_end(Request& request, int status) const override;

  // The delay is over: the request gives its parking place back. Optional; `on_end` does it at the latest.
  void resumed(Request& request) const noexcept;

  // For what no layer sees: syntax refused by the codec or the canonical form, floods. The address is banned when this
  // was one too many; then true. Never for the address of a trusted proxy: its clients are not told apart there.
  // Reasons that honest clients cause too (timeouts, closed connections) don't count.
  bool record_attack(const IpAddress& client, std::string_view reason) const;

 private:
  Decision delay_for(std::uint32_t failures, std::string_view whose, Request& request) const;
  void record_outcome(Request& request, int status) const;
  void record_login(Request& request) const;

  const PenaltiesConfig& config_;
  SharedState& state_;
  const Clock& clock_;
  Phase phase_;
};

}  // namespace gatehouse::gateway
