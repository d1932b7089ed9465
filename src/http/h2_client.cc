#include "http/h2_client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/h2_connection.h"

namespace gatehouse::http {
namespace {

constexpr int kInformationalMax = 16;           // 1xx heads before a final one; more is an upstream that plays games
constexpr std::int32_t kStreamIdMax = 1 << 30;  // then a new connection; far from the end of the ids

class H2Client;

// Of a stream that the gateway has let go of, and that still has something to send.
ClientStreamEvents& nobody() {
  struct Nobody final : ClientStreamEvents {
    void on_informational(const ResponseHead&) override {}
    void on_response(const ResponseHead&, End) override {}
    void on_body(std::string_view) override {}
    void on_response_end(const Fields&) override {}
    void on_drained() override {}
    void on_failure(const Failure&) override {}
  };
  static Nobody instance;
  return instance;
}

class H2ClientStream final : public ClientStream, public H2Stream {
 public:
  H2ClientStream(H2Client& client, H2Connection& connection, ClientStreamEvents& events)
      : H2Stream(connection), client_(client), events_(&events) {}

  // ClientStream
  void send_head(const RequestHead& head, End end) override;
  void send_body(std::string_view data, End end) override {
    if (!detached_) push_body(data, end);
  }
  void send_trailers(const Fields& trailers) override {
    if (!detached_) push_trailers(trailers);
  }
  void abort() override;
  std::size_t buffered() const noexcept override { return pending(); }
  void pause_reading() override { pause(); }
  void resume_reading() override { resume(); }

  // The upstream's SETTINGS came: may a tunnel be asked for?
  void settings_known(bool tunnels_allowed);

 protected:
  // H2Stream
  HeaderBlock::Kind expected_block() const noexcept override {
    return final_seen_ ? HeaderBlock::Kind::trailers : HeaderBlock::Kind::response;
  }
  void on_headers(HeaderBlock& block, End end) override;
  void on_data(std::string_view data) override;
  void on_end() override { response_ended({}); }
  void on_stream_drained() override { events_->on_drained(); }
  void on_stream_closed(std::uint32_t code) override;
  void cut(Reason reason) override;
  void lost(Reason reason) override;
  bool watches_input() const noexcept override { return false; }

 private:
  void submit(NvList& list);
  void on_final(HeaderBlock& block, End end);
  void response_ended(const Fields& trailers);
  void finish();
  void malformed(Reason reason);
  void fail_with(Failure failure);
  void release();

  H2Client& client_;
  ClientStreamEvents* events_;
  std::unique_ptr<OwnedFields> held_;  // an extended CONNECT that waits for the upstream's SETTINGS
  std::optional<std::uint64_t> length_in_;
  std::uint64_t body_in_ = 0;
  int informational_ = 0;
  bool final_seen_ = false, to_head_ = false, to_connect_ = false, bodyless_ = false, ended_with_head_ = false;
  bool tunnel_ = false, peer_ended_ = false;
};

// Constructed before H2Connection, which refers to them.
struct KeptOptions {
  H2ClientOptions options;
};

class H2Client final : private KeptOptions, public ClientSession, public H2Connection {
 public:
  H2Client(Transport& transport, ClientConnectionOwner& owner, const H2ClientOptions& chosen)
      : KeptOptions{chosen}, H2Connection(transport, options, Side::client), owner_(owner) {
    heard_at_ = now();
  }

  // Session
  void on_data(std::string_view data) override {
    heard_at_ = now();
    receive(data);
  }
  void on_eof() override {
    transport_closed();
    transport_.close_now();
  }
  void before_flush() override { produce(); }
  void on_writable() override { produce(); }
  void on_closed() override { transport_closed(); }
  void on_deadline() override { check_deadlines(); }
  void drain() override { close_when_idle(); }

  // ClientConnection
  ClientStream& open(ClientStreamEvents& events) override;
  std::size_t available() const noexcept override;
  std::size_t active() const noexcept override { return streams_.size(); }
  void close_when_idle() override;

 private:
  friend class H2ClientStream;

  H2Stream* accept_stream(std::int32_t) override { return nullptr; }
  void on_settings() override;
  void on_goaway() override { closing_ = true; }
  void on_connection_failed(Reason reason) override { failed_ = reason != Reason::peer_closed; }
  void on_shut() override;
  bool settle_more() override;
  MonotonicTime check_own_deadlines(MonotonicTime at) override;
  void stream_released() { released_ = true; }

  ClientConnectionOwner& owner_;
  MonotonicTime heard_at_, pinged_at_ = kNever;
  bool closing_ = false;   // takes no further stream
  bool failed_ = false;    // the upstream broke the protocol
  bool released_ = false;  // a stream ended since the owner was last told
  bool told_closed_ = false;
};

// --- the stream ------------------------------------------------------------------------------------------------------

void H2ClientStream::send_head(const RequestHead& head, End end) {
  if (id_ > 0 || detached_) return;
  to_head_ = head.method == "HEAD";
  to_connect_ = !head.protocol.empty();
  out_end_ = ended_with_head_ = end == End::yes;
  NvList& list = NvList::scratch();
  list.add(":method", to_connect_ ? "CONNECT" : head.method);
  list.add(":scheme", head.scheme);
  list.add(":authority", head.authority);
  list.add(":path", head.target);
  if (to_connect_) list.add(":protocol", head.protocol);
  list.add_fields(head.fields, true);
  if (head.content_length && !to_connect_) list.add_length(*head.content_length);
  if (to_connect_ && !client_.settings_seen_) {
    held_ = std::make_unique<OwnedFields>();
    for (std::size_t i = 0; i < list.size(); ++i) {
      const nghttp2_nv& field = list.data()[i];
      held_->add({reinterpret_cast<const char*>(field.name), field.namelen},
                 {reinterpret_cast<const char*>(field.value), field.valuelen});
    }
    return;
  }
  if (to_connect_) {
    settings_known(nghttp2_session_get_remote_settings(client_.nghttp2_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL));
    if (detached_) return;
  }
  submit(list);
}

void H2ClientStream::settings_known(bool tunnels_allowed) {
  if (!to_connect_ || id_ > 0 || detached_) return;
  if (!tunnels_allowed) {
    held_.reset();
    close_code_ = NGHTTP2_REFUSED_STREAM;
    detached_ = true;
    client_.close_later(*this, Reason::bad_upgrade);
    return;
  }
  if (!held_) return;
  NvList& list = NvList::scratch();
  const std::unique_ptr<OwnedFields> held = std::move(held_);
  held->each([&](std::string_view name, std::string_view value) { list.add(name, value); });
  submit(list);
}

void H2ClientStream::submit(NvList& list) {
  const nghttp2_data_provider body = body_provider();
  id_ = nghttp2_submit_request(client_.nghttp2_, nullptr, list.data(), list.size(), ended_with_head_ ? nullptr : &body,
                               static_cast<H2Stream*>(this));
  if (id_ < 0) {  // out of ids or memory
    close_code_ = NGHTTP2_REFUSED_STREAM;
    detached_ = true;
    client_.close_later(*this, Reason::none);
    return;
  }
  if (id_ >= kStreamIdMax) client_.closing_ = true;
  client_.wants_flush();
}

void H2ClientStream::on_headers(HeaderBlock& block, End end) {
  if (final_seen_) {
    const Reason reason = end == End::yes ? block.finish_trailers() : Reason::h2_protocol_error;
    if (reason != Reason::none) {
      malformed(reason);
    } else {
      response_ended(block.trailers());
    }
    return;
  }
  if (const Reason reason = block.finish_response(to_head_, end); reason != Reason::none) {
    malformed(reason);
    return;
  }
  if (block.response().status < 200) {
    if (++informational_ > kInformationalMax) {
      malformed(Reason::h2_protocol_error);
    } else {
      events_->on_informational(block.response());
    }
    return;
  }
  on_final(block, end);
}

void H2ClientStream::on_final(HeaderBlock& block, End end) {
  const ResponseHead& head = block.response();
  final_seen_ = true;
  bodyless_ = to_head_ || head.status == 204 || head.status == 304;
  tunnel_ = to_connect_ && head.status >= 200 && head.status < 300;
  if (!bodyless_ && !to_connect_) length_in_ = head.content_length;
  if (end == End::yes) finish();
  events_->on_response(head, end);
}

// The response is complete; the rest of the request, if any, is of no use to anyone.
void H2ClientStream::finish() {
  if (!local_end_sent_) reset(NGHTTP2_CANCEL);
  client_.detach(*this);
  client_.forgive_answered();
  release();
}

void H2ClientStream::on_data(std::string_view data) {
  body_in_ += data.size();
  if (!final_seen_ || bodyless_ || (length_in_ && body_in_ > *length_in_)) {
    consume(data.size());
    malformed(final_seen_ ? Reason::content_length_mismatch : Reason::h2_protocol_error);
    return;
  }
  events_->on_body(data);
  consume(data.size());
}

void H2ClientStream::response_ended(const Fields& trailers) {
  if (!final_seen_) {
    malformed(Reason::h2_protocol_error);
    return;
  }
  if (length_in_ && body_in_ != *length_in_) {
    malformed(Reason::content_length_mismatch);
    return;
  }
  if (tunnel_ && !local_end_sent_) {
    peer_ended_ = true;
    events_->on_tunnel_end();
    return;
  }
  finish();
  events_->on_response_end(trailers);
}

void H2ClientStream::malformed(Reason reason) {
  client_.count_provoked();
  reset(NGHTTP2_PROTOCOL_ERROR);
  fail_with({FailureKind::bad_response, reason, final_seen_, false});
}

void H2ClientStream::on_stream_closed(std::uint32_t code) {
  if (peer_ended_ && local_end_sent_) {
    static const Fields kNone;
    client_.forgive_answered();
    release();
    events_->on_response_end(kNone);
    return;
  }
  Failure failure{FailureKind::reset, Reason::none, final_seen_, !headers_sent_};
  if (code == NGHTTP2_REFUSED_STREAM && !final_seen_ && informational_ == 0) {
    failure.kind = FailureKind::refused_stream;
    failure.request_unseen = true;
  } else if (close_reason_ != Reason::peer_closed) {
    failure.kind = FailureKind::bad_response;
  }
  if (close_reason_ != Reason::peer_closed) failure.reason = close_reason_;
  fail_with(failure);
}

void H2ClientStream::cut(Reason reason) {
  reset(NGHTTP2_CANCEL);
  fail_with({FailureKind::response_timeout, reason, final_seen_, false});
}

void H2ClientStream::lost(Reason reason) {
  const FailureKind kind = client_.transport_.failure();
  Failure failure{client_.failed_ ? FailureKind::bad_response : kind, reason, final_seen_, !headers_sent_};
  if (kind != FailureKind::reset) failure.request_unseen = true;
  events_->on_failure(failure);
}

void H2ClientStream::fail_with(Failure failure) {
  release();
  events_->on_failure(failure);
}

void H2ClientStream::release() {
  gone_ = true;
  client_.bury(client_.take_stream(*this));
  client_.stream_released();
}

void H2ClientStream::abort() {
  if (gone_) return;
  if (peer_ended_ && out_end_ && !detached_) {  // both sides are done: what was sent still leaves
    events_ = &nobody();
    return;
  }
  reset(NGHTTP2_CANCEL);
  release();
  client_.wants_flush();
}

// --- the connection --------------------------------------------------------------------------------------------------

ClientStream& H2Client::open(ClientStreamEvents& events) {
  GH_CHECK(available() > 0);
  auto stream = std::make_unique<H2ClientStream>(*this, *this, events);
  H2ClientStream& opened = *stream;
  if (streams_.empty()) heard_at_ = now();
  add_stream(std::move(stream));
  return opened;
}

std::size_t H2Client::available() const noexcept {
  if (closing_ || ending_ || shut_) return 0;
  const std::size_t theirs = nghttp2_session_get_remote_settings(nghttp2_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  const std::size_t most = std::min<std::size_t>(theirs, options.streams_max);
  return most > streams_.size() ? most - streams_.size() : 0;
}

void H2Client::close_when_idle() {
  closing_ = true;
  wants_flush();  // `settle_more` sees whether it is idle already
}

void H2Client::on_settings() {
  const bool tunnels = nghttp2_session_get_remote_settings(nghttp2_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL);
  for (const auto& stream : streams_) static_cast<H2ClientStream&>(*stream).settings_known(tunnels);
  released_ = true;  // there may be room for more now
}

void H2Client::on_shut() {
  closing_ = true;
  if (!std::exchange(told_closed_, true)) owner_.on_closed(*this);
}

bool H2Client::settle_more() {
  if (shut_) return false;
  if (closing_ && streams_.empty() && !goaway_sent_) {
    send_goaway();
    return true;
  }
  if (std::exchange(released_, false) && available() > 0) {
    owner_.on_available(*this);
    return true;
  }
  return false;
}

MonotonicTime H2Client::check_own_deadlines(MonotonicTime at) {
  if (streams_.empty() || options.ping_interval == Duration::zero()) {
    pinged_at_ = kNever;
    return kNever;
  }
  if (pinged_at_ != kNever && heard_at_ >= pinged_at_) pinged_at_ = kNever;
  if (pinged_at_ != kNever) {
    if (at >= pinged_at_ + options.ping_timeout) fail(Reason::peer_closed, NGHTTP2_NO_ERROR);
    return pinged_at_ + options.ping_timeout;
  }
  if (at >= heard_at_ + options.ping_interval) {
    nghttp2_submit_ping(nghttp2_, NGHTTP2_FLAG_NONE, nullptr);
    wants_flush();
    pinged_at_ = at;
    return at + options.ping_timeout;
  }
  return heard_at_ + options.ping_interval;
}

}  // namespace

std::unique_ptr<ClientSession> make_h2_client(Transport& transport, ClientConnectionOwner& owner,
                                              const H2ClientOptions& options) {
  return std::make_unique<H2Client>(transport, owner, options);
}

}  // namespace gatehouse::http
