#include "http/h2_connection.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace gatehouse::http {
namespace {

// What the transport may hold before we stop producing. Above kLowWater, so that `on_writable` comes.
constexpr std::size_t kOutputMax = 128 * 1024;
constexpr std::size_t kDirectBytes = 8 * 1024;  // content of this size is sent from where it lies
constexpr std::size_t kKeptOutput = 16 * 1024;  // capacity that a stream's drained buffer keeps
constexpr std::uint64_t kStallBytes = 1024;     // less than this in a `stall_timeout` is no progress
constexpr Duration kRateWindow = std::chrono::seconds(5);
constexpr Duration kTimerSlack = std::chrono::milliseconds(1);
constexpr int kRoundsMax = 8;

}  // namespace

// Frames are gathered here, so that the transport gets them in few and large writes. One per shard: nothing stays in it
// when `pump` returns.
struct H2Connection::Stage {
  static constexpr std::size_t kBytes = 64 * 1024;
  std::size_t used = 0;
  char bytes[kBytes];
};

H2Connection::Stage& H2Connection::shard_stage() {
  thread_local const auto stage = std::make_unique<Stage>();
  return *stage;
}

// Tells what has queued up when the outermost of nested calls unwinds.
class H2Connection::Turn {
 public:
  explicit Turn(H2Connection& connection) noexcept : connection_(connection) { ++connection_.depth_; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (connection_.depth_ == 1) connection_.settle();
    --connection_.depth_;
  }

 private:
  H2Connection& connection_;
};

void OwnedFields::add(std::string_view name, std::string_view value) {
  text_.append(name).append(value);
  lengths_.emplace_back(name.size(), value.size());
}

// --- streams ---------------------------------------------------------------------------------------------------------

H2Stream::H2Stream(H2Connection& connection) noexcept
    : connection_(connection), in_since_(connection.now()), out_since_(in_since_) {}

void H2Stream::push_body(std::string_view data, End end) {
  if (out_end_) return;
  const bool was_empty = pending() == 0;
  if (was_empty) out_since_ = connection_.now(), out_watched_ = 0;
  out_end_ = end == End::yes;
  if (deferred_) {
    deferred_ = false;
    nghttp2_session_resume_data(connection_.nghttp2_, id_);
  }
  connection_.wants_flush();
  if (data.size() >= kDirectBytes && was_empty && connection_.depth_ == 0) {
    direct_ = data;
    connection_.pump(true);
    data = std::exchange(direct_, {});
  }
  if (detached_) return;
  out_.append(data);
  if (pending() >= kHighWater) above_high_ = true;
}

void H2Stream::push_trailers(const Fields& trailers) {
  if (out_end_) return;
  if (!trailers.empty()) {
    trailers_ = std::make_unique<OwnedFields>();
    for (const Field& field : trailers) trailers_->add(field.name, field.value);
  }
  push_body({}, End::yes);
}

void H2Stream::consume(std::size_t bytes) {
  nghttp2_session* const session = connection_.nghttp2_;
  if (detached_) {
    nghttp2_session_consume_connection(session, bytes);
    return;
  }
  // The server's peer is one client, who may well wait for itself. The client's connection carries many downstream
  // peers' streams: one that stalls must not close the window that all of them share.
  if (connection_.side_ == H2Connection::Side::client) nghttp2_session_consume_connection(session, bytes);
  if (paused_) {
    unconsumed_ += bytes;
  } else if (connection_.side_ == H2Connection::Side::client) {
    nghttp2_session_consume_stream(session, id_, bytes);
  } else {
    nghttp2_session_consume(session, id_, bytes);
  }
}

void H2Stream::pause() { paused_ = true; }

void H2Stream::resume() {
  if (!paused_) return;
  paused_ = false;
  in_since_ = connection_.now();
  in_watched_ = 0;
  if (detached_ || unconsumed_ == 0) return;
  const std::size_t bytes = std::exchange(unconsumed_, 0);
  if (connection_.side_ == H2Connection::Side::client) {
    nghttp2_session_consume_stream(connection_.nghttp2_, id_, bytes);
  } else {
    nghttp2_session_consume(connection_.nghttp2_, id_, bytes);
  }
  connection_.wants_flush();
}

void H2Stream::reset(std::uint32_t code) {
  if (id_ > 0 && !detached_) {
    nghttp2_submit_rst_stream(connection_.nghttp2_, NGHTTP2_FLAG_NONE, id_, code);
    connection_.wants_flush();
  }
  connection_.detach(*this);
}

void H2Stream::watch_rates(MonotonicTime at) {
  const H2Limits& limits = connection_.limits_;
  if (pending() == 0) {
    out_since_ = at, out_watched_ = 0;
  } else if (at - out_since_ >= limits.stall_timeout) {
    if (out_watched_ < kStallBytes) {
      if (!connection_.stalls_.admit(at, limits.flood.stalls)) {
        connection_.fail(Reason::h2_window_flood, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      cut(Reason::body_too_slow);
      return;
    }
    out_since_ = at, out_watched_ = 0;
  }
  if (!watches_input() || paused_ || limits.body_min_rate == 0) {
    in_since_ = at, in_watched_ = 0;
  } else if (at - in_since_ >= kRateWindow) {
    const auto seconds = static_cast<std::uint64_t>((at - in_since_) / std::chrono::seconds(1));
    if (in_watched_ < limits.body_min_rate * seconds) {
      cut(Reason::body_too_slow);
      return;
    }
    in_since_ = at, in_watched_ = 0;
  }
}

// --- the connection --------------------------------------------------------------------------------------------------

H2Connection::H2Connection(Transport& transport, const H2Limits& limits, Side side)
    : transport_(transport), limits_(limits), block_(limits), side_(side) {
  idle_since_ = output_since_ = now();
  create_session();
  wants_flush();
}

H2Connection::~H2Connection() {
  block_.clear();
  nghttp2_session_del(nghttp2_);
}

H2Stream* H2Connection::find(std::int32_t id) noexcept {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(nghttp2_, id));
}

H2Stream& H2Connection::add_stream(std::unique_ptr<H2Stream> stream) {
  stream->index_ = streams_.size();
  streams_.push_back(std::move(stream));
  arm(now() + kRateWindow);
  return *streams_.back();
}

std::unique_ptr<H2Stream> H2Connection::take_stream(H2Stream& stream) {
  const std::size_t at = stream.index_;
  GH_CHECK(at < streams_.size() && streams_[at].get() == &stream);
  std::unique_ptr<H2Stream> taken = std::move(streams_[at]);
  if (at + 1 != streams_.size()) {
    streams_[at] = std::move(streams_.back());
    streams_[at]->index_ = at;
  }
  streams_.pop_back();
  if (streams_.empty()) {
    idle_since_ = now();
    arm(idle_since_ + limits_.idle_timeout);
  }
  return taken;
}

void H2Connection::detach(H2Stream& stream) {
  if (std::exchange(stream.detached_, true) || stream.id_ <= 0) return;
  nghttp2_session_set_stream_user_data(nghttp2_, stream.id_, nullptr);
  if (side_ == Side::server && stream.unconsumed_ > 0) {
    nghttp2_session_consume_connection(nghttp2_, std::exchange(stream.unconsumed_, 0));
  }
  if (header_id_ == stream.id_) header_since_ = kNever;
}

void H2Connection::close_later(H2Stream& stream, Reason reason) {
  stream.close_reason_ = reason;
  if (!stream.gone_) closed_.push_back(&stream);
  wants_flush();
}

void H2Connection::count_provoked() {
  if (!provoked_.admit(now(), limits_.flood.provoked_resets)) {
    fail(Reason::h2_provoked_reset, NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

void H2Connection::forgive_answered() {
  resets_.forgive(1, limits_.flood.resets);
  provoked_.forgive(1, limits_.flood.provoked_resets);
}

int H2Connection::count(LeakyCounter& counter, const FloodBound& bound, Reason reason) {
  if (!counter.admit(now(), bound)) fail(reason, NGHTTP2_ENHANCE_YOUR_CALM);
  return verdict();
}

void H2Connection::fail(Reason reason, std::uint32_t code) {
  if (failure_ != Reason::none || shut_) return;
  failure_ = reason;
  ending_ = true;
  nghttp2_session_terminate_session(nghttp2_, code);
  wants_flush();
}

void H2Connection::send_goaway() {
  if (std::exchange(goaway_sent_, true) || shut_) return;
  ending_ = true;
  nghttp2_submit_goaway(nghttp2_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(nghttp2_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  wants_flush();
}

void H2Connection::wants_flush() {
  dirty_ = true;
  if (!producing_ && !shut_) transport_.request_flush();
}

void H2Connection::arm(MonotonicTime at) {
  if (at >= deadline_ || shut_ || !started_) return;
  deadline_ = at;
  transport_.set_deadline(std::max<Duration>(at - now(), kTimerSlack));
}

void H2Connection::receive(std::string_view data) {
  if (shut_) return;
  const Turn turn(*this);
  received_ += data.size();
  const ssize_t taken =
      nghttp2_session_mem_recv(nghttp2_, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  switch (taken < 0 ? static_cast<int>(taken) : 0) {
    case 0:
    case NGHTTP2_ERR_CALLBACK_FAILURE: break;  // `fail` was called
    case NGHTTP2_ERR_FLOODED: fail(Reason::h2_ping_flood, NGHTTP2_ENHANCE_YOUR_CALM); break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: fail(Reason::h2_continuation_flood, NGHTTP2_ENHANCE_YOUR_CALM); break;
    default: fail(Reason::h2_protocol_error, NGHTTP2_PROTOCOL_ERROR); break;
  }
  if (header_since_ != kNever) arm(header_since_ + limits_.header_timeout);
  if (nghttp2_session_want_write(nghttp2_)) wants_flush();
}

void H2Connection::produce() {
  if (shut_ || producing_) return;
  if (!std::exchange(started_, true)) {  // a transport that still connects keeps no deadline for us
    idle_since_ = output_since_ = now();
    arm(idle_since_ + std::min(limits_.header_timeout, kRateWindow));
  }
  producing_ = true;
  for (int round = 0; round < kRoundsMax && !shut_; ++round) {
    dirty_ = false;
    {
      const Turn turn(*this);
      pump(true);
      on_output(OutputFate::progress);
    }
    if (!dirty_) break;
  }
  producing_ = false;
  if (shut_) return;
  if (dirty_) transport_.request_flush();
  if (transport_.buffered() > 0) arm(now() + limits_.stall_timeout);
}

void H2Connection::output_moved() {
  if (shut_) return;
  const Turn turn(*this);
  on_output(OutputFate::progress);
}

void H2Connection::transport_closed() {
  if (shut_) return;
  const Turn turn(*this);
  shut_ = true;
  on_output(OutputFate::lost);
  lose_streams(Reason::peer_closed);
  on_shut();
}

void H2Connection::close_transport(Reason reason) {
  if (shut_) return;
  shut_ = true;
  on_output(OutputFate::handed_over);
  lose_streams(reason);
  transport_.close_after_flush();
  on_shut();
}

void H2Connection::lose_streams(Reason reason) {
  while (!streams_.empty()) {
    H2Stream& stream = *streams_.back();
    const bool told = std::exchange(stream.gone_, true);
    bury(take_stream(stream));
    if (!told) stream.lost(reason);
  }
}

void H2Connection::settle() {
  while (settle_one()) {
  }
  if (!pumping_) graveyard_.clear();
}

bool H2Connection::settle_one() {
  if (failure_ != Reason::none && !failure_told_) {
    tell_failure();
    return true;
  }
  if (!closed_.empty()) {
    H2Stream* const stream = closed_.back();
    closed_.pop_back();
    if (!stream->gone_) stream->on_stream_closed(stream->close_code_);
    return true;
  }
  if (!drained_.empty()) {
    H2Stream* const stream = drained_.back();
    drained_.pop_back();
    if (!stream->gone_ && !stream->detached_) stream->on_stream_drained();
    return true;
  }
  if (settle_more()) return true;
  if (ending_ && !shut_ && !nghttp2_session_want_read(nghttp2_) && !nghttp2_session_want_write(nghttp2_)) {
    close_transport(Reason::peer_closed);
    return true;
  }
  return false;
}

void H2Connection::tell_failure() {
  failure_told_ = true;
  pump(false);  // the GOAWAY
  on_connection_failed(failure_);
  close_transport(failure_);
}

// --- deadlines -------------------------------------------------------------------------------------------------------

void H2Connection::check_deadlines() {
  if (shut_) return;
  const Turn turn(*this);
  deadline_ = kNever;
  const MonotonicTime at = now();
  MonotonicTime next = check_own_deadlines(at);
  const auto due = [&](MonotonicTime when) {
    if (at >= when) return true;
    next = std::min(next, when);
    return false;
  };
  if (!settings_seen_ && due(idle_since_ + limits_.header_timeout)) {
    // One that never said a word is no attack, only a connection opened in advance.
    if (received_ == 0 && streams_.empty()) {
      send_goaway();
    } else {
      fail(Reason::header_timeout, NGHTTP2_ENHANCE_YOUR_CALM);
    }
  }
  if (header_since_ != kNever && due(header_since_ + limits_.header_timeout)) {
    fail(Reason::header_timeout, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  if (streams_.empty()) {
    if (settings_seen_ && due(idle_since_ + limits_.idle_timeout)) send_goaway();
  } else {
    next = std::min(next, watch_streams(at));
  }
  if (output_stalls(at)) {
    shut_ = true;
    on_output(OutputFate::lost);
    lose_streams(Reason::body_too_slow);
    transport_.close_now();
    on_shut();
    return;
  }
  if (transport_.buffered() > 0) next = std::min(next, at + limits_.stall_timeout);
  if (next != kNever) arm(next);
}

MonotonicTime H2Connection::watch_streams(MonotonicTime at) {
  // From the back: a stream that is cut leaves the list, and the last takes its place.
  for (std::size_t i = streams_.size(); i-- > 0;) {
    if (i < streams_.size()) streams_[i]->watch_rates(at);
  }
  return at + kRateWindow;
}

// Has the peer taken less than nothing worth mentioning of what the transport holds, for too long?
bool H2Connection::output_stalls(MonotonicTime at) {
  const std::uint64_t taken = written_ - transport_.buffered();
  if (transport_.buffered() == 0 || taken >= output_seen_ + kStallBytes) {
    output_seen_ = taken;
    output_since_ = at;
    return false;
  }
  return at - output_since_ >= limits_.stall_timeout;
}

// --- output ----------------------------------------------------------------------------------------------------------

void H2Connection::stage(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t fits = std::min(bytes.size(), Stage::kBytes - stage_->used);
    std::memcpy(stage_->bytes + stage_->used, bytes.data(), fits);
    stage_->used += fits;
    bytes.remove_prefix(fits);
    if (stage_->used == Stage::kBytes) flush_stage();
  }
}

void H2Connection::flush_stage() {
  if (stage_->used == 0) return;
  written_ += stage_->used;
  transport_.write({stage_->bytes, std::exchange(stage_->used, 0)});
}

void H2Connection::pump(bool bounded) {
  if (pumping_ || shut_) return;
  pumping_ = true;
  bounded_ = bounded;
  stage_ = &shard_stage();
  while (!bounded || transport_.buffered() < kOutputMax) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t length = nghttp2_session_mem_send(nghttp2_, &bytes);
    if (length < 0) fail(Reason::h2_protocol_error, NGHTTP2_INTERNAL_ERROR);
    if (length <= 0) break;
    stage({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length)});
  }
  flush_stage();
  pumping_ = false;
}

ssize_t H2Connection::read_body(std::int32_t id, std::size_t length, std::uint32_t& flags) {
  H2Stream* const stream = find(id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::size_t bytes = std::min(length, stream->pending());
  if (bytes == 0 && !stream->out_end_) {
    stream->deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (bytes == stream->pending() && stream->out_end_) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers_) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      NvList& list = NvList::scratch();
      stream->trailers_->each([&](std::string_view name, std::string_view value) { list.add(name, value); });
      nghttp2_submit_trailer(nghttp2_, id, list.data(), list.size());
    }
  }
  return static_cast<ssize_t>(bytes);
}

int H2Connection::send_body(std::int32_t id, const std::uint8_t* frame_head, std::size_t length) {
  constexpr std::size_t kFrameHead = 9;
  H2Stream* const stream = find(id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  stage({reinterpret_cast<const char*>(frame_head), kFrameHead});
  if (!stream->direct_.empty()) {
    stage(stream->direct_.substr(0, length));
    stream->direct_.remove_prefix(length);
  } else {
    stage(std::string_view(stream->out_).substr(stream->out_from_, length));
    stream->out_from_ += length;
    if (stream->out_from_ == stream->out_.size()) {
      if (stream->out_.capacity() > kKeptOutput) stream->out_ = std::string();
      stream->out_.clear();
      stream->out_from_ = 0;
    } else if (stream->out_from_ > kHighWater) {
      stream->out_.erase(0, std::exchange(stream->out_from_, 0));
    }
  }
  stream->out_watched_ += length;
  if (stream->above_high_ && stream->pending() < kLowWater) {
    stream->above_high_ = false;
    drained_.push_back(stream);
  }
  return bounded_ && transport_.buffered() >= kOutputMax ? NGHTTP2_ERR_PAUSE : 0;
}

// --- nghttp2's callbacks ---------------------------------------------------------------------------------------------

int H2Connection::begin_frame(const nghttp2_frame_hd& head) {
  const H2FloodBounds& flood = limits_.flood;
  const bool ack = head.flags & NGHTTP2_FLAG_ACK;
  switch (head.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_RST_STREAM: return 0;  // judged when complete
    case NGHTTP2_HEADERS: continuations_ = 0; return 0;
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
  if (stream == nullptr) {
    nghttp2_session_consume_connection(nghttp2_, data.size());
    return 0;
  }
  stream->in_watched_ += data.size();
  stream->on_data(data);
  return verdict();
}

void H2Connection::end_of_local(H2Stream* stream, std::int32_t id) {
  if (stream != nullptr) stream->local_end_sent_ = true;
  if (side_ == Side::client || (stream != nullptr && stream->keeps_half_open_)) return;
  // The answer is complete and the rest of the request is of no use to anyone (RFC 9113 §8.1).
  if (nghttp2_session_get_stream_remote_close(nghttp2_, id) == 0) {
    nghttp2_submit_rst_stream(nghttp2_, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
  }
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
      if (stream != nullptr) {
        stream->bytes_out_ += frame.hd.length + kFrameHead;
        stream->headers_sent_ = true;
      }
      if (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) end_of_local(stream, frame.hd.stream_id);
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
  const int made = side_ == Side::server ? nghttp2_session_server_new2(&nghttp2_, callbacks, this, options)
                                         : nghttp2_session_client_new2(&nghttp2_, callbacks, this, options);
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

// --- field lists -----------------------------------------------------------------------------------------------------

NvList& NvList::scratch() {
  thread_local NvList list;
  list.list_.clear();
  return list;
}

void NvList::add(std::string_view name, std::string_view value, std::uint8_t flags) {
  // nghttp2 copies both when the list is submitted.
  list_.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                   reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), flags});
}

void NvList::add_status(int status) {
  status_[0] = static_cast<char>('0' + status / 100 % 10);
  status_[1] = static_cast<char>('0' + status / 10 % 10);
  status_[2] = static_cast<char>('0' + status % 10);
  add(":status", {status_, sizeof status_});
}

void NvList::add_length(std::uint64_t length) {
  char* at = length_ + sizeof length_;
  do {
    *--at = static_cast<char>('0' + length % 10);
    length /= 10;
  } while (length > 0);
  add("content-length", {at, static_cast<std::size_t>(length_ + sizeof length_ - at)});
}

void NvList::add_fields(const Fields& fields) {
  for (const Field& field : fields) {
    switch (field.name.size()) {
      case 2:
        if (field.name == "te" && !equals_ignoring_case(field.value, "trailers")) continue;
        break;
      case 4:
        if (field.name == "host") continue;
        break;
      case 7:
        if (field.name == "upgrade") continue;
        break;
      case 10:
        if (field.name == "connection" || field.name == "keep-alive") continue;
        break;
      case 14:
        if (field.name == "content-length") continue;
        break;
      case 16:
        if (field.name == "proxy-connection") continue;
        break;
      case 17:
        if (field.name == "transfer-encoding") continue;
        break;
      default: break;
    }
    add(field.name, field.value);
  }
}

}  // namespace gatehouse::http
