// The WAF's part of an exchange, and the positive model's as far as bodies go: the head is judged at once, the body
// when it has come, and nothing goes upstream before that.

#include <algorithm>

#include "gateway/proxy/exchange.h"
#include "gateway/proxy/spent.h"
#include "gateway/server/shard.h"
#include "waf/body/content_coding.h"

namespace gatehouse::gateway {
namespace {

// A model's body is collected as far as the WAF's, or so far where the WAF looks at none.
constexpr std::uint64_t kModelledBytesMax = 128 * 1024;

std::uint64_t waf_or_default(std::uint64_t request_body) noexcept {
  return request_body != 0 ? request_body : kModelledBytesMax;
}

}  // namespace

// Behind the layers, and in front of the upstream.
void Exchange::inspect() {
  const WafLayer& waf = *snapshot_->waf;
  const WafLayer::Route& route = waf.route(*request_);
  const bool modelled = SchemaLayer::wants_body(*request_);
  if (route.mode == Mode::off && !modelled) return forward();
  // A tunnel's bytes are no body; where there is one they follow the answer.
  const bool body_follows = !request_ended_ && !extended_connect_;
  const bool chunked =
      body_follows && !request_->message.content_length && request_->message.version != http::Version::http2;
  inspection_.ticks = 0;
  bool looks = false;
  if (route.mode != Mode::off) {
    const WafDecision head = waf.inspect_head(*request_, raw_target_, chunked, shard_.waf(), inspection_);
    if (head.verdict != Verdict::pass) return conclude(head);
    const waf::Transaction& transaction = *inspection_.transaction;
    looks = route.request_body != 0 && transaction.inspects_request_body() &&
            transaction.mode() != waf::EngineMode::off && !waf.streams_past(*request_);
  }
  if ((!looks && !modelled) || (!body_follows && body_.empty())) return inspect_collected(BodyIs::complete);
  const std::uint64_t announced = request_->message.content_length.value_or(0);
  if (looks && announced > route.request_body && route.on_exceed == WafOnExceed::deny && route.mode == Mode::enforce)
    return conclude(waf.refuse_length(*request_, announced));
  if (!body_follows) {  // all of it came while the request was parked
    if (collected()) inspect_collected(BodyIs::complete);
    return;
  }
  if (!hold(transaction_bytes())) return;
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

// What no route takes goes nowhere, but says who sends it: attacks count, wherever they are aimed. The head only.
// False: it has been refused.
bool Exchange::unrouted_may_pass() {
  const WafLayer& waf = *snapshot_->waf;
  const Mode mode = waf.route(*request_).mode;
  if (mode == Mode::off) return true;
  inspection_.ticks = 0;
  WafDecision decision = waf.inspect_head(*request_, raw_target_, false, shard_.waf(), inspection_);
  if (decision.verdict == Verdict::pass)
    decision = waf.inspect_body(*request_, {}, true, trailers_, shard_.waf(), inspection_);
  record_inspection(decision);
  inspection_over();
  if (decision.verdict == Verdict::pass || mode == Mode::monitor) return true;
  if (decision.close) down_->close_after();
  respond(decision.status, decision.reason, {}, {}, decision.location);
  return false;
}

// More of the body has come into `body_`. False: its inspection is over.
bool Exchange::collected() {
  if (!hold(body_.size() + transaction_bytes())) return false;
  last_activity_ = shard_.loop().now();
  const WafLayer::Route& route = snapshot_->waf->route(*request_);
  if (body_.size() <= (SchemaLayer::wants_body(*request_) ? waf_or_default(route.request_body) : route.request_body))
    return true;
  if (route.on_exceed == WafOnExceed::deny && route.mode != Mode::off && route.request_body != 0) {
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
  if (SchemaLayer::wants_body(*request_) && !model_lets_pass(body_is)) return;
  const WafLayer& waf = *snapshot_->waf;
  const WafLayer::Route& route = waf.route(*request_);
  if (route.mode == Mode::off) {
    inspection_over();
    state_ = State::deciding;
    return forward();
  }
  const std::string_view body = std::string_view(body_).substr(0, route.request_body);  // 0: none
  const bool complete = body_is == BodyIs::complete && (route.request_body == 0 || body.size() == body_.size());
  conclude(waf.inspect_body(*request_, body, complete, trailers_, shard_.waf(), inspection_));
}

// What the route's OpenAPI document says of the body. False: it has been refused.
bool Exchange::model_lets_pass(BodyIs body_is) {
  const std::uint64_t from = CycleClock::ticks();
  const Decision decision = judge_by_model(body_is);
  telemetry::LayerDecision entry;
  entry.layer = telemetry::Layer::schema;
  entry.verdict = decision.verdict;
  entry.mode = snapshot_->config->mode(telemetry::Layer::schema, request_->route);
  entry.ns = static_cast<std::uint32_t>(CycleClock::to_ns(CycleClock::ticks() - from));
  entry.reason = decision.reason;
  entry.evidence = decision.evidence;
  record_.add(entry);
  if (decision.verdict == Verdict::pass || entry.mode == Mode::monitor) return true;
  inspection_over();
  respond(decision.status, decision.reason);
  return false;
}

Decision Exchange::judge_by_model(BodyIs body_is) {
  const auto refused = [](std::string_view reason, std::uint16_t status, std::string_view why) {
    return Decision{.verdict = Verdict::deny, .reason = reason, .evidence = why, .status = status};
  };
  if (body_is == BodyIs::cut) return refused("schema.body_too_large", 413, "the body is longer than is read");
  const http::Fields& fields = request_->message.fields;
  const auto field = fields.get("content-encoding");
  if (!field) return snapshot_->schema->decide_body(*request_, body_);
  const auto coding =
      fields.count("content-encoding") > 1 ? waf::ContentCoding::unknown : waf::content_coding_of(*field);
  if (coding == waf::ContentCoding::unknown)
    return refused("schema.content_type", 415, "the body has a coding that is not read: gzip, deflate and br are");
  if (coding == waf::ContentCoding::identity) return snapshot_->schema->decide_body(*request_, body_);
  waf::DecodingLimits limits;
  limits.bytes_max = waf_or_default(snapshot_->waf->route(*request_).request_body);
  std::string& decoded = shard_.waf().decoded();
  const waf::DecodedContent result = waf::decode_content(coding, body_, limits, decoded);
  if (result.error == waf::BodyError::too_large) return refused("schema.body_too_large", 413, result.message);
  if (result.error != waf::BodyError::none) return refused("schema.body", 400, result.message);
  return snapshot_->schema->decide_body(*request_, decoded);
}

// Counts so many bytes as held back for inspection. False: there are too many, and the inspection is over.
bool Exchange::hold(std::uint64_t bytes) {
  if (hold_just(bytes)) return true;
  const Mode mode = snapshot_->waf->route(*request_).mode;
  if (mode == Mode::enforce) {
    conclude(memory_taken());
  } else {
    if (mode == Mode::monitor) record_inspection(memory_taken());
    inspect_collected(BodyIs::cut);
  }
  return false;
}

bool Exchange::take_held(std::uint64_t bytes) noexcept {
  if (!shard_.services().state.inspected().take(bytes, snapshot_->config->waf.memory)) return false;
  held_bytes_ += bytes;
  return true;
}

// No more than that, and no less.
bool Exchange::hold_just(std::uint64_t bytes) noexcept {
  if (bytes > held_bytes_) return take_held(bytes - held_bytes_);
  shard_.services().state.inspected().give_back(held_bytes_ - bytes);
  held_bytes_ = bytes;
  return true;
}

// What was inspected has gone to the upstream, or waits until that takes it: then it is held still.
void Exchange::count_held() noexcept {
  if (held_bytes_ == 0 || state_ == State::tunnel) return;  // a tunnel holds messages
  const std::uint64_t unsent = up_ != nullptr ? up_->buffered() : 0;
  const std::uint64_t here =
      transaction_bytes() + answer_.size() + decoder_held_ + std::max<std::uint64_t>(body_.size(), unsent);
  if (here < held_bytes_) hold_just(here);
}

// Besides the body: what the rules have seen of the request, and know of it.
std::uint64_t Exchange::transaction_bytes() const noexcept {
  return inspection_.transaction ? inspection_.transaction->bytes() : 0;
}

WafDecision Exchange::memory_taken() noexcept {
  WafDecision full;
  full.verdict = Verdict::deny;
  full.reason = "waf.memory";
  full.status = 503;
  return full;
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
  const bool passes = decision.verdict == Verdict::pass || snapshot_->waf->route(*request_).mode == Mode::monitor;
  if (passes && keeps_transaction()) {
    timer_.cancel();
    if (!hold_just(body_.size() + transaction_bytes())) {
      if (snapshot_->waf->route(*request_).mode == Mode::enforce) return conclude(memory_taken());
      record_inspection(memory_taken());
      inspection_over();
    }
  } else {
    inspection_over();
  }
  // What was held stays counted until it is sent: the request may have to wait in line, and then for the upstream to
  // read it.
  if (passes) {
    state_ = State::deciding;
    trailers_unseen_ = !request_ended_ && snapshot_->waf->route(*request_).mode == Mode::enforce;
    forward();
    return;
  }
  if (decision.close) down_->close_after();
  respond(decision.status, decision.reason, {}, {}, decision.location);
}

void Exchange::inspection_over() noexcept {
  timer_.cancel();
  if (inspection_.transaction) {
    snapshot_->waf->finish(inspection_);
    for (std::size_t phase = 1; phase <= waf::Program::kPhases; ++phase)
      shard_.count_inspection(phase, inspection_.transaction->spent(phase));
  }
  inspection_.transaction.give_back();
}

// For the answer.
bool Exchange::keeps_transaction() const noexcept {
  return inspection_.transaction && snapshot_->waf->route(*request_).response_body != 0 &&
         inspection_.transaction->mode() != waf::EngineMode::off;
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
  note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::body_too_slow), {});
  respond(http::reason_status(http::Reason::body_too_slow), http::reason_code(http::Reason::body_too_slow));
}

}  // namespace gatehouse::gateway
