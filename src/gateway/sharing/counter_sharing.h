#pragma once
// Shares what limits count with other gateways, over a Redis. No request waits for it: shards decide by their own
// tables; a thread tells every 50 ms what was admitted here, and moves the tables by what it hears.
//
// Rates: see rate_exchange.h. Failed logins, attacks, bans and what ends them: notices in two streams, which every
// gateway reads and applies as if it had happened there. Bans apply in the order of their stream, ours included, so
// that all gateways end with the same. Requests in flight are not shared: a count that a dead gateway leaves behind
// would hold for ever. While Redis is gone, slow or refuses, the tables go on as those of a gateway alone; bans made
// meanwhile are told when it is back. Names in Redis: PREFIX = "gatehouse:{DEPLOYMENT}:"; PREFIXkey the agreed value,
// PREFIXrate:HASH, PREFIXbans and PREFIXfailures the streams, PREFIXmember:ID who shares. The braces keep all of them
// on one node of a cluster. Bound of the error: N gateways admit at most N times what flows in one exchange (50 ms and
// a round trip), and N times a sixteenth of the burst, beyond the limit; afterwards the sum follows it exactly.
//
// Thread safety: `create`, `start`, `stop` by one thread; `status` and `tell` from any. Everything else: its own
// thread.

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "gateway/shared_state.h"
#include "gateway/sharing/notice_seal.h"
#include "gateway/sharing/rate_exchange.h"
#include "net/loop.h"
#include "store/redis_connection.h"

namespace gatehouse::gateway {

struct SharingOptions {
  store::RedisOptions redis;
  std::string deployment;  // gateways of one name share
  Duration interval = std::chrono::milliseconds(50);
};

class CounterSharing final : private store::RedisConnection::Owner, private net::Timer::Handler {
 public:
  enum class Failure : std::uint8_t { unreachable, timeout, refused, protocol, tls, count_ };
  static std::string_view name_of(Failure failure) noexcept;
  struct Status {
    bool up = false;
    std::array<std::uint64_t, static_cast<std::size_t>(Failure::count_)> failures{};
    std::uint64_t exchanges = 0, rates_told = 0, notices_told = 0, notices_heard = 0;
    std::uint64_t left_out = 0;  // uses and notices that found no room
  };

  // `state` outlives this. Opens the desk, so it comes before the shards run.
  static Result<std::unique_ptr<CounterSharing>> create(SharingOptions options, SharedState& state, const Clock& clock);
  ~CounterSharing();

  // Who is told of login failures elsewhere, on the sharing thread; before `start`.
  void on_login_notice(std::function<void(const Notice&)> heard) { login_heard_ = std::move(heard); }
  void tell(Notice notice) { state_.desk().tell(std::move(notice)); }
  void start();
  void stop();
  Status status() const noexcept;

 private:
  struct Position {  // in a stream: "milliseconds-sequence"
    std::uint64_t ms = 0, sequence = 0;
    auto operator<=>(const Position&) const = default;
    static std::optional<Position> parse(std::string_view text);
    std::string text() const { return fmt::format("{}-{}", ms, sequence); }
  };
  enum class Stream : std::uint8_t { bans, failures };
  using Handle = std::function<bool(const store::RedisValue&)>;  // false: that is no answer to the question

  CounterSharing(SharingOptions options, SharedState& state, const Clock& clock);
  void on_redis_open() override;
  void on_redis_failure(const Error& error) override;
  void on_timer(net::Timer& timer) override;

  void ask(const std::vector<std::string_view>& words, Handle handle);
  void all_answered();
  void ask_who_we_are();
  void ask_time();
  bool agree(const store::RedisValue& value);
  bool learn_end_of_bans(const store::RedisValue& value);
  void begin_exchange();
  void tell_rates();
  void tell_notices();
  void ask_for_notices();
  bool hear_streams(const store::RedisValue& value);
  bool hear_entry(Stream stream, const store::RedisValue& entry);
  void apply(const Notice& notice, bool own, Position at);
  void take_from_desk();
  bool will_tell_of(const Network& network) const;
  bool is_lifted(const Network& network) const;
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }

  const SharingOptions options_;
  const std::string prefix_;
  SharedState& state_;
  const Clock& clock_;
  std::function<void(const Notice&)> login_heard_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<store::RedisConnection> redis_;
  net::Timer tick_{static_cast<net::Timer::Handler&>(*this)};
  std::thread thread_;

  const std::string origin_;  // this process, among those that share
  std::string script_;        // its hash, by which the server knows it
  SecretBytes agreed_;
  std::unique_ptr<NoticeSeal> seal_;
  RateExchange rates_;
  static constexpr std::size_t kLiftedMax = 1024;
  std::deque<Network> lifted_;  // the last of the bans whose end we heard, and not of another since
  std::deque<Notice> queue_;
  std::deque<Notice> underway_;  // changes of bans whose answer is owed: told again when it never comes
  Position bans_at_, failures_at_;
  std::int64_t server_ahead_ms_ = 0;  // its wall clock against our monotonic one
  std::size_t owed_ = 0;              // answers of the exchange under way
  bool greeted_ = false;              // this connection has agreed on everything
  bool more_ = false;                 // there is more to hear
  bool told_ = false;                 // the log has said how things are
  MonotonicTime next_second_{};

  std::atomic<bool> up_{false};
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Failure::count_)> failures_{};
  std::atomic<std::uint64_t> exchanges_{0}, rates_told_{0}, notices_told_{0}, notices_heard_{0}, left_out_{0};
};

}  // namespace gatehouse::gateway
