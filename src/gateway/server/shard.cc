#include "gateway/server/shard.h"

#include <pthread.h>

#include <ctime>

#include "base/check.h"
#include "telemetry/log.h"

namespace gatehouse::gateway {

Shard::Shard(std::uint32_t index, std::unique_ptr<net::Loop> loop, ShardServices services, telemetry::IdGenerator ids)
    : index_(index),
      loop_(std::move(loop)),
      services_(services),
      recorder_(index, services.metrics, services.records, *services.access_log),
      ids_(std::move(ids)),
      pool_(*loop_),
      waf_(services_.clock, services_.state.collections(), services_.state.rule_statistics()) {
  random_state_ = static_cast<std::uint64_t>(services_.clock.now().time_since_epoch().count()) * 2 + index + 1;
}

Shard::~Shard() {
  stop();
  replies_->close();
}

Result<std::unique_ptr<Shard>> Shard::create(std::uint32_t index, ShardServices services, telemetry::IdGenerator ids) {
  auto loop = net::Loop::create(services.clock);
  if (!loop) return tl::unexpected(loop.error());
  return std::unique_ptr<Shard>(new Shard(index, std::move(*loop), services, std::move(ids)));
}

void Shard::start() {
  thread_ = std::thread([this] {
    char name[16];
    std::snprintf(name, sizeof name, "shard-%u", index_);
    ::pthread_setname_np(::pthread_self(), name);
    loop_->run();
    // What belongs to this thread's loop ends on this thread.
    acceptors_.clear();
    for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->close_now();
  });
}

void Shard::stop() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
}

void Shard::apply(std::shared_ptr<const Snapshot> snapshot) {
  loop_->post([this, snapshot = std::move(snapshot)] {
    snapshot_ = snapshot;
    active_series_.clear();  // a listener may bear another name now
    pool_.retire_all_but(snapshot_->clusters);
    waf_.use(snapshot_->waf->engine());
  });
}

void Shard::listen(std::uint32_t listener_id, net::Fd socket) {
  loop_->post([this, listener_id, fd = socket.release()] {
    auto acceptor = Acceptor::create(*loop_, *this, listener_id, net::Fd(fd));
    if (!acceptor) {
      GH_LOG(error, "cannot listen", {"why", acceptor.error().message});
      return;
    }
    acceptors_.push_back(std::move(*acceptor));
  });
}

void Shard::unlisten(std::uint32_t listener_id) {
  loop_->post([this, listener_id] {
    std::erase_if(acceptors_, [&](const auto& acceptor) { return acceptor->listener_id() == listener_id; });
    // Backwards: a connection that closes at once is replaced by the last, which has been visited.
    for (std::size_t i = connections_.size(); i-- > 0;) {
      if (connections_[i]->info().listener == listener_id) connections_[i]->drain();
    }
  });
}

void Shard::use(telemetry::AccessLog& log, std::function<void()> done) {
  loop_->post([this, &log, done = std::move(done)] {
    recorder_.use(log);
    done();
  });
}

void Shard::drain(Duration deadline, std::function<void()> done) {
  loop_->post([this, deadline, done = std::move(done)]() mutable {
    draining_ = true;
    drained_ = std::move(done);
    for (auto& acceptor : acceptors_) acceptor->finish();
    acceptors_.clear();
    for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->drain();
    loop_->arm(drain_timer_.timer, deadline);
    check_drained();
  });
}

void Shard::drain_over() {
  for (std::size_t i = connections_.size(); i-- > 0;) connections_[i]->close_now();
  check_drained();
}

void Shard::check_drained() {
  if (!draining_ || !connections_.empty() || !drained_) return;
  drain_timer_.timer.cancel();
  auto done = std::exchange(drained_, nullptr);
  done();
}

void Shard::accepted(std::uint32_t listener_id, net::Fd socket, const net::SocketAddress& peer) {
  using telemetry::Metric;
  const ListenerBinding* binding = snapshot_->binding(listener_id);
  if (binding == nullptr) return;
  const ListenerConfig& listener = snapshot_->config->listeners[binding->index];
  const bool unix_socket = peer.length == 0 || peer.storage.ss_family == AF_UNIX;
  const IpAddress ip = peer.ip();
  // The address of a proxy in front of us says nothing about the clients behind it.
  const bool stands_for_itself =
      !unix_socket && listener.proxy_protocol == ProxyProtocol::off && listener.trusted_proxies.empty();
  if (!binding->connections->acquire(listener.limits.connections)) {
    metrics().count(Metric::connections_refused, {listener.name, "connections"});
    return;
  }
  if (stands_for_itself && !services_.state.connections().acquire(ip, listener.limits.connections_per_ip)) {
    binding->connections->release();
    metrics().count(Metric::connections_refused, {listener.name, "connections_per_ip"});
    return;
  }
  const std::uint64_t id = (static_cast<std::uint64_t>(index_) << 48) | ++next_connection_;
  http::ServerConnectionOwner& owner = *this;
  auto connection = std::make_unique<http::ServerConnection>(
      *loop_, std::move(socket), peer, id, snapshot_->connection_options[binding->index], *this, owner);
  connection->slot = connections_.size();
  connection->counted_ip = stands_for_itself;
  connection->counted_in = binding->connections.get();
  metrics().count(Metric::connections_opened, {listener.name});
  http::ServerConnection& begun = *connection;
  connections_.push_back(std::move(connection));
  if (auto started = begun.begin(); !started) {
    metrics().count(Metric::connections_refused, {listener.name, "untrusted_proxy"});
    begun.close_now();
  }
}

void Shard::connection_shed(std::uint32_t listener_id) {
  metrics().count(telemetry::Metric::connections_refused, {listener_name(listener_id), "descriptors"});
  GH_LOG(warn, "file descriptors ran out: a connection was closed unserved");
}

std::string_view Shard::listener_name(std::uint32_t listener_id) const noexcept {
  const ListenerBinding* binding = snapshot_->binding(listener_id);
  return binding == nullptr ? std::string_view("removed") : snapshot_->config->listeners[binding->index].name;
}

bool Shard::on_client_known(http::ServerConnection& connection) {
  const http::ConnectionInfo& info = connection.info();
  const ListenerBinding* binding = snapshot_->binding(info.listener);
  if (binding == nullptr) return false;
  const ListenerConfig& listener = snapshot_->config->listeners[binding->index];
  // Another proxy that we trust, behind this one, says nothing about its clients either.
  if (snapshot_->trusted_proxies[binding->index].contains(info.client)) return true;
  connection.counted_ip = services_.state.connections().acquire(info.client, listener.limits.connections_per_ip);
  if (!connection.counted_ip)
    metrics().count(telemetry::Metric::connections_refused, {listener.name, "connections_per_ip"});
  return connection.counted_ip;
}

void Shard::on_established(http::ServerConnection& connection) {
  const http::ConnectionInfo& info = connection.info();
  if (info.tls) {
    metrics().count(telemetry::Metric::tls_handshakes,
                    {listener_name(info.listener), info.tls_resumed ? "resumed" : "full"});
  }
  if (draining_) connection.drain();
}

void Shard::on_tls_failed(http::ServerConnection& connection, std::string_view why) {
  metrics().count(telemetry::Metric::tls_handshakes, {listener_name(connection.info().listener), "failed"});
  GH_LOG(debug, "TLS handshake failed", {"client", connection.info().client.to_string()}, {"why", why});
}

void Shard::on_closed(http::ServerConnection& connection) {
  if (connection.counted_ip) services_.state.connections().release(connection.info().client);
  static_cast<Gauge*>(connection.counted_in)->release();
  const std::size_t slot = connection.slot;
  GH_CHECK(slot < connections_.size() && connections_[slot].get() == &connection);
  loop_->destroy_later(std::move(connections_[slot]));
  if (slot + 1 != connections_.size()) {
    connections_[slot] = std::move(connections_.back());
    connections_[slot]->slot = slot;
  }
  connections_.pop_back();
  check_drained();
}

void Shard::on_request(http::ServerStream& stream, const http::RequestHead& head, http::End end) {
  if (snapshot_->binding(stream.connection().listener) == nullptr) {
    stream.abort();  // the listener was removed, and this came in the moment before its drain
    return;
  }
  if (free_.empty()) {
    exchanges_.push_back(std::make_unique<Exchange>(*this));
    exchanges_.back()->slot = static_cast<std::uint32_t>(exchanges_.size() - 1);
    free_.push_back(exchanges_.back().get());
  }
  Exchange& exchange = *free_.back();
  free_.pop_back();
  exchange.active_series = active_series(stream.connection().listener);
  exchange.tunnel_series = 0;
  metrics().add(exchange.active_series);
  exchange.begin(stream, head, end);
}

telemetry::SeriesId Shard::active_series(std::uint32_t listener_id) noexcept {
  for (const auto& [id, series] : active_series_) {
    if (id == listener_id) return series;
  }
  const auto series = metrics().id(telemetry::Metric::requests_active, {listener_name(listener_id)});
  active_series_.emplace_back(listener_id, series);
  return series;
}

void Shard::tunnel_opened(Exchange& exchange) noexcept {
  for (const auto& [id, series] : active_series_) {
    if (series != exchange.active_series) continue;
    exchange.tunnel_series = metrics().id(telemetry::Metric::tunnels_active, {listener_name(id)});
    metrics().add(exchange.tunnel_series);
  }
}

void Shard::count_inspection(std::size_t phase, std::chrono::nanoseconds spent) noexcept {
  if (spent.count() == 0) return;
  telemetry::SeriesId& series = inspection_series_[phase - 1];
  if (series == 0) series = metrics().id(telemetry::Metric::waf_phase_time, {std::to_string(phase)});
  metrics().add(series, spent.count());
}

std::string_view Shard::on_refused(const http::ConnectionInfo& connection, http::Reason reason,
                                   const http::RequestHead* partial) {
  if (snapshot_->binding(connection.listener) == nullptr) return {};
  if (!refusals_) refusals_ = std::make_unique<Exchange>(*this);
  return refusals_->refuse(connection, reason, partial);
}

void Shard::local_answered(std::uint32_t index, std::uint64_t generation, LocalAnswer answer) {
  exchanges_[index]->local_answered(generation, std::move(answer));
}

void Shard::recycle(Exchange& exchange) {
  metrics().add(exchange.active_series, -1);
  if (exchange.tunnel_series != 0) metrics().add(exchange.tunnel_series, -1);
  returned_.push_back(&exchange);
  loop_->defer(reclaim_);
}

void Shard::Reclaim::run_deferred() {
  s.free_.insert(s.free_.end(), s.returned_.begin(), s.returned_.end());
  s.returned_.clear();
}

std::string_view Shard::http_date() {
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(wall().time_since_epoch()).count();
  if (second != date_second_) {
    date_second_ = second;
    const std::time_t time = second;
    std::tm parts;
    ::gmtime_r(&time, &parts);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date_.assign(text, length);
  }
  return date_;
}

// For splitting and choosing, where nothing depends on being unpredictable (splitmix64).
std::uint64_t Shard::random() noexcept {
  std::uint64_t z = (random_state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace gatehouse::gateway
