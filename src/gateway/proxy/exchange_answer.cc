// The answer under inspection: its head is judged when it comes, its body when as much of it has come as is inspected,
// and nothing of either goes to the client before that.

#include "gateway/evidence.h"
#include "gateway/proxy/exchange.h"
#include "gateway/server/shard.h"

namespace gatehouse::gateway {

void Exchange::inspect_answer(const http::ResponseHead& head, http::End end) {
  const WafLayer& waf = *snapshot_->waf;
  const WafLayer::Route& route = waf.route(*request_);
  const bool body_follows = end == http::End::no;
  WafDecision decision = waf.inspect_answer_head(*request_, head, inspection_);
  if (decision.verdict == Verdict::pass) {
    const bool reads = body_follows && waf.reads_answer_body(head);
    const std::uint64_t announced = head.content_length.value_or(0);
    const bool too_long = announced > route.response_body && route.response_on_exceed == WafOnExceed::deny;
    if (reads && !(too_long && route.mode == Mode::enforce)) {
      withhold(head);
      return;
    }
    decision = reads ? waf.refuse_answer_length(*request_, announced)
                     : waf.inspect_answer_body(*request_, head, {}, true, shard_.waf(), inspection_);
  }
  answer_head_.status = head.status;
  if (conclude_answer(decision) == AnswerIs::relayed) begin_relay(head, end);
}

// What the head's views point to is gone with the event.
void Exchange::withhold(const http::ResponseHead& head) {
  answer_head_.status = head.status;
  answer_head_.version = head.version;
  answer_head_.content_length = head.content_length;
  answer_head_.fields.clear();
  for (const http::Field& field : head.fields)
    answer_head_.fields.add(arena_.copy(field.name), arena_.copy(field.value));
  state_ = State::withheld;
  arm_timer();
}

void Exchange::answer_collected(std::string_view data) {
  const WafLayer& waf = *snapshot_->waf;
  const WafLayer::Route& route = waf.route(*request_);
  answer_.append(data);
  if (!take_held(data.size())) {
    if (route.mode == Mode::enforce) {
      conclude_answer(memory_taken());
      return;
    }
    record_inspection(memory_taken());
  } else if (answer_.size() <= route.response_body) {
    return;
  } else if (route.response_on_exceed == WafOnExceed::deny) {
    const WafDecision longer = waf.refuse_answer_length(*request_, answer_.size());
    if (route.mode == Mode::enforce) {
      conclude_answer(longer);
      return;
    }
    record_inspection(longer);
  }
  inspect_collected_answer(BodyIs::cut);
}

// All of it has come. `relayed`: it is on its way, and its end is still to be said.
Exchange::AnswerIs Exchange::answer_complete() { return inspect_collected_answer(BodyIs::complete); }

Exchange::AnswerIs Exchange::inspect_collected_answer(BodyIs body_is) {
  const WafLayer& waf = *snapshot_->waf;
  const std::string_view body = std::string_view(answer_).substr(0, waf.route(*request_).response_body);
  WafDecision decision =
      waf.inspect_answer_body(*request_, answer_head_, body, body_is == BodyIs::complete, shard_.waf(), inspection_);
  if (decision.evidence.empty()) decision.evidence = evidence(arena_, "the answer, {} of its bytes", body.size());
  if (conclude_answer(decision) == AnswerIs::withdrawn) return AnswerIs::withdrawn;
  const std::string collected = std::exchange(answer_, {});
  begin_relay(answer_head_, http::End::no);
  if (!collected.empty()) relay_body(collected);
  // A large body may be written at once, and find out that the client has left.
  return state_ == State::relaying && down_ != nullptr ? AnswerIs::relayed : AnswerIs::withdrawn;
}

Exchange::AnswerIs Exchange::conclude_answer(const WafDecision& decision) {
  record_inspection(decision);
  inspection_over();
  release_held();
  if (decision.verdict == Verdict::pass || snapshot_->waf->route(*request_).mode == Mode::monitor)
    return AnswerIs::relayed;
  if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
  attempt_over(answer_head_.status < 500 ? AttemptOutcome::success : AttemptOutcome::error);
  answer_ = std::string();
  if (decision.close) down_->close_after();
  respond(decision.status, decision.reason, {}, {}, decision.location);
  return AnswerIs::withdrawn;
}

// False: the answer has been refused.
bool Exchange::begin_masking(const http::ResponseHead& head, http::End end) {
  mask_ = snapshot_->waf->mask_for(*request_, head);
  if (!mask_) return true;
  const waf::ContentCoding coding = WafLayer::coding_of(head);
  if (coding == waf::ContentCoding::identity) return true;
  decoder_ = AnswerDecoder::create(coding);
  if (decoder_ || end == http::End::yes) return true;
  mask_.reset();
  const WafDecision coded = waf_denial(*request_, "waf.response_coding", 502,
                                       "secrets are not found in such a coding: gzip, deflate and br are read");
  answer_head_.status = head.status;
  if (snapshot_->waf->route(*request_).mode == Mode::enforce) return conclude_answer(coded) == AnswerIs::relayed;
  record_inspection(coded);
  return true;
}

// From the head and from trailers. In monitor mode the bytes are the service's, and so are the digests.
void Exchange::remove_digests(http::Fields& fields) const {
  if (snapshot_->waf->route(*request_).mode != Mode::enforce) return;
  for (const std::string_view name : {"content-md5", "content-digest", "repr-digest", "digest"}) fields.remove(name);
}

// Other bytes than the service's, unless nothing was found, which is known when it is too late.
void Exchange::shape_masked_head(http::ResponseHead& head) const {
  if (snapshot_->waf->route(*request_).mode != Mode::enforce) return;
  head.fields.remove("accept-ranges");
  remove_digests(head.fields);
  if (decoder_) {
    head.fields.remove("content-encoding");
    if (head.content_length.value_or(0) != 0) head.content_length.reset();
  }
  // RFC 9110 §8.8.1: a strong validator is one of bytes.
  if (const auto etag = head.fields.get("etag"); etag && !etag->starts_with("W/"))
    head.fields.set("etag", request_->arena.copy("W/" + std::string(*etag)));
}

std::string_view Exchange::mask_answer(std::string_view data, http::End end) {
  masked_.clear();
  mask_->mask(data, end, masked_);
  return snapshot_->waf->route(*request_).mode == Mode::enforce ? std::string_view(masked_) : data;
}

void Exchange::note_masked() {
  if (!mask_) return;
  if (const std::uint64_t cards = mask_->cards(), keys = mask_->keys(); cards + keys != 0) {
    telemetry::LayerDecision entry;
    entry.layer = telemetry::Layer::waf;
    entry.mode = snapshot_->waf->route(*request_).mode;
    entry.reason = "waf.masked";
    entry.evidence = evidence(arena_, "card numbers: {}, keys: {}", cards, keys);
    record_.add(entry);
  }
  mask_.reset();
  masked_ = std::string();
}

// In monitor mode it is looked into, and goes on as it came.
void Exchange::relay_coded(std::string_view data) {
  decoder_->take(data);
  if (snapshot_->waf->route(*request_).mode == Mode::enforce) {
    relay_decoded();
    return;
  }
  while (decoder_ && decoder_->has_more()) {
    const AnswerDecoder::Step step = decoder_->decode(decoded_);
    mask_answer(decoded_, http::End::no);
    hold_decoder();
    if (decoder_ && step == AnswerDecoder::Step::failed)
      decoding_failed(waf_denial(*request_, "waf.response_coding", 502, decoder_->problem()));
  }
  send_answer_body(data);
}

// As much as the client has room for. False: the exchange is over.
bool Exchange::relay_decoded() {
  while (decoder_->has_more() && down_->buffered() <= http::kHighWater) {
    const AnswerDecoder::Step step = decoder_->decode(decoded_);
    if (!hold_decoder()) return false;
    if (step == AnswerDecoder::Step::failed)
      return decoding_failed(waf_denial(*request_, "waf.response_coding", 502, decoder_->problem()));
    const std::string_view data = mask_answer(decoded_, http::End::no);
    if (!data.empty()) send_answer_body(data);
    if (down_ == nullptr || state_ != State::relaying) return false;
  }
  return true;
}

// False: its end has to wait, or the exchange is over.
bool Exchange::coded_may_end(const http::Fields& trailers) {
  if (decoder_->has_more()) {
    for (const http::Field& field : trailers) answer_trailers_.add(arena_.copy(field.name), arena_.copy(field.value));
    answer_ended_ = upstream_paused_ = true;
    return false;
  }
  return decoder_->ends_well() ||
         decoding_failed(waf_denial(*request_, "waf.response_coding", 502, decoder_->problem()));
}

// Brotli's windows are as large as the service chose them.
bool Exchange::hold_decoder() {
  const std::uint64_t bytes = decoder_->bytes();
  if (bytes <= decoder_held_) return true;
  if (!take_held(bytes - decoder_held_)) return decoding_failed(memory_taken());
  decoder_held_ = bytes;
  return true;
}

// An answer of which the client has a part already ends such that it cannot be taken for the whole. True: in monitor
// mode it goes on.
bool Exchange::decoding_failed(const WafDecision& decision) {
  record_inspection(decision);
  if (snapshot_->waf->route(*request_).mode != Mode::enforce) {
    decoder_.reset();
    note_masked();
    return true;
  }
  if (up_ != nullptr) std::exchange(up_, nullptr)->abort();
  attempt_over(AttemptOutcome::error);
  std::exchange(down_, nullptr)->abort();
  finish();
  return false;
}

}  // namespace gatehouse::gateway
