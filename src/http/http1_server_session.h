#pragma once
// Inside of http1_server.cc (the request's way in) and http1_server_response.cc (the response's way out).
//
// Invariants: (1) `In` and `Out` are where the request and its response are; a stream exists from `begin_request` until
// `events_` was told of the end. (2) Events are the last thing a function does, or `in_` is looked at again behind
// them: they may have ended the stream. (3) `kept_` is never changed inside an event, whose views may point into it.

#include <memory>
#include <string>

#include "http/http1_parser.h"
#include "http/http1_server.h"
#include "http/http1_writer.h"

namespace gatehouse::http {

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
  void on_hangup() override {
    if ((in_ == In::body || in_ == In::done) && events_ != nullptr) events_->on_hangup();
  }
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
  // Where the response is. `half`: our half of the tunnel is closed, and the client's not yet.
  enum class Out : std::uint8_t { idle, waiting, body, done, tunnel, half };

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

}  // namespace gatehouse::http
