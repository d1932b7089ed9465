// Exchanges that leave HTTP behind: WebSocket tunnels.

#include <array>

#include "codec/base64.h"
#include "crypto/random.h"
#include "gateway/proxy/exchange.h"
#include "gateway/proxy/spent.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {
namespace {

constexpr Duration kTunnelEnd = std::chrono::seconds(2);  // as long as a closing connection lingers

bool is_websocket(std::string_view upgrade) noexcept { return http::equals_ignoring_case(upgrade, "websocket"); }

}  // namespace

// A request to leave HTTP behind: only for what the route allows, otherwise it is an ordinary request (RFC 9110 §7.8).
bool Exchange::prepare_tunnel() {
  Request& request = *request_;
  if (request.message.upgrade.empty() && !extended_connect_) return true;
  const std::string_view protocol = extended_connect_ ? request.message.protocol : request.message.upgrade;
  if (!request.route->websocket.enabled || !is_websocket(protocol)) {
    if (!extended_connect_) return true;
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::upgrade_not_allowed), {});
    respond(is_websocket(protocol) ? 400 : 501, http::reason_code(http::Reason::upgrade_not_allowed));
    return false;
  }
  http::Fields& fields = request.message.fields;
  if (extended_connect_) {  // RFC 8441 §5: it has no key; ours is for the upstream
    std::array<std::uint8_t, 16> key;
    crypto::random_bytes(key);
    fields.set("sec-websocket-key",
               arena_.copy(codec::base64_encode({reinterpret_cast<const char*>(key.data()), key.size()})));
    fields.remove("content-length");
  }
  const http::HandshakeStatus handshake = http::check_handshake(request.message.method, protocol, fields);
  if (handshake != http::HandshakeStatus::ok) {
    const bool version = handshake == http::HandshakeStatus::bad_version && !extended_connect_;
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(http::Reason::bad_upgrade), {});
    respond(version ? 426 : 400, http::reason_code(http::Reason::bad_upgrade));
    return false;
  }
  tunnel_wanted_ = true;
  return true;
}

// An Upgrade to an HTTP/1.1 endpoint, an extended CONNECT to an HTTP/2 one, whatever the client spoke.
void Exchange::shape_tunnel_head() {
  http::Fields& fields = upstream_head_.fields;
  // Messages could not be read otherwise.
  const WafLayer::Route& waf = snapshot_->waf->route(*request_);
  if (waf.mode != Mode::off && waf.websocket_message != 0) fields.remove("sec-websocket-extensions");
  const auto key = request_->message.fields.get("sec-websocket-key");
  if (endpoint_->config->protocol == UpstreamProtocol::h2) {
    upstream_head_.method = "CONNECT";
    upstream_head_.protocol = "websocket";
    fields.remove("upgrade");
    fields.remove("sec-websocket-key");
  } else {
    upstream_head_.method = "GET";
    upstream_head_.protocol = {};
    fields.set("upgrade", "websocket");
    fields.set("sec-websocket-key", *key);
  }
}

bool Exchange::upgrade_is_good(const http::ResponseHead& upstream, bool& deflate) {
  if (up_ == nullptr) return false;  // over before it began
  if (upstream_head_.protocol.empty()) {
    const auto key = upstream_head_.fields.get("sec-websocket-key");
    if (!key || !http::accept_matches(*key, upstream.fields)) return false;
  }
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
  head.status = extended_connect_ ? 200 : 101;
  for (const http::Field& field : upstream.fields) {
    if (http::is_hop_by_hop(field.name) || field.name == "content-length" || field.name == "sec-websocket-accept")
      continue;
    head.fields.add(field.name, field.value);
  }
  if (!extended_connect_) {
    head.fields.add("upgrade", "websocket");
    head.fields.add("sec-websocket-accept",
                    arena_.copy(http::handshake_accept(*request_->message.fields.get("sec-websocket-key"))));
  }
  head.fields.set("x-request-id", record_.request_id);
  const WebSocketConfig& limits = request_->route->websocket;
  ws_up_.emplace(http::WebSocketInspector::Options{true, deflate, limits.message_bytes, limits.messages_per_second});
  const WafLayer::Route& waf = snapshot_->waf->route(*request_);
  if (waf.mode != Mode::off && waf.websocket_message != 0) {
    gate_ = std::make_unique<MessageGate>(messages_, waf.websocket_message);
    shard_.waf().pin(snapshot_->waf->engine(), inspection_.pin);
  }
  ws_down_.emplace(http::WebSocketInspector::Options{false, deflate, limits.message_bytes, 0});
  inspection_over();
  release_held();
  state_ = State::tunnel;
  shard_.tunnel_opened(*this);
  status_sent_ = head.status;
  response_begun_ = true;
  admission_.release();  // a bound on requests is no bound on tunnels: those count as connections
  down_->open_tunnel(head);
  arm_timer();
  // HTTP/2 brings bytes of the tunnel before it is open; HTTP/1.1's codec keeps them for afterwards.
  const std::string early = std::exchange(body_, {});
  if (!early.empty()) {
    bytes_in_ -= early.size();  // counted when they came
    request_body(early);
  }
  if (state_ != State::tunnel || up_ == nullptr) return;
  if (extended_connect_ && request_ended_) client_ended_ = true, up_->send_body({}, http::End::yes);
  if (body_paused_ && down_ != nullptr) body_paused_ = false, down_->resume_reading();
}

void Exchange::tunnel_data(std::string_view data) {
  last_activity_ = shard_.loop().now();
  std::string ready;
  if (ws_up_) {
    const std::uint16_t code = ws_up_->inspect(data, last_activity_, gate_.get());
    if (gate_) data = ready = gate_->take_ready();
    if (code != 0) {
      if (message_closes_) {
        message_refused(code, data);
      } else {
        tunnel_failed(code);
      }
      return;
    }
  }
  if (up_ != nullptr && !data.empty()) up_->send_body(data, http::End::no);
  if (up_ != nullptr && up_->buffered() > http::kHighWater && !body_paused_) {
    down_->pause_reading();
    body_paused_ = true;
  }
}

// The upstream has said all that it had to say; the client may go on. The idle timeout bounds what is left.
void Exchange::tunnel_half_over() {
  const Spent spent(own_ticks_);
  upstream_ended_ = true;
  if (state_ == State::ending) return;  // and so had we
  last_activity_ = shard_.loop().now();
  down_->send_body({}, http::End::yes);
}

// Nobody listens any more to what the client may still say. One that has said its end as well gets the rest of what is
// on its way to it, however slowly, as far as the codec lets it be slow.
void Exchange::tunnel_over() {
  state_ = State::ending;
  if (client_ended_) {
    timer_.cancel();
  } else {
    shard_.loop().arm(timer_, kTunnelEnd);
  }
  if (body_paused_) body_paused_ = false, down_->resume_reading();  // to see its end
  down_->send_body({}, http::End::yes);
}

// A peer broke the protocol inside the tunnel, or its bounds. The client is told with a close frame where one fits in.
void Exchange::tunnel_failed(std::uint16_t close_code) {
  note(telemetry::Layer::limits, Verdict::deny,
       close_code == http::WebSocketInspector::kProtocolError ? "websocket.protocol" : "websocket.limit", {});
  if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
  attempt_over(AttemptOutcome::unknown);
  close_towards_client(close_code);
}

void Exchange::close_towards_client(std::uint16_t close_code) {
  std::string frame;
  if (ws_down_->at_frame_boundary()) http::append_close_frame(close_code, false, frame);
  if (!frame.empty()) down_->send_body(frame, http::End::no);
  if (down_ != nullptr) tunnel_over();
}

}  // namespace gatehouse::gateway
