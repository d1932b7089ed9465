#pragma once
// One connection to a Redis on a loop, that comes back by itself: resolves the name, connects, speaks TLS where the
// location says so, authenticates, selects the database, and then sends what it is told in one pipeline.
//
// Thread safety: one loop; everything is called from it, and callbacks come from it.
// Invariants: (1) an answer belongs to the oldest command without one. (2) A command is sent at most once: after a
// broken connection nobody knows whether it was carried out, and its callback is dropped. (3) After a failure the next
// try is `backoff_min` away, twice that after the next, up to `backoff_max`; what counts as a success is for the owner
// to say (`works`), since a server may greet nicely and refuse every command. (4) No answer for `timeout` while one is
// owed is a failure.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "net/dns.h"
#include "net/loop.h"
#include "net/socket.h"
#include "store/redis_location.h"
#include "store/redis_value.h"

namespace gatehouse::store {

struct RedisOptions {
  RedisLocation location;
  SecretBytes password;
  Duration timeout = std::chrono::seconds(1);
  Duration backoff_min = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(5);
};

class RedisConnection final : private net::IoHandler, private net::Timer::Handler {
 public:
  class Owner {
   public:
    virtual void on_redis_open() = 0;                       // commands may be sent
    virtual void on_redis_failure(const Error& error) = 0;  // there is no connection; the next try comes by itself

   protected:
    ~Owner() = default;
  };
  using Answer = std::function<void(RedisValue&&)>;

  // Reads the authorities' file, so it comes before privileges are dropped. Nothing is sent before `start`.
  static Result<std::unique_ptr<RedisConnection>> create(net::Loop& loop, RedisOptions options, Owner& owner);
  ~RedisConnection();

  void start();
  bool open() const noexcept { return state_ == State::open; }
  // While open. Sent with the end of the current batch of the loop.
  void send(const std::vector<std::string_view>& words, Answer answer);
  void works() noexcept { backoff_ = options_.backoff_min; }
  // The owner found that this cannot go on: as if the connection had broken.
  void give_up(Error error);

 private:
  enum class State : std::uint8_t { idle, resolving, connecting, greeting, open };

  RedisConnection(net::Loop& loop, RedisOptions options, std::shared_ptr<crypto::TlsClientContext> tls, Owner& owner);
  void on_io(std::uint32_t events) override;
  void on_timer(net::Timer& timer) override;
  void connect(const net::SocketAddress& address);
  void greet();
  void read_some();
  void take(RedisValue&& value);
  void flush();
  void fail_with(ErrorCode code, std::string what);
  void close();
  void forget_output() noexcept;

  class Flush final : public net::Deferred {
   public:
    explicit Flush(RedisConnection& connection) : connection_(connection) {}
    void run_deferred() override { connection_.flush(); }

   private:
    RedisConnection& connection_;
  };

  net::Loop& loop_;
  const RedisOptions options_;
  const std::shared_ptr<crypto::TlsClientContext> tls_;
  Owner& owner_;
  std::unique_ptr<net::Resolver> resolver_;
  net::Resolver::Ticket ticket_ = 0;
  std::size_t address_turn_ = 0;  // which of a name's addresses is tried
  State state_ = State::idle;
  net::Stream stream_;
  net::IoToken token_;
  net::Timer deadline_{static_cast<net::Timer::Handler&>(*this)}, retry_{static_cast<net::Timer::Handler&>(*this)};
  Flush flush_{*this};
  Duration backoff_;
  std::uint64_t generation_ = 0;  // of the connection: a callback may have ended the one it came from
  std::unique_ptr<RedisReader> reader_;
  std::string out_;
  std::size_t out_from_ = 0;
  std::deque<Answer> owed_;
};

}  // namespace gatehouse::store
