#include "http/h2_stream.h"

#include <utility>

#include "http/h2_connection.h"

namespace gatehouse::http {
namespace {

// Content of this size is sent from where it lies. Smaller pieces (an HTTP/2 upstream delivers frame by frame) are
// worth a copy: the batch then leaves in one system call.
constexpr std::size_t kDirectBytes = 32 * 1024;

}  // namespace

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
  if (pending() >= kLowWater) above_low_ = true;
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
  if (id_ > 0 && !detached_) connection_.submit_reset(id_, code);
  connection_.detach(*this);
}

void H2Stream::watch_rates(MonotonicTime at) {
  const H2Limits& limits = connection_.limits_;
  if (pending() == 0) {
    out_since_ = at, out_watched_ = 0;
  } else if (at - out_since_ >= limits.stall_timeout) {
    if (out_watched_ < H2Connection::kStallBytes) {
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
  } else if (at - in_since_ >= H2Connection::kRateWindow) {
    const auto seconds = static_cast<std::uint64_t>((at - in_since_) / std::chrono::seconds(1));
    if (in_watched_ < limits.body_min_rate * seconds) {
      cut(Reason::body_too_slow);
      return;
    }
    in_since_ = at, in_watched_ = 0;
  }
}

}  // namespace gatehouse::http
