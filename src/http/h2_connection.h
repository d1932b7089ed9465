#pragma once
// What both ends of an HTTP/2 connection share (RFC 9113): framing and header compression by nghttp2, flow control,
// output, the counters against floods, deadlines, and the order in which events are told.
//
// Private to the codec: `h2_server.h` and `h2_client.h` are what others include.
//
// Invariants:
// (1) No event is told from inside a call of the gateway's. nghttp2 closes streams while it sends, and it may send
//     inside `send_body`; so a closed or drained stream is queued, and `settle` tells it when the outermost call has
//     unwound.
// (2) A stream that ended is freed in `settle` only, when none of its callers is on the stack.
// (3) nghttp2 knows a stream by its user data alone; `detach` takes it away, and from then on nghttp2's callbacks for
//     that id find nothing. So an aborted stream may be freed while its RST_STREAM still waits.
// (4) Output is bounded: a stream's by back-pressure (stream.h), the transport's by `kOutputMax`, acknowledgements by
//     `acks_max`, and everything by `stall_timeout`.

#include <nghttp2/nghttp2.h>

#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2_fields.h"
#include "http/h2_late_data.h"
#include "http/h2_limits.h"
#include "http/h2_stream.h"
#include "http/stream.h"
#include "http/transport.h"

namespace gatehouse::http {

// What became of the bytes that were written: they are with the kernel as far as the transport's buffer tells; or all
// count as such, because we close in order; or what is left is lost.
enum class OutputFate : std::uint8_t { progress, handed_over, lost };

class H2Connection {
 public:
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

 protected:
  friend class H2Stream;
  friend struct H2Callbacks;
  enum class Side : std::uint8_t { server, client };

  // `limits` must outlive the connection.
  H2Connection(Transport& transport, const H2Limits& limits, Side side);
  virtual ~H2Connection();

  // The session's events (transport.h).
  void receive(std::string_view data);
  void produce();
  void transport_closed();
  void output_moved();  // the transport has written something
  void check_deadlines();

  // A peer's first HEADERS of a stream; null refuses it.
  virtual H2Stream* accept_stream(std::int32_t id) = 0;
  virtual void on_settings() {}
  virtual void on_goaway() {}
  virtual void on_pong() {}
  // A server's answer is out and the request is not at its end; what still comes of it is read past.
  virtual void on_answered_early(H2Stream&) {}
  // The peer broke the protocol or a bound; streams are told, and the transport is closed, after this.
  virtual void on_connection_failed(Reason reason) = 0;
  // The transport takes nothing any more.
  virtual void on_shut() {}
  virtual void on_output(OutputFate) {}
  // Something of its own to tell at the end of a turn; true: there may be more.
  virtual bool settle_more() { return false; }
  // When it wants `check_deadlines` next, besides the shared ones.
  virtual MonotonicTime check_own_deadlines(MonotonicTime) { return kNever; }

  H2Stream& add_stream(std::unique_ptr<H2Stream> stream);
  std::unique_ptr<H2Stream> take_stream(H2Stream& stream);  // out of the list
  void bury(std::unique_ptr<H2Stream> stream) { graveyard_.push_back(std::move(stream)); }
  void detach(H2Stream& stream);
  // RST_STREAM; what the peer may have sent before it hears of it is no flood.
  void submit_reset(std::int32_t id, std::uint32_t code);
  // Queues `on_stream_closed`, for an end that nghttp2 does not tell.
  void close_later(H2Stream& stream, Reason reason);
  // One more stream that the peer made us reset or refuse.
  void count_provoked();
  void forgive_answered();
  void fail(Reason reason, std::uint32_t code);
  void send_goaway();  // takes nothing new; closes when the last stream ended
  void wants_flush();  // frames wait
  void arm(MonotonicTime at);
  MonotonicTime now() const noexcept { return transport_.now(); }
  std::uint64_t written() const noexcept { return written_; }

  static constexpr MonotonicTime kNever = MonotonicTime::max();
  static constexpr Duration kRateWindow = std::chrono::seconds(5);
  static constexpr std::uint64_t kStallBytes = 1024;  // less than this in a `stall_timeout` is no progress

  Transport& transport_;
  const H2Limits& limits_;
  nghttp2_session* nghttp2_ = nullptr;
  HeaderBlock block_;
  std::vector<std::unique_ptr<H2Stream>> streams_;
  bool settings_seen_ = false;
  bool ending_ = false;  // a GOAWAY was sent or received
  bool goaway_sent_ = false;
  bool shut_ = false;     // nothing is read or written any more
  bool started_ = false;  // the transport has asked for output: it is connected

 private:
  class Turn;
  struct Stage;
  static Stage& shard_stage();

  void create_session();
  H2Stream* find(std::int32_t id) noexcept;
  bool feed(std::string_view data);
  void data_dropped(const FrameHead& head);
  void expect_late_data(std::int32_t id);
  void pump(bool bounded);
  void stage(std::string_view bytes);
  void flush_stage();
  void settle();
  bool settle_one();
  void tell_failure();
  void close_transport(Reason reason);
  void lose_streams(Reason reason);
  void end_of_local(H2Stream& stream);
  MonotonicTime watch_streams(MonotonicTime at);
  bool output_stalls(MonotonicTime at);
  int verdict() const noexcept { return failure_ == Reason::none ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE; }

  // nghttp2's callbacks; 0 or an error of nghttp2's
  int begin_frame(const nghttp2_frame_hd& head);
  int begin_headers(const nghttp2_frame& frame);
  int header(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  int frame_received(const nghttp2_frame& frame);
  int reset_received(std::int32_t id);
  int data_received(std::int32_t id, std::string_view data);
  int frame_sent(const nghttp2_frame& frame);
  int frame_not_sent(const nghttp2_frame& frame);
  int stream_closed(std::int32_t id, std::uint32_t code);
  int invalid_frame(const nghttp2_frame& frame);
  ssize_t read_body(std::int32_t id, std::size_t length, std::uint32_t& flags);
  int send_body(std::int32_t id, const std::uint8_t* frame_head, std::size_t length);
  int count(LeakyCounter& counter, const FloodBound& bound, Reason reason);

  const Side side_;
  std::vector<std::unique_ptr<H2Stream>> graveyard_;
  std::vector<H2Stream*> closed_, drained_;  // to be told by `settle`
  MonotonicTime deadline_ = kNever;          // what the transport's timer is set to
  MonotonicTime idle_since_, header_since_ = kNever, output_since_;
  std::uint64_t written_ = 0, output_seen_ = 0, received_ = 0;
  std::int32_t header_id_ = 0, highest_id_ = 0;
  FrameScanner scanner_;
  LateData late_data_;
  std::uint32_t continuations_ = 0;
  int depth_ = 0;
  Reason failure_ = Reason::none;
  bool failure_told_ = false, pumping_ = false, producing_ = false, dirty_ = false;
  bool data_begun_ = false;  // nghttp2 takes the DATA frame whose head it got last
  Stage* stage_ = nullptr;   // while pumping
  bool bounded_ = true;
  LeakyCounter resets_, provoked_, settings_, pings_, idle_frames_, window_updates_, stalls_;
};

// The data provider of every stream: it finds the stream by its id.
nghttp2_data_provider body_provider() noexcept;

}  // namespace gatehouse::http
