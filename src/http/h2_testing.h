#pragma once
// For the tests and fuzzers of HTTP/2: a transport without a socket, frames made by hand, an nghttp2 session as the
// peer and the second opinion, and a sink and a stream user that write down what they hear.

#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "http/h2_server.h"
#include "http/stream.h"
#include "http/transport.h"

namespace gatehouse::http::testing {

// Takes everything, or nothing while `blocked`. The test plays the loop: `flush` is the end of a batch.
class FakeTransport final : public Transport {
 public:
  void write(std::string_view data) override {
    out.append(data);
    largest = std::max(largest, buffered());
    ++writes;
    flush_wanted = true;
  }
  std::size_t buffered() const noexcept override { return out.size() - taken_; }
  void request_flush() override { flush_wanted = true; }
  void pause_reading() override { paused = true; }
  void resume_reading() override { paused = false; }
  void end_output() override {}
  void close_after_flush() override {
    if (session != nullptr) session->before_flush();
    closing = true;
  }
  void close_now() override {
    if (std::exchange(closed, true)) return;
    if (session != nullptr) session->on_closed();
  }
  void set_deadline(Duration after) override { deadline = after > Duration::zero() ? clock.now() + after : kNever; }
  MonotonicTime now() const noexcept override { return clock.now(); }
  FailureKind failure() const noexcept override { return failure_kind; }

  // Ends the batch; returns what left.
  std::string flush() {
    for (int i = 0; i < 100 && std::exchange(flush_wanted, false) && !closed; ++i) {
      if (!closing) session->before_flush();
      if (blocked) return {};
    }
    std::string left = out.substr(taken_);
    const bool above = buffered() >= kLowWater;
    out.clear();
    taken_ = 0;
    if (!closed && !closing && above) session->on_writable();
    if (!closed && !closing && buffered() == 0) session->after_flush();
    return flush_wanted || buffered() > 0 ? left + flush() : left;
  }
  // Lets `after` pass, with the deadlines on the way.
  void advance(Duration after) {
    const MonotonicTime until = clock.now() + after;
    while (deadline <= until && !closed) {
      if (deadline > clock.now()) clock.advance(deadline - clock.now());
      deadline = kNever;
      session->on_deadline();
      if (!closing) flush_wanted = true;
    }
    if (until > clock.now()) clock.advance(until - clock.now());
  }

  static constexpr MonotonicTime kNever = MonotonicTime::max();
  FakeClock clock;
  Session* session = nullptr;
  std::string out;
  std::size_t largest = 0, writes = 0;
  MonotonicTime deadline = kNever;
  FailureKind failure_kind = FailureKind::reset;
  bool blocked = false, flush_wanted = false, closing = false, closed = false, paused = false;

 private:
  std::size_t taken_ = 0;
};

// --- frames by hand ---

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id, std::string_view payload) {
  std::string out;
  out.push_back(static_cast<char>(payload.size() >> 16));
  out.push_back(static_cast<char>(payload.size() >> 8));
  out.push_back(static_cast<char>(payload.size()));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(id >> shift));
  return out.append(payload);
}
inline std::string number(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

using FieldList = std::vector<std::pair<std::string, std::string>>;

// HPACK without compression: literals, never indexed in the table, no Huffman (RFC 7541 §6.2.2).
inline std::string hpack(const FieldList& fields) {
  std::string out;
  const auto text = [&out](std::string_view s) {
    if (s.size() < 127) {
      out.push_back(static_cast<char>(s.size()));
    } else {
      out.push_back(127);
      std::size_t rest = s.size() - 127;
      for (; rest >= 128; rest /= 128) out.push_back(static_cast<char>(rest % 128 + 128));
      out.push_back(static_cast<char>(rest));
    }
    out.append(s);
  };
  for (const auto& [name, value] : fields) {
    out.push_back(0);
    text(name);
    text(value);
  }
  return out;
}

constexpr std::uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM, kEndHeaders = NGHTTP2_FLAG_END_HEADERS;

inline std::string headers(std::uint32_t id, const FieldList& fields, std::uint8_t flags = kEndStream | kEndHeaders) {
  return frame(NGHTTP2_HEADERS, flags, id, hpack(fields));
}
inline std::string data(std::uint32_t id, std::string_view payload, std::uint8_t flags = 0) {
  return frame(NGHTTP2_DATA, flags, id, payload);
}
inline std::string settings(std::string_view payload = {}, std::uint8_t flags = 0) {
  return frame(NGHTTP2_SETTINGS, flags, 0, payload);
}
inline std::string rst_stream(std::uint32_t id, std::uint32_t code = NGHTTP2_CANCEL) {
  return frame(NGHTTP2_RST_STREAM, 0, id, number(code));
}
inline std::string window_update(std::uint32_t id, std::uint32_t by) {
  return frame(NGHTTP2_WINDOW_UPDATE, 0, id, number(by));
}
inline std::string goaway(std::uint32_t last, std::uint32_t code = NGHTTP2_NO_ERROR) {
  return frame(NGHTTP2_GOAWAY, 0, 0, number(last) + number(code));
}
inline std::string preface() { return std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) + settings(); }

inline FieldList get(std::string path = "/") {
  return {{":method", "GET"}, {":scheme", "https"}, {":authority", "shop.example"}, {":path", std::move(path)}};
}
inline FieldList post(std::string path = "/") {
  FieldList fields = get(std::move(path));
  fields[0].second = "POST";
  return fields;
}
inline FieldList with(FieldList fields, const FieldList& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

inline FieldList without(FieldList fields, std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  return fields;
}
inline FieldList replaced(FieldList fields, std::string_view name, std::string value) {
  for (auto& field : fields) {
    if (field.first == name) field.second = std::move(value);
  }
  return fields;
}

struct RawFrame {
  std::uint8_t type = 0, flags = 0;
  std::uint32_t id = 0;
  std::string payload;
  std::uint32_t word(std::size_t at) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(payload.at(at + i));
    return value;
  }
};
inline std::vector<RawFrame> parse_frames(std::string_view bytes) {
  std::vector<RawFrame> out;
  while (bytes.size() >= 9) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::size_t length =
        static_cast<std::size_t>(byte(0)) << 16 | static_cast<std::size_t>(byte(1)) << 8 | byte(2);
    RawFrame f{byte(3), byte(4), 0, {}};
    for (std::size_t i = 5; i < 9; ++i) f.id = f.id << 8 | byte(i);
    f.payload = bytes.substr(9, length);
    bytes.remove_prefix(std::min(bytes.size(), 9 + length));
    out.push_back(std::move(f));
  }
  return out;
}
// The first frame of that type (on that stream, if given).
inline const RawFrame* find_frame(const std::vector<RawFrame>& frames, std::uint8_t type,
                                  std::uint32_t id = UINT32_MAX) {
  for (const RawFrame& f : frames) {
    if (f.type == type && (id == UINT32_MAX || f.id == id)) return &f;
  }
  return nullptr;
}

// --- the gateway's part, written down ---

inline std::string show(const Fields& fields) {
  std::string out;
  for (const Field& field : fields) out.append(field.name).append("=").append(field.value).append(";");
  return out;
}

struct ServerExchange final : ServerStreamEvents {
  ServerStream* stream = nullptr;
  std::string log, body, trailers;
  bool ended = false, completed = false, aborted = false, drained = false;
  Reason reason = Reason::none;
  std::uint64_t bytes_out = 0;
  std::function<void(ServerExchange&, std::string_view)> body_hook;
  std::function<void(ServerExchange&)> end_hook;

  void on_body(std::string_view data) override {
    body.append(data);
    if (body_hook) body_hook(*this, data);
  }
  void on_request_end(const Fields& fields) override {
    ended = true;
    trailers = show(fields);
    if (end_hook) end_hook(*this);
  }
  void on_drained() override { drained = true; }
  void on_complete(std::uint64_t bytes) override { completed = true, bytes_out = bytes, stream = nullptr; }
  void on_abort(Reason why) override { aborted = true, reason = why, stream = nullptr; }
};

class RecordingSink final : public RequestSink {
 public:
  void on_request(ServerStream& stream, const RequestHead& head, End end) override {
    auto& exchange = exchanges.emplace_back(std::make_unique<ServerExchange>());
    exchange->stream = &stream;
    exchange->log = std::string(head.method) + " " + std::string(head.scheme) + " " + std::string(head.authority) +
                    " " + std::string(head.target) + " " + std::string(head.protocol) + " " +
                    (head.content_length ? std::to_string(*head.content_length) : "-") +
                    (head.expect_continue ? " continue" : "") + " | " + show(head.fields);
    exchange->ended = end == End::yes;
    if (!ignore) stream.set_events(*exchange);
    if (request_hook) request_hook(*exchange, head, end);
  }
  std::string_view on_refused(const ConnectionInfo&, Reason reason, const RequestHead*) override {
    refused.push_back(reason);
    return "01REFUSED";
  }
  ServerExchange& last() { return *exchanges.back(); }

  std::vector<std::unique_ptr<ServerExchange>> exchanges;
  std::vector<Reason> refused;
  bool ignore = false;
  std::function<void(ServerExchange&, const RequestHead&, End)> request_hook;
};

struct ClientExchange final : ClientStreamEvents {
  ClientStream* stream = nullptr;
  int status = 0;
  std::string head, body, trailers, informational;
  bool ended = false, failed = false, drained = false, tunnel_ended = false;
  Failure failure;
  std::function<void(ClientExchange&)> response_hook;

  void on_informational(const ResponseHead& response) override {
    informational += std::to_string(response.status) + ";";
  }
  void on_response(const ResponseHead& response, End end) override {
    status = response.status;
    head = show(response.fields);
    if (end == End::yes) ended = true, stream = nullptr;
    if (response_hook) response_hook(*this);
  }
  void on_body(std::string_view data) override { body.append(data); }
  void on_tunnel_end() override { tunnel_ended = true; }
  void on_response_end(const Fields& fields) override { ended = true, trailers = show(fields), stream = nullptr; }
  void on_drained() override { drained = true; }
  void on_failure(const Failure& why) override { failed = true, failure = why, stream = nullptr; }
};

struct RecordingOwner final : ClientConnectionOwner {
  int available = 0, closed = 0;
  void on_available(ClientConnection&) override { ++available; }
  void on_closed(ClientConnection&) override { ++closed; }
};

// A server session on a fake transport, driven with frames made by hand.
class TestServer {
 public:
  explicit TestServer(const H2ServerOptions& chosen = {}, bool tls = true) : options(chosen) {
    info.tls = tls;
    info.version = Version::http2;
    session = make_h2_server(transport, sink, info, options);
    transport.session = session.get();
  }
  // Our frames since the last call.
  std::vector<RawFrame> feed(std::string_view bytes) {
    if (!transport.closed && !transport.closing) session->on_data(bytes);
    return parse_frames(transport.flush());
  }
  std::vector<RawFrame> start() { return feed(preface()); }
  ServerExchange& only() {
    GH_CHECK(sink.exchanges.size() == 1);
    return *sink.exchanges.front();
  }

  FakeTransport transport;
  RecordingSink sink;
  ConnectionInfo info;
  H2ServerOptions options;
  std::unique_ptr<Session> session;
};

inline ResponseHead ok(std::optional<std::uint64_t> length = {}) {
  ResponseHead head;
  head.status = 200;
  head.content_length = length;
  return head;
}

// --- nghttp2 as the peer ---

struct PeerStream {
  std::map<std::string, std::string> fields, trailers;
  std::vector<std::string> interim;
  std::string body, out;
  std::size_t out_at = 0;
  bool out_end = true, closed = false, ended = false;
  std::uint32_t code = 0;
};

class Nghttp2Peer {
 public:
  explicit Nghttp2Peer(bool server, std::vector<nghttp2_settings_entry> entries = {}) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* f, const uint8_t* n, size_t nl, const uint8_t* v,
                      size_t vl, uint8_t, void* user) {
          auto& self = *static_cast<Nghttp2Peer*>(user);
          PeerStream& stream = self.streams[f->hd.stream_id];
          const std::string name(reinterpret_cast<const char*>(n), nl), value(reinterpret_cast<const char*>(v), vl);
          if (name == ":status" && value[0] == '1') stream.interim.push_back(value);
          if (f->headers.cat == NGHTTP2_HCAT_HEADERS && stream.fields.count(":status") != 0 &&
              stream.fields[":status"][0] != '1') {
            stream.trailers[name] = value;
          } else {
            stream.fields[name] = value;
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t length, void* user) {
          static_cast<Nghttp2Peer*>(user)->streams[id].body.append(reinterpret_cast<const char*>(bytes), length);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, [](nghttp2_session*, const nghttp2_frame* f,
                                                                       void* user) {
      auto& self = *static_cast<Nghttp2Peer*>(user);
      if (f->hd.type == NGHTTP2_GOAWAY) self.goaways.push_back(f->goaway.error_code);
      if ((f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) && (f->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        self.streams[f->hd.stream_id].ended = true;
        if (self.on_request) self.on_request(f->hd.stream_id);
      }
      return 0;
    });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t code, void* user) {
          PeerStream& stream = static_cast<Nghttp2Peer*>(user)->streams[id];
          stream.closed = true;
          stream.code = code;
          return 0;
        });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame*, int code, void* user) {
          static_cast<Nghttp2Peer*>(user)->invalid.push_back(nghttp2_strerror(code));
          return 0;
        });
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    if (server) {
      nghttp2_session_server_new2(&session, callbacks, this, options);
    } else {
      nghttp2_session_client_new2(&session, callbacks, this, options);
    }
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, 0, entries.data(), entries.size());
  }
  ~Nghttp2Peer() { nghttp2_session_del(session); }
  Nghttp2Peer(const Nghttp2Peer&) = delete;
  Nghttp2Peer& operator=(const Nghttp2Peer&) = delete;

  void receive(std::string_view bytes) {
    const ssize_t got = nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (got < 0) error = nghttp2_strerror(static_cast<int>(got));
  }
  std::string send() {
    std::string out;
    for (;;) {
      const uint8_t* bytes = nullptr;
      const ssize_t length = nghttp2_session_mem_send(session, &bytes);
      if (length <= 0) break;
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
    }
    return out;
  }

  std::int32_t request(const FieldList& fields, std::string body = {}, bool with_body = false) {
    const std::int32_t id = static_cast<std::int32_t>(nghttp2_session_get_next_stream_id(session));
    const nghttp2_data_provider provider = prepare(id, std::move(body));
    const auto list = nv(fields);
    return nghttp2_submit_request(session, nullptr, list.data(), list.size(), with_body ? &provider : nullptr, nullptr);
  }
  void respond(std::int32_t id, const FieldList& fields, std::string body = {}, bool with_body = false) {
    const nghttp2_data_provider provider = prepare(id, std::move(body));
    const auto list = nv(fields);
    nghttp2_submit_response(session, id, list.data(), list.size(), with_body ? &provider : nullptr);
  }
  nghttp2_data_provider prepare(std::int32_t id, std::string body) {
    streams[id].out = std::move(body);
    return {{.ptr = nullptr},
            [](nghttp2_session* s, int32_t stream_id, uint8_t* into, size_t length, uint32_t* flags,
               nghttp2_data_source*, void* user) -> ssize_t {
              PeerStream& stream = static_cast<Nghttp2Peer*>(user)->streams[stream_id];
              const std::size_t bytes = std::min(length, stream.out.size() - stream.out_at);
              std::copy_n(stream.out.data() + stream.out_at, bytes, into);
              stream.out_at += bytes;
              if (stream.out_at == stream.out.size()) {
                if (!stream.out_end)
                  return static_cast<ssize_t>(bytes > 0 ? static_cast<int>(bytes) : int{NGHTTP2_ERR_DEFERRED});
                *flags |= NGHTTP2_DATA_FLAG_EOF;
                auto& trailers = static_cast<Nghttp2Peer*>(user)->send_trailers;
                if (!trailers.empty()) {
                  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                  const auto list = nv(trailers);
                  nghttp2_submit_trailer(s, stream_id, list.data(), list.size());
                }
              }
              return static_cast<ssize_t>(bytes);
            }};
  }
  static std::vector<nghttp2_nv> nv(const FieldList& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      list.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                      NGHTTP2_NV_FLAG_NONE});
    }
    return list;
  }

  nghttp2_session* session = nullptr;
  std::map<std::int32_t, PeerStream> streams;
  std::vector<std::uint32_t> goaways;
  std::vector<std::string> invalid;
  std::string error;
  FieldList send_trailers;
  std::function<void(std::int32_t)> on_request;
};

// Carries bytes between a session of ours and the peer until both are silent. Returns the bytes carried.
inline std::size_t talk(FakeTransport& transport, Nghttp2Peer& peer) {
  std::size_t carried = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string ours = transport.closed ? std::string() : transport.flush();
    if (!ours.empty()) peer.receive(ours);
    const std::string theirs = peer.send();
    if (!theirs.empty() && !transport.closed && !transport.closing) transport.session->on_data(theirs);
    carried += ours.size() + theirs.size();
    if (ours.empty() && theirs.empty() && !transport.flush_wanted) break;
  }
  return carried;
}

}  // namespace gatehouse::http::testing
