#include "http/h2_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "http/drain.h"
#include "http/h2_connection.h"

namespace gatehouse::http {
namespace {

// An answer that came before the end of its request is followed by RST_STREAM with NO_ERROR. Behind an error not at
// once: a client that is still sending may take the reset for a failure and never look at the answer (curl 7.88 does),
// so it gets as long as a closing connection does to finish or to stop by itself.
constexpr Duration kEarlyAnswer = std::chrono::seconds(2);

constexpr Duration kHalfClosedGrace = std::chrono::seconds(1);

class H2Server;

class H2ServerStream final : public ServerStream, public H2Stream {
 public:
  H2ServerStream(H2Server& server, H2Connection& connection, std::int32_t id);

  // ServerStream
  const ConnectionInfo& connection() const noexcept override;
  void set_events(ServerStreamEvents& events) noexcept override { events_ = &events; }
  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, End end) override;
  void send_body(std::string_view data, End end) override;
  void send_trailers(const Fields& trailers) override;
  void open_tunnel(const ResponseHead& head) override;
  void abort() override;
  std::size_t buffered() const noexcept override { return pending(); }
  void pause_reading() override { pause(); }
  void resume_reading() override { resume(); }
  bool wants_tunnel() const noexcept override { return wants_tunnel_; }
  void close_after() override;
  void set_body_max(std::uint64_t bytes) override { body_max_ = bytes; }

  // The client has closed its sending half; `over`: it has also had its time to get the beginning of an answer.
  void peer_ended(bool over);
  // Its bytes are with the kernel, or as good as.
  void complete(OutputFate fate);
  std::int32_t id() const noexcept { return id_; }
  bool answered_with_error() const noexcept { return status_ >= 400; }

 protected:
  // H2Stream
  HeaderBlock::Kind expected_block() const noexcept override {
    return head_seen_ ? HeaderBlock::Kind::trailers : HeaderBlock::Kind::request;
  }
  void on_headers(HeaderBlock& block, End end) override;
  void on_data(std::string_view data) override;
  void on_end() override { request_ended({}); }
  void on_stream_drained() override {
    if (events_ != nullptr) events_->on_drained();
  }
  void on_stream_closed(std::uint32_t code) override;
  void cut(Reason reason) override;
  void lost(Reason reason) override {
    if (events_ != nullptr) events_->on_abort(reason);
  }
  bool watches_input() const noexcept override {
    return events_ != nullptr && !request_ended_ && !lasts_ && !awaits_continue_;
  }

 private:
  void accept(const RequestHead& head, End end);
  void refuse(Reason reason, const RequestHead& partial);
  void answer(int status, std::string_view request_id);
  void request_ended(const Fields& trailers);
  void malformed(Reason reason);
  void release();
  void submit_head(NvList& list, bool with_body);

  H2Server& server_;
  ServerStreamEvents* events_ = nullptr;
  std::optional<std::uint64_t> length_in_, length_out_;
  std::uint64_t body_in_ = 0, body_queued_ = 0, body_max_;
  int status_ = 0;
  bool head_seen_ = false, head_sent_ = false, request_ended_ = false, to_head_ = false, wants_tunnel_ = false;
  bool tunnel_ = false;
  bool lasts_ = false;  // a call or a tunnel that may be silent for long: no minimal rate
  bool awaits_continue_ = false;
  bool completing_ = false;
};

class H2Server final : public Session, public H2Connection {
 public:
  H2Server(Transport& transport, RequestSink& sink, const ConnectionInfo& info, const H2ServerOptions& options)
      : H2Connection(transport, options, Side::server), sink_(sink), info_(info), options_(options) {}

  // Session
  void on_data(std::string_view data) override { receive(data); }
  void on_eof() override;
  void before_flush() override {
    produce();
    // Not in `on_eof`: where it came with the connection's first bytes there is no timer yet.
    if (half_closed_) arm(half_closed_seen_ ? half_closed_until_ : now());
  }
  void on_writable() override { produce(); }
  void after_flush() override { output_moved(); }
  void on_closed() override { transport_closed(); }
  void on_deadline() override { check_deadlines(); }
  void drain() override;

 private:
  friend class H2ServerStream;
  struct EarlyAnswer {
    std::int32_t id;
    MonotonicTime reset_at;
  };
  struct Completion {
    std::unique_ptr<H2Stream> stream;
    std::uint64_t at;  // what must have been handed over
  };

  H2Stream* accept_stream(std::int32_t id) override;
  void on_connection_failed(Reason reason) override { sink_.on_refused(info_, reason, nullptr); }
  void on_output(OutputFate fate) override;
  void on_answered_early(H2Stream& stream) override;
  void on_pong() override {
    if (draining_) send_goaway();
  }
  MonotonicTime check_own_deadlines(MonotonicTime at) override;
  void complete_later(H2ServerStream& stream) {
    completions_.push_back({take_stream(stream), written()});
    if (transport_.buffered() == 0) wants_flush();  // all has left before: no output of ours will bring `on_output`
  }

  RequestSink& sink_;
  const ConnectionInfo& info_;
  const H2ServerOptions& options_;
  std::deque<Completion> completions_;
  std::deque<EarlyAnswer> answered_early_;  // of the last `kEarlyAnswer`
  MonotonicTime drained_at_ = kNever;
  MonotonicTime half_closed_until_ = kNever;
  bool half_closed_ = false, half_closed_seen_ = false;
  std::uint32_t requests_ = 0;
  bool draining_ = false;
};

// --- the stream ------------------------------------------------------------------------------------------------------

H2ServerStream::H2ServerStream(H2Server& server, H2Connection& connection, std::int32_t id)
    : H2Stream(connection), server_(server), body_max_(server.options_.body_bytes) {
  id_ = id;
}

const ConnectionInfo& H2ServerStream::connection() const noexcept { return server_.info_; }

void H2ServerStream::on_headers(HeaderBlock& block, End end) {
  if (head_seen_) {
    const Reason reason = end == End::yes ? block.finish_trailers() : Reason::h2_protocol_error;
    if (reason != Reason::none) {
      malformed(reason);
    } else {
      request_ended(block.trailers());
    }
    return;
  }
  head_seen_ = true;
  request_ended_ = end == End::yes;
  const Reason reason = block.finish_request(server_.info_.tls, end);
  to_head_ = block.request().method == "HEAD";
  if (reason != Reason::none) {
    refuse(reason, block.request());
  } else {
    accept(block.request(), end);
  }
}

void H2ServerStream::accept(const RequestHead& head, End end) {
  length_in_ = head.content_length;
  awaits_continue_ = head.expect_continue;
  wants_tunnel_ = !head.protocol.empty();
  const auto type = head.fields.get("content-type");
  lasts_ =
      wants_tunnel_ || (type && (type->starts_with("application/grpc") || type->starts_with("application/connect+")));
  server_.sink_.on_request(*this, head, end);
  if (gone_) return;
  if (events_ == nullptr) {
    answer(500, {});
  } else if (!wants_tunnel_ && length_in_ && *length_in_ > body_max_ && !head_sent_) {
    cut(Reason::body_too_large);  // a declared length beyond the bound needs no byte of the body to be refused
  }
}

void H2ServerStream::refuse(Reason reason, const RequestHead& partial) {
  const std::string_view request_id = server_.sink_.on_refused(server_.info_, reason, &partial);
  server_.count_provoked();
  switch (reason) {
    // Well-formed, but not for us.
    case Reason::bad_method:
    case Reason::bad_expect:
    case Reason::header_too_large:
    case Reason::too_many_headers:
    case Reason::uri_too_long:
    case Reason::underscore_in_name: answer(reason_status(reason), request_id); break;
    default:
      reset(NGHTTP2_PROTOCOL_ERROR);
      release();
      break;
  }
}

void H2ServerStream::answer(int status, std::string_view request_id) {
  events_ = nullptr;
  const std::string body = fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"request_id":"{}"}})"
                                       "\n",
                                       status_text(status), status, request_id);
  ResponseHead head;
  head.status = status;
  head.version = Version::http2;
  head.fields.add("content-type", "application/problem+json");
  if (!request_id.empty()) head.fields.add("x-request-id", request_id);
  head.fields.add("cache-control", "no-store");
  head.content_length = body.size();
  send_head(head, End::no);
  send_body(body, End::yes);
}

void H2ServerStream::on_data(std::string_view data) {
  if (events_ == nullptr) {
    consume(data.size());
    return;
  }
  body_in_ += data.size();
  if (!tunnel_ && !wants_tunnel_) {
    if (length_in_ && body_in_ > *length_in_) {
      consume(data.size());
      malformed(Reason::content_length_mismatch);
      return;
    }
    if (body_in_ > body_max_) {
      consume(data.size());
      cut(Reason::body_too_large);
      return;
    }
  }
  events_->on_body(data);
  consume(data.size());
}

void H2ServerStream::request_ended(const Fields& trailers) {
  request_ended_ = true;
  if (events_ == nullptr) return;
  if (!wants_tunnel_ && length_in_ && body_in_ != *length_in_) {
    malformed(Reason::content_length_mismatch);
    return;
  }
  events_->on_request_end(trailers);
}

// What follows a good head is bad: a stream error, whatever was answered so far.
void H2ServerStream::malformed(Reason reason) {
  server_.count_provoked();
  ServerStreamEvents* const events = std::exchange(events_, nullptr);
  reset(NGHTTP2_PROTOCOL_ERROR);
  release();
  if (events != nullptr) events->on_abort(reason);
}

void H2ServerStream::cut(Reason reason) {
  ServerStreamEvents* const events = std::exchange(events_, nullptr);
  // With the id of the record that was begun; the view does not outlive `on_abort`.
  std::string id(events != nullptr ? events->request_id() : std::string_view{});
  if (events != nullptr) events->on_abort(reason);
  if (!head_sent_ && !detached_) {
    if (id.empty()) id = server_.sink_.on_refused(server_.info_, reason, nullptr);
    answer(reason_status(reason), id);
  } else {
    reset(NGHTTP2_CANCEL);
    release();
  }
}

void H2ServerStream::on_stream_closed(std::uint32_t) {
  if (local_end_sent_) {
    if (events_ != nullptr) server_.forgive_answered();
    completing_ = true;
    server_.complete_later(*this);
    return;
  }
  ServerStreamEvents* const events = std::exchange(events_, nullptr);
  release();
  if (events != nullptr) events->on_abort(close_reason_);
}

void H2ServerStream::peer_ended(bool over) {
  if (local_end_sent_ || (request_ended_ && !(over && !head_sent_))) return;
  const Reason reason = request_ended_ || tunnel_ ? Reason::peer_closed : Reason::truncated;
  ServerStreamEvents* const events = std::exchange(events_, nullptr);
  reset(NGHTTP2_CANCEL);
  release();
  if (events != nullptr) events->on_abort(reason);
}

void H2ServerStream::complete(OutputFate fate) {
  if (std::exchange(gone_, true)) return;
  ServerStreamEvents* const events = std::exchange(events_, nullptr);
  if (events == nullptr) return;
  if (fate == OutputFate::lost) {
    events->on_abort(Reason::peer_closed);
  } else {
    events->on_complete(bytes_out_);
  }
}

void H2ServerStream::release() {
  gone_ = true;
  if (!completing_) server_.bury(server_.take_stream(*this));
}

void H2ServerStream::send_informational(const ResponseHead& head) {
  if (head_sent_ || detached_) return;
  if (head.status == 100) {
    if (!std::exchange(awaits_continue_, false)) return;
    in_since_ = server_.now();
  }
  NvList& list = NvList::scratch();
  list.add_status(head.status);
  list.add_fields(head.fields);
  nghttp2_submit_headers(server_.nghttp2_, NGHTTP2_FLAG_NONE, id_, nullptr, list.data(), list.size(), nullptr);
  server_.wants_flush();
}

void H2ServerStream::submit_head(NvList& list, bool with_body) {
  head_sent_ = true;
  const nghttp2_data_provider body = body_provider();
  nghttp2_submit_response(server_.nghttp2_, id_, list.data(), list.size(), with_body ? &body : nullptr);
  server_.wants_flush();
}

void H2ServerStream::send_head(const ResponseHead& head, End end) {
  if (head_sent_ || detached_) return;
  // Their END_STREAM comes with the head, whatever body somebody may still send (RFC 9110 §6.4.1).
  const bool bodyless = to_head_ || head.status == 204 || head.status == 304;
  NvList& list = NvList::scratch();
  status_ = head.status;
  list.add_status(head.status);
  list.add_fields(head.fields);
  if (head.content_length && head.status != 204) {
    list.add_length(*head.content_length);
    if (!bodyless) length_out_ = head.content_length;
  }
  const bool with_body = end == End::no && !bodyless;
  out_end_ = !with_body;
  submit_head(list, with_body);
}

void H2ServerStream::send_body(std::string_view data, End end) {
  if (!head_sent_ || detached_ || out_end_) return;
  body_queued_ += data.size();
  // A length that does not come true: the peer must not take the message for complete.
  if (length_out_ && (body_queued_ > *length_out_ || (end == End::yes && body_queued_ != *length_out_))) {
    reset(NGHTTP2_INTERNAL_ERROR);
    server_.close_later(*this, Reason::truncated);
    return;
  }
  push_body(data, end);
}

void H2ServerStream::send_trailers(const Fields& trailers) {
  if (!head_sent_ || detached_) return;
  push_trailers(trailers);
}

void H2ServerStream::open_tunnel(const ResponseHead& head) {
  if (!wants_tunnel_ || head_sent_ || detached_) return;
  tunnel_ = keeps_half_open_ = true;
  NvList& list = NvList::scratch();
  list.add_status(head.status == 101 ? 200 : head.status);
  list.add_fields(head.fields);
  submit_head(list, true);
}

void H2ServerStream::abort() {
  if (std::exchange(gone_, true)) return;
  events_ = nullptr;
  // RFC 8441 §4: what a TCP connection would reset is cancelled; behind our END_STREAM nothing went wrong.
  reset(!tunnel_ ? NGHTTP2_INTERNAL_ERROR : local_end_sent_ ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
  release();
}

void H2ServerStream::close_after() { server_.send_goaway(); }

// --- the connection --------------------------------------------------------------------------------------------------

H2Stream* H2Server::accept_stream(std::int32_t id) {
  H2Stream& stream = add_stream(std::make_unique<H2ServerStream>(*this, *this, id));
  if (++requests_ >= options_.requests_max) send_goaway();
  return &stream;
}

void H2Server::on_output(OutputFate fate) {
  const std::uint64_t taken = fate == OutputFate::progress ? written() - transport_.buffered() : written();
  while (!completions_.empty() && completions_.front().at <= taken) {
    auto& stream = static_cast<H2ServerStream&>(*completions_.front().stream);
    bury(std::move(completions_.front().stream));
    completions_.pop_front();
    stream.complete(fate);
  }
}

// Gone, or only done with sending? As in HTTP/1.1 (docs/decisions/0006): what was asked in full gets a second for the
// beginning of its answer; nothing else will come, and the windows that are left are all there is.
void H2Server::on_eof() {
  if (streams_.empty() && completions_.empty()) {
    transport_closed();
    transport_.close_now();
    return;
  }
  half_closed_ = true;
  half_closed_until_ = now() + kHalfClosedGrace;
  send_goaway();
  wants_flush();
}

void H2Server::drain() {
  if (std::exchange(draining_, true) || shut_) return;
  // Two steps: what the client sent before it heard of it is still served. The ping's answer comes behind it.
  nghttp2_submit_shutdown_notice(nghttp2_);
  nghttp2_submit_ping(nghttp2_, NGHTTP2_FLAG_NONE, nullptr);
  drained_at_ = now() + kDrainNotice;
  arm(drained_at_);
  wants_flush();
}

void H2Server::on_answered_early(H2Stream& stream) {
  const auto& answered = static_cast<H2ServerStream&>(stream);
  if (!answered.answered_with_error()) {
    submit_reset(answered.id(), NGHTTP2_NO_ERROR);
    return;
  }
  while (!answered_early_.empty() &&
         nghttp2_session_get_stream_remote_close(nghttp2_, answered_early_.front().id) != 0) {
    answered_early_.pop_front();  // the client has ended it
  }
  answered_early_.push_back({answered.id(), now() + kEarlyAnswer});
  arm(answered_early_.back().reset_at);
}

MonotonicTime H2Server::check_own_deadlines(MonotonicTime at) {
  while (!answered_early_.empty() && at >= answered_early_.front().reset_at) {
    const std::int32_t id = answered_early_.front().id;
    answered_early_.pop_front();
    if (nghttp2_session_get_stream_remote_close(nghttp2_, id) == 0) submit_reset(id, NGHTTP2_NO_ERROR);
  }
  if (at >= drained_at_) {
    drained_at_ = kNever;
    send_goaway();
  }
  if (half_closed_) {
    half_closed_seen_ = true;
    const bool over = at >= half_closed_until_;
    for (std::size_t i = streams_.size(); i-- > 0;) {
      if (i < streams_.size()) static_cast<H2ServerStream&>(*streams_[i]).peer_ended(over);
    }
    if (over) half_closed_until_ = kNever;
  }
  const MonotonicTime early = answered_early_.empty() ? kNever : answered_early_.front().reset_at;
  return std::min({drained_at_, half_closed_until_, early});
}

}  // namespace

std::unique_ptr<Session> make_h2_server(Transport& transport, RequestSink& sink, const ConnectionInfo& info,
                                        const H2ServerOptions& options) {
  return std::make_unique<H2Server>(transport, sink, info, options);
}

}  // namespace gatehouse::http
