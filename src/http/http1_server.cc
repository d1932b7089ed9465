#include "http/http1_server.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "http/drain.h"
#include "http/http1_server_session.h"

namespace gatehouse::http {
namespace {

// Pipelined bytes kept while a request is being answered; past it reading stops until the answer is out. With one read
// on top of it this bounds what a connection can make us hold.
constexpr std::size_t kPipelinedMax = 8 * 1024;
constexpr Duration kRateWindow = std::chrono::seconds(5);
constexpr Duration kHalfClosedGrace = std::chrono::seconds(1);

// The parsed head, and the memory behind it, is only needed while `on_request` runs: one per shard serves all
// connections.
struct Scratch {
  Http1Request request;
  Arena arena{4096};
};
Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

}  // namespace

void Http1Server::on_data(std::string_view data) {
  if (in_ == In::closed || in_ == In::abandoned) return;
  if (in_ == In::tunnel) {
    deliver_early();
    if (in_ == In::tunnel && events_ != nullptr) events_->on_body(data);
    return;
  }
  if (kept_.empty()) {
    consume(data);
    if (in_ != In::closed) kept_.assign(data);
  } else {
    // Amortised: what was used is moved away only when it is the larger part.
    if (kept_at_ > kept_.size() / 2) kept_.erase(0, std::exchange(kept_at_, 0));
    const std::size_t from = kept_.size();
    kept_.append(data);
    // A head that trickles in is parsed once per line, not once per byte.
    const bool worth_it =
        in_ == In::body || kept_.size() - kept_at_ >= limits_.header_bytes || head_may_be_complete(kept_, from);
    if (in_ != In::done && worth_it) consume_kept();
  }
  steer_reading();
}

// Works on what came, as far as that goes; the rest is left in `data`.
void Http1Server::consume(std::string_view& data) {
  while (!data.empty() && (in_ == In::head || in_ == In::body)) {
    if (!(in_ == In::head ? parse_head(data) : read_body(data))) break;
  }
  if (in_ == In::tunnel && !data.empty()) {
    if (events_ != nullptr) events_->on_body(data);
    data = {};
  }
  if (in_ == In::abandoned) data = {};
}

void Http1Server::consume_kept() {
  std::string_view rest = std::string_view(kept_).substr(kept_at_);
  consume(rest);
  if (in_ == In::closed) return;
  kept_at_ = kept_.size() - rest.size();
  if (rest.empty()) std::string().swap(kept_), kept_at_ = 0;
}

// False: no progress without more bytes, or the connection is over.
bool Http1Server::parse_head(std::string_view& data) {
  Scratch& shared = scratch();
  shared.arena.reset();
  Http1Request& request = shared.request;
  const ParseResult result = parse_request_head(data, limits_, shared.arena, request);
  if (result.status == ParseStatus::refused) {
    refuse(result.reason, request.head.method.empty() ? nullptr : &request.head);
    return false;
  }
  if (result.status == ParseStatus::incomplete) {
    if (!head_begun_) {
      head_begun_ = true;
      transport_.set_deadline(options_.header_timeout);
    }
    return false;
  }
  data.remove_prefix(result.consumed);
  begin_request(request, data.size());
  sink_.on_request(*this, request.head, in_ == In::done ? End::yes : End::no);
  if (in_ == In::closed) return false;
  if (events_ == nullptr && out_ == Out::waiting) {
    ResponseHead internal_error;
    internal_error.status = 500;
    internal_error.content_length = 0;
    keep_alive_ = false;
    send_head(internal_error, End::yes);
  }
  // A declared length beyond the bound needs no byte of the body to be refused.
  if (in_ == In::body && framing_ == Framing::length && body_left_ > body_max_ && out_ == Out::waiting) {
    refuse_body(Reason::body_too_large);
    return false;
  }
  return in_ != In::closed;
}

void Http1Server::begin_request(Http1Request& request, std::size_t behind) {
  head_begun_ = false;
  ++requests_;
  request.head.scheme = info_.tls ? "https" : "http";
  version_ = request.head.version;
  head_method_ = request.head.method == "HEAD";
  framing_ = request.framing;
  wants_tunnel_ = !request.upgrade.empty();
  continue_wanted_ = request.head.expect_continue;
  keep_alive_ = request.keep_alive && !draining_ && requests_ < options_.requests_max;
  body_left_ = request.head.content_length.value_or(0);
  body_at_hand_ = framing_ == Framing::length && body_left_ <= behind;
  body_seen_ = window_seen_ = 0;
  body_max_ = options_.body_bytes;
  bytes_out_ = 0;
  sent_seen_ = std::numeric_limits<std::uint64_t>::max();
  out_ = Out::waiting;
  events_ = nullptr;
  in_ = framing_ == Framing::none ? In::done : In::body;
  if (framing_ == Framing::chunked) chunked_ = std::make_unique<ChunkedDecoder>(limits_);
  // While it is answered, time is the upstream's business; a body has its own clock, and so has a peer that does not
  // read.
  transport_.set_deadline(in_ == In::body ? kRateWindow : options_.idle_timeout / 2);
}

bool Http1Server::read_body(std::string_view& data) {
  static const Fields kNoTrailers;
  std::string_view chunk;
  if (framing_ == Framing::length) {
    chunk = data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), body_left_)));
    data.remove_prefix(chunk.size());
    body_left_ -= chunk.size();
  } else {
    switch (chunked_->next(data, chunk)) {
      case ChunkedDecoder::Status::need_more: return false;
      case ChunkedDecoder::Status::refused: refuse_body(chunked_->reason()); return false;
      case ChunkedDecoder::Status::done: request_done(chunked_->trailers()); return true;
      case ChunkedDecoder::Status::data: break;
    }
  }
  body_seen_ += chunk.size();
  if (body_seen_ > body_max_) {
    refuse_body(Reason::body_too_large);
    return false;
  }
  if (events_ != nullptr) events_->on_body(chunk);
  if (in_ == In::body && framing_ == Framing::length && body_left_ == 0) request_done(kNoTrailers);
  return in_ != In::closed;
}

void Http1Server::request_done(const Fields& trailers) {
  in_ = In::done;
  transport_.set_deadline(options_.idle_timeout / 2);
  if (events_ != nullptr) events_->on_request_end(trailers);
}

// Not a request: the answer is ours, and so is the end of the connection.
void Http1Server::refuse(Reason reason, const RequestHead* partial) {
  const std::string_view id = sink_.on_refused(info_, reason, partial);
  transport_.write(refusal_response(reason_status(reason), id));
  end();
}

// The body of a running request is bad: the exchange ends here. If nothing was answered yet, the answer is ours.
void Http1Server::refuse_body(Reason reason) {
  if (out_ == Out::done) {  // the answer is on its way, and the client shall get it
    in_ = In::abandoned;
    transport_.set_deadline(options_.idle_timeout / 2);
    return;
  }
  if (out_ != Out::waiting) {
    fail(reason);
    return;
  }
  ServerStreamEvents* const events = std::exchange(events_, nullptr);
  out_ = Out::done;
  std::string_view id = events != nullptr ? events->request_id() : std::string_view{};
  if (id.empty()) id = sink_.on_refused(info_, reason, nullptr);
  const std::string answer = refusal_response(reason_status(reason), id);
  in_ = In::closed;
  if (events != nullptr) events->on_abort(reason);
  transport_.write(answer);
  end();
}

// What came behind the request before the tunnel was open. Not handed over inside `open_tunnel`: its caller is not
// ready.
void Http1Server::deliver_early() {
  if (in_ != In::tunnel || events_ == nullptr) return;
  if (!kept_.empty()) {
    std::string early;
    early.swap(kept_);
    events_->on_body(std::string_view(early).substr(std::exchange(kept_at_, 0)));
  }
  if (eof_ && !eof_told_ && in_ == In::tunnel && events_ != nullptr) {
    static const Fields kNone;
    eof_told_ = true;
    events_->on_request_end(kNone);
    if (out_ == Out::half) response_done();
  }
}

void Http1Server::resume_reading() {
  paused_ = false;
  restart_window();
  steer_reading();
}

void Http1Server::steer_reading() {
  const bool stop = paused_ || (in_ == In::done && kept_.size() - kept_at_ > kPipelinedMax);
  if (stop == stopped_ || in_ == In::closed) return;
  stopped_ = stop;
  if (stop) {
    transport_.pause_reading();
  } else {
    transport_.resume_reading();
  }
}

void Http1Server::on_eof() {
  eof_ = true;
  switch (in_) {
    case In::head:
      // Between requests, or inside a head that will never be complete.
      in_ = In::closed;
      transport_.close_now();
      break;
    case In::body:
      if (out_ == Out::done) {
        in_ = In::abandoned;
      } else {
        fail(Reason::truncated);
      }
      break;
    case In::tunnel: deliver_early(); break;
    case In::done:
      // Gone, or only done with sending? Its kernel says the same for both, so a half-closed client has this long to
      // get the beginning of its answer. Later writes find out by themselves.
      if (out_ == Out::waiting) transport_.set_deadline(kHalfClosedGrace);
      break;
    case In::abandoned:
    case In::closed: break;
  }
}

void Http1Server::fail(Reason reason) {
  in_ = In::closed;
  out_ = Out::done;
  if (ServerStreamEvents* events = std::exchange(events_, nullptr)) events->on_abort(reason);
  transport_.close_now();
}

void Http1Server::on_writable() {
  if (events_ != nullptr) events_->on_drained();
}

void Http1Server::on_closed() {
  in_ = In::closed;
  out_ = Out::done;
  if (ServerStreamEvents* events = std::exchange(events_, nullptr)) events->on_abort(Reason::peer_closed);
}

void Http1Server::on_deadline() {
  switch (in_) {
    case In::head:
      if (head_begun_) {
        refuse(Reason::header_timeout, nullptr);
      } else {
        end();
      }
      break;
    case In::body: watch_body(); break;
    case In::done:
      if (eof_ && out_ == Out::waiting) {
        fail(Reason::peer_closed);
      } else {
        watch_output();
      }
      break;
    case In::abandoned:
    case In::tunnel: watch_output(); break;
    case In::closed: break;
  }
}

// A peer that takes nothing of its answer for `idle_timeout` is holding us.
bool Http1Server::stalled() {
  const std::uint64_t sent = bytes_out_ - transport_.buffered();
  const MonotonicTime now = transport_.now();
  if (transport_.buffered() == 0 || sent != sent_seen_) {
    sent_seen_ = sent;
    progress_at_ = now;
    return false;
  }
  return now - progress_at_ >= options_.idle_timeout;
}

void Http1Server::watch_output() {
  if (stalled()) {
    fail(Reason::body_too_slow);
    return;
  }
  transport_.set_deadline(options_.idle_timeout / 2);
}

void Http1Server::watch_body() {
  const auto wanted = options_.body_min_rate * static_cast<std::uint64_t>(kRateWindow / std::chrono::seconds(1));
  // A client that we told to wait, or that waits for our 100, is not slow.
  const bool its_turn = !paused_ && !(continue_wanted_ && body_seen_ == 0);
  if (stalled()) {
    fail(Reason::body_too_slow);
  } else if (its_turn && body_seen_ - window_seen_ < wanted) {
    refuse_body(Reason::body_too_slow);
  } else {
    restart_window();
  }
}

void Http1Server::restart_window() {
  if (in_ != In::body) return;
  window_seen_ = body_seen_;
  transport_.set_deadline(kRateWindow);
}

void Http1Server::drain() {
  draining_ = true;
  if (in_ != In::head || head_begun_ || !kept_.empty()) return;
  if (requests_ == 0) {
    transport_.set_deadline(kDrainNotice);  // it was opened for a request
  } else {
    end();
  }
}

std::unique_ptr<Session> make_http1_server(Transport& transport, RequestSink& sink, const ConnectionInfo& info,
                                           const Http1ServerOptions& options) {
  return std::make_unique<Http1Server>(transport, sink, info, options);
}

}  // namespace gatehouse::http
