#include "http/h2_connection.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace gatehouse::http {
namespace {

// What the transport may hold before we stop producing. Above kLowWater, so that `on_writable` comes.
constexpr std::size_t kOutputMax = 128 * 1024;
constexpr std::size_t kKeptOutput = 128 * 1024;  // capacity that a stream keeps between two flushes
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

// --- the connection --------------------------------------------------------------------------------------------------

H2Connection::H2Connection(Transport& transport, const H2Limits& limits, Side side)
    : transport_(transport),
      limits_(limits),
      block_(limits),
      side_(side),
      scanner_(NGHTTP2_CLIENT_MAGIC_LEN),
      late_data_(limits.streams_max) {
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
  // A client resets as many streams as it likes before the upstream hears of the first: no bound for what comes late.
  std::string_view rest = side_ == Side::server ? data : std::string_view{};
  bool good = true;
  for (FrameHead head; good && scanner_.next(rest, head);) {
    if (head.type != NGHTTP2_DATA) continue;
    // nghttp2 gets the head by itself, to see whether it takes the frame: it drops one of a gone stream without a word.
    data_begun_ = false;
    good = feed(data.substr(0, data.size() - rest.size()));
    data = rest;
    if (good && !data_begun_) data_dropped(head);
    good = good && failure_ == Reason::none;
  }
  if (good) feed(data);
  if (header_since_ != kNever) arm(header_since_ + limits_.header_timeout);
  if (nghttp2_session_want_write(nghttp2_)) wants_flush();
}

// false: nghttp2 takes nothing more.
bool H2Connection::feed(std::string_view data) {
  const ssize_t taken =
      nghttp2_session_mem_recv(nghttp2_, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  switch (taken < 0 ? static_cast<int>(taken) : 0) {
    case 0: return true;
    case NGHTTP2_ERR_CALLBACK_FAILURE: break;  // `fail` was called
    case NGHTTP2_ERR_FLOODED: fail(Reason::h2_ping_flood, NGHTTP2_ENHANCE_YOUR_CALM); break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: fail(Reason::h2_continuation_flood, NGHTTP2_ENHANCE_YOUR_CALM); break;
    default: fail(Reason::h2_protocol_error, NGHTTP2_PROTOCOL_ERROR); break;
  }
  return false;
}

void H2Connection::data_dropped(const FrameHead& head) {
  if (late_data_.admit(head.stream_id, head.length, (head.flags & NGHTTP2_FLAG_END_STREAM) != 0)) return;
  count(idle_frames_, limits_.flood.idle_frames, Reason::h2_empty_frame_flood);
}

void H2Connection::expect_late_data(std::int32_t id) {
  if (side_ == Side::client) return;
  switch (nghttp2_session_get_stream_remote_close(nghttp2_, id)) {
    case 0: late_data_.expect(id, nghttp2_session_get_stream_local_window_size(nghttp2_, id)); break;
    case 1: break;  // the peer has ended it
    default:        // never taken; before our SETTINGS the peer goes by the default
      late_data_.expect(id, std::max<std::int32_t>(NGHTTP2_INITIAL_WINDOW_SIZE,
                                                   static_cast<std::int32_t>(limits_.stream_window_bytes)));
      break;
  }
}

void H2Connection::submit_reset(std::int32_t id, std::uint32_t code) {
  expect_late_data(id);
  nghttp2_submit_rst_stream(nghttp2_, NGHTTP2_FLAG_NONE, id, code);
  wants_flush();
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
  if (stream->above_low_ && stream->pending() < kLowWater) {
    stream->above_low_ = false;
    drained_.push_back(stream);
  }
  return bounded_ && transport_.buffered() >= kOutputMax ? NGHTTP2_ERR_PAUSE : 0;
}

}  // namespace gatehouse::http
