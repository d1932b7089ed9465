#include "gateway/server/gateway.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "gateway/server/listen.h"
#include "telemetry/log.h"

namespace gatehouse::gateway {
namespace {

constexpr unsigned kUnixMode = 0666;  // who may connect is for the folder to say

// Is this the socket of that listener? A chosen port (0) is known by the listener's name.
bool serves(const Address& address, const std::string& name, const ListenerConfig& listener) noexcept {
  const bool chosen = address.unix_path.empty() && address.port == 0;
  return address == listener.address && (!chosen || name == listener.name);
}

}  // namespace

Gateway::Gateway(std::uint32_t shards, GatewayServices services)
    : shard_count_(shards),
      services_(std::move(services)),
      ticket_keys_(crypto::TlsTicketKeys::create(services.clock)) {}

Gateway::~Gateway() { stop(); }

Result<std::unique_ptr<Gateway>> Gateway::create(std::shared_ptr<const Config> config, std::uint32_t shards,
                                                 GatewayServices services, std::vector<InheritedSocket> inherited) {
  std::unique_ptr<Gateway> gateway(new Gateway(shards, std::move(services)));
  gateway->inherited_ = std::move(inherited);
  auto opened = gateway->open_missing(*config);
  if (!opened) return tl::unexpected(opened.error());
  auto snapshot = gateway->compile(std::move(config), *opened);
  if (!snapshot) return tl::unexpected(snapshot.error());
  for (const InheritedSocket& left : gateway->inherited_) ::close(left.fd);
  gateway->inherited_.clear();
  gateway->snapshot_ = std::move(*snapshot);
  gateway->listening_ = std::move(*opened);
  for (const Listening& listening : gateway->listening_) gateway->bound_.push_back(listening.bound);
  return gateway;
}

Result<Gateway::Listening> Gateway::open(const ListenerConfig& listener) {
  Listening listening;
  listening.address = listener.address;
  const std::string configured = listener.address.to_string();
  for (auto at = inherited_.begin(); at != inherited_.end();) {
    if (at->address == configured) {
      listening.sockets.emplace_back(at->fd);
      at = inherited_.erase(at);
    } else {
      ++at;
    }
  }
  // One socket a shard, so that the kernel spreads connections; a Unix socket is shared by all.
  const std::size_t wanted = listener.address.unix_path.empty() ? shard_count_ : 1;
  Address address = listener.address;
  while (listening.sockets.size() < wanted) {
    if (!listening.sockets.empty()) address = bound_address(listening.sockets.front(), address);
    auto socket = listen_at(address, kUnixMode);
    if (!socket) {
      return tl::unexpected(
          std::move(socket.error()).while_(fmt::format("listener {} at {}", listener.name, configured)));
    }
    listening.sockets.push_back(std::move(*socket));
  }
  listening.bound.id = next_id_++;
  listening.bound.name = listener.name;
  listening.bound.configured = configured;
  listening.bound.bound = bound_address(listening.sockets.front(), listener.address).to_string();
  listening.bound.connections = std::make_shared<Gauge>();
  return listening;
}

const Gateway::Listening* Gateway::find(const ListenerConfig& listener) const noexcept {
  const auto at = std::find_if(listening_.begin(), listening_.end(), [&](const Listening& listening) {
    return serves(listening.address, listening.bound.name, listener);
  });
  return at == listening_.end() ? nullptr : &*at;
}

Result<std::vector<Gateway::Listening>> Gateway::open_missing(const Config& config) {
  std::vector<Listening> opened;
  for (const ListenerConfig& listener : config.listeners) {
    if (find(listener) != nullptr) continue;
    auto made = open(listener);
    if (!made) return tl::unexpected(made.error());
    opened.push_back(std::move(*made));
  }
  return opened;
}

std::vector<ListenerBinding> Gateway::bind(const Config& config, const std::vector<Listening>& opened) const {
  std::vector<ListenerBinding> bindings;
  for (std::uint32_t index = 0; index < config.listeners.size(); ++index) {
    const ListenerConfig& listener = config.listeners[index];
    const Listening* listening = find(listener);
    for (const Listening& candidate : opened) {
      if (listening == nullptr && serves(candidate.address, candidate.bound.name, listener)) listening = &candidate;
    }
    if (listening != nullptr) bindings.push_back({listening->bound.id, index, listening->bound.connections});
  }
  return bindings;
}

Result<std::shared_ptr<const Snapshot>> Gateway::compile(std::shared_ptr<const Config> config,
                                                         const std::vector<Listening>& opened) {
  auto bindings = bind(*config, opened);
  return Snapshot::build(std::move(config), snapshot_.get(), std::move(bindings),
                         SnapshotSources{services_.state, services_.clock, ticket_keys_, services_.credentials,
                                         services_.rules, services_.local_services});
}

Status Gateway::start() {
  for (std::uint32_t i = 0; i < shard_count_; ++i) {
    auto ids = telemetry::IdGenerator::create();
    if (!ids) return tl::unexpected(ids.error());
    auto shard = Shard::create(
        i, ShardServices{services_.state, services_.records, services_.access_log, services_.metrics, services_.clock},
        std::move(*ids));
    if (!shard) return tl::unexpected(shard.error());
    (*shard)->apply(snapshot_);
    shards_.push_back(std::move(*shard));
  }
  started_ = true;
  for (Listening& listening : listening_) hand_out(listening);
  for (auto& shard : shards_) shard->start();
  return {};
}

void Gateway::hand_out(Listening& listening) {
  // More sockets than shards come from a predecessor with more of them: their queues must be served too.
  const std::size_t count = std::max(listening.sockets.size(), shards_.size());
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = ::fcntl(listening.sockets[i % listening.sockets.size()].get(), F_DUPFD_CLOEXEC, 3);
    if (fd >= 0) shards_[i % shards_.size()]->listen(listening.bound.id, net::Fd(fd));
  }
  listening.is_new = false;
}

Status Gateway::try_out(std::shared_ptr<const Config> config) {
  auto opened = open_missing(*config);
  if (!opened) return tl::unexpected(opened.error());
  auto snapshot = compile(std::move(config), *opened);
  for (const Listening& listening : *opened) {
    if (!listening.address.unix_path.empty()) ::unlink(listening.address.unix_path.c_str());
  }
  if (!snapshot) return tl::unexpected(snapshot.error());
  return {};
}

Status Gateway::reload(std::shared_ptr<const Config> config) {
  auto opened = open_missing(*config);
  if (!opened) return tl::unexpected(opened.error());
  auto snapshot = compile(std::move(config), *opened);
  if (!snapshot) return tl::unexpected(snapshot.error());
  return commit(std::move(*snapshot), std::move(*opened));
}

Status Gateway::commit(std::shared_ptr<const Snapshot> snapshot, std::vector<Listening> opened) {
  snapshot_ = std::move(snapshot);
  const Config& config = *snapshot_->config;
  // The snapshot first: a socket whose listener is not in it would have its connections dropped.
  for (auto& shard : shards_) shard->apply(snapshot_);
  for (auto at = listening_.begin(); at != listening_.end();) {
    const auto same =
        std::find_if(config.listeners.begin(), config.listeners.end(),
                     [&](const ListenerConfig& listener) { return serves(at->address, at->bound.name, listener); });
    if (same == config.listeners.end()) {
      for (auto& shard : shards_) shard->unlisten(at->bound.id);
      if (!at->address.unix_path.empty()) ::unlink(at->address.unix_path.c_str());
      at = listening_.erase(at);
    } else {
      at->bound.name = same->name;
      ++at;
    }
  }
  for (Listening& listening : opened) {
    if (started_) hand_out(listening);
    listening_.push_back(std::move(listening));
  }
  bound_.clear();
  for (const Listening& listening : listening_) bound_.push_back(listening.bound);
  return {};
}

void Gateway::use(telemetry::AccessLog& log, std::function<void()> done) {
  services_.access_log = &log;
  if (shards_.empty()) return done();
  auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
  for (auto& shard : shards_) {
    shard->use(log, [left, done] {
      if (left->fetch_sub(1) == 1) done();
    });
  }
}

void Gateway::drain(Duration deadline, std::function<void()> done) {
  // Closed here too: a duplicate that stays open would go on taking connections that nobody accepts.
  for (Listening& listening : listening_) listening.sockets.clear();
  auto left = std::make_shared<std::atomic<std::size_t>>(shards_.size());
  for (auto& shard : shards_) {
    shard->drain(deadline, [left, done] {
      if (left->fetch_sub(1) == 1) done();
    });
  }
}

void Gateway::stop() {
  for (auto& shard : shards_) shard->stop();
}

std::vector<InheritedSocket> Gateway::sockets() const {
  std::vector<InheritedSocket> all;
  for (const Listening& listening : listening_) {
    for (const net::Fd& socket : listening.sockets) all.push_back({listening.bound.configured, socket.get()});
  }
  return all;
}

}  // namespace gatehouse::gateway
