#pragma once
// Inspection of requests for attacks by a SecLang rule set, the OWASP Core Rule Set unless configured otherwise.
//
// It decides in two steps, the head's (phase 1) and the body's (phase 2), between which the exchange collects the body;
// so it is no `Layer`, and the exchange asks it by name, behind authorization. The rules see the canonical request:
// docs/decisions/0008 says which URI, and why. Where the route has its answers inspected, the answer's head (phase 3)
// and body (phase 4) follow on the same transaction.
//
// Thread safety: one instance per snapshot, shared by all shards; what a shard needs comes with the call. Control
// thread for building. Invariants: (1) in monitor mode the same work is done and the same record written as in enforce
// mode; (2) a body that was not inspected whole is either refused, or the route says `on_exceed: partial`, or it
// monitors; an answer's likewise, by `response_on_exceed`; (3) no reason of an answer is one that counts as an attack.

#include <memory>
#include <vector>

#include "gateway/layers/layer.h"
#include "gateway/layers/waf/answer_decoder.h"
#include "gateway/layers/waf/answer_mask.h"
#include "gateway/layers/waf/route_tuning.h"
#include "gateway/layers/waf/waf_shard.h"
#include "telemetry/mask.h"

namespace gatehouse::gateway {

struct WafDecision : Decision {
  std::string_view location;  // for a redirect
  bool close = false;         // the rule says `drop`: nothing further on this connection
};

// One request under inspection.
struct WafInspection {
  WafPin pin;  // a tunnel's, whose messages have a transaction each
  WafLoan transaction;
  std::uint64_t ticks = 0;  // spent so far
  std::string_view target;  // path and query, made once; in the request's arena
};

// Counts the time of its scope as the inspection's.
class WafTimed {
 public:
  explicit WafTimed(WafInspection& inspection) noexcept : inspection_(inspection), from_(CycleClock::ticks()) {
    if (auto* const counters = inspection.transaction.timed()) counters->resume();
  }
  WafTimed(const WafTimed&) = delete;
  WafTimed& operator=(const WafTimed&) = delete;
  ~WafTimed() {
    const std::uint64_t ticks = CycleClock::ticks() - from_;
    inspection_.ticks += ticks;
    if (auto* const counters = inspection_.transaction.timed()) counters->pause(ticks);
  }
  // All of it so far was to read what the rules look at.
  void has_read() const noexcept {
    if (auto* const counters = inspection_.transaction.timed())
      counters->spent(waf::CostPart::reading, CycleClock::ticks() - from_);
  }

 private:
  WafInspection& inspection_;
  std::uint64_t from_;
};

// A denial that is no rule's.
WafDecision waf_denial(Request& request, std::string_view reason, std::uint16_t status, std::string_view why);

class WafLayer {
 public:
  WafLayer(const Config& config, std::shared_ptr<const waf::RuleEngine> engine);

  struct Route {
    Mode mode = Mode::off;
    std::uint64_t request_body = 0;  // inspected bytes; 0: bodies are not looked at
    WafOnExceed on_exceed = WafOnExceed::deny;
    std::uint64_t response_body = 0;  // inspected bytes of an answer; 0: answers are not looked at
    WafOnExceed response_on_exceed = WafOnExceed::deny;
    std::uint64_t websocket_message = 0;         // inspected bytes of a client's message; 0: they are not looked at
    bool mask_cards = false, mask_keys = false;  // in answers
    bool masks() const noexcept { return mask_cards || mask_keys; }
    bool http2 = false;  // its services are spoken to over HTTP/2 only
    std::unique_ptr<const RouteTuning> tuning;
  };
  // Of a request that no route takes, what `waf` says of all.
  const Route& route(const Request& request) const noexcept {
    return request.route != nullptr ? routes_[request.route_index] : routes_.back();
  }
  // Whether the body streams past the rules: gRPC's messages are no text, and the sender may wait for an answer to one
  // before it sends the next. Only where the service can but take it for gRPC: a type by itself is any client's word.
  bool streams_past(const Request& request) const noexcept;
  // Whether secrets in the answers of the request's route are looked for, to act upon or to record.
  bool masks(const Request& request) const noexcept {
    return route(request).masks() && route(request).mode != Mode::off;
  }
  const std::shared_ptr<const waf::RuleEngine>& engine() const noexcept { return engine_; }

  // Phase 1. `raw_target` as it came, `chunked`: the body's length was not announced.
  WafDecision inspect_head(Request& request, std::string_view raw_target, bool chunked, WafShard& shard,
                           WafInspection& inspection) const;
  // Phase 2, once and after a pass of phase 1 only. Not `complete`: the body goes on behind these bytes. `trailers` are
  // fields like others.
  WafDecision inspect_body(Request& request, std::string_view body, bool complete, const http::Fields& trailers,
                           WafShard& shard, WafInspection& inspection) const;
  // Last, whatever was decided: what rules count of a client. It decides nothing, and what phase 5 would log is in the
  // decision record already.
  void finish(WafInspection& inspection) const;
  // A body longer than is inspected.
  WafDecision refuse_length(Request& request, std::uint64_t bytes) const;

  // Phase 3, after phase 2 and whatever became of that in monitor mode.
  WafDecision inspect_answer_head(Request& request, const http::ResponseHead& answer, WafInspection& inspection) const;
  // Whether the body of such an answer is for the rules: it is text, and no stream of events.
  bool reads_answer_body(const http::ResponseHead& answer) const noexcept;
  // Phase 4, once. Not `complete`: the body goes on behind these bytes.
  WafDecision inspect_answer_body(Request& request, const http::ResponseHead& answer, std::string_view body,
                                  bool complete, WafShard& shard, WafInspection& inspection) const;
  WafDecision refuse_answer_length(Request& request, std::uint64_t bytes) const;

  // A client's text message, as the body of the request that opened the tunnel: phases 1 and 2 on a transaction of its
  // own. `told`: the record tells of a refused one already.
  WafDecision inspect_message(Request& request, std::string_view raw_target, std::string_view text, bool complete,
                              bool told, WafShard& shard, WafInspection& inspection) const;

  // What takes the secrets out of such an answer's body; null: the route masks none, or it is no text.
  std::unique_ptr<AnswerMask> mask_for(const Request& request, const http::ResponseHead& answer) const;
  static waf::ContentCoding coding_of(const http::ResponseHead& answer) noexcept;

 private:
  waf::Transaction& begin(Request& request, std::string_view raw_target, bool chunked, WafShard& shard,
                          WafInspection& inspection) const;
  enum class Step : std::uint8_t { head, body, answer_head, answer_body };
  WafDecision judge(Request& request, const waf::Transaction& transaction, Step step, std::string_view body) const;
  void tell(Request& request, const waf::Transaction& transaction, Step step, std::string_view body,
            WafDecision& decision) const;

  std::shared_ptr<const waf::RuleEngine> engine_;
  telemetry::Masker masker_;
  waf::Transaction::Settings settings_;
  std::vector<std::string> text_types_;  // of answers that are read; empty: the usual ones
  std::vector<Route> routes_;            // by index; the last for requests without a route
};

}  // namespace gatehouse::gateway
