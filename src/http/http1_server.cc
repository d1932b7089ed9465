#include "http/http1_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "http/http1_parser.h"
#include "http/http1_writer.h"

namespace gatehouse::http {
namespace {

// Pipelined bytes kept while a request is being answered; past it reading stops until the answer is out.
constexpr std::size_t kPipelinedMax = 64 * 1024;
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
  void before_flush() override {}
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
  void pause_reading() override { paused_ = true, transport_.pause_reading(); }
  void resume_reading() override;
  bool wants_tunnel() const noexcept override { return wants_tunnel_; }
  void close_after() override { keep_alive_ = false; }
  void set_body_max(std::uint64_t bytes) override { body_max_ = bytes; }

 private:
  enum class In : std::uint8_t { head, body, done, tunnel, closed };    // where the request is
  enum class Out : std::uint8_t { idle, waiting, body, done, tunnel };  // where the response is

  void process();
  bool parse_head(std::string_view& data);
  bool read_body(std::string_view& data);
  void refuse(Reason reason, const RequestHead* partial);
  void refuse_body(Reason reason);
  void request_done(const Fields& trailers);
  void response_done();
  void finish();
  void fail(Reason reason);
  void watch_body();
  void send(std::string_view bytes);

  Transport& transport_;
  RequestSink& sink_;
  const ConnectionInfo& info_;
  const Http1ServerOptions& options_;
  HeadLimits limits_;
  ServerStreamEvents* events_ = nullptr;
  std::string kept_;  // bytes that could not be used yet
  std::unique_ptr<ChunkedDecoder> chunked_;
  In in_ = In::head;
  Out out_ = Out::idle;
  Framing framing_ = Framing::none;
  WriteFraming out_framing_ = WriteFraming::none;
  bool keep_alive_ = true, draining_ = false, paused_ = false, wants_tunnel_ = false, head_method_ = false;
  bool processing_ = false, eof_ = false, head_begun_ = false, continue_wanted_ = false;
  Version version_ = Version::http11;
  std::uint32_t requests_ = 0;
  std::uint64_t body_left_ = 0, body_seen_ = 0, body_max_ = 0, window_seen_ = 0;
  std::uint64_t bytes_out_ = 0, stalled_at_ = 0;
};

void Http1Server::on_data(std::string_view data) {
  if (in_ == In::closed) return;
  if (in_ == In::tunnel) {
    body_seen_ += data.size();
    if (events_ != nullptr) events_->on_body(data);
    return;
  }
  if (kept_.empty()) {
    std::string_view rest = data;
    const bool waiting = in_ == In::done;
    while (!rest.empty() && in_ != In::done && in_ != In::closed && in_ != In::tunnel) {
      if (!(in_ == In::head ? parse_head(rest) : read_body(rest))) break;
    }
    if (in_ == In::tunnel && !rest.empty() && events_ != nullptr) {
      events_->on_body(rest);
    } else if (in_ != In::closed) {
      kept_.assign(rest);
    }
    if (waiting && kept_.size() > kPipelinedMax) transport_.pause_reading();
  } else {
    const std::size_t from = kept_.size();
    kept_.append(data);
    if (in_ == In::done) {
      if (kept_.size() > kPipelinedMax) transport_.pause_reading();
      return;
    }
    // A head that trickles in is parsed once per line, not once per byte.
    if (in_ == In::head && kept_.size() < limits_.header_bytes && !head_may_be_complete(kept_, from)) return;
    process();
  }
}

// Works on what is kept, as far as that goes.
void Http1Server::process() {
  if (processing_) return;
  processing_ = true;
  while (!kept_.empty() && (in_ == In::head || in_ == In::body)) {
    std::string now;
    now.swap(kept_);
    std::string_view rest = now;
    while (!rest.empty() && (in_ == In::head || in_ == In::body)) {
      if (!(in_ == In::head ? parse_head(rest) : read_body(rest))) break;
    }
    if (in_ == In::closed) break;
    if (in_ == In::tunnel) {
      if (!rest.empty() && events_ != nullptr) events_->on_body(rest);
      break;
    }
    const bool stuck = rest.size() == now.size();
    kept_.insert(0, rest);
    if (stuck) break;
  }
  processing_ = false;
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
  body_seen_ = window_seen_ = 0;
  body_max_ = options_.body_bytes;
  bytes_out_ = 0;
  chunked_.reset();
  out_ = Out::waiting;
  events_ = nullptr;
  in_ = framing_ == Framing::none ? In::done : In::body;
  if (framing_ == Framing::chunked) chunked_ = std::make_unique<ChunkedDecoder>(limits_);
  // While it is answered, time is the upstream's business; a body has its own clock, and so has a peer that does not
  // read.
  transport_.set_deadline(in_ == In::body ? kRateWindow : options_.idle_timeout);

  const bool was_processing = std::exchange(processing_, true);
  sink_.on_request(*this, request.head, in_ == In::done ? End::yes : End::no);
  processing_ = was_processing;
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
  transport_.set_deadline(options_.idle_timeout);
  if (events_ != nullptr) events_->on_request_end(trailers);
}

// Not a request: the answer is ours, and so is the end of the connection.
void Http1Server::refuse(Reason reason, const RequestHead* partial) {
  const std::string_view id = sink_.on_refused(info_, reason, partial);
  transport_.write(refusal_response(reason_status(reason), id));
  in_ = In::closed;
  kept_.clear();
  transport_.close_after_flush();
}

// The body of a running request is bad: the exchange ends here. If nothing was answered yet, the answer is ours.
void Http1Server::refuse_body(Reason reason) {
  const bool answer = out_ == Out::waiting;
  ServerStreamEvents* events = std::exchange(events_, nullptr);
  in_ = In::closed;
  out_ = Out::done;
  kept_.clear();
  if (events != nullptr) events->on_abort(reason);
  if (answer) {
    transport_.write(refusal_response(reason_status(reason), sink_.on_refused(info_, reason, nullptr)));
    transport_.close_after_flush();
  } else {
    transport_.close_now();
  }
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
  }
  std::string& out = scratch().out;
  out.clear();
  append_response_head(out, head, {});
  send(out);
}

void Http1Server::send_head(const ResponseHead& head, End end) {
  if (out_ != Out::waiting) return;
  // A body that was neither read nor asked for would be taken for the next request.
  if (in_ == In::body) keep_alive_ = false;
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
  transport_.set_deadline(Duration::zero());
  if (!kept_.empty() && events_ != nullptr) {
    std::string early;
    early.swap(kept_);
    events_->on_body(early);
  }
}

void Http1Server::response_done() {
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
  window_seen_ = body_seen_;
  transport_.resume_reading();
}

void Http1Server::after_flush() {
  if (out_ == Out::done && in_ != In::closed) finish();
}

// The answer is with the kernel.
void Http1Server::finish() {
  const bool reusable = keep_alive_ && in_ == In::done && !eof_ && !draining_;
  if (ServerStreamEvents* events = std::exchange(events_, nullptr)) events->on_complete(bytes_out_);
  wants_tunnel_ = false;
  if (!reusable) {
    in_ = In::closed;
    kept_.clear();
    if (paused_) resume_reading();  // to see the peer's end
    transport_.close_after_flush();
    return;
  }
  in_ = In::head;
  out_ = Out::idle;
  transport_.set_deadline(options_.idle_timeout);
  transport_.resume_reading();
  if (!kept_.empty()) process();
}

void Http1Server::on_eof() {
  eof_ = true;
  switch (in_) {
    case In::head:
      // Between requests, or inside a head that will never be complete.
      in_ = In::closed;
      transport_.close_now();
      break;
    case In::body: fail(Reason::truncated); break;
    case In::tunnel:
      if (events_ != nullptr) {
        static const Fields kNone;
        events_->on_request_end(kNone);
      }
      break;
    case In::done:  // a half-closed client still wants its answer
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
        in_ = In::closed;
        transport_.close_after_flush();
      }
      break;
    case In::body: watch_body(); break;
    case In::done:
      // A peer that takes nothing of its answer for that long is holding us.
      if (transport_.buffered() > 0 && stalled_at_ == bytes_out_ - transport_.buffered()) {
        fail(Reason::body_too_slow);
        return;
      }
      stalled_at_ = bytes_out_ - transport_.buffered();
      transport_.set_deadline(options_.idle_timeout);
      break;
    case In::tunnel:
    case In::closed: break;
  }
}

void Http1Server::watch_body() {
  const auto wanted = options_.body_min_rate * static_cast<std::uint64_t>(kRateWindow / std::chrono::seconds(1));
  if (!paused_ && options_.body_min_rate > 0 && body_seen_ - window_seen_ < wanted) {
    refuse_body(Reason::body_too_slow);
    return;
  }
  window_seen_ = body_seen_;
  transport_.set_deadline(kRateWindow);
}

void Http1Server::drain() {
  draining_ = true;
  if (in_ == In::head && !head_begun_ && kept_.empty()) {
    in_ = In::closed;
    transport_.close_after_flush();
  }
}

}  // namespace

std::unique_ptr<Session> make_http1_server(Transport& transport, RequestSink& sink, const ConnectionInfo& info,
                                           const Http1ServerOptions& options) {
  return std::make_unique<Http1Server>(transport, sink, info, options);
}

std::string refusal_response(int status, std::string_view request_id) {
  const std::string body = fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"request_id":"{}"}})"
                                       "\n",
                                       status_text(status), status, request_id);
  return fmt::format(
      "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\nx-request-id: {}\r\ncontent-length: {}\r\n"
      "cache-control: no-store\r\nconnection: close\r\n\r\n{}",
      status, status_text(status), request_id, body.size(), body);
}

}  // namespace gatehouse::http
