#include "http/http1_client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/http1_writer.h"
#include "http/stream.h"

namespace gatehouse::http {
namespace {

constexpr int kInformationalMax = 16;  // 1xx heads before a final one; more is an upstream that plays games

struct Scratch {
  Http1Response response;
  Arena arena{4096};
  std::string out;
};
Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

class Http1Client final : public ClientSession, public ClientStream {
 public:
  Http1Client(Transport& transport, ClientConnectionOwner& owner, const Http1ClientOptions& options)
      : transport_(transport), owner_(owner), options_(options) {}

  // Session
  void on_data(std::string_view data) override;
  void on_eof() override;
  void before_flush() override {}
  void on_writable() override {
    if (events_ != nullptr) events_->on_drained();
  }
  void on_closed() override;
  void on_deadline() override { close(); }
  void drain() override { close_when_idle(); }

  // ClientConnection
  ClientStream& open(ClientStreamEvents& events) override;
  std::size_t available() const noexcept override { return state_ == State::idle && reusable_ ? 1 : 0; }
  std::size_t active() const noexcept override { return events_ != nullptr ? 1 : 0; }
  void close_when_idle() override;

  // ClientStream
  void send_head(const RequestHead& head, End end) override;
  void send_body(std::string_view data, End end) override;
  void send_trailers(const Fields& trailers) override;
  void abort() override;
  std::size_t buffered() const noexcept override { return transport_.buffered() + early_.size(); }
  void pause_reading() override { transport_.pause_reading(); }
  void resume_reading() override { transport_.resume_reading(); }

 private:
  enum class State : std::uint8_t { idle, head, body, tunnel, closed };

  bool parse_head(std::string_view& data);
  bool open_tunnel(const ResponseHead& head);
  void end_tunnel();
  void request_done();
  bool read_body(std::string_view& data);
  void response_done(const Fields* trailers, std::string_view behind);
  void fail(FailureKind kind, Reason reason);
  void close();

  Transport& transport_;
  ClientConnectionOwner& owner_;
  const Http1ClientOptions& options_;
  ClientStreamEvents* events_ = nullptr;
  std::string kept_;
  std::unique_ptr<ChunkedDecoder> chunked_;
  State state_ = State::idle;
  Framing framing_ = Framing::none;
  WriteFraming out_framing_ = WriteFraming::none;
  bool reusable_ = true, head_sent_ = false, request_sent_ = false, to_head_ = false, response_begun_ = false;
  bool owner_told_ = false;
  int informational_ = 0;
  std::uint64_t body_left_ = 0, out_left_ = 0;
  std::string upgrade_;  // what the request asked to become; empty: an ordinary request
  // Tunnel bytes that came before the upstream's 101. On the wire they would be its next request if it says no.
  std::string early_;
  bool early_end_ = false, peer_ended_ = false;
};

ClientStream& Http1Client::open(ClientStreamEvents& events) {
  GH_CHECK(available() > 0);
  events_ = &events;
  state_ = State::head;
  head_sent_ = request_sent_ = response_begun_ = early_end_ = false;
  informational_ = 0;
  transport_.set_deadline(Duration::zero());
  return *this;
}

void Http1Client::send_head(const RequestHead& head, End end) {
  if (state_ != State::head || head_sent_) return;
  head_sent_ = true;
  to_head_ = head.method == "HEAD";
  upgrade_.clear();
  FramingChoice choice;
  const bool content = head.content_length.value_or(0) > 0;
  if (const auto upgrade = head.fields.get("upgrade"); upgrade && !content) {
    upgrade_ = *upgrade;
    choice.connection = "upgrade";
  } else if (head.content_length && (end == End::no || !content)) {
    choice = {WriteFraming::length, *head.content_length, {}};
  } else if (end == End::no) {
    choice.framing = WriteFraming::chunked;
  } else if (head.method == "POST" || head.method == "PUT" || head.method == "PATCH") {
    choice = {WriteFraming::length, 0, {}};  // RFC 9110 §8.6: where content is expected, none is said
  }
  out_framing_ = choice.framing;
  out_left_ = choice.length;
  std::string& out = scratch().out;
  out.clear();
  append_request_head(out, head, choice);
  transport_.write(out);
  if (end == End::yes) request_done();
}

void Http1Client::send_body(std::string_view data, End end) {
  if (state_ == State::tunnel) {
    if (early_end_) return;
    transport_.write(data);
    if (end == End::yes) end_tunnel();
    return;
  }
  if ((state_ != State::head && state_ != State::body) || request_sent_) return;
  if (!upgrade_.empty()) {
    if (state_ == State::head) early_.append(data);
    early_end_ |= end == End::yes;
    return;
  }
  switch (out_framing_) {
    case WriteFraming::chunked:
      if (!data.empty()) {
        std::string& out = scratch().out;
        out.clear();
        append_chunk_size(out, data.size());
        transport_.write(out);
        transport_.write(data);
        transport_.write("\r\n");
      }
      if (end == End::yes) transport_.write("0\r\n\r\n");
      break;
    case WriteFraming::length:
      // Whoever announced a length that is too short: not a byte more, it would be the next request.
      if (data.size() > out_left_) data = data.substr(0, static_cast<std::size_t>(out_left_)), reusable_ = false;
      out_left_ -= data.size();
      transport_.write(data);
      break;
    case WriteFraming::none:
    case WriteFraming::until_close: break;  // nothing was announced, nothing follows
  }
  if (end == End::yes) request_done();
}

void Http1Client::send_trailers(const Fields& trailers) {
  if ((state_ != State::head && state_ != State::body) || request_sent_ || !upgrade_.empty()) return;
  if (out_framing_ == WriteFraming::chunked) {  // a declared length leaves no place for them
    std::string& out = scratch().out;
    out.clear();
    append_trailers(out, trailers);
    transport_.write(out);
  }
  request_done();
}

void Http1Client::request_done() {
  request_sent_ = true;
  if (out_framing_ != WriteFraming::length || out_left_ == 0) return;
  // Shorter than announced: the upstream must see an end that is none, not wait for the rest.
  reusable_ = false;
  transport_.close_after_flush();
}

// Our half; `on_closed` tells of the end when both are.
void Http1Client::end_tunnel() {
  early_end_ = true;
  if (peer_ended_) {
    transport_.close_after_flush();
  } else {
    transport_.end_output();
  }
}

void Http1Client::abort() {
  events_ = nullptr;
  if (state_ == State::tunnel && early_end_ && peer_ended_) return;  // it closes by itself, behind what was sent
  close();
}

void Http1Client::close_when_idle() {
  reusable_ = false;
  if (state_ == State::idle) close();
}

void Http1Client::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  reusable_ = false;
  transport_.close_now();
  if (!std::exchange(owner_told_, true)) owner_.on_closed(*this);
}

void Http1Client::on_closed() {
  const State was = std::exchange(state_, State::closed);
  reusable_ = false;
  if (ClientStreamEvents* events = was == State::closed ? nullptr : std::exchange(events_, nullptr)) {
    if (was == State::tunnel && early_end_) {  // we closed our half, and now it is over
      static const Fields kNone;
      events->on_response_end(kNone);
    } else {
      const FailureKind kind = transport_.failure();
      events->on_failure({kind, Reason::peer_closed, response_begun_, kind != FailureKind::reset});
    }
  }
  if (!std::exchange(owner_told_, true)) owner_.on_closed(*this);
}

void Http1Client::on_data(std::string_view data) {
  if (state_ == State::closed) return;
  if (state_ == State::idle) {  // nobody asked: whatever this is, it answers no request of ours
    close();
    return;
  }
  if (state_ == State::head && !head_sent_) {  // an answer to nothing: the last exchange's, one too many
    ClientStreamEvents* const events = std::exchange(events_, nullptr);
    close();
    events->on_failure({FailureKind::reset, Reason::none, false, true});
    return;
  }
  std::string joined;
  if (!kept_.empty()) {
    const std::size_t from = kept_.size();
    kept_.append(data);
    if (state_ == State::head && kept_.size() < options_.limits.header_bytes && !head_may_be_complete(kept_, from))
      return;
    joined.swap(kept_);
    data = joined;
  }
  while (!data.empty()) {
    if (state_ == State::head) {
      if (!parse_head(data)) break;
    } else if (state_ == State::body) {
      if (!read_body(data)) break;
    } else if (state_ == State::tunnel) {
      if (events_ != nullptr) events_->on_body(data);
      return;
    } else {
      return;  // closed, with the rest unread
    }
  }
  if (state_ == State::head) kept_.assign(data);
}

bool Http1Client::parse_head(std::string_view& data) {
  Scratch& shared = scratch();
  shared.arena.reset();
  Http1Response& response = shared.response;
  const ParseResult result = parse_response_head(data, options_.limits, to_head_, shared.arena, response);
  if (result.status == ParseStatus::incomplete) return false;
  if (result.status == ParseStatus::refused) {
    fail(FailureKind::bad_response, result.reason);
    return false;
  }
  data.remove_prefix(result.consumed);
  const int status = response.head.status;
  if (status == 101) return open_tunnel(response.head);
  if (status < 200) {
    if (++informational_ > kInformationalMax) {
      fail(FailureKind::bad_response, Reason::bad_status_line);
      return false;
    }
    events_->on_informational(response.head);
    return state_ == State::head;
  }
  framing_ = response.framing;
  body_left_ = response.head.content_length.value_or(0);
  if (!response.keep_alive) reusable_ = false;
  chunked_.reset();
  if (framing_ == Framing::chunked) {
    chunked_ = std::make_unique<ChunkedDecoder>(options_.limits);
    response.head.content_length.reset();
  }
  response_begun_ = true;
  state_ = State::body;
  early_.clear();
  events_->on_response(response.head, framing_ == Framing::none ? End::yes : End::no);
  if (state_ != State::body) return false;
  if (framing_ == Framing::none) response_done(nullptr, data);
  return state_ == State::body || state_ == State::idle;
}

bool Http1Client::open_tunnel(const ResponseHead& head) {
  const auto to = head.fields.get("upgrade");
  if (upgrade_.empty() || !to || to->empty() || !list_has_token(upgrade_, *to)) {  // RFC 9110 §7.8
    fail(FailureKind::bad_response, Reason::bad_upgrade);
    return false;
  }
  state_ = State::tunnel;
  reusable_ = false;
  response_begun_ = true;
  const std::string early = std::exchange(early_, {});
  transport_.write(early);
  events_->on_response(head, End::no);
  if (state_ != State::tunnel) return false;
  if (early_end_) {
    end_tunnel();
  } else if (early.size() >= kLowWater && transport_.buffered() < kLowWater) {
    events_->on_drained();  // the kernel took at once what the sender may be waiting for
  }
  return state_ == State::tunnel;
}

bool Http1Client::read_body(std::string_view& data) {
  std::string_view chunk;
  switch (framing_) {
    case Framing::length:
      chunk = data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), body_left_)));
      data.remove_prefix(chunk.size());
      body_left_ -= chunk.size();
      break;
    case Framing::chunked:
      switch (chunked_->next(data, chunk)) {
        case ChunkedDecoder::Status::need_more: return false;
        case ChunkedDecoder::Status::refused: fail(FailureKind::bad_response, chunked_->reason()); return false;
        case ChunkedDecoder::Status::done: response_done(&chunked_->trailers(), data); return true;
        case ChunkedDecoder::Status::data: break;
      }
      break;
    case Framing::until_close:
      chunk = data;
      data = {};
      break;
    case Framing::none: return false;
  }
  events_->on_body(chunk);
  if (state_ != State::body) return false;
  if (framing_ == Framing::length && body_left_ == 0) {
    static const Fields kNone;
    response_done(&kNone, data);
  }
  return true;
}

// `behind`: what came after the message. Anything there answers no request of ours (response splitting, or a length
// that is wrong), so the connection must not carry another.
void Http1Client::response_done(const Fields* trailers, std::string_view behind) {
  if (!behind.empty()) reusable_ = false;
  // An answer before the end of the request leaves the rest of it on the wire: the connection is spent.
  if (!request_sent_ || transport_.buffered() > 0) reusable_ = false;
  ClientStreamEvents* events = std::exchange(events_, nullptr);
  state_ = State::idle;
  if (trailers != nullptr) events->on_response_end(*trailers);
  if (state_ != State::idle || events_ != nullptr) return;
  chunked_.reset();
  if (!reusable_) {
    close();
    return;
  }
  transport_.set_deadline(options_.idle_timeout);
  transport_.resume_reading();
  owner_.on_available(*this);
}

void Http1Client::fail(FailureKind kind, Reason reason) {
  ClientStreamEvents* events = std::exchange(events_, nullptr);
  const bool begun = response_begun_;
  close();
  if (events != nullptr) events->on_failure({kind, reason, begun, false});
}

void Http1Client::on_eof() {
  switch (state_) {
    case State::idle: close(); break;
    case State::head: fail(FailureKind::reset, kept_.empty() ? Reason::peer_closed : Reason::truncated); break;
    case State::body:
      if (framing_ == Framing::until_close) {
        static const Fields kNone;
        reusable_ = false;
        response_done(&kNone, {});
      } else {
        fail(FailureKind::reset, Reason::truncated);
      }
      break;
    case State::tunnel:
      peer_ended_ = true;
      if (early_end_) transport_.close_after_flush();
      if (events_ != nullptr) events_->on_tunnel_end();
      break;
    case State::closed: break;
  }
}

}  // namespace

std::unique_ptr<ClientSession> make_http1_client(Transport& transport, ClientConnectionOwner& owner,
                                                 const Http1ClientOptions& options) {
  return std::make_unique<Http1Client>(transport, owner, options);
}

}  // namespace gatehouse::http
