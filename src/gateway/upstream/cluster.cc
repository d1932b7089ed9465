#include "gateway/upstream/cluster.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace gatehouse::gateway {
namespace {

constexpr std::uint32_t kWeightMax = 1'000'000;
constexpr std::uint32_t kTimesEjectedMax = 10;  // the longest ejection is ten times the configured one

std::string text_of(const net::SocketAddress& address, const EndpointConfig& config) {
  if (address.is_unix()) return "unix:" + config.address.unix_path;
  const IpAddress ip = address.ip();
  return ip.is_v4() ? fmt::format("{}:{}", ip.to_string(), address.port())
                    : fmt::format("[{}]:{}", ip.to_string(), address.port());
}

std::string_view bytes_of(const net::SocketAddress& address) noexcept {
  return {reinterpret_cast<const char*>(&address.storage), address.length};
}

bool same(const ResolvedAddress& a, const ResolvedAddress& b) noexcept {
  return bytes_of(a.address) == bytes_of(b.address) && a.weight == b.weight && a.rank == b.rank;
}

std::uint32_t combined_weight(std::uint32_t configured, std::uint32_t resolved) noexcept {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kWeightMax, std::uint64_t{configured} * resolved));
}

}  // namespace

std::string_view name_of(Health health) noexcept {
  switch (health) {
    case Health::unknown: return "unknown";
    case Health::healthy: return "healthy";
    case Health::unhealthy: return "unhealthy";
  }
  return "";
}

std::string_view reason_code(PickFailure failure) noexcept {
  switch (failure) {
    case PickFailure::none: return "";
    case PickFailure::no_endpoint: return "upstream.no_endpoint";
    case PickFailure::none_available: return "upstream.unhealthy";
  }
  return "";
}

Cluster::Cluster(ServiceConfig config)
    : config_(std::move(config)),
      balancer_(config_.balance),
      set_(std::make_unique<const RankedEndpoints>()),
      connections_(config_.circuit.connections),
      pending_(config_.circuit.pending),
      requests_(config_.circuit.requests),
      retry_budget_(config_.retry.budget_percent),
      resolved_(config_.endpoints.size()) {
  for (std::size_t i = 0; i < config_.endpoints.size(); ++i) {
    const EndpointConfig& endpoint = config_.endpoints[i];
    if (needs_resolving(endpoint)) continue;
    const Address& where = endpoint.address;
    if (where.unix_path.empty()) {
      resolved_[i].push_back({net::SocketAddress::tcp(*IpAddress::parse(where.host), where.port)});
    } else if (const auto path = net::SocketAddress::unix_path(where.unix_path)) {
      resolved_[i].push_back({*path});
    }
  }
  publish();
}

Cluster::~Cluster() = default;

bool Cluster::needs_resolving(const EndpointConfig& endpoint) noexcept {
  return endpoint.address.unix_path.empty() && !IpAddress::parse(endpoint.address.host);
}

Pick Cluster::pick(const PickContext& context) noexcept {
  const auto set = set_.read();
  PickContext counted = context;
  counted.active = active_.load(std::memory_order_relaxed);
  if (Endpoint* const endpoint = balancer_.pick(*set, counted)) [[likely]]
    return {endpoint, PickFailure::none};
  return {nullptr, set->all.empty() ? PickFailure::no_endpoint : PickFailure::none_available};
}

Admission Cluster::admit_request(MonotonicTime now) noexcept {
  retry_budget_.count_request(now);
  return requests_.admit();
}

void Cluster::attempt_begun(Endpoint& endpoint) noexcept {
  endpoint.active.fetch_add(1, std::memory_order_relaxed);
  if (config_.balance == Balance::hash) active_.fetch_add(1, std::memory_order_relaxed);
}

void Cluster::attempt_ended(Endpoint& endpoint, AttemptOutcome outcome, MonotonicTime now) noexcept {
  endpoint.active.fetch_sub(1, std::memory_order_relaxed);
  if (config_.balance == Balance::hash) active_.fetch_sub(1, std::memory_order_relaxed);
  endpoint.requests.fetch_add(1, std::memory_order_relaxed);
  switch (outcome) {
    case AttemptOutcome::unknown: return;
    case AttemptOutcome::success:
      if (endpoint.consecutive_errors.load(std::memory_order_relaxed) != 0) {
        endpoint.consecutive_errors.store(0, std::memory_order_relaxed);
      }
      return;
    case AttemptOutcome::error:
      endpoint.errors.fetch_add(1, std::memory_order_relaxed);
      consider_ejection(endpoint, now);
      return;
  }
}

void Cluster::consider_ejection(Endpoint& endpoint, MonotonicTime now) noexcept {
  const OutlierConfig& rule = config_.outliers;
  if (rule.consecutive_errors == 0 || rule.max_ejected_percent == 0) return;
  const std::uint32_t errors = endpoint.consecutive_errors.fetch_add(1, std::memory_order_relaxed) + 1;
  if (errors < rule.consecutive_errors || endpoint.ejected(now)) return;
  bool free = false;
  if (!ejecting_.compare_exchange_strong(free, true, std::memory_order_acquire)) return;
  {
    const auto set = set_.read();
    std::size_t ejected = 0, others = 0;
    for (const EndpointSet::Member& member : set->all) {
      if (member.endpoint->ejected(now)) ++ejected;
      if (member.endpoint != &endpoint && member.endpoint->available(now)) ++others;
    }
    const std::size_t allowed = std::max<std::size_t>(1, set->all.size() * rule.max_ejected_percent / 100);
    if (ejected < allowed && others != 0 && !endpoint.ejected(now)) {
      // Repeated offences take longer; each ejection's worth of good conduct since takes one back.
      const Duration since = now.time_since_epoch() - Duration(endpoint.ejected_until.load(std::memory_order_relaxed));
      const auto forgiven = rule.ejection > Duration::zero() ? since / rule.ejection : 0;
      const std::uint32_t before = endpoint.times_ejected.load(std::memory_order_relaxed);
      const std::uint32_t times =
          std::min(kTimesEjectedMax, 1 + (forgiven < before ? before - static_cast<std::uint32_t>(forgiven) : 0));
      endpoint.times_ejected.store(times, std::memory_order_relaxed);
      endpoint.consecutive_errors.store(0, std::memory_order_relaxed);
      endpoint.ejected_until.store((now.time_since_epoch() + rule.ejection * times).count(), std::memory_order_relaxed);
    }
  }
  ejecting_.store(false, std::memory_order_release);
}

Endpoint* Cluster::endpoint_for(std::size_t index, const net::SocketAddress& address) {
  const EndpointConfig& config = config_.endpoints[index];
  for (const auto& known : all_) {
    if (known->config == &config && bytes_of(known->address) == bytes_of(address)) return known.get();
  }
  if (all_.size() == kEndpointsMax) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  all_.push_back(
      std::make_unique<Endpoint>(config, static_cast<std::uint32_t>(all_.size()), address, text_of(address, config)));
  return all_.back().get();
}

void Cluster::publish() {
  std::vector<EndpointSet::Member> members;
  for (std::size_t i = 0; i < resolved_.size(); ++i) {
    for (const ResolvedAddress& resolved : resolved_[i]) {
      Endpoint* const endpoint = endpoint_for(i, resolved.address);
      if (endpoint == nullptr) continue;
      members.push_back({endpoint, combined_weight(config_.endpoints[i].weight, resolved.weight), resolved.rank});
    }
  }
  set_.publish(std::make_unique<const RankedEndpoints>(RankedEndpoints::build(std::move(members), config_.balance)));
}

bool Cluster::update(std::size_t index, std::span<const ResolvedAddress> addresses) {
  // DNS servers rotate their answers; only the set counts.
  std::vector<ResolvedAddress> sorted(addresses.begin(), addresses.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return bytes_of(a.address) < bytes_of(b.address); });
  sorted.erase(std::unique(sorted.begin(), sorted.end(),
                           [](const auto& a, const auto& b) { return bytes_of(a.address) == bytes_of(b.address); }),
               sorted.end());
  const std::lock_guard lock(mutex_);
  std::vector<ResolvedAddress>& known = resolved_[index];
  if (std::equal(known.begin(), known.end(), sorted.begin(), sorted.end(), same)) return false;
  known = std::move(sorted);
  publish();
  return true;
}

std::vector<Endpoint*> Cluster::endpoints() const {
  const std::lock_guard lock(mutex_);
  std::vector<Endpoint*> endpoints;
  const auto set = set_.read();
  for (const EndpointSet::Member& member : set->all) endpoints.push_back(member.endpoint);
  return endpoints;
}

std::vector<EndpointStatus> Cluster::status(MonotonicTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<EndpointStatus> list;
  const auto set = set_.read();
  for (const auto& endpoint : all_) {
    const auto member = std::find_if(set->all.begin(), set->all.end(),
                                     [&](const EndpointSet::Member& m) { return m.endpoint == endpoint.get(); });
    EndpointStatus status;
    status.in_service = member != set->all.end();
    status.active = endpoint->active.load(std::memory_order_relaxed);
    status.connections = endpoint->connections.load(std::memory_order_relaxed);
    if (!status.in_service && status.active == 0 && status.connections == 0) continue;
    status.name = endpoint->name;
    status.url = endpoint->config->url;
    status.health = endpoint->health.load(std::memory_order_relaxed);
    status.ejected = endpoint->ejected(now);
    status.weight = status.in_service ? member->weight : 0;
    status.times_ejected = endpoint->times_ejected.load(std::memory_order_relaxed);
    status.requests = endpoint->requests.load(std::memory_order_relaxed);
    status.errors = endpoint->errors.load(std::memory_order_relaxed);
    list.push_back(std::move(status));
  }
  return list;
}

std::vector<std::shared_ptr<Cluster>> build_clusters(const Config& config,
                                                     std::span<const std::shared_ptr<Cluster>> previous) {
  std::unordered_map<std::string_view, const std::shared_ptr<Cluster>*> known;
  for (const auto& cluster : previous) known.emplace(cluster->name(), &cluster);
  std::vector<std::shared_ptr<Cluster>> clusters;
  clusters.reserve(config.services.size());
  for (const ServiceConfig& service : config.services) {
    const auto kept = known.find(service.name);
    const bool unchanged = kept != known.end() && (*kept->second)->config() == service;
    clusters.push_back(unchanged ? *kept->second : std::make_shared<Cluster>(service));
  }
  return clusters;
}

}  // namespace gatehouse::gateway
