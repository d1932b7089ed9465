#pragma once
// The data plane of one process: sockets, shards, and the configuration that is in force.
//
// Thread safety: everything here is called from the control thread. Shards are spoken to by posting to their loops.
// Invariant: a reload either takes effect as a whole or changes nothing; sockets whose address stays keep their queue.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/server/shard.h"
#include "gateway/server/snapshot.h"

namespace gatehouse::gateway {

// A listening socket that another process opened for us, by the address it was configured with.
struct InheritedSocket {
  std::string address;
  int fd;
};

struct GatewayServices {
  SharedState& state;
  telemetry::RecordStore& records;
  telemetry::AccessLog* access_log;
  telemetry::Metrics& metrics;
  const Clock& clock;
  CredentialSource credentials;
  RuleEngineSource rules;
  LocalServiceSource local_services = {};  // may be empty where no service is local
};

struct BoundListener {
  std::uint32_t id;
  std::string name;
  std::string configured;  // "127.0.0.1:0"
  std::string bound;       // "127.0.0.1:41234"
  std::shared_ptr<Gauge> connections;
};

class Gateway {
 public:
  // Opens the sockets and compiles the configuration; serves nothing yet. `inherited` sockets are used instead of new
  // ones where the address is the same; the rest of them is closed.
  static Result<std::unique_ptr<Gateway>> create(std::shared_ptr<const Config> config, std::uint32_t shards,
                                                 GatewayServices services, std::vector<InheritedSocket> inherited);
  ~Gateway();

  Status start();
  // Compiles aside, then swaps. On failure everything stays as it was.
  Status reload(std::shared_ptr<const Config> config);
  // Compiles and throws away: would a reload work?
  Status try_out(std::shared_ptr<const Config> config);
  // Lines go to `log` from now on; `done` runs on a shard's thread once no shard uses the one before.
  void use(telemetry::AccessLog& log, std::function<void()> done);
  // `done` runs on a shard's thread.
  void drain(Duration deadline, std::function<void()> done);
  void stop();

  std::shared_ptr<const Snapshot> snapshot() const noexcept { return snapshot_; }
  const std::vector<BoundListener>& listeners() const noexcept { return bound_; }
  std::uint32_t shards() const noexcept { return static_cast<std::uint32_t>(shards_.size()); }
  // Every listening socket, for a process that takes over. The descriptors stay ours.
  std::vector<InheritedSocket> sockets() const;

 private:
  struct Listening {
    BoundListener bound;
    Address address;
    bool is_new = true;            // not yet given to the shards
    std::vector<net::Fd> sockets;  // ours; each shard has a duplicate
  };
  Gateway(std::uint32_t shards, GatewayServices services);
  Result<Listening> open(const ListenerConfig& listener);
  Result<std::vector<Listening>> open_missing(const Config& config);
  std::vector<ListenerBinding> bind(const Config& config, const std::vector<Listening>& opened) const;
  Result<std::shared_ptr<const Snapshot>> compile(std::shared_ptr<const Config> config,
                                                  const std::vector<Listening>& opened);
  Status commit(std::shared_ptr<const Snapshot> snapshot, std::vector<Listening> opened);
  void hand_out(Listening& listening);
  const Listening* find(const ListenerConfig& listener) const noexcept;

  std::uint32_t shard_count_;
  GatewayServices services_;
  std::shared_ptr<crypto::TlsTicketKeys> ticket_keys_;
  std::vector<InheritedSocket> inherited_;
  std::vector<Listening> listening_;
  std::vector<BoundListener> bound_;
  std::uint32_t next_id_ = 1;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::unique_ptr<Shard>> shards_;
  bool started_ = false;
};

}  // namespace gatehouse::gateway
