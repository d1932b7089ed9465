// The client's text messages in a WebSocket tunnel under inspection: each is judged before it goes upstream.

#include "gateway/proxy/exchange.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {

std::uint16_t Exchange::judge_message(std::string_view text, bool complete) {
  const WafLayer& waf = *snapshot_->waf;
  const bool told = messages_refused_ != 0;
  const WafDecision decision =
      waf.inspect_message(*request_, raw_target_, text, complete, told, shard_.waf(), inspection_);
  // Phase 5 counts what clients do: of messages it hears when one is refused.
  if (decision.verdict != Verdict::pass) waf.finish(inspection_);
  for (const std::size_t phase : {1, 2, 5}) shard_.count_inspection(phase, inspection_.transaction->spent(phase));
  inspection_.transaction.give_back();
  if (decision.verdict != Verdict::pass) return refuse_message(decision, http::WebSocketInspector::kPolicyViolation);
  inspection_.ticks = 0;
  return 0;
}

std::uint16_t Exchange::message_is_longer() {
  const WafLayer::Route& route = snapshot_->waf->route(*request_);
  if (route.on_exceed == WafOnExceed::partial) return 0;
  WafDecision longer;
  longer.verdict = Verdict::deny;
  longer.reason = "waf.message_too_large";
  return refuse_message(longer, http::WebSocketInspector::kTooBig);
}

// Of a tunnel's messages the record tells of the first that is refused: in monitor mode there may be many.
std::uint16_t Exchange::refuse_message(const WafDecision& decision, std::uint16_t close_code) {
  if (messages_refused_++ == 0) record_inspection(decision);
  inspection_.ticks = 0;
  message_closes_ = snapshot_->waf->route(*request_).mode == Mode::enforce;
  return message_closes_ ? close_code : std::uint16_t{0};
}

// Both sides are told. What was let pass before goes on; the upstream's close is not waited for.
void Exchange::message_refused(std::uint16_t close_code, std::string_view ready) {
  std::string last(ready);
  if (up_ != nullptr) {
    http::append_close_frame(close_code, true, last);
    up_->send_body(last, http::End::no);
  }
  if (up_ != nullptr) up_->send_body({}, http::End::yes);
  // What it still sends is dropped; its end must be seen.
  if (up_ != nullptr && std::exchange(upstream_paused_, false)) up_->resume_reading();
  if (down_ != nullptr) close_towards_client(close_code);
}

}  // namespace gatehouse::gateway
