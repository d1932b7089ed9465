#include "http/http1_server.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "http/http1_parser.h"
#include "http/http1_writer.h"

namespace gatehouse::http {
namespace {

// Pipelined bytes kept while a request is being answered; past it reading stops until the answer is out. With one read
// on top of it this bounds what a connection can make us hold.
constexpr std::size_t kPipelinedMax = 8 * 1024;
constexpr Duration kRateWindow = std::chrono::seconds(5);

// The parsed head, and the memory behind it, is only needed while `on_request` runs: one per shard serves all
// connections.
struct Scratch {
  Http1Request request;
  Arena arena{4096};
  std::string out;
};
Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

class Http1Server final : public Session, public ServerStream {
 public:
  Http1Server(Transport& transport, RequestSink& sink, const ConnectionInfo& info, const Http1ServerOptions& options)
      : transport_(transport),
        sink_(sink),
        info_(info),
        options_(options),
        limits_{options.header_bytes, options.headers, options.uri_bytes, options.allow_underscore_names} {
    transport_.set_deadline(options_.header_timeout);
  }

  // Session
  void on_data(std::string_view data) override;
  void on_eof() override;
  void before_flush() override { deliver_early(); }
  void after_flush() override;
  void on_writable() override;
  void on_closed() override;
  void on_deadline() override;
  void drain() override;

  // ServerStream
  const ConnectionInfo& connection() const noexcept override { return info_; }
  void set_events(ServerStreamEvents& events) noexcept override { events_ = &events; }
  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, End end) override;
  void send_body(std::string_view data, End end) override;
  void send_trailers(const Fields& trailers) override;
  void open_tunnel(const ResponseHead& head) override;
  void abort() override;
  std::size_t buffered() const noexcept override { return transport_.buffered(); }
  void pause_reading() override { paused_ = true, steer_reading(); }
  void resume_reading() override;
  bool wants_tunnel() const noexcept override { return wants_tunnel_; }
  void close_after() override { keep_alive_ = false; }
  void set_body_max(std::uint64_t bytes) override { body_max_ = bytes; }

 private:
  // Where the request is. `abandoned`: answered before its end, and what still comes of it is thrown away.
  enum class In : std::uint8_t { head, body, done, abandoned, tunnel, closed };
  enum class Out : std::uint8_t { idle, waiting, body, done, tunnel };  // where the response is

  void consume(std::string_view& data);
  void consume_kept();
  bool parse_head(std::string_view& data);
  void begin_request(Http1Request& request, std::size_t behind);
  bool read_body(std::string_view& data);
  void refuse(Reason reason, const RequestHead* partial);
  void refuse_body(Reason reason);
  void request_done(const Fields& trailers);
  void response_done();
  void finish();
  void end();
  void fail(Reason reason);
  bool stalled();
  void watch_body();
  void watch_output();
  void restart_window();
  void steer_reading();
  void deliver_early();
  void send(std::string_view bytes);

  Transport& transport_;
  RequestSink& sink_;
  const ConnectionInfo& info_;
  const Http1ServerOptions& options_;
  HeadLimits limits_;
  ServerStreamEvents* events_ = nullptr;
  std::string kept_;  // bytes that could not be used yet, from `kept_at_` on
  std::size_t kept_at_ = 0;
  std::unique_ptr<ChunkedDecoder> chunked_;
  In in_ = In::head;
  Out out_ = Out::idle;
  Framing framing_ = Framing::none;
  WriteFraming out_framing_ = WriteFraming::none;
  Version version_ = Version::http11;
  bool keep_alive_ = true, draining_ = false, wants_tunnel_ = false, head_method_ = false;
  bool paused_ = false;   // the stream asked for it
  bool stopped_ = false;  // what the transport was told
  bool eof_ = false, eof_told_ = false, head_begun_ = false, continue_wanted_ = false, body_at_hand_ = false;
  std::uint32_t requests_ = 0;
  std::uint64_t body_left_ = 0, body_seen_ = 0, body_max_ = 0, window_seen_ = 0;
  std::uint64_t bytes_out_ = 0, out_left_ = 0;
  std::uint64_t sent_seen_ = 0;  // by the kernel, when last looked at
  MonotonicTime progress_at_;    // when that changed
};

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

void Http1Server::send(std::string_view bytes) {
  bytes_out_ += bytes.size();
  transport_.write(bytes);
}

void Http1Server::send_informational(const ResponseHead& head) {
  if (out_ != Out::waiting || version_ == Version::http10) return;
  if (head.status == 100) {
    if (!continue_wanted_) return;
    continue_wanted_ = false;
    restart_window();  // only now the client begins
  }
  std::string& out = scratch().out;
  out.clear();
  append_response_head(out, head, {});
  send(out);
}

void Http1Server::send_head(const ResponseHead& head, End end) {
  if (out_ != Out::waiting) return;
  // What is left of the request would be taken for the next one, unless all of it has come and is read right away.
  if (in_ != In::done && !body_at_hand_) keep_alive_ = false;
  const bool bodyless = head_method_ || head.status == 204 || head.status == 304;
  FramingChoice choice;
  if (head.content_length && head.status != 204) {
    choice = {WriteFraming::length, *head.content_length, {}};
  } else if (end == End::yes && !bodyless) {
    choice = {WriteFraming::length, 0, {}};
  } else if (!bodyless) {
    choice.framing = version_ == Version::http10 ? WriteFraming::until_close : WriteFraming::chunked;
    if (version_ == Version::http10) keep_alive_ = false;
  }
  if (draining_) keep_alive_ = false;
  if (!keep_alive_) {
    choice.connection = "close";
  } else if (version_ == Version::http10) {
    choice.connection = "keep-alive";
  }
  out_framing_ = bodyless ? WriteFraming::none : choice.framing;
  out_left_ = choice.length;
  std::string& out = scratch().out;
  out.clear();
  append_response_head(out, head, choice);
  out_ = Out::body;
  send(out);
  if (end == End::yes) response_done();
}

void Http1Server::send_body(std::string_view data, End end) {
  if (out_ == Out::tunnel) {
    if (!data.empty()) send(data);
    if (end == End::yes) response_done();
    return;
  }
  if (out_ != Out::body) return;
  if (!data.empty() && out_framing_ != WriteFraming::none) {
    if (out_framing_ == WriteFraming::chunked) {
      std::string& out = scratch().out;
      out.clear();
      append_chunk_size(out, data.size());
      send(out);
      send(data);
      send("\r\n");
    } else {
      if (out_framing_ == WriteFraming::length) {
        // Whoever announced a length that is too short: not a byte more, the client would take it for the next answer.
        if (data.size() > out_left_) data = data.substr(0, static_cast<std::size_t>(out_left_)), keep_alive_ = false;
        out_left_ -= data.size();
      }
      send(data);
    }
  }
  if (end == End::yes) {
    if (out_framing_ == WriteFraming::chunked) send("0\r\n\r\n");
    response_done();
  }
}

void Http1Server::send_trailers(const Fields& trailers) {
  if (out_ != Out::body) return;
  if (out_framing_ == WriteFraming::chunked) {
    std::string& out = scratch().out;
    out.clear();
    append_trailers(out, trailers);
    send(out);
  }
  response_done();
}

void Http1Server::open_tunnel(const ResponseHead& head) {
  if (out_ != Out::waiting || !wants_tunnel_) return;
  std::string& out = scratch().out;
  out.clear();
  append_response_head(out, head, {WriteFraming::none, 0, "upgrade"});
  send(out);
  in_ = In::tunnel;
  out_ = Out::tunnel;
  keep_alive_ = false;
  transport_.set_deadline(options_.idle_timeout / 2);
  steer_reading();
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
  }
}

void Http1Server::response_done() {
  // Fewer bytes than announced: only the connection's end tells the client.
  if (out_framing_ == WriteFraming::length && out_left_ > 0) keep_alive_ = false;
  out_ = Out::done;
  transport_.request_flush();
}

void Http1Server::abort() {
  events_ = nullptr;
  in_ = In::closed;
  out_ = Out::done;
  transport_.close_now();
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

void Http1Server::after_flush() {
  if (out_ == Out::done && in_ != In::closed) finish();
}

// The answer is with the kernel.
void Http1Server::finish() {
  if (ServerStreamEvents* events = std::exchange(events_, nullptr)) events->on_complete(bytes_out_);
  if (in_ == In::closed) return;
  wants_tunnel_ = paused_ = false;
  chunked_.reset();
  // A client that closed its half after several requests still gets all its answers.
  if (!keep_alive_ || in_ != In::done || draining_ || (eof_ && kept_.empty())) {
    end();
    return;
  }
  in_ = In::head;
  out_ = Out::idle;
  transport_.set_deadline(options_.idle_timeout);
  if (!kept_.empty()) consume_kept();
  if (eof_ && in_ == In::head) end();
  steer_reading();
}

// Nothing more is read or said; what was written still leaves.
void Http1Server::end() {
  in_ = In::closed;
  out_ = Out::done;
  kept_.clear();
  kept_at_ = 0;
  if (std::exchange(stopped_, false)) transport_.resume_reading();  // to see the peer's end
  transport_.close_after_flush();
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
    case In::done:  // a half-closed client still wants its answer
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
  if (in_ == In::head && !head_begun_ && kept_.empty()) end();
}

}  // namespace

std::unique_ptr<Session> make_http1_server(Transport& transport, RequestSink& sink, const ConnectionInfo& info,
                                           const Http1ServerOptions& options) {
  return std::make_unique<Http1Server>(transport, sink, info, options);
}

}  // namespace gatehouse::http
