#include "gateway/proxy/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gateway/layers/limits/limits_layer.h"
#include "gateway/layers/penalties/penalties_layer.h"
#include "gateway/layers/zone/zone_layer.h"
#include "gateway/proxy/spent.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {
namespace {

constexpr std::string_view kProblemType = "application/problem+json";

// A page for people. Nothing about why: that is in the decision record, behind the id.
std::string html_page(int status, std::string_view id) {
  const std::string_view title = http::status_text(status);
  return fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0} {1}</title></head>"
      "<body><h1>{0} {1}</h1><p>Request <code>{2}</code></p></body></html>\n",
      status, title, id);
}

std::string problem_json(int status, std::string_view id) {
  return fmt::format("{{\"type\":\"about:blank\",\"title\":\"{}\",\"status\":{},\"request_id\":\"{}\"}}\n",
                     http::status_text(status), status, id);
}

bool wants_html(const http::Fields& fields) noexcept {
  const auto accept = fields.get("accept");
  return accept && accept->find("text/html") != std::string_view::npos;
}

// They answer with what they were asked, and our own fields would be in it: who the caller is, and the token that says
// so.
bool is_trace(std::string_view method) noexcept { return method == "TRACE" || method == "TRACK"; }
constexpr std::string_view kUsualMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

}  // namespace

Exchange::Exchange(Shard& shard) : shard_(shard) {}

void Exchange::open_record(const http::ConnectionInfo& connection, const http::RequestHead& head) {
  snapshot_ = shard_.snapshot();
  arena_.reset();
  record_.clear();
  http::Fields kept;  // its capacity outlives the request
  if (request_) kept = std::move(request_->message.fields);
  kept.clear();
  request_.emplace(arena_, record_);
  request_->message.fields = std::move(kept);
  started_ = shard_.loop().now();
  started_ticks_ = CycleClock::ticks();
  own_ticks_ = upstream_ns_ = bytes_in_ = bytes_out_ = 0;
  status_sent_ = 0;
  decided_ = 0;
  next_layer_ = 0;

  const Config& config = *snapshot_->config;
  Request& request = *request_;
  request.connection = &connection;
  request.config = &config;
  binding_index_ = snapshot_->binding(connection.listener)->index;
  request.listener = &config.listeners[binding_index_];
  request.now = started_;
  request.wall = shard_.wall();
  request.client_ip = connection.client;

  record_.time = request.wall;
  const auto id = shard_.ids().request_id(request.wall);
  record_.request_id = arena_.copy({id.data(), id.size()});
  record_.client_ip = connection.client;
  record_.listener = request.listener->name;
  record_.method = arena_.copy(head.method);
  record_.host = arena_.copy(head.authority);
  record_.path = arena_.copy(head.target.substr(0, head.target.find('?')));
  record_.protocol = http::version_name(head.version);
  if (connection.tls) record_.tls = connection.tls_version;
  record_.auth = "none";
}

std::string_view Exchange::refuse(const http::ConnectionInfo& connection, http::Reason reason,
                                  const http::RequestHead* partial) {
  static const http::RequestHead kNothing;
  open_record(connection, partial != nullptr ? *partial : kNothing);
  note(telemetry::Layer::http, Verdict::deny, http::reason_code(reason), {});
  record_.status = http::reason_status(reason);
  count_attack(connection.client, reason);
  write_record();
  return record_.request_id;
}

void Exchange::begin(http::ServerStream& stream, const http::RequestHead& head, http::End end) {
  const Spent spent(own_ticks_);
  open_record(stream.connection(), head);
  stream.set_events(downstream_);
  down_ = &stream;
  up_ = nullptr;
  state_ = State::deciding;
  body_.clear();
  answer_.clear();
  trailers_.clear();
  encoder_.reset();
  mask_.reset();
  gate_.reset();
  messages_refused_ = 0;
  message_closes_ = false;
  ws_up_.reset();
  ws_down_.reset();
  tried_.clear();
  attempts_ = 0;
  request_ended_ = end == http::End::yes;
  request_sent_ = response_begun_ = body_paused_ = upstream_paused_ = tunnel_wanted_ = mirror_wanted_ = false;
  client_ended_ = upstream_ended_ = hung_up_ = trailers_unseen_ = false;
  replayable_ = true;
  endpoint_ = nullptr;
  match_ = {};
  extended_connect_ = !head.protocol.empty();
  raw_target_ = arena_.copy(head.target);

  Request& request = *request_;
  const http::CanonicalOptions options = snapshot_->router.canonical_options(*request.listener);
  const http::Reason reason = http::canonicalize(head, options, arena_, request.message);
  const http::Fields& fields = request.message.fields;
  const auto single = [&](std::string_view name) {
    return fields.count(name) == 1 ? *fields.get(name) : std::string_view{};
  };
  trace_ = shard_.ids().begin(single("traceparent"), single("tracestate"), request.listener->trust_trace_context);
  trace_.span_id = telemetry::span_of_request(record_.request_id);
  record_.trace_id = trace_.trace_id;
  // The fields of a request that was refused half-way are those that came.
  if (!identify_client(reason == http::Reason::none ? fields : head.fields)) return;
  if (reason != http::Reason::none) {
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(reason), {});
    count_attack(request.client_ip, reason);
    // HTTP/1.1 framing and the rest of the syntax are one thing to a sender who plays with them; an HTTP/2 stream
    // stands alone.
    if (head.version != http::Version::http2) down_->close_after();
    respond(http::reason_status(reason), http::reason_code(reason));
    return;
  }
  // The bytes of a tunnel are no body.
  request.has_body = !request_ended_ && !extended_connect_;
  // To routes and layers a WebSocket is the same whatever carries it: RFC 8441's CONNECT is the GET of RFC 6455.
  if (extended_connect_) request.message.method = "GET", request.message.content_length.reset();
  record_.host = request.message.authority;
  record_.path = request.message.path;
  match_ = snapshot_->router.match(request.message, arena_);
  if (match_.outcome == RouteMatch::Outcome::found && is_trace(request.message.method))
    match_.outcome = RouteMatch::Outcome::trace;
  if (match_.outcome == RouteMatch::Outcome::found) {
    request.route = match_.route;
    request.route_index = match_.route_index;
    record_.route = match_.route->name;
  }
  if (!request_ended_ && request.route != nullptr) {
    down_->set_body_max(LimitsLayer::body_max(*request.listener, request.route));
  }
  run_layers();
}

// A proxy that we trust is not banned for what its clients sent; and of a head that was refused before its end nobody
// knows whether the proxy's own word on them is among what came.
void Exchange::count_attack(const IpAddress& client, http::Reason reason) {
  if (snapshot_->trusted_proxies[binding_index_].contains(client)) return;
  snapshot_->penalties->record_attack(client, http::reason_code(reason));
}

// False: a trusted proxy wrote something that cannot be read; the request has been answered.
bool Exchange::identify_client(const http::Fields& fields) {
  Request& request = *request_;
  const http::ConnectionInfo& connection = *request.connection;
  client_ = find_client(connection, fields, snapshot_->trusted_proxies[binding_index_]);
  request.client_ip = client_.address;
  const bool nowhere = connection.unix_socket && request.client_ip == IpAddress{};
  request.zone =
      nowhere ? request.listener->zone : snapshot_->zone_layer->zone_of(request.client_ip, *request.listener);
  record_.client_ip = request.client_ip;
  record_.zone = snapshot_->config->zones[request.zone].name;
  if (client_.status == ForwardedStatus::ok) return true;
  note(telemetry::Layer::http, Verdict::deny, reason_code(client_.status), {});
  respond(400, reason_code(client_.status));
  return false;
}

void Exchange::note(telemetry::Layer layer, Verdict verdict, std::string_view reason, std::string_view evidence) {
  telemetry::LayerDecision decision;
  decision.layer = layer;
  decision.verdict = verdict;
  decision.reason = reason;
  decision.evidence = evidence;
  record_.add(decision);
}

void Exchange::run_layers() {
  const auto& layers = snapshot_->layers;
  // Without a route only the layers that need none are asked: they protect the 404 too.
  const std::size_t count = request_->route != nullptr ? layers.size() : snapshot_->layers_without_route;
  std::uint64_t ticks = CycleClock::ticks();
  while (next_layer_ < count) {
    const std::size_t index = next_layer_++;
    decided_ |= std::uint32_t{1} << index;
    if (!apply(*layers[index], ticks)) return;
  }
  if (request_->route == nullptr) {
    if (unrouted_may_pass()) route_missing();
  } else {
    inspect();
  }
}

// True: on to the next layer. `ticks` is when the last one was through, so that the counter is read once a layer.
bool Exchange::apply(const Layer& layer, std::uint64_t& ticks) {
  const Mode mode = snapshot_->config->mode(layer.id(), request_->route);
  if (mode == Mode::off) return true;
  const Decision decision = layer.decide(*request_);
  const std::uint64_t from = std::exchange(ticks, CycleClock::ticks());
  telemetry::LayerDecision entry;
  entry.layer = layer.id();
  entry.verdict = decision.verdict;
  entry.mode = mode;
  entry.ns = static_cast<std::uint32_t>(CycleClock::to_ns(ticks - from));
  entry.reason = decision.reason;
  entry.evidence = decision.evidence;
  record_.add(entry);
  if (decision.verdict == Verdict::pass || mode == Mode::monitor) return true;
  if (decision.verdict == Verdict::delay) {
    state_ = State::parked;
    if (!request_ended_ && !body_paused_) down_->pause_reading(), body_paused_ = true;
    shard_.loop().arm(timer_, decision.delay);
    return false;
  }
  respond(decision.status, decision.reason, decision.challenge, decision.allow, decision.location);
  return false;
}

void Exchange::on_timer(net::Timer&) {
  const Spent spent(own_ticks_);
  if (state_ == State::parked) {
    state_ = State::deciding;
    snapshot_->penalties->resumed(*request_);
    request_->now = shard_.loop().now();
    run_layers();
    return;
  }
  if (state_ == State::inspecting) {
    inspection_timer();
    return;
  }
  if (state_ == State::collecting || state_ == State::serving) return local_timer();
  if (state_ == State::ending) {
    // After a refused message the upstream may still be there, and the attempt open.
    if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
    attempt_over(AttemptOutcome::unknown);
    std::exchange(down_, nullptr)->abort();
    finish();
    return;
  }
  if (state_ == State::queued) {
    shard_.pool().stop_waiting(turn_);
    if (hung_up_ && body_paused_) {
      std::exchange(down_, nullptr)->abort();
      downstream_abort(http::Reason::peer_closed);
      return;
    }
    attempt_refused(telemetry::Layer::upstream, 503, "upstream.queue_timeout");
    return;
  }
  arm_timer();
}

void Exchange::route_missing() {
  switch (match_.outcome) {
    case RouteMatch::Outcome::wrong_method:
      note(telemetry::Layer::http, Verdict::deny, "route.method", {});
      respond(405, "route.method", {}, match_.allow);
      return;
    case RouteMatch::Outcome::trace:
      note(telemetry::Layer::http, Verdict::deny, "http.trace", {});
      respond(405, "http.trace", {}, kUsualMethods);
      return;
    case RouteMatch::Outcome::encoded_slash:
      note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::encoded_slash), {});
      respond(400, http::reason_code(http::Reason::encoded_slash));
      return;
    case RouteMatch::Outcome::found:
    case RouteMatch::Outcome::not_found:
      note(telemetry::Layer::http, Verdict::deny, "route.not_found", {});
      respond(404, "route.not_found");
  }
}

// An answer of our own: it says what, never why.
void Exchange::respond(int status, std::string_view reason, std::string_view challenge, std::string_view allow,
                       std::string_view location) {
  release_held();
  timer_.cancel();
  state_ = State::answered;
  http::ResponseHead head;
  head.status = status;
  std::string body;
  head.fields.add("x-request-id", record_.request_id);
  if (status >= 400) {
    const bool html = wants_html(request_->message.fields);
    head.fields.add("content-type", html ? "text/html; charset=utf-8" : kProblemType);
    head.fields.add("cache-control", "no-store");
    body = html ? html_page(status, record_.request_id) : problem_json(status, record_.request_id);
  }
  if (!challenge.empty()) head.fields.add("www-authenticate", challenge);
  if (!allow.empty()) head.fields.add("allow", allow);
  if (!location.empty()) head.fields.add("location", location);
  for (std::size_t i = 0; i < snapshot_->layers.size(); ++i) {
    const Layer& layer = *snapshot_->layers[i];
    const bool decided = (decided_ & (std::uint32_t{1} << i)) != 0;
    const bool always = request_->route != nullptr && layer.decorates_every_response() &&
                        snapshot_->config->mode(layer.id(), request_->route) != Mode::off;
    if (decided || always) layer.on_response(*request_, head);
  }
  snapshot_->header_policy->on_response(*request_, head);
  head.fields.add("date", shard_.http_date());
  record_.reason = record_.reason.empty() ? reason : record_.reason;
  status_sent_ = status;
  // What the client still sends is for nobody: the codec closes the connection after the answer instead of reading on.
  if (body_paused_) body_paused_ = false, down_->resume_reading();
  const bool empty = body.empty() || request_->message.method == "HEAD";
  if (status != 204) head.content_length = body.size();
  down_->send_head(head, empty ? http::End::yes : http::End::no);
  if (!empty) down_->send_body(body, http::End::yes);
}

void Exchange::request_body(std::string_view data) {
  const Spent spent(own_ticks_);
  bytes_in_ += data.size();
  switch (state_) {
    case State::deciding:
    case State::parked:
    case State::queued:
      body_.append(data);
      // As long as we read, we see a client that hangs up.
      if (state_ == State::queued && body_.size() < kQueuedBytesMax) break;
      if (!body_paused_) down_->pause_reading(), body_paused_ = true;
      break;
    case State::inspecting:
      body_.append(data);
      collected();
      break;
    case State::collecting: local_body(data); break;
    case State::waiting:
    case State::withheld:
    case State::relaying:
      if (tunnel_wanted_) {  // for the tunnel, if there will be one: only then may it leave
        body_.append(data);
        if (body_.size() >= kQueuedBytesMax && !body_paused_) down_->pause_reading(), body_paused_ = true;
        break;
      }
      if (up_ == nullptr) break;  // the answer is complete, or about to be ours: the rest is for nobody
      if (replayable_) {
        if (body_.size() + data.size() <= kReplayBytesMax && state_ == State::waiting) {
          body_.append(data);
        } else {
          replayable_ = false;
          body_ = std::string();
        }
      }
      last_activity_ = shard_.loop().now();
      up_->send_body(data, http::End::no);
      if (up_ != nullptr && up_->buffered() > http::kHighWater && !body_paused_) {
        down_->pause_reading();
        body_paused_ = true;
      }
      break;
    case State::tunnel: tunnel_data(data); break;
    case State::ending:
    case State::serving:
    case State::answered:
    case State::idle: break;
  }
}

void Exchange::request_end(const http::Fields& trailers) {
  request_ended_ = true;
  if (state_ == State::tunnel) {
    client_ended_ = true;
    last_activity_ = shard_.loop().now();
    if (up_ != nullptr) up_->send_body({}, http::End::yes);
    return;
  }
  if (tunnel_wanted_) return;
  if (state_ == State::collecting) {
    const Spent spent(own_ticks_);
    call_local();
    return;
  }
  // Trailers that come behind the verdict go no further (RFC 9110 §6.5.1 lets an intermediary drop them).
  if (!trailers_unseen_) {
    for (const http::Field& field : trailers) trailers_.add(arena_.copy(field.name), arena_.copy(field.value));
  }
  if (state_ == State::inspecting) {
    const Spent spent(own_ticks_);
    inspect_collected(BodyIs::complete);
    return;
  }
  if (up_ == nullptr || request_sent_) return;
  request_sent_ = true;
  if (trailers_.empty()) {
    up_->send_body({}, http::End::yes);
  } else {
    up_->send_trailers(trailers_);
  }
  if (mirror_wanted_) mirror();
}

}  // namespace gatehouse::gateway
