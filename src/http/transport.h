#pragma once
// What a protocol codec needs of a connection, and what it gives back. HTTP/1 and HTTP/2 sessions are sans-I/O: they
// see bytes and this interface, so tests and fuzzers drive them without sockets.

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"
#include "http/stream.h"

namespace gatehouse::http {

// The connection as its codec sees it. Implemented by `Connection` (sockets, TLS) and by the tests.
class Transport {
 public:
  // Takes all of `data`; it leaves with everything else of this batch, in one system call where that is possible. Large
  // data is offered to the kernel at once, without a copy of what it takes.
  virtual void write(std::string_view data) = 0;
  virtual std::size_t buffered() const noexcept = 0;  // accepted, and not yet taken by the kernel
  // Asks for `Session::before_flush` after the current batch; `write` does so too.
  virtual void request_flush() = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual void close_after_flush() = 0;  // half-closes once all is written, then waits briefly for the peer (lingering)
  // Half-closes once all is written, and reading goes on; what is written after it is lost.
  virtual void end_output() = 0;
  virtual void close_now() = 0;
  // One timer, re-armed by each call; zero cancels it. Calls `Session::on_deadline`.
  virtual void set_deadline(Duration after) = 0;
  virtual MonotonicTime now() const noexcept = 0;
  // What an end of this connection means to a client's streams: `connect`, `connect_timeout` or `tls` before it was
  // established (nothing has been sent), `reset` afterwards.
  virtual FailureKind failure() const noexcept { return FailureKind::reset; }

 protected:
  ~Transport() = default;
};

// A codec with its streams on top of a transport.
class Session {
 public:
  virtual ~Session() = default;
  virtual void on_data(std::string_view data) = 0;  // takes all; keeps a copy of what it cannot use yet
  virtual void on_eof() = 0;                        // the peer closed its sending half
  // The peer closed its sending half while reading is paused; what it sent before is still to be read, and then its
  // end. May be told more than once.
  virtual void on_hangup() {}
  virtual void before_flush() = 0;  // the moment to produce output (HTTP/2 frames)
  virtual void on_writable() = 0;   // `buffered()` has fallen below kLowWater
  virtual void after_flush() {}     // everything accepted so far is with the kernel
  virtual void on_closed() = 0;     // the transport is dead (reset, error, or `close_now`): abort all streams
  virtual void on_deadline() = 0;
  virtual void drain() = 0;  // finish what is open, take nothing new, then close (GOAWAY, Connection: close)
};

// A client's codec is the session and what opens streams on it.
class ClientSession : public Session, public ClientConnection {};

}  // namespace gatehouse::http
