#include "gateway/proxy/upstream_pool.h"

#include <algorithm>
#include <utility>

namespace gatehouse::gateway {

struct UpstreamPool::Pooled final : http::ClientConnectionOwner {
  Pooled(UpstreamPool& p, Slot& s, Endpoint& e) : pool(p), slot(s), endpoint(e) {
    endpoint.connections.fetch_add(1, std::memory_order_relaxed);
  }
  ~Pooled() override { endpoint.connections.fetch_sub(1, std::memory_order_relaxed); }

  void on_available(http::ClientConnection&) override {
    if (!listed) slot.free.push_back(this), listed = true;
    if (slot.cluster->pending().used() > 0) pool.serve_later(slot.cluster);
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
  for (auto& [ticket, waiting] : waiting_) waiting.cluster->queue().leave(ticket);
  for (auto& [cluster, slots] : slots_of_) slots.front()->cluster->queue().remove_member(*this);
  // The loop is gone or going; connections end without a word to exchanges that no longer exist.
  for (auto& [pooled, owned] : pooled_) owned->connection.reset();
}

UpstreamPool::Slot& UpstreamPool::slot_of(const std::shared_ptr<Cluster>& cluster, Endpoint& endpoint) {
  Slot& slot = slots_[&endpoint];
  if (!slot.cluster) {
    slot.cluster = cluster;
    std::vector<Slot*>& slots = slots_of_[cluster.get()];
    if (slots.empty()) cluster->queue().add_member(*this);
    slots.push_back(&slot);
  }
  return slot;
}

UpstreamPool::Pooled* UpstreamPool::free_in(Slot& slot) {
  while (!slot.free.empty()) {
    Pooled* const candidate = slot.free.back();
    if (candidate->connection->client().available() > 0) return candidate;
    candidate->listed = false;  // full (HTTP/2) or closing; `on_available` lists it again
    slot.free.pop_back();
  }
  return nullptr;
}

// Any connection of the service that can take a stream; `idle_only`: one that carries none.
UpstreamPool::Pooled* UpstreamPool::free_of(const Cluster& cluster, bool idle_only) {
  const auto slots = slots_of_.find(&cluster);
  if (slots == slots_of_.end()) return nullptr;
  for (Slot* slot : slots->second) {
    if (!idle_only) {
      if (Pooled* const found = free_in(*slot)) return found;
      continue;
    }
    for (Pooled* pooled : slot->free) {  // the least recently used first
      if (pooled->connection->client().available() > 0 && pooled->connection->client().active() == 0) return pooled;
    }
  }
  return nullptr;
}

// A place for one more connection: a new one, the one that came with a turn, or that of an idle connection elsewhere.
Admission UpstreamPool::take_place(Cluster& cluster) {
  if (turn_ != nullptr && turn_->cluster == &cluster && turn_->place) return std::move(turn_->place);
  Admission place = cluster.connections().try_admit();
  if (place) return place;
  Pooled* const idle = free_of(cluster, true);
  return idle == nullptr ? Admission() : give_up(*idle);
}

Admission UpstreamPool::give_up(Pooled& pooled) {
  Admission place = std::move(pooled.admission);
  pooled.connection->client().close_when_idle();
  return place;
}

Result<UpstreamPool::Pooled*> UpstreamPool::connect(Slot& slot, Endpoint& endpoint, crypto::TlsClientContext* tls) {
  Admission admission = take_place(*slot.cluster);
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
  options.endpoint = endpoint.name;
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
  const bool my_turn = turn_ != nullptr && turn_->cluster == cluster.get();
  if (!my_turn && cluster->pending().used() > 0)
    return fail(ErrorCode::exhausted, "others wait for a connection", ErrorSource::upstream);
  Slot& slot = slot_of(cluster, endpoint);
  Pooled* chosen = free_in(slot);
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
  // Either we see who joins the queue, or it sees the place that is free now (circuit.h).
  if (slot.cluster->pending().used() > 0) serve_later(slot.cluster);
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

// --- those who wait --------------------------------------------------------------------------------------------------

bool UpstreamPool::wait(const std::shared_ptr<Cluster>& cluster, Waiter& waiter) {
  if (turn_ != nullptr && turn_->cluster == cluster.get() && turn_->pending) {
    waiter.ticket_ = turn_->ticket;
    cluster->queue().put_back({turn_->ticket, this});
    waiting_[waiter.ticket_] = {&waiter, cluster, std::move(turn_->pending)};
    return true;
  }
  Admission pending = cluster->pending().admit();
  if (!pending) return false;
  const ConnectionQueue::Joined joined = cluster->queue().join(*this);
  waiter.ticket_ = joined.number;
  waiting_[joined.number] = {&waiter, cluster, std::move(pending)};
  serve_later(cluster);
  if (joined.first) cluster->queue().tell_others(cluster, *this);
  return true;
}

void UpstreamPool::stop_waiting(Waiter& waiter) {
  const std::uint64_t ticket = std::exchange(waiter.ticket_, 0);
  const auto at = waiting_.find(ticket);
  if (ticket == 0 || at == waiting_.end()) return;
  at->second.cluster->queue().leave(ticket);
  waiting_.erase(at);
}

void UpstreamPool::turn_came(std::shared_ptr<Cluster> cluster, std::uint64_t ticket, Admission place) {
  // A function that is posted must be copyable.
  auto held = std::make_shared<Admission>(std::move(place));
  loop_.post([this, cluster = std::move(cluster), ticket, held] {
    take_turn(cluster, ticket, nullptr, std::move(*held));
    serve(cluster);  // the place, if it was not taken
  });
}

void UpstreamPool::others_wait(std::shared_ptr<Cluster> cluster) {
  loop_.post([this, cluster = std::move(cluster)] { serve(cluster); });
}

void UpstreamPool::serve_later(const std::shared_ptr<Cluster>& cluster) {
  if (std::find(to_serve_.begin(), to_serve_.end(), cluster) == to_serve_.end()) to_serve_.push_back(cluster);
  loop_.defer(*this);
}

void UpstreamPool::run_deferred() {
  const auto clusters = std::exchange(to_serve_, {});
  for (const auto& cluster : clusters) serve(cluster);
}

void UpstreamPool::serve(const std::shared_ptr<Cluster>& cluster) {
  while (cluster->pending().used() > 0) {
    Pooled* const free = free_of(*cluster, false);
    Admission place;
    if (free == nullptr) {
      place = cluster->connections().try_admit();
      if (!place) return;
    }
    // A connection that carries streams can be shared, but not given away.
    const bool shared = free != nullptr && free->connection->client().active() > 0;
    const auto ticket = shared ? cluster->queue().take_first_of(*this) : cluster->queue().take_first();
    if (!ticket) {
      if (!place) return;
      // Whoever has just joined may have looked for a place while we held this one.
      place.release();
      if (cluster->queue().empty()) return;
      continue;
    }
    if (ticket->member != this) {
      if (free != nullptr) place = give_up(*free);
      ticket->member->turn_came(cluster, ticket->number, std::move(place));
    } else if (!take_turn(cluster, ticket->number, free == nullptr ? nullptr : &free->endpoint, std::move(place))) {
      return;
    }
  }
}

// False when the waiter could do nothing with it and waits on.
bool UpstreamPool::take_turn(const std::shared_ptr<Cluster>& cluster, std::uint64_t ticket, Endpoint* idle,
                             Admission place) {
  const auto at = waiting_.find(ticket);
  if (at == waiting_.end()) return true;  // it has left since
  Waiter& waiter = *at->second.waiter;
  Turn turn{cluster.get(), ticket, std::move(place), std::move(at->second.pending)};
  waiting_.erase(at);
  waiter.ticket_ = 0;
  turn_ = &turn;
  waiter.on_turn(idle);
  turn_ = nullptr;
  return !waiting_.contains(ticket);
}

void UpstreamPool::retire_all_but(const std::vector<std::shared_ptr<Cluster>>& keep) {
  std::vector<Pooled*> retired;
  for (auto& [pooled, owned] : pooled_) {
    if (std::find(keep.begin(), keep.end(), pooled->slot.cluster) == keep.end()) retired.push_back(pooled);
  }
  for (Pooled* pooled : retired) {
    if (pooled_.contains(pooled)) pooled->connection->client().close_when_idle();
  }
  for (auto at = slots_.begin(); at != slots_.end();) {
    Slot& slot = at->second;
    if (slot.connections != 0 || std::find(keep.begin(), keep.end(), slot.cluster) != keep.end()) {
      ++at;
      continue;
    }
    const auto slots = slots_of_.find(slot.cluster.get());
    std::erase(slots->second, &slot);
    if (slots->second.empty()) {
      slot.cluster->queue().remove_member(*this);
      slots_of_.erase(slots);
    }
    at = slots_.erase(at);
  }
}

void UpstreamPool::close_idle() { retire_all_but({}); }

}  // namespace gatehouse::gateway
