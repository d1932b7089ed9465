// The relay of the response: its head shaped for the client, its body masked and compressed on the way.

#include "gateway/proxy/exchange.h"
#include "gateway/proxy/spent.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {

void Exchange::begin_relay(const http::ResponseHead& head, http::End end) {
  response_begun_ = true;
  state_ = State::relaying;
  relay_head(head, end);
  if (end == http::End::yes) {
    attempt_over(head.status < 500 ? AttemptOutcome::success : AttemptOutcome::error);
  } else if (local_ == nullptr) {  // its content is here
    arm_timer();
  }
}

void Exchange::relay_head(const http::ResponseHead& upstream, http::End end) {
  http::ResponseHead& head = shard_.response_scratch();
  head.status = upstream.status;
  head.content_length = upstream.content_length;
  head.fields.clear();
  bool has_date = false;
  const auto connection = upstream.fields.get("connection");
  for (const http::Field& field : upstream.fields) {
    if (http::is_hop_by_hop(field.name) || field.name.starts_with("x-gatehouse-")) continue;
    if (field.name == "x-request-id" || field.name == "content-length") continue;
    if (connection && http::list_has_token(*connection, field.name)) continue;
    has_date |= field.name == "date";
    head.fields.add(field.name, field.value);
  }
  head.fields.add("x-request-id", record_.request_id);
  if (!has_date) head.fields.add("date", shard_.http_date());
  for (std::size_t i = 0; i < snapshot_->layers.size(); ++i) {
    if (decided_ & (std::uint32_t{1} << i)) snapshot_->layers[i]->on_response(*request_, head);
  }
  snapshot_->header_policy->on_response(*request_, head);
  if (mask_) shape_masked_head(head);
  if (end == http::End::no) encoder_ = choose_encoder(*request_, head, shard_.services().state.encoders());
  status_sent_ = head.status;
  // The request's rest is for nobody once the answer is complete; the codec sees to the connection.
  down_->send_head(head, end);
}

void Exchange::response_body(std::string_view data) {
  const Spent spent(own_ticks_);
  last_activity_ = shard_.loop().now();
  if (state_ == State::ending) return;  // the client has been told the end
  if (state_ == State::tunnel && ws_down_) {
    if (const std::uint16_t code = ws_down_->inspect(data, last_activity_); code != 0) {
      tunnel_failed(code);
      return;
    }
  }
  take_answer_body(data);
}

void Exchange::take_answer_body(std::string_view data) {
  if (state_ == State::withheld) {
    answer_collected(data);
  } else {
    relay_body(data);
  }
}

void Exchange::relay_body(std::string_view data) {
  if (decoder_) return relay_coded(data);
  if (mask_) data = mask_answer(data, http::End::no);
  if (data.empty()) return;
  send_answer_body(data);
}

void Exchange::send_answer_body(std::string_view data) {
  if (encoder_) {
    encoded_.clear();
    if (!encoder_->encode(data, http::End::no, encoded_)) {
      if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
      upstream_failed({http::FailureKind::bad_response, http::Reason::none, true, false});
      return;
    }
    data = encoded_;
  }
  if (data.empty()) return;
  down_->send_body(data, http::End::no);
  if (down_ != nullptr && up_ != nullptr && down_->buffered() > http::kHighWater && !upstream_paused_) {
    upstream_paused_ = true;
    up_->pause_reading();
  }
}

void Exchange::response_end(const http::Fields& trailers) {
  const Spent spent(own_ticks_);
  up_ = nullptr;
  if (state_ == State::tunnel) {
    attempt_over(AttemptOutcome::success);
    tunnel_over();
    return;
  }
  if (state_ == State::ending) {
    attempt_over(AttemptOutcome::unknown);
    return;
  }
  take_answer_end(trailers);
}

void Exchange::take_answer_end(const http::Fields& trailers) {
  if (state_ == State::withheld && answer_complete() == AnswerIs::withdrawn) return;
  if (decoder_ && !coded_may_end(trailers)) return;
  timer_.cancel();
  attempt_over(status_sent_ < 500 ? AttemptOutcome::success : AttemptOutcome::error);
  http::Fields shaped;
  const http::Fields* last = &trailers;
  if (mask_) {
    const std::string_view rest = mask_answer({}, http::End::yes);
    if (!rest.empty()) send_answer_body(rest);
    if (down_ == nullptr || state_ != State::relaying) return;
    shaped = trailers;
    remove_digests(shaped);
    last = &shaped;
  }
  if (encoder_) {
    encoded_.clear();
    const bool complete = encoder_->encode({}, http::End::yes, encoded_);
    if (!complete) {
      gateway_error({http::FailureKind::bad_response, http::Reason::none, true, false});
      return;
    }
    if (!encoded_.empty()) down_->send_body(encoded_, http::End::no);
    encoder_.reset();
  }
  if (last->empty()) {
    down_->send_body({}, http::End::yes);
  } else {
    down_->send_trailers(*last);
  }
}

}  // namespace gatehouse::gateway
