#pragma once
// One thread with its loop, its listening sockets, its connections, its upstream pool and its share of telemetry.
// Nothing on the request path takes a lock or looks at another shard.
//
// Thread safety: the public functions marked "any thread" post to the loop; everything else is the shard's own.

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/layers/waf/waf_shard.h"
#include "gateway/proxy/exchange.h"
#include "gateway/proxy/upstream_pool.h"
#include "gateway/server/acceptor.h"
#include "gateway/server/snapshot.h"
#include "http/server_connection.h"
#include "net/loop.h"
#include "telemetry/access_log.h"
#include "telemetry/metrics.h"
#include "telemetry/record_ring.h"
#include "telemetry/recorder.h"
#include "telemetry/trace.h"

namespace gatehouse::gateway {

// Shared by all shards; outlives them.
struct ShardServices {
  SharedState& state;
  telemetry::RecordStore& records;
  telemetry::AccessLog* access_log;
  telemetry::Metrics& metrics;
  const Clock& clock;
};

class Shard final : public http::RequestSink, private AcceptSink, private http::ServerConnectionOwner {
 public:
  static Result<std::unique_ptr<Shard>> create(std::uint32_t index, ShardServices services, telemetry::IdGenerator ids);
  ~Shard();

  // any thread
  void start();
  void apply(std::shared_ptr<const Snapshot> snapshot);
  // Adds or removes a listening socket. `done` is run on the shard.
  void listen(std::uint32_t listener_id, net::Fd socket);
  void unlisten(std::uint32_t listener_id);
  // Lines go to `log` from now on. `done` is run on the shard, which by then is through with the log before.
  void use(telemetry::AccessLog& log, std::function<void()> done);
  // Takes no new connection, lets requests finish until `deadline`, then closes the rest. `done` runs on the shard.
  void drain(Duration deadline, std::function<void()> done);
  void stop();  // and joins
  net::Loop& loop() noexcept { return *loop_; }
  std::uint32_t index() const noexcept { return index_; }

  // the shard's own, for its parts
  const std::shared_ptr<const Snapshot>& snapshot() const noexcept { return snapshot_; }
  UpstreamPool& pool() noexcept { return pool_; }
  telemetry::IdGenerator& ids() noexcept { return ids_; }
  ShardServices& services() noexcept { return services_; }
  telemetry::ShardMetrics& metrics() noexcept { return recorder_.metrics(); }
  WafShard& waf() noexcept { return waf_; }
  http::ResponseHead& response_scratch() noexcept { return response_; }
  WallTime wall() const noexcept { return services_.clock.wall(); }
  std::string_view http_date();  // RFC 9110 §5.6.7, made once a second; lives until the next call
  std::uint64_t random() noexcept;
  const std::shared_ptr<ReplyDesk>& replies() noexcept { return replies_; }
  void local_answered(std::uint32_t index, std::uint64_t generation, LocalAnswer answer);
  void recycle(Exchange& exchange);  // after the current batch
  telemetry::Recorder& recorder() noexcept { return recorder_; }
  void tunnel_opened(Exchange& exchange) noexcept;
  void count_inspection(std::size_t phase, std::chrono::nanoseconds spent) noexcept;

  // http::RequestSink
  void on_request(http::ServerStream& stream, const http::RequestHead& head, http::End end) override;
  std::string_view on_refused(const http::ConnectionInfo& connection, http::Reason reason,
                              const http::RequestHead* partial) override;

 private:
  // AcceptSink
  void accepted(std::uint32_t listener_id, net::Fd socket, const net::SocketAddress& peer) override;
  void connection_shed(std::uint32_t listener_id) override;

  // http::ServerConnectionOwner
  bool on_client_known(http::ServerConnection& connection) override;
  void on_established(http::ServerConnection& connection) override;
  void on_closed(http::ServerConnection& connection) override;
  void on_tls_failed(http::ServerConnection& connection, std::string_view why) override;

  Shard(std::uint32_t index, std::unique_ptr<net::Loop> loop, ShardServices services, telemetry::IdGenerator ids);
  struct Reclaim final : net::Deferred {
    explicit Reclaim(Shard& shard) : s(shard) {}
    void run_deferred() override;
    Shard& s;
  };
  struct DrainTimer final : net::Timer::Handler {
    explicit DrainTimer(Shard& shard) : s(shard), timer(*this) {}
    void on_timer(net::Timer&) override { s.drain_over(); }
    Shard& s;
    net::Timer timer;
  };
  std::string_view listener_name(std::uint32_t listener_id) const noexcept;
  telemetry::SeriesId active_series(std::uint32_t listener_id) noexcept;
  void drain_over();
  void check_drained();

  std::uint32_t index_;
  std::unique_ptr<net::Loop> loop_;
  ShardServices services_;
  telemetry::Recorder recorder_;
  telemetry::IdGenerator ids_;
  std::shared_ptr<const Snapshot> snapshot_;
  UpstreamPool pool_;
  WafShard waf_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<std::unique_ptr<http::ServerConnection>> connections_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;  // all of them; the free ones are in `free_`
  std::vector<Exchange*> free_, returned_;
  std::shared_ptr<ReplyDesk> replies_ = std::make_shared<ReplyDesk>(*this);
  std::unique_ptr<Exchange> refusals_;  // for what never became a request
  Reclaim reclaim_{*this};
  DrainTimer drain_timer_{*this};
  std::function<void()> drained_;
  bool draining_ = false;
  std::uint64_t next_connection_ = 0;
  std::uint64_t random_state_ = 0;
  std::vector<std::pair<std::uint32_t, telemetry::SeriesId>> active_series_;    // by listener
  std::array<telemetry::SeriesId, waf::Program::kPhases> inspection_series_{};  // by phase - 1; 0: not looked up yet
  http::ResponseHead response_;
  std::string date_;
  std::int64_t date_second_ = -1;
  std::thread thread_;
};

}  // namespace gatehouse::gateway
