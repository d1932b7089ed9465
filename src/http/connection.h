#pragma once
// A socket under a session: reads into the shard's scratch buffer, gathers what the session writes and sends it in one
// system call when the loop's current batch is done, speaks TLS, keeps one deadline, and closes without losing the last
// bytes.
//
// One shard. Registered once, edge-triggered. Invariants: (1) no memory is held for an idle connection: output buffers
// come from the shard's pool and go back when empty. (2) After `on_connection_closed` nothing else is called; the owner
// frees the connection through the loop.

#include <memory>
#include <string>

#include "http/transport.h"
#include "net/loop.h"
#include "net/socket.h"

namespace gatehouse::http {

class Connection : public Transport, private net::IoHandler, private net::Deferred, private net::Timer::Handler {
 public:
  Connection(net::Loop& loop, net::Stream stream) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

  // Transport
  void write(std::string_view data) override;
  std::size_t buffered() const noexcept override { return out_.size() - out_from_; }
  void request_flush() override { loop_.defer(*this); }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override;
  void close_after_flush() override;
  void end_output() override;
  void close_now() override;
  void set_deadline(Duration after) override;
  MonotonicTime now() const noexcept override { return loop_.now(); }

  std::uint64_t bytes_in() const noexcept { return bytes_in_; }
  std::uint64_t bytes_out() const noexcept { return bytes_out_; }

 protected:
  // `preamble`: something of ours is read before TLS or HTTP begin (the PROXY header): `on_preamble`, then `proceed`.
  enum class Begin : std::uint8_t { connecting, connected, preamble };
  Status start(Begin begin);
  void proceed(std::unique_ptr<crypto::TlsSession> tls);
  void set_early_deadline(Duration after) { loop_.arm(timer_, after); }  // until there is a session
  void cancel_early_deadline() { timer_.cancel(); }
  void set_session(std::unique_ptr<Session> session) noexcept { session_ = std::move(session); }
  Session* session() noexcept { return session_.get(); }
  net::Stream& stream() noexcept { return stream_; }
  net::Loop& loop() noexcept { return loop_; }
  bool open() const noexcept { return state_ == State::open; }

  // The socket is connected (at once for accepted ones) and TLS, if any, is up. May set the session.
  virtual void on_established() = 0;
  virtual void on_preamble() {}
  // Bytes that came while there was no session.
  virtual void on_early_data(std::string_view) {}
  virtual void on_early_deadline() { close_now(); }
  virtual void on_handshake_failed(std::string_view /*why*/, bool /*tls*/) {}
  // Gone: the descriptor is closed, the session was told.
  virtual void on_connection_closed() = 0;

  static constexpr std::size_t kDirectWriteBytes = 8 * 1024;  // written past the buffer
  static constexpr int kReadsPerTurn = 4;

 private:
  enum class State : std::uint8_t { connecting, preamble, handshaking, open, closing, lingering, closed };

  void on_io(std::uint32_t events) override;
  void run_deferred() override;
  void on_timer(net::Timer& timer) override;
  void advance_handshake();
  void stay_paused();
  void read_some();
  void deliver(std::string_view data);
  bool flush();  // false: the connection died
  void dead();
  void linger();
  void release_output();

  net::Loop& loop_;
  net::Stream stream_;
  net::IoToken token_;
  net::Timer timer_;
  std::unique_ptr<Session> session_;
  std::string out_;
  std::size_t out_from_ = 0;
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0, closing_seen_ = 0;
  State state_ = State::connecting;
  bool paused_ = false, want_read_ = false, eof_ = false, above_low_ = false, write_blocked_ = false;
  bool hung_up_ = false;  // the peer has closed its half; what it sent before may not be read yet
  enum class Output : std::uint8_t { open, ending, ended } output_ = Output::open;
};

}  // namespace gatehouse::http
