#pragma once
// Everything that a configuration compiles into: routes, layers, clusters, TLS contexts. Built and validated aside,
// then handed to each shard; a request keeps the snapshot it began with.
//
// Thread safety: immutable once built; what its parts count lives in SharedState and in the clusters, behind atomics.

#include <functional>
#include <memory>
#include <vector>

#include "crypto/tls.h"
#include "gateway/config.h"
#include "gateway/layers/authentication/api_keys.h"
#include "gateway/layers/authentication/key_source.h"
#include "gateway/layers/authentication/upstream_identity.h"
#include "gateway/layers/bans/bans_layer.h"
#include "gateway/layers/header_policy/header_policy_layer.h"
#include "gateway/layers/layer.h"
#include "gateway/layers/penalties/penalties_layer.h"
#include "gateway/layers/schema/schema_layer.h"
#include "gateway/layers/waf/rule_store.h"
#include "gateway/layers/waf/waf_layer.h"
#include "gateway/layers/zone/zone_layer.h"
#include "gateway/local_service.h"
#include "gateway/network_map.h"
#include "gateway/routing/router.h"
#include "gateway/shared_state.h"
#include "gateway/upstream/cluster.h"
#include "http/server_connection.h"

namespace gatehouse::gateway {

class Logins;

// Keys that come from outside the configuration file: whoever provides them keeps them fresh behind these pointers.
struct Credentials {
  KeySource issuers;  // by index in `authentication.jwt`
  std::shared_ptr<const ApiKeySource> api_keys;
  std::shared_ptr<const crypto::SigningKey> identity_key;  // signs what services are told about the caller
  std::shared_ptr<Logins> logins;                          // null: no route has `access.login`
};
using CredentialSource = std::function<Result<Credentials>(const Config&)>;

// A certificate that a listener shows, by its file.
struct ServedCertificate {
  std::string listener, file;
  bool issued = false;  // by Gatehouse itself
};

// What the layers need from outside the configuration. All of it outlives every snapshot.
struct SnapshotSources {
  SharedState& state;
  const Clock& clock;
  std::shared_ptr<crypto::TlsTicketKeys> ticket_keys;
  const CredentialSource& credentials;
  const RuleEngineSource& rules;
  const LocalServiceSource& local_services;
};

// A listener keeps its id over reloads as long as its address stays: connections outlive snapshots.
struct ListenerBinding {
  std::uint32_t id;
  std::uint32_t index;                 // into Config::listeners
  std::shared_ptr<Gauge> connections;  // open ones, over all shards
};

struct Snapshot {
  // Fails with everything that only building can find: certificates that don't load, patterns that don't parse. The
  // rules are read again unless the configuration is the same object as before.
  static Result<std::shared_ptr<const Snapshot>> build(std::shared_ptr<const Config> config, const Snapshot* previous,
                                                       std::vector<ListenerBinding> bindings, SnapshotSources sources);

  const ListenerBinding* binding(std::uint32_t listener_id) const noexcept;  // null: removed by a reload
  crypto::TlsClientContext* tls_for(const Cluster& cluster, const Endpoint& endpoint) const noexcept;
  void count_attack(const IpAddress& client, std::string_view reason) const;
  void resumed(Request& request) const;  // a parked request goes on

  std::uint64_t generation = 1;  // of the configuration: stays when the same one is built anew for what its files hold
  std::shared_ptr<const Config> config;
  Router router;
  std::vector<std::shared_ptr<Cluster>> clusters;             // by service index
  std::vector<std::shared_ptr<LocalService>> local_services;  // by service index; null where it is none
  // By service index, for HTTP/1.1 and for HTTP/2 endpoints; null where nothing uses TLS.
  struct UpstreamTls {
    std::shared_ptr<crypto::TlsClientContext> http1, http2;
  };
  std::vector<UpstreamTls> upstream_tls;
  std::vector<ListenerBinding> bindings;
  // By listener index.
  std::vector<std::shared_ptr<const http::ServerConnectionOptions>> connection_options;
  std::vector<NetworkMap> trusted_proxies;
  std::vector<ServedCertificate> certificates;

  std::vector<std::unique_ptr<const Layer>> layers;  // in the order in which they decide
  std::size_t layers_without_route = 0;              // the first so many need no route
  // Borrowed from `layers`, where more than the Layer interface is needed.
  const BansLayer* bans = nullptr;
  const ZoneLayer* zone_layer = nullptr;
  const PenaltiesLayer* penalties = nullptr;
  const SchemaLayer* schema = nullptr;                     // null: no route has a document
  std::unique_ptr<const WafLayer> waf;                     // decides behind `layers`, in two steps
  std::unique_ptr<const HeaderPolicyLayer> header_policy;  // only ever edits answers
  std::unique_ptr<const UpstreamIdentity> identity;
};

}  // namespace gatehouse::gateway
