#include "http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include <utility>
#include <vector>

#include "http/stream.h"

namespace gatehouse::http {
namespace {

constexpr Duration kLinger = std::chrono::seconds(2);    // for a peer to read our last bytes before the reset
constexpr Duration kClosing = std::chrono::seconds(10);  // without progress, while the last bytes wait for the peer
constexpr std::size_t kPooledBuffers = 64;
constexpr std::size_t kPooledBytesMax = 64 * 1024;

// Output buffers of this shard that are free. A busy shard needs a handful; thousands of idle connections need none.
std::vector<std::string>& buffer_pool() {
  thread_local std::vector<std::string> pool;
  return pool;
}

}  // namespace

Connection::Connection(net::Loop& loop, net::Stream stream) noexcept
    : loop_(loop), stream_(std::move(stream)), timer_(static_cast<net::Timer::Handler&>(*this)) {}

Connection::~Connection() {
  loop_.remove(token_, stream_.fd());
  release_output();
}

Status Connection::start(Begin begin) {
  state_ = begin == Begin::connecting ? State::connecting
           : begin == Begin::preamble ? State::preamble
           : stream_.is_tls()         ? State::handshaking
                                      : State::open;
  auto token = loop_.add(stream_.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, *this);
  if (!token) return tl::unexpected(token.error());
  token_ = *token;
  if (state_ == State::open) on_established();
  return {};
}

void Connection::on_io(std::uint32_t events) {
  if (events & EPOLLIN) stream_.readable();
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    hung_up_ = true;
    stream_.peer_closed();
  }
  if (state_ == State::connecting) {
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
    if (const int error = net::connect_error(stream_.fd()); error != 0) {
      on_handshake_failed(strerror(error), false);
      dead();
      return;
    }
    state_ = stream_.is_tls() ? State::handshaking : State::open;
    if (state_ == State::open) on_established();
  }
  if (state_ == State::preamble) {
    on_preamble();
    return;
  }
  if (state_ == State::handshaking) {
    advance_handshake();
    if (state_ != State::open) return;
  }
  if (state_ == State::closed) return;
  if ((events & EPOLLOUT) && (write_blocked_ || stream_.pending_write())) {
    write_blocked_ = false;
    if (!flush()) return;
  }
  if (eof_ && (events & EPOLLERR)) {  // there is nothing left to read that would show the reset
    dead();
    return;
  }
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    // A reset leaves what came before it readable, and that may be a complete answer: read it, then find the error.
    if (!paused_ || state_ != State::open) {
      read_some();
    } else if (events & EPOLLERR) {
      dead();
    } else {
      stay_paused();
    }
  }
}

void Connection::stay_paused() {
  want_read_ = true;
  if (hung_up_ && session_) session_->on_hangup();
}

void Connection::proceed(std::unique_ptr<crypto::TlsSession> tls) {
  if (tls) {
    stream_.start_tls(std::move(tls));
    state_ = State::handshaking;
    advance_handshake();
    return;
  }
  state_ = State::open;
  on_established();
  if (state_ == State::open) read_some();  // the edge for what is already there has passed
}

void Connection::advance_handshake() {
  switch (stream_.tls()->handshake()) {
    case crypto::TlsStatus::ok:
      state_ = State::open;
      on_established();
      if (state_ == State::open) read_some();  // the first request often comes with the handshake's last bytes
      // Then its answer takes the session tickets along. Otherwise they go now: what they acknowledge is what a client
      // with Nagle's algorithm waits for, 40 ms long, before it sends its request.
      if (state_ == State::open && bytes_in_ == 0 && stream_.tls()->flush() == crypto::TlsStatus::error) dead();
      break;
    case crypto::TlsStatus::want_read:
    case crypto::TlsStatus::want_write: break;
    case crypto::TlsStatus::closed:
    case crypto::TlsStatus::error:
      on_handshake_failed(stream_.tls()->error(), true);
      stream_.flush();  // the alert
      dead();
      break;
  }
}

void Connection::read_some() {
  if (eof_ && state_ != State::lingering) return;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (state_ == State::closed) return;
    if (paused_ && state_ == State::open) {
      stay_paused();
      return;
    }
    const auto into = loop_.scratch();
    const net::IoResult got = stream_.read(into);
    switch (got.status) {
      case net::IoStatus::ok:
        bytes_in_ += got.bytes;
        // What comes after we decided to close is read only so that the peer gets our answer instead of a reset.
        if (state_ == State::open) deliver({into.data(), got.bytes});
        if (got.drained) return;
        break;
      case net::IoStatus::blocked: return;
      case net::IoStatus::closed:
        eof_ = true;
        if (state_ != State::open) {
          if (state_ == State::lingering || buffered() == 0) dead();
        } else if (session_) {
          session_->on_eof();
        } else {
          dead();
        }
        return;
      case net::IoStatus::error: dead(); return;
    }
  }
  // Fairness: the others first, then on from here.
  want_read_ = true;
  loop_.defer(*this);
}

void Connection::deliver(std::string_view data) {
  if (session_) {
    session_->on_data(data);
  } else {
    on_early_data(data);
  }
}

void Connection::write(std::string_view data) {
  if (state_ == State::closed || state_ == State::lingering || data.empty() || output_ != Output::open) return;
  loop_.defer(*this);
  if (data.size() >= kDirectWriteBytes && !write_blocked_ && state_ == State::open && !stream_.pending_write()) {
    // Offered to the kernel from where it lies, behind what waits: only what it does not take is copied.
    const iovec parts[2] = {{out_.data() + out_from_, buffered()}, {const_cast<char*>(data.data()), data.size()}};
    const bool pending = buffered() > 0;
    const net::IoResult sent = stream_.write(pending ? std::span(parts, 2) : std::span(parts + 1, 1));
    if (sent.status == net::IoStatus::ok) {
      bytes_out_ += sent.bytes;
      const std::size_t of_buffer = std::min(sent.bytes, buffered());
      out_from_ += of_buffer;
      data.remove_prefix(sent.bytes - of_buffer);
      if (buffered() == 0) out_.clear(), out_from_ = 0;
      if (data.empty()) return;
    }
    // An error shows again in the flush, where the connection may die.
    write_blocked_ = sent.status != net::IoStatus::error;
  }
  if (out_.empty() && out_.capacity() < 64) {
    if (auto& pool = buffer_pool(); !pool.empty()) {
      out_.swap(pool.back());
      pool.pop_back();
    }
  }
  if (out_from_ > kPooledBytesMax) {
    out_.erase(0, out_from_);
    out_from_ = 0;
  }
  out_.append(data);
  if (buffered() >= kLowWater) above_low_ = true;
}

void Connection::release_output() {
  auto& pool = buffer_pool();
  out_from_ = 0;
  if (out_.capacity() >= 64 && out_.capacity() <= kPooledBytesMax && pool.size() < kPooledBuffers) {
    out_.clear();
    pool.push_back(std::move(out_));
  }
  out_ = std::string();
}

bool Connection::flush() {
  while (buffered() > 0 && !write_blocked_) {
    const iovec part{out_.data() + out_from_, buffered()};
    const net::IoResult sent = stream_.write({&part, 1});
    if (sent.status == net::IoStatus::error) {
      dead();
      return false;
    }
    bytes_out_ += sent.bytes;
    out_from_ += sent.bytes;
    if (sent.status == net::IoStatus::blocked || buffered() > 0) write_blocked_ = true;
  }
  if (!write_blocked_ && stream_.pending_write()) {
    const net::IoStatus status = stream_.flush();
    if (status == net::IoStatus::error || status == net::IoStatus::closed) {
      dead();
      return false;
    }
    if (status == net::IoStatus::blocked) write_blocked_ = true;
  }
  if (above_low_ && buffered() < kLowWater) {
    above_low_ = false;
    if (session_ && state_ == State::open) session_->on_writable();
    if (state_ == State::closed) return false;
    if (buffered() > 0) return true;  // the rest leaves with the deferred flush that the new write asked for
  }
  if (buffered() == 0 && !stream_.pending_write()) {
    if (out_.capacity() >= 64) release_output();
    if (state_ == State::closing) {
      linger();
    } else if (state_ == State::open) {
      if (output_ == Output::ending) {
        output_ = Output::ended;
        stream_.shutdown_write();
      }
      if (session_) session_->after_flush();
    }
  }
  return state_ != State::closed;
}

void Connection::run_deferred() {
  if (state_ == State::closed || state_ < State::open) return;
  if (session_ && state_ == State::open) session_->before_flush();
  if (!flush()) return;
  if (want_read_ && (!paused_ || state_ != State::open)) {
    want_read_ = false;
    read_some();
  }
}

void Connection::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  if (want_read_) loop_.defer(*this);  // not here: the scratch buffer may be in use
}

void Connection::end_output() {
  if (output_ != Output::open) return;
  output_ = Output::ending;
  loop_.defer(*this);
}

void Connection::close_after_flush() {
  if (state_ == State::closed || state_ == State::closing || state_ == State::lingering) return;
  if (state_ < State::open) {
    dead();
    return;
  }
  if (session_) session_->before_flush();
  state_ = State::closing;
  closing_seen_ = bytes_out_;
  loop_.arm(timer_, kClosing);
  loop_.defer(*this);
  if (paused_) {
    paused_ = false;
    want_read_ = true;
  }
}

// All is written. A close now could destroy it on its way (RFC 9112 §9.6), so the peer gets a moment to close first.
void Connection::linger() {
  if (eof_) {
    dead();
    return;
  }
  state_ = State::lingering;
  stream_.shutdown_write();
  loop_.arm(timer_, kLinger);
}

void Connection::close_now() { dead(); }

void Connection::dead() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  timer_.cancel();
  loop_.remove(token_, stream_.fd());
  stream_.close();
  if (session_) session_->on_closed();
  on_connection_closed();
}

void Connection::set_deadline(Duration after) {
  if (state_ != State::open) return;  // until then, and in closing, the deadline is ours
  if (after <= Duration::zero()) {
    timer_.cancel();
  } else {
    loop_.arm(timer_, after);
  }
}

void Connection::on_timer(net::Timer&) {
  switch (state_) {
    case State::closing:
      if (bytes_out_ != closing_seen_) {
        closing_seen_ = bytes_out_;
        loop_.arm(timer_, kClosing);
        return;
      }
      dead();
      break;
    case State::lingering: dead(); break;
    case State::connecting:
    case State::preamble:
    case State::handshaking: on_early_deadline(); break;
    case State::open:
      if (session_) {
        session_->on_deadline();
      } else {
        on_early_deadline();
      }
      break;
    case State::closed: break;
  }
}

}  // namespace gatehouse::http
