#include "gateway/proxy/upstream_pool.h"

#include <algorithm>

namespace gatehouse::gateway {

struct UpstreamPool::Pooled final : http::ClientConnectionOwner {
  Pooled(UpstreamPool& p, Slot& s, Endpoint& e) : pool(p), slot(s), endpoint(e) {
    endpoint.connections.fetch_add(1, std::memory_order_relaxed);
  }
  ~Pooled() override { endpoint.connections.fetch_sub(1, std::memory_order_relaxed); }

  void on_available(http::ClientConnection&) override {
    if (!listed) slot.free.push_back(this), listed = true;
  }
  void on_closed(http::ClientConnection&) override { pool.forget(*this); }

  UpstreamPool& pool;
  Slot& slot;
  Endpoint& endpoint;
  Admission admission;
  std::unique_ptr<http::UpstreamConnection> connection;
  bool listed = false;  // in slot.free
  bool used = false;    // has carried a stream before
};

UpstreamPool::UpstreamPool(net::Loop& loop) : loop_(loop) {}

UpstreamPool::~UpstreamPool() {
  // The loop is gone or going; connections end without a word to exchanges that no longer exist.
  for (auto& [pooled, owned] : pooled_) owned->connection.reset();
}

Result<UpstreamPool::Pooled*> UpstreamPool::connect(Slot& slot, Endpoint& endpoint, crypto::TlsClientContext* tls) {
  Admission admission = slot.cluster->connections().admit();
  if (!admission)
    return fail(ErrorCode::exhausted, "the service has all its connections in use", ErrorSource::upstream);
  const ServiceConfig& service = slot.cluster->config();
  http::ClientConnectionOptions options;
  options.version =
      endpoint.config->protocol == UpstreamProtocol::h2 ? http::UpstreamVersion::http2 : http::UpstreamVersion::http1;
  options.connect_timeout = service.timeouts.connect;
  options.idle_timeout = service.timeouts.idle;
  options.tls = tls;
  options.server_name = service.tls.sni.empty() ? endpoint.config->address.host : service.tls.sni;
  auto pooled = std::make_unique<Pooled>(*this, slot, endpoint);
  auto connection = http::UpstreamConnection::connect(loop_, endpoint.address, options, *pooled);
  if (!connection) return tl::unexpected(connection.error());
  pooled->connection = std::move(*connection);
  pooled->admission = std::move(admission);
  ++slot.connections;
  Pooled* made = pooled.get();
  pooled_.emplace(made, std::move(pooled));
  return made;
}

Result<http::ClientStream*> UpstreamPool::open(const std::shared_ptr<Cluster>& cluster, Endpoint& endpoint,
                                               crypto::TlsClientContext* tls, http::ClientStreamEvents& events,
                                               bool& reused) {
  Slot& slot = slots_[&endpoint];
  if (!slot.cluster) slot.cluster = cluster;
  Pooled* chosen = nullptr;
  while (!slot.free.empty()) {
    Pooled* candidate = slot.free.back();
    if (candidate->connection->client().available() > 0) {
      chosen = candidate;
      break;
    }
    candidate->listed = false;  // full (HTTP/2) or closing; `on_available` lists it again
    slot.free.pop_back();
  }
  if (chosen == nullptr) {
    auto made = connect(slot, endpoint, tls);
    if (!made) return tl::unexpected(made.error());
    chosen = *made;
    slot.free.push_back(chosen);
    chosen->listed = true;
  }
  reused = std::exchange(chosen->used, true);
  http::ClientStream& stream = chosen->connection->client().open(events);
  if (chosen->connection->client().available() == 0) {
    std::erase(slot.free, chosen);
    chosen->listed = false;
  }
  return &stream;
}

void UpstreamPool::forget(Pooled& pooled) {
  const auto at = pooled_.find(&pooled);
  if (at == pooled_.end()) return;
  Slot& slot = pooled.slot;
  if (pooled.listed) std::erase(slot.free, &pooled);
  pooled.admission.release();
  --slot.connections;
  std::unique_ptr<Pooled> dying = std::move(at->second);
  pooled_.erase(at);
  // The cluster must outlive the connection's last words.
  struct Last {
    std::shared_ptr<Cluster> cluster;
    std::unique_ptr<Pooled> pooled;
    ~Last() { pooled.reset(); }
  };
  loop_.destroy_later(std::unique_ptr<Last>(new Last{slot.cluster, std::move(dying)}));
}

void UpstreamPool::retire_all_but(const std::vector<std::shared_ptr<Cluster>>& keep) {
  std::vector<Pooled*> retired;
  for (auto& [pooled, owned] : pooled_) {
    if (std::find(keep.begin(), keep.end(), pooled->slot.cluster) == keep.end()) retired.push_back(pooled);
  }
  for (Pooled* pooled : retired) {
    if (pooled_.contains(pooled)) pooled->connection->client().close_when_idle();
  }
  std::erase_if(slots_, [&](const auto& entry) {
    const Slot& slot = entry.second;
    return slot.connections == 0 && std::find(keep.begin(), keep.end(), slot.cluster) == keep.end();
  });
}

void UpstreamPool::close_idle() { retire_all_but({}); }

}  // namespace gatehouse::gateway
