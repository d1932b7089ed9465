#pragma once
// One HTTP/2 stream as both ends see it: what waits to be sent, flow control, and the accounting of what came. Private
// to the codec.
//
// The connection owns it. `h2_connection.h` states when events are told and when a stream is freed.

#include <memory>
#include <string>
#include <string_view>

#include "http/h2_field_list.h"
#include "http/h2_fields.h"

namespace gatehouse::http {

class H2Connection;

// The half of a stream that both ends share: what waits to be sent, and the accounting of what came.
class H2Stream {
 public:
  explicit H2Stream(H2Connection& connection) noexcept;
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;
  virtual ~H2Stream() = default;

 protected:
  friend class H2Connection;

  // Told inside nghttp2's callbacks; may call anything of this stream.
  virtual HeaderBlock::Kind expected_block() const noexcept = 0;
  virtual void on_headers(HeaderBlock& block, End end) = 0;
  virtual void on_data(std::string_view data) = 0;
  virtual void on_end() = 0;
  // Told by `settle`.
  virtual void on_stream_drained() = 0;
  virtual void on_stream_closed(std::uint32_t code) = 0;
  // The peer sends or takes its data too slowly, or the connection is lost. Inside no callback of nghttp2.
  virtual void cut(Reason reason) = 0;
  virtual void lost(Reason reason) = 0;
  // Is the peer late with content that we wait for?
  virtual bool watches_input() const noexcept = 0;

  // Queues content; large content leaves at once, from where it lies.
  void push_body(std::string_view data, End end);
  void push_trailers(const Fields& trailers);
  std::size_t pending() const noexcept { return direct_.size() + out_.size() - out_from_; }
  // Data has been dealt with: opens the windows again, unless reading is paused.
  void consume(std::size_t bytes);
  void pause();
  void resume();
  // Ends the stream for nghttp2 with RST_STREAM, and for us. No event follows.
  void reset(std::uint32_t code);
  void watch_rates(MonotonicTime now);

  H2Connection& connection_;
  std::int32_t id_ = -1;
  std::uint32_t close_code_ = 0;
  std::size_t index_ = 0;  // in the connection's list
  std::string out_;
  std::size_t out_from_ = 0;
  std::string_view direct_;  // content that is being sent from the caller's memory
  std::unique_ptr<OwnedFields> trailers_;
  std::uint64_t bytes_out_ = 0;  // on the wire, framing included
  std::size_t unconsumed_ = 0;   // received while paused; the peer gets no window for it
  MonotonicTime in_since_, out_since_;
  std::uint64_t in_watched_ = 0, out_watched_ = 0;  // bytes since then
  Reason close_reason_ = Reason::peer_closed;
  bool out_end_ = false;       // nothing more will be queued
  bool deferred_ = false;      // nghttp2 waits for `nghttp2_session_resume_data`
  bool headers_sent_ = false;  // a HEADERS frame has left us
  bool local_end_sent_ = false;
  bool detached_ = false;  // nghttp2 does not know it any more
  bool gone_ = false;      // no event may be told any more
  bool paused_ = false;
  bool above_low_ = false;
  bool keeps_half_open_ = false;  // a tunnel: our end does not end the peer's
};

}  // namespace gatehouse::http
