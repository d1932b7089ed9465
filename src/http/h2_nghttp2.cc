// The bridge between nghttp2 and `H2Connection`: the session with its options, and the C callbacks.

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/block_pool.h"
#include "base/check.h"
#include "http/h2_connection.h"

namespace gatehouse::http {

int H2Connection::begin_frame(const nghttp2_frame_hd& head) {
  const H2FloodBounds& flood = limits_.flood;
  const bool ack = head.flags & NGHTTP2_FLAG_ACK;
  switch (head.type) {
    case NGHTTP2_DATA: data_begun_ = true; return 0;
    case NGHTTP2_RST_STREAM: return 0;  // judged when complete
    case NGHTTP2_HEADERS:
      continuations_ = 0;
      // Behind our GOAWAY nghttp2 skips what is new; the peer may not have heard of it yet.
      if (goaway_sent_ && head.stream_id > highest_id_) expect_late_data(head.stream_id);
      highest_id_ = std::max(highest_id_, head.stream_id);
      // Idle until `begin_headers` says that a stream takes it.
      return count(idle_frames_, flood.idle_frames, Reason::h2_empty_frame_flood);
    case NGHTTP2_CONTINUATION:
      if (++continuations_ > flood.continuations_max) {
        fail(Reason::h2_continuation_flood, NGHTTP2_ENHANCE_YOUR_CALM);
      }
      return verdict();
    case NGHTTP2_SETTINGS: return ack ? 0 : count(settings_, flood.settings, Reason::h2_settings_flood);
    case NGHTTP2_PING: return count(pings_, flood.pings, Reason::h2_ping_flood);
    case NGHTTP2_WINDOW_UPDATE: return count(window_updates_, flood.window_updates, Reason::h2_window_flood);
    default: return count(idle_frames_, flood.idle_frames, Reason::h2_empty_frame_flood);
  }
}

int H2Connection::begin_headers(const nghttp2_frame& frame) {
  const std::int32_t id = frame.hd.stream_id;
  H2Stream* stream = find(id);
  idle_frames_.forgive(1, limits_.flood.idle_frames);
  if (side_ == Side::server && frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    stream = accept_stream(id);
    nghttp2_session_set_stream_user_data(nghttp2_, id, stream);
    // Streams take turns, whatever the client would prefer: nghttp2's default serves one to its end first.
    const nghttp2_extpri in_turns{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(nghttp2_, id, &in_turns, 1);
  }
  block_.begin(stream != nullptr ? stream->expected_block() : HeaderBlock::Kind::trailers);
  header_id_ = id;
  header_since_ = now();
  return 0;
}

int H2Connection::header(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (!block_.add(name, value)) fail(Reason::h2_hpack_expansion, NGHTTP2_ENHANCE_YOUR_CALM);
  return verdict();
}

int H2Connection::frame_received(const nghttp2_frame& frame) {
  const std::int32_t id = frame.hd.stream_id;
  const End end = frame.hd.flags & NGHTTP2_FLAG_END_STREAM ? End::yes : End::no;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      header_since_ = kNever;
      if (H2Stream* const stream = find(id)) stream->on_headers(block_, end);
      block_.clear();
      break;
    case NGHTTP2_DATA:
      if (end == End::no && frame.hd.length <= frame.data.padlen) {
        return count(idle_frames_, limits_.flood.idle_frames, Reason::h2_empty_frame_flood);
      }
      if (H2Stream* const stream = find(id); stream != nullptr && end == End::yes) stream->on_end();
      break;
    case NGHTTP2_RST_STREAM: return reset_received(id);
    case NGHTTP2_SETTINGS:
      if (!(frame.hd.flags & NGHTTP2_FLAG_ACK)) {
        if (!std::exchange(settings_seen_, true)) arm(idle_since_ + limits_.idle_timeout);
        on_settings();
      }
      break;
    case NGHTTP2_GOAWAY:
      ending_ = true;
      on_goaway();
      break;
    case NGHTTP2_PING:
      if (frame.hd.flags & NGHTTP2_FLAG_ACK) on_pong();
      break;
    default: break;
  }
  return verdict();
}

int H2Connection::reset_received(std::int32_t id) {
  const H2Stream* const stream = find(id);
  if (stream != nullptr && !stream->local_end_sent_) {
    return count(resets_, limits_.flood.resets, Reason::h2_rapid_reset);
  }
  return count(idle_frames_, limits_.flood.idle_frames, Reason::h2_empty_frame_flood);
}

int H2Connection::data_received(std::int32_t id, std::string_view data) {
  H2Stream* const stream = find(id);
  if (stream == nullptr) {  // answered early, or given up: read past
    nghttp2_session_consume(nghttp2_, id, data.size());
    return 0;
  }
  stream->in_watched_ += data.size();
  stream->on_data(data);
  return verdict();
}

void H2Connection::end_of_local(H2Stream& stream) {
  stream.local_end_sent_ = true;
  if (side_ == Side::client || stream.keeps_half_open_) return;
  if (nghttp2_session_get_stream_remote_close(nghttp2_, stream.id_) != 0) return;
  // The answer is complete and the rest of the request is of no use to anyone (RFC 9113 §8.1).
  detach(stream);
  closed_.push_back(&stream);
  on_answered_early(stream);
}

int H2Connection::frame_sent(const nghttp2_frame& frame) {
  constexpr std::size_t kFrameHead = 9;
  switch (frame.hd.type) {
    case NGHTTP2_DATA:
      pings_.forgive(1, limits_.flood.pings);
      if (frame.hd.length >= 1024) window_updates_.forgive(4, limits_.flood.window_updates);
      [[fallthrough]];
    case NGHTTP2_HEADERS: {
      H2Stream* const stream = find(frame.hd.stream_id);
      if (stream == nullptr) break;
      stream->bytes_out_ += frame.hd.length + kFrameHead;
      stream->headers_sent_ = true;
      if (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) end_of_local(*stream);
      break;
    }
    case NGHTTP2_RST_STREAM: {
      // Of nghttp2's own accord (a window overrun) if it still knows the stream: ours are detached before.
      H2Stream* const stream = find(frame.hd.stream_id);
      const bool own = frame.rst_stream.error_code != NGHTTP2_NO_ERROR;
      if (own && stream != nullptr &&
          std::exchange(stream->close_reason_, Reason::h2_protocol_error) == Reason::peer_closed) {
        count_provoked();
      }
      break;
    }
    case NGHTTP2_GOAWAY:
      ending_ = true;
      if (frame.goaway.error_code != NGHTTP2_NO_ERROR && failure_ == Reason::none) {
        failure_ = Reason::h2_protocol_error;  // nghttp2's own finding
      }
      break;
    default: break;
  }
  return 0;
}

int H2Connection::frame_not_sent(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS || side_ == Side::client) return 0;  // a client's stream is closed by nghttp2
  H2Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  stream->reset(NGHTTP2_INTERNAL_ERROR);
  close_later(*stream, Reason::header_too_large);
  return 0;
}

int H2Connection::stream_closed(std::int32_t id, std::uint32_t code) {
  H2Stream* const stream = find(id);
  if (stream == nullptr) return 0;
  stream->close_code_ = code;
  detach(*stream);
  if (!stream->gone_) closed_.push_back(stream);
  return 0;
}

int H2Connection::invalid_frame(const nghttp2_frame& frame) {
  expect_late_data(frame.hd.stream_id);
  if (H2Stream* const stream = find(frame.hd.stream_id)) stream->close_reason_ = Reason::h2_protocol_error;
  count_provoked();
  return verdict();
}

// The bridge from C: every callback finds its connection in `user`.
struct H2Callbacks {
  static H2Connection& self(void* user) { return *static_cast<H2Connection*>(user); }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* callbacks = nullptr;
    GH_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame_hd* head, void* user) { return self(user).begin_frame(*head); });
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).begin_headers(*frame); });
    nghttp2_session_callbacks_set_on_header_callback2(
        callbacks, [](nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t,
                      void* user) { return self(user).header(name, value); });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).frame_received(*frame); });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t length, void* user) {
          return self(user).data_received(id, {reinterpret_cast<const char*>(data), length});
        });
    nghttp2_session_callbacks_set_on_frame_send_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).frame_sent(*frame); });
    nghttp2_session_callbacks_set_on_frame_not_send_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
          return self(user).frame_not_sent(*frame);
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
          return self(user).stream_closed(id, code);
        });
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, int, void* user) { return self(user).invalid_frame(*frame); });
    // Unknown frames are asked for only to be counted in `begin_frame`.
    nghttp2_session_callbacks_set_unpack_extension_callback(
        callbacks,
        [](nghttp2_session*, void**, const nghttp2_frame_hd*, void*) { return static_cast<int>(NGHTTP2_ERR_CANCEL); });
    nghttp2_session_callbacks_set_send_data_callback(
        callbacks,
        [](nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length, nghttp2_data_source*,
           void* user) { return self(user).send_body(frame->hd.stream_id, head, length); });
    return callbacks;
  }

  static ssize_t read(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t length, std::uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    return self(user).read_body(id, length, *flags);
  }
};

nghttp2_data_provider body_provider() noexcept { return {{.ptr = nullptr}, &H2Callbacks::read}; }

void H2Connection::create_session() {
  // One for all sessions; nghttp2 copies them.
  static const nghttp2_session_callbacks* const callbacks = H2Callbacks::make();
  nghttp2_option* options = nullptr;
  GH_CHECK(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_http_messaging(options, 1);  // h2_fields.h says why
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_outbound_ack(options, limits_.flood.acks_max);
  nghttp2_option_set_max_send_header_block_length(options, 256 * 1024);
  // Ours is tighter, and says why. nghttp2 counts a CONTINUATION once for every piece that its head arrives in, which
  // makes nine; in blocks that it skips, only its own bound holds.
  nghttp2_option_set_max_continuations(options, 9 * (limits_.flood.continuations_max + 1));
  nghttp2_option_set_stream_reset_rate_limit(options, 1'000'000'000, 1'000'000'000);
  for (int type = 10; type <= 255; ++type) {
    nghttp2_option_set_user_recv_extension_type(options, static_cast<std::uint8_t>(type));
  }
  // Five blocks a request come and go.
  nghttp2_mem memory{nullptr, [](std::size_t bytes, void*) { return block_pool::allocate(bytes); },
                     [](void* block, void*) { block_pool::release(block); },
                     [](std::size_t count, std::size_t bytes, void*) { return std::calloc(count, bytes); },
                     [](void* block, std::size_t bytes, void*) { return std::realloc(block, bytes); }};
  const int made = side_ == Side::server ? nghttp2_session_server_new3(&nghttp2_, callbacks, this, options, &memory)
                                         : nghttp2_session_client_new3(&nghttp2_, callbacks, this, options, &memory);
  nghttp2_option_del(options);
  GH_CHECK(made == 0);

  std::vector<nghttp2_settings_entry> settings{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes)}};
  if (side_ == Side::server) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max});
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
    settings.push_back({NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  nghttp2_submit_settings(nghttp2_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(nghttp2_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits_.connection_window_bytes));
}

}  // namespace gatehouse::http
