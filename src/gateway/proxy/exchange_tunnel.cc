// Exchanges that leave HTTP behind: WebSocket tunnels.

#include "gateway/proxy/exchange.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {
namespace {

bool is_websocket(std::string_view upgrade) noexcept { return http::equals_ignoring_case(upgrade, "websocket"); }

}  // namespace

// A request to leave HTTP behind: only for what the route allows, otherwise it is an ordinary request (RFC 9110 §7.8).
bool Exchange::prepare_tunnel() {
  Request& request = *request_;
  const bool extended_connect = !request.message.protocol.empty();
  if (request.message.upgrade.empty() && !extended_connect) return true;
  const std::string_view protocol = extended_connect ? request.message.protocol : request.message.upgrade;
  if (!request.route->websocket.enabled || !is_websocket(protocol)) {
    if (!extended_connect) return true;
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::upgrade_not_allowed), {});
    respond(400, http::reason_code(http::Reason::upgrade_not_allowed));
    return false;
  }
  const http::HandshakeStatus handshake =
      http::check_handshake(request.message.method, protocol, request.message.fields);
  if (!extended_connect && handshake != http::HandshakeStatus::ok) {
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::bad_upgrade), {});
    respond(handshake == http::HandshakeStatus::bad_version ? 426 : 400, http::reason_code(http::Reason::bad_upgrade));
    return false;
  }
  if (extended_connect) {  // an HTTP/2 tunnel towards an HTTP/1.1 upstream would need a handshake of our own
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::upgrade_not_allowed), {});
    respond(501, http::reason_code(http::Reason::upgrade_not_allowed));
    return false;
  }
  tunnel_wanted_ = true;
  return true;
}

bool Exchange::upgrade_is_good(const http::ResponseHead& upstream, bool& deflate) {
  const auto key = upstream_head_.fields.get("sec-websocket-key");
  if (!key || !http::accept_matches(*key, upstream.fields)) return false;
  const auto agreed = http::negotiated_deflate(upstream_head_.fields, upstream.fields);
  deflate = agreed.value_or(false);
  return agreed.has_value();
}

void Exchange::open_tunnel(const http::ResponseHead& upstream) {
  bool deflate = false;
  if (!upgrade_is_good(upstream, deflate)) {
    if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
    attempt_over(AttemptOutcome::error);
    gateway_error({http::FailureKind::bad_response, http::Reason::bad_upgrade, false, false});
    return;
  }
  http::ResponseHead head;
  head.status = upstream.status;
  for (const http::Field& field : upstream.fields) {
    if (!http::is_hop_by_hop(field.name) || field.name == "upgrade") head.fields.add(field.name, field.value);
  }
  head.fields.set("x-request-id", record_.request_id);
  const WebSocketConfig& limits = request_->route->websocket;
  ws_up_.emplace(http::WebSocketInspector::Options{true, deflate, limits.message_bytes, limits.messages_per_second});
  ws_down_.emplace(http::WebSocketInspector::Options{false, deflate, limits.message_bytes, 0});
  state_ = State::tunnel;
  status_sent_ = head.status;
  response_begun_ = true;
  admission_.release();  // a bound on requests is no bound on tunnels: those count as connections
  down_->open_tunnel(head);
  if (body_paused_ && down_ != nullptr) body_paused_ = false, down_->resume_reading();
  arm_timer();
}

// A peer broke the protocol inside the tunnel, or its bounds. The client is told with a close frame where one fits in.
void Exchange::tunnel_failed(std::uint16_t close_code) {
  note(telemetry::Layer::limits, Verdict::deny,
       close_code == http::WebSocketInspector::kProtocolError ? "websocket.protocol" : "websocket.limit", {});
  if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
  attempt_over(AttemptOutcome::unknown);
  timer_.cancel();
  state_ = State::answered;
  std::string frame;
  if (ws_down_->at_frame_boundary()) http::append_close_frame(close_code, false, frame);
  down_->send_body(frame, http::End::yes);
}

}  // namespace gatehouse::gateway
