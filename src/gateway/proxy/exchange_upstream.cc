// The upstream's half of an exchange: attempts and retries.

#include <fmt/format.h>

#include <algorithm>

#include "gateway/accept_encoding.h"
#include "gateway/proxy/exchange.h"
#include "gateway/proxy/mirror.h"
#include "gateway/proxy/spent.h"
#include "gateway/routing/rewrite.h"
#include "gateway/server/shard.h"
#include "gateway/upstream/hash_on.h"
#include "gateway/upstream/retry.h"

namespace gatehouse::gateway {
namespace {

// What docs/decisions/0006 gives a client whose end was seen.
constexpr Duration kHalfClosedGrace = std::chrono::seconds(1);

struct Answer {
  int status;
  std::string_view reason;
};

// RFC 9110 §15.6: what the client is told when no upstream gave an answer.
Answer answer_for(const http::Failure& failure) noexcept {
  switch (failure.kind) {
    case http::FailureKind::connect: return {502, "upstream.connect"};
    case http::FailureKind::connect_timeout: return {504, "upstream.connect_timeout"};
    case http::FailureKind::tls: return {502, "upstream.tls"};
    case http::FailureKind::reset: return {502, "upstream.reset"};
    case http::FailureKind::refused_stream: return {503, "upstream.refused"};
    case http::FailureKind::bad_response: return {502, "upstream.bad_response"};
    case http::FailureKind::response_timeout: return {504, "upstream.timeout"};
    case http::FailureKind::circuit_open: return {503, "upstream.circuit_open"};
  }
  return {502, "upstream.reset"};
}

}  // namespace

void Exchange::forward() {
  Request& request = *request_;
  if (!prepare_tunnel()) return;
  const RouteConfig& route = *request.route;
  const std::uint32_t service = choose_service(route, shard_.random());
  cluster_ = snapshot_->clusters[service];
  record_.service = cluster_->name();
  if (cluster_->config().local != LocalTarget::none) return begin_local(*snapshot_->local_services[service]);
  if (request.principal.method != AuthMethod::none) {
    record_.user = request.principal.user;
    record_.auth = name_of(request.principal.method);
  }
  build_upstream_head();
  if (state_ == State::answered) return;
  mirror_wanted_ = route.mirror && !tunnel_wanted_ &&
                   static_cast<double>(shard_.random() >> 11) * 0x1p-53 * 100 < route.mirror->percent;
  if (request.message.expect_continue && !request_ended_) {
    http::ResponseHead go_on;
    go_on.status = 100;
    down_->send_informational(go_on);
  }
  deadline_ = route.timeout ? started_ + *route.timeout : MonotonicTime::max();
  attempt();
}

// The upstream's request is built here from the canonical form; nothing is copied through.
void Exchange::build_upstream_head() {
  Request& request = *request_;
  const RouteConfig& route = *request.route;
  http::CanonicalRequest& message = request.message;
  std::string_view path = message.path;
  if (rewrite_path(route.rewrite, message.path, arena_, path) != http::Reason::none) {
    note(telemetry::Layer::http, Verdict::deny, "route.rewrite", {});
    respond(500, "route.rewrite");
    return;
  }
  upstream_head_.method = message.method;
  upstream_head_.scheme = message.scheme;
  upstream_head_.authority = route.rewrite.host.empty() ? message.authority : std::string_view(route.rewrite.host);
  upstream_head_.protocol = {};
  upstream_head_.content_length = message.content_length;
  upstream_head_.expect_continue = false;
  if (message.has_query) {
    char* target = arena_.allocate(path.size() + 1 + message.query.size());
    std::copy(path.begin(), path.end(), target);
    target[path.size()] = '?';
    std::copy(message.query.begin(), message.query.end(), target + path.size() + 1);
    upstream_head_.target = {target, path.size() + 1 + message.query.size()};
  } else {
    upstream_head_.target = path;
  }
  http::Fields& fields = upstream_head_.fields;
  fields = message.fields;  // a copy: layers look at the request's own when the answer comes
  fields.remove("expect");
  snapshot_->identity->apply(request, record_.service, fields);
  set_forwarded(client_, message.scheme, message.authority, arena_, fields);
  fields.set("x-request-id", record_.request_id);
  const auto parent = trace_.traceparent();
  fields.set("traceparent", arena_.copy({parent.data(), parent.size()}));
  fields.remove("tracestate");
  if (!trace_.tracestate.empty()) fields.add("tracestate", trace_.tracestate);
  if (message.te_trailers) fields.add("te", "trailers");
  // An answer that we could not decode could not be inspected.
  if (inspection_.transaction) keep_read_codings(arena_, fields);
  // Nor could one be masked; and a number of which a client asks for one half, and then for the other.
  if (snapshot_->waf->masks(request)) {
    fields.set("accept-encoding", "identity");
    fields.remove("range");
    fields.remove("if-range");
  }
  edit_fields(route.request_headers, fields);
}

void Exchange::attempt() {
  const MonotonicTime now = shard_.loop().now();
  if (attempts_ == 0) {
    admission_ = cluster_->requests().admit();
    if (!admission_) {
      attempt_refused(telemetry::Layer::upstream, 503, "upstream.circuit_open");
      return;
    }
    cluster_->retry_budget().count_request(now);
  }
  queued_ = now;
  try_endpoints(nullptr);
}

// `idle`: an endpoint that a connection is free to, when it is our turn to have one.
void Exchange::try_endpoints(Endpoint* idle) {
  const MonotonicTime now = shard_.loop().now();
  // Under pressure the service works on whatever is free first; only a hash has its reasons to insist.
  const bool take_idle = idle != nullptr && cluster_->config().balance != Balance::hash && idle->available(now);
  for (;;) {
    Pick pick{idle, PickFailure::none};
    if (!take_idle || attempts_ != 0) pick = cluster_->pick({balance_hash(), shard_.random(), tried_, now});
    if (pick.endpoint == nullptr) {
      attempt_refused(telemetry::Layer::upstream, 503, reason_code(pick.failure));
      return;
    }
    Endpoint& endpoint = *pick.endpoint;
    auto stream = shard_.pool().open(cluster_, endpoint, snapshot_->tls_for(*cluster_, endpoint), upstream_, reused_);
    if (!stream && stream.error().code == ErrorCode::exhausted) {
      queue_up();
      return;
    }
    endpoint_ = &endpoint;
    record_.endpoint = endpoint.name;
    tried_.push_back(endpoint_);
    ++attempts_;
    cluster_->attempt_begun(endpoint);
    attempt_open_ = true;
    attempt_started_ = last_activity_ = now;
    if (stream) {
      up_ = *stream;
      break;
    }
    attempt_over(AttemptOutcome::error);
    const http::Failure failure{http::FailureKind::connect, http::Reason::none, false, true};
    if (!may_retry(&failure, 0)) {
      gateway_error(failure);
      return;
    }
  }
  state_ = State::waiting;
  const bool bodyless = request_ended_ && body_.empty() && trailers_.empty();
  request_sent_ = bodyless;
  if (tunnel_wanted_) {
    shape_tunnel_head();
    up_->send_head(upstream_head_, upstream_head_.protocol.empty() ? http::End::yes : http::End::no);
  } else {
    up_->send_head(upstream_head_, bodyless ? http::End::yes : http::End::no);
    if (!bodyless) send_kept_body();
  }
  count_held();
  if (mirror_wanted_ && request_ended_) mirror();
  arm_timer();
}

// All of the service's connections are in use: in line for the next, for as long as connecting to one might take.
void Exchange::queue_up() {
  if (!shard_.pool().wait(cluster_, turn_)) {
    attempt_refused(telemetry::Layer::upstream, 503, "upstream.circuit_open");
    return;
  }
  state_ = State::queued;
  arm_queue_timer();
}

// A client that hung up behind more content than we keep is gone, or only done with sending: see kHalfClosedGrace.
void Exchange::arm_queue_timer() {
  const MonotonicTime now = shard_.loop().now();
  MonotonicTime due = std::min(deadline_, queued_ + cluster_->config().timeouts.connect);
  if (hung_up_ && body_paused_) due = std::min(due, now + kHalfClosedGrace);
  shard_.loop().arm(timer_, std::max(due - now, Duration::zero()));
}

void Exchange::downstream_hangup() {
  if (!std::exchange(hung_up_, true) && state_ == State::queued) arm_queue_timer();
}

void Exchange::turn_came(Endpoint* idle) {
  const Spent spent(own_ticks_);
  timer_.cancel();
  try_endpoints(idle);
}

// Called once the whole request is known. A body that had to be streamed is gone, and such a request is not mirrored.
void Exchange::mirror() {
  mirror_wanted_ = false;
  if (!replayable_ || body_.size() > kMirrorBodyMax || !trailers_.empty()) return;
  const std::shared_ptr<Cluster>& shadow = snapshot_->clusters[request_->route->mirror->service];
  const Pick pick = shadow->pick({0, shard_.random(), {}, shard_.loop().now()});
  if (pick.endpoint == nullptr) return;
  send_mirror(shard_, shadow, snapshot_->tls_for(*shadow, *pick.endpoint), *pick.endpoint, upstream_head_, body_);
}

void Exchange::attempt_refused(telemetry::Layer layer, int status, std::string_view reason) {
  note(layer, Verdict::deny, reason, record_.service);
  respond(status, reason);
}

std::uint64_t Exchange::balance_hash() const {
  const ServiceConfig& service = cluster_->config();
  return service.balance == Balance::hash ? hash_of_request(service.hash_on, *request_, upstream_head_.fields) : 0;
}

void Exchange::send_kept_body() {
  if (!body_.empty()) up_->send_body(body_, http::End::no);
  if (up_ == nullptr) return;
  if (body_.size() > kReplayBytesMax) {
    replayable_ = false;
    body_ = std::string();
  }
  if (request_ended_) {
    request_sent_ = true;
    if (trailers_.empty()) {
      up_->send_body({}, http::End::yes);
    } else {
      up_->send_trailers(trailers_);
    }
  } else if (body_paused_ && up_->buffered() < http::kHighWater) {
    body_paused_ = false;
    down_->resume_reading();
  }
}

void Exchange::informational(const http::ResponseHead& head) {
  last_activity_ = shard_.loop().now();
  // Our own 100 has been sent; early hints are worth passing on.
  if (head.status == 103) down_->send_informational(head);
}

void Exchange::response(const http::ResponseHead& head, http::End end) {
  const Spent spent(own_ticks_);
  upstream_ns_ += static_cast<std::uint64_t>((shard_.loop().now() - attempt_started_).count());
  if (end == http::End::yes) up_ = nullptr;
  if (head.status == 101 || (tunnel_wanted_ && upstream_head_.protocol == "websocket" && head.status == 200)) {
    open_tunnel(head);
    return;
  }
  if (may_retry(nullptr, head.status)) {
    if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
    attempt_over(AttemptOutcome::error);
    attempt();
    return;
  }
  if (extended_connect_ && head.status < 300) {  // to the client a success would be an open tunnel
    if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
    attempt_over(AttemptOutcome::error);
    gateway_error({http::FailureKind::bad_response, http::Reason::bad_upgrade, false, false});
    return;
  }
  take_answer(head, end);
}

// Whoever made it.
void Exchange::take_answer(const http::ResponseHead& head, http::End end) {
  body_ = std::string();
  count_held();
  if (!begin_masking(head, end)) return;
  if (inspection_.transaction) {
    inspect_answer(head, end);
  } else {
    begin_relay(head, end);
  }
}

void Exchange::upstream_failed(const http::Failure& failure) {
  up_ = nullptr;
  upstream_ns_ += static_cast<std::uint64_t>((shard_.loop().now() - attempt_started_).count());
  if (state_ == State::ending) {
    attempt_over(AttemptOutcome::unknown);
    return;
  }
  if (state_ == State::tunnel) {  // how a tunnel ends says nothing about the upstream
    attempt_over(AttemptOutcome::unknown);
    if (upstream_ended_) {  // it closed more than its half: what it had said is still the client's
      tunnel_over();
      return;
    }
    std::exchange(down_, nullptr)->abort();
    finish();
    return;
  }
  // A kept connection that ends before it answers had most likely been closed for idleness: no word about the endpoint.
  const bool stale = reused_ && failure.kind == http::FailureKind::reset && !failure.response_begun;
  attempt_over(stale ? AttemptOutcome::unknown : AttemptOutcome::error);
  if (state_ == State::waiting && may_retry(&failure, 0)) {
    attempt();
    return;
  }
  gateway_error(failure);
}

void Exchange::attempt_over(AttemptOutcome outcome) {
  if (!std::exchange(attempt_open_, false)) return;
  const MonotonicTime now = shard_.loop().now();
  cluster_->attempt_ended(*endpoint_, outcome, now);
  telemetry::ShardMetrics& metrics = shard_.metrics();
  metrics.count(telemetry::Metric::upstream_requests,
                {record_.service, outcome == AttemptOutcome::success ? "success"
                                  : outcome == AttemptOutcome::error ? "error"
                                                                     : "unknown"});
  metrics.observe(telemetry::Metric::upstream_duration,
                  metrics.id(telemetry::Metric::upstream_duration, {record_.service}), now - attempt_started_);
}

bool Exchange::may_retry(const http::Failure* failure, int status) {
  if (tunnel_wanted_) return false;
  const AttemptResult result{request_->message.method, failure, status, attempts_, replayable_, response_begun_};
  const RetryVerdict verdict = judge_retry(cluster_->config().retry, result);
  if (verdict != RetryVerdict::retry) return false;
  const bool granted = cluster_->retry_budget().take_retry(shard_.loop().now());
  shard_.metrics().count(telemetry::Metric::upstream_retries, {record_.service, granted ? "retried" : "budget_spent"});
  return granted;
}

// No answer from the upstream: ours, or, when one was begun, an end that the client can tell from a complete one.
void Exchange::gateway_error(const http::Failure& failure) {
  const Answer answer = answer_for(failure);
  const std::string_view detail =
      failure.reason == http::Reason::none ? std::string_view{} : http::reason_code(failure.reason);
  note(telemetry::Layer::upstream, Verdict::deny, answer.reason, detail);
  if (response_begun_ || state_ == State::tunnel) {
    http::ServerStream* down = std::exchange(down_, nullptr);
    down->abort();
    finish();
    return;
  }
  respond(answer.status, answer.reason);
}

void Exchange::upstream_drained() {
  count_held();
  if (body_paused_ && down_ != nullptr && up_ != nullptr && up_->buffered() < http::kLowWater) {
    body_paused_ = false;
    down_->resume_reading();
  }
}

void Exchange::downstream_drained() {
  if (decoder_ && decoder_->has_more()) {
    {
      const Spent spent(own_ticks_);
      if (!relay_decoded() || decoder_->has_more()) return;
    }
    if (answer_ended_) {
      response_end(answer_trailers_);
      return;
    }
  }
  if (upstream_paused_ && up_ != nullptr && down_ != nullptr && down_->buffered() < http::kLowWater) {
    upstream_paused_ = false;
    last_activity_ = shard_.loop().now();
    up_->resume_reading();
  }
}

// One timer serves the whole exchange: it is armed for the nearest bound, and looks what happened meanwhile when it
// fires.
void Exchange::arm_timer() {
  const MonotonicTime now = shard_.loop().now();
  const TimeoutConfig& timeouts = cluster_->config().timeouts;
  MonotonicTime due = deadline_;
  if (state_ == State::waiting) {
    due = std::min(due, std::max(attempt_started_, last_activity_) + timeouts.response);
  } else if (state_ == State::relaying || state_ == State::withheld) {
    // A client that reads slowly is not the upstream's fault; the codec has its own bound for that.
    due = upstream_paused_ ? std::min(due, now + timeouts.idle) : std::min(due, last_activity_ + timeouts.idle);
  } else if (state_ == State::tunnel) {
    due = last_activity_ + request_->route->websocket.idle_timeout;
  } else {
    return;
  }
  if (now < due) {
    if (due != MonotonicTime::max()) shard_.loop().arm(timer_, due - now);
    return;
  }
  if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
  attempt_over(state_ == State::tunnel ? AttemptOutcome::unknown : AttemptOutcome::error);
  if (state_ == State::waiting) upstream_ns_ += static_cast<std::uint64_t>((now - attempt_started_).count());
  gateway_error({http::FailureKind::response_timeout, http::Reason::none, response_begun_, false});
}

}  // namespace gatehouse::gateway
