// A request that this process answers itself: its body is collected, the service is called, and what it says goes the
// way of any answer.

#include <algorithm>

#include "gateway/local_service.h"
#include "gateway/proxy/exchange.h"
#include "gateway/proxy/spent.h"
#include "gateway/routing/rewrite.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {

// The layers have passed the request.
void Exchange::begin_local(LocalService& service) {
  local_ = &service;
  admission_ = cluster_->requests().admit();
  if (!admission_) return attempt_refused(telemetry::Layer::upstream, 503, "upstream.circuit_open");
  if (extended_connect_) {  // there is nothing to tunnel to
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::upgrade_not_allowed), {});
    return respond(501, http::reason_code(http::Reason::upgrade_not_allowed));
  }
  deadline_ = request_->route->timeout ? started_ + *request_->route->timeout : shard_.loop().now() + kLocalDeadline;
  if (request_->message.content_length.value_or(0) > kLocalBodyBytesMax || body_.size() > kLocalBodyBytesMax)
    return local_body_too_large();
  if (request_ended_) return call_local();
  state_ = State::collecting;
  last_activity_ = shard_.loop().now();
  arm_local_timer();
  if (request_->message.expect_continue) {
    http::ResponseHead go_on;
    go_on.status = 100;
    down_->send_informational(go_on);
  }
  if (body_paused_) body_paused_ = false, down_->resume_reading();
}

void Exchange::local_body(std::string_view data) {
  last_activity_ = shard_.loop().now();
  if (body_.size() + data.size() > kLocalBodyBytesMax) return local_body_too_large();
  body_.append(data);
}

void Exchange::local_body_too_large() {
  note(telemetry::Layer::limits, Verdict::deny, "limits.body", "more than a service of our own reads");
  respond(413, "limits.body");
}

// While it is collected: for the client, whose codec lets it take its time; then for the service.
void Exchange::arm_local_timer() {
  const MonotonicTime now = shard_.loop().now();
  MonotonicTime due = deadline_;
  if (state_ == State::collecting) due = std::min(due, last_activity_ + request_->listener->limits.idle_timeout);
  shard_.loop().arm(timer_, std::max(due - now, Duration::zero()));
}

void Exchange::local_timer() {
  const MonotonicTime now = shard_.loop().now();
  if (state_ == State::collecting) {
    if (now < deadline_ && now < last_activity_ + request_->listener->limits.idle_timeout) return arm_local_timer();
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::body_too_slow), {});
    return respond(http::reason_status(http::Reason::body_too_slow), http::reason_code(http::Reason::body_too_slow));
  }
  if (now < deadline_) return arm_local_timer();
  upstream_ns_ += static_cast<std::uint64_t>((now - attempt_started_).count());
  attempt_refused(telemetry::Layer::upstream, 504, "upstream.timeout");
}

void Exchange::call_local() {
  const Request& request = *request_;
  const http::CanonicalRequest& message = request.message;
  LocalRequest call;
  if (rewrite_path(request.route->rewrite, message.path, arena_, call.path) != http::Reason::none) {
    note(telemetry::Layer::http, Verdict::deny, "route.rewrite", {});
    return respond(500, "route.rewrite");
  }
  call.method = message.method;
  call.scheme = message.scheme;
  call.authority = message.authority;
  call.query = message.query;
  call.body = body_;
  call.fields = &message.fields;
  call.client_ip = request.client_ip;
  call.request_id = record_.request_id;
  call.now = request.wall;
  call.principal = request.principal;
  call.route = request.route->name;
  call.tls = request.connection->tls;
  call.certificate_sha256 = request.connection->certificate_sha256;
  call.certificate_subject = request.connection->certificate_subject;
  for (const std::string& name : request.connection->certificate_sans) call.certificate_sans.push_back(name);

  state_ = State::serving;
  attempt_started_ = shard_.loop().now();
  request_->login = LoginFact::none;
  AnsweringNow now(*shard_.replies(), slot, generation_);
  local_->answer({call, LocalReply(shard_.replies(), slot, generation_)});
  if (now.answered) return take_local_answer(std::move(now.answer));
  body_ = std::string();  // whoever answers later has a copy
  count_held();
  arm_local_timer();
}

void Exchange::local_answered(std::uint64_t generation, LocalAnswer answer) {
  if (generation != generation_ || state_ != State::serving) return;
  const Spent spent(own_ticks_);
  upstream_ns_ += static_cast<std::uint64_t>((shard_.loop().now() - attempt_started_).count());
  take_local_answer(std::move(answer));
}

void Exchange::take_local_answer(LocalAnswer answer) {
  timer_.cancel();
  if (answer.status == LocalAnswer::kNone) return attempt_refused(telemetry::Layer::upstream, 500, "service.no_answer");
  // Parts of ours read what others sent: none of it may end a header's line and begin another.
  const auto is_field = [](const auto& field) {
    return http::is_token(field.first) && http::is_field_value(field.second);
  };
  if (!std::all_of(answer.fields.begin(), answer.fields.end(), is_field))
    return attempt_refused(telemetry::Layer::upstream, 500, "service.bad_answer");
  if (answer.credentials != LocalAnswer::Credentials::none) {
    request_->login = answer.credentials == LocalAnswer::Credentials::failed ? LoginFact::failed : LoginFact::accepted;
  }
  if (!answer.user.empty()) {
    request_->login_user = arena_.copy(answer.user);
    record_.user = request_->login_user;
  }
  if (!answer.reason.empty()) {
    const bool failed = request_->login == LoginFact::failed;
    note(telemetry::Layer::upstream, failed ? Verdict::deny : Verdict::pass, arena_.copy(answer.reason), {});
    if (record_.reason.empty()) record_.reason = arena_.copy(answer.reason);
  }
  http::ResponseHead head;
  head.status = answer.status;
  head.fields.reserve(answer.fields.size() + 8);
  for (const auto& [name, value] : answer.fields) head.fields.add(name, value);
  const bool bodyless = answer.status == 204 || answer.status == 304;
  if (!bodyless) head.content_length = answer.body.size();
  const bool empty = bodyless || answer.body.empty() || request_->message.method == "HEAD";
  take_answer(head, empty ? http::End::yes : http::End::no);
  const std::uint64_t generation = generation_;
  const auto going_on = [&] {
    return generation == generation_ && down_ != nullptr && (state_ == State::relaying || state_ == State::withheld);
  };
  if (empty || !going_on()) return;
  take_answer_body(answer.body);
  if (going_on()) take_answer_end({});
}

}  // namespace gatehouse::gateway
