// The end of an exchange: layers are told, the decision record is completed, logged, counted and kept.

#include "gateway/proxy/exchange.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {

void Exchange::downstream_complete(std::uint64_t bytes_out) {
  bytes_out_ = bytes_out;
  down_ = nullptr;
  if (up_ != nullptr) {
    std::exchange(up_, nullptr)->abort();
    attempt_over(client_ended_ && upstream_ended_ ? AttemptOutcome::success : AttemptOutcome::unknown);
  }
  finish();
}

void Exchange::downstream_abort(http::Reason reason) {
  down_ = nullptr;
  if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
  attempt_over(AttemptOutcome::unknown);
  if (reason != http::Reason::peer_closed) {
    // What the codec refused in the middle of a body it answers by itself, if nothing was answered before.
    note(telemetry::Layer::http, Verdict::deny, http::reason_code(reason), {});
    if (status_sent_ == 0) status_sent_ = http::reason_status(reason);
    count_attack(request_->client_ip, reason);
  } else if (state_ == State::tunnel || state_ == State::ending) {
    // The usual end of a tunnel.
  } else {
    record_.reason = record_.reason.empty() ? "client.closed" : record_.reason;
  }
  finish();
}

void Exchange::finish() {
  timer_.cancel();
  if (turn_.waits()) shard_.pool().stop_waiting(turn_);
  inspection_over();
  inspection_.pin.release();
  release_held();
  encoder_.reset();
  decoder_.reset();
  decoded_ = std::string();
  decoder_held_ = 0;
  answer_ended_ = false;
  answer_trailers_.clear();
  note_masked();
  gate_.reset();
  body_ = std::string();
  answer_ = std::string();
  for (std::size_t i = 0; i < snapshot_->layers.size(); ++i) {
    if (decided_ & (std::uint32_t{1} << i)) snapshot_->layers[i]->on_end(*request_, status_sent_);
  }
  decided_ = 0;
  record_.status = status_sent_;
  record_.bytes_in = bytes_in_;
  record_.bytes_out = bytes_out_;
  write_record();
  admission_.release();
  cluster_.reset();
  snapshot_.reset();
  state_ = State::idle;
  local_ = nullptr;
  ++generation_;
  shard_.recycle(*this);
}

void Exchange::write_record() {
  // The batch's time is from before it; what was done since then is ours.
  const std::uint64_t now_ticks = CycleClock::ticks();
  record_.duration_us = CycleClock::to_ns(now_ticks - started_ticks_) / 1000;
  record_.upstream_us = upstream_ns_ / 1000;
  record_.gatehouse_us = CycleClock::to_ns(own_ticks_) / 1000;
  if (request_->principal.method != AuthMethod::none) {
    record_.user = request_->principal.user;
    record_.auth = name_of(request_->principal.method);
  }
  shard_.recorder().record(record_);
}

}  // namespace gatehouse::gateway
