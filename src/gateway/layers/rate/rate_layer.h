#pragma once
// How much a client may ask for: the limits of every route, then the route's own; rates and requests in flight.
//
// Two instances, one per phase: limits whose key names the user or the API key are decided after authentication, all
// others before it, so that a flood costs no signature check.
// A key part that the request doesn't have (no user on a public route, no such header) counts by the client's address
// instead: what is unknown must neither go free nor share one bucket with everybody else.
// A request refused by one limit has still been counted by those before it.
// Answer: RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), Retry-After on a refusal. GCRA has no
// window that ends; a policy is stated as its burst `q` and the time `w` in which an empty bucket fills.

#include <optional>
#include <string>
#include <vector>

#include "gateway/layers/layer.h"
#include "gateway/layers/phase.h"
#include "gateway/layers/rate/rate_table.h"
#include "gateway/layers/rate/schedule.h"

namespace gatehouse::gateway {

class SharedState;

class RateLayer final : public Layer {
 public:
  RateLayer(const Config& config, SharedState& state, const Clock& clock, Phase phase);

  bool empty() const noexcept { return empty_; }  // no limit belongs to this phase: the layer can be left out

  telemetry::Layer id() const noexcept override { return telemetry::Layer::rate; }
  Decision decide(Request& request) const override;
  void on_response(Request& request, http::ResponseHead& response) const override;
  void on_end(Request& request, int status) const override;

 private:
  struct Limit {
    std::uint64_t identity = 0;  // of its content, so that a reload that leaves it alone keeps its counts
    std::vector<RateKeyPart> key;
    RateLimit rate;
    RateCost cost;
    std::uint32_t concurrent = 0;  // not 0: a bound on requests in flight
    Schedule schedule;
    std::string text;    // "100/s burst 200"
    std::string name;    // quoted, for the answer: "\"client_ip\""
    std::string policy;  // "\"client_ip\";q=200;w=2"
  };

  static std::optional<Limit> compile(const RateLimitConfig& config, std::string_view scope, Phase phase);
  static void name_limits(std::vector<Limit>& limits, const std::vector<Limit>& before);
  Decision apply(const Limit& limit, Request& request, std::optional<LocalMoment>& moment) const;
  Decision apply_rate(const Limit& limit, std::uint64_t key, Request& request) const;
  Decision apply_concurrent(const Limit& limit, std::uint64_t key, Request& request) const;

  SharedState& state_;
  Phase phase_;
  bool empty_ = true;
  std::vector<Limit> global_;
  std::vector<std::vector<Limit>> routes_;  // by route index
  LocalTime local_time_;
};

}  // namespace gatehouse::gateway
