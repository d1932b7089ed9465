// The WAF's part of an exchange: the head is judged at once, the body when it has come, and nothing goes upstream
// before that.

#include "gateway/proxy/exchange.h"
#include "gateway/proxy/spent.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {
namespace {

// What a request under inspection holds besides its body, roughly.
constexpr std::uint64_t kTransactionBytes = 48 * 1024;

}  // namespace

// Behind the layers, and in front of the upstream.
void Exchange::inspect() {
  const WafLayer& waf = *snapshot_->waf;
  const WafLayer::Route& route = waf.route(*request_);
  if (route.mode == Mode::off) return forward();
  // A tunnel's bytes are no body; where there is one they follow the answer.
  const bool body_follows = !request_ended_ && !extended_connect_;
  const bool chunked =
      body_follows && !request_->message.content_length && request_->message.version != http::Version::http2;
  inspection_.ticks = 0;
  const WafDecision head = waf.inspect_head(*request_, raw_target_, chunked, shard_.waf(), inspection_);
  if (head.verdict != Verdict::pass) return conclude(head);
  const waf::Transaction& transaction = *inspection_.transaction;
  const bool looks =
      route.request_body != 0 && transaction.inspects_request_body() && transaction.mode() != waf::EngineMode::off;
  if (!looks || (!body_follows && body_.empty())) return inspect_collected(BodyIs::complete);
  const std::uint64_t announced = request_->message.content_length.value_or(0);
  if (announced > route.request_body && route.on_exceed == WafOnExceed::deny && route.mode == Mode::enforce)
    return conclude(waf.refuse_length(*request_, announced));
  if (!body_follows) {  // all of it came while the request was parked
    if (collected()) inspect_collected(BodyIs::complete);
    return;
  }
  if (!hold(kTransactionBytes)) return;
  state_ = State::inspecting;
  last_activity_ = shard_.loop().now();
  shard_.loop().arm(timer_, request_->listener->limits.idle_timeout);
  if (request_->message.expect_continue) {
    http::ResponseHead go_on;
    go_on.status = 100;
    down_->send_informational(go_on);
  }
  if (!body_.empty() && !collected()) return;
  if (body_paused_) body_paused_ = false, down_->resume_reading();
}

// More of the body has come into `body_`. False: its inspection is over.
bool Exchange::collected() {
  const std::uint64_t more = body_.size() + kTransactionBytes - held_bytes_;
  if (!hold(more)) return false;
  last_activity_ = shard_.loop().now();
  const WafLayer::Route& route = snapshot_->waf->route(*request_);
  if (body_.size() <= route.request_body) return true;
  if (route.on_exceed == WafOnExceed::deny) {
    const WafDecision longer = snapshot_->waf->refuse_length(*request_, body_.size());
    if (route.mode == Mode::enforce) {
      conclude(longer);
      return false;
    }
    record_inspection(longer);
  }
  inspect_collected(BodyIs::cut);
  return false;
}

void Exchange::inspect_collected(BodyIs body_is) {
  const WafLayer& waf = *snapshot_->waf;
  const std::string_view body = std::string_view(body_).substr(0, waf.route(*request_).request_body);  // 0: none
  conclude(waf.inspect_body(*request_, body, body_is == BodyIs::complete, trailers_, shard_.waf(), inspection_));
}

// Counts bytes as held back for inspection. False: there are too many, and the inspection is over.
bool Exchange::hold(std::uint64_t bytes) {
  if (shard_.services().state.inspected().take(bytes, snapshot_->config->waf.memory)) {
    held_bytes_ += bytes;
    return true;
  }
  WafDecision full;
  full.verdict = Verdict::deny;
  full.reason = "waf.memory";
  full.status = 503;
  if (snapshot_->waf->route(*request_).mode == Mode::enforce) {
    conclude(full);
  } else {
    record_inspection(full);
    inspect_collected(BodyIs::cut);
  }
  return false;
}

void Exchange::record_inspection(const WafDecision& decision) {
  telemetry::LayerDecision entry;
  entry.layer = telemetry::Layer::waf;
  entry.verdict = decision.verdict;
  entry.mode = snapshot_->waf->route(*request_).mode;
  entry.ns = static_cast<std::uint32_t>(CycleClock::to_ns(std::exchange(inspection_.ticks, 0)));
  entry.reason = decision.reason;
  entry.evidence = decision.evidence;
  record_.add(entry);
}

void Exchange::conclude(const WafDecision& decision) {
  record_inspection(decision);
  inspection_over();
  // What was held stays counted until it is on its way: the request may have to wait in line.
  if (decision.verdict == Verdict::pass || snapshot_->waf->route(*request_).mode == Mode::monitor) {
    state_ = State::deciding;
    forward();
    return;
  }
  release_held();
  if (decision.close) down_->close_after();
  respond(decision.status, decision.reason, {}, {}, decision.location);
}

void Exchange::inspection_over() noexcept {
  timer_.cancel();
  if (inspection_.transaction) {
    for (std::size_t phase = 1; phase <= 2; ++phase)
      shard_.count_inspection(phase, inspection_.transaction->spent(phase));
  }
  inspection_.transaction.give_back();
}

void Exchange::release_held() noexcept {
  if (held_bytes_ != 0) shard_.services().state.inspected().give_back(std::exchange(held_bytes_, 0));
}

// A stream whose sender owes us the rest, and whose codec lets it take its time.
void Exchange::inspection_timer() {
  const MonotonicTime due = last_activity_ + request_->listener->limits.idle_timeout;
  const MonotonicTime now = shard_.loop().now();
  if (now < due) {
    shard_.loop().arm(timer_, due - now);
    return;
  }
  inspection_over();
  release_held();
  note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::body_too_slow), {});
  respond(http::reason_status(http::Reason::body_too_slow), http::reason_code(http::Reason::body_too_slow));
}

}  // namespace gatehouse::gateway
