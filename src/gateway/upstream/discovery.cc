#include "gateway/upstream/discovery.h"

#include <algorithm>

namespace gatehouse::gateway {
namespace {
constexpr Duration kRetry = std::chrono::seconds(5);  // after a failure
}

// One configured endpoint with a name to resolve.
class Discovery::Name final : private net::Timer::Handler {
 public:
  Name(Discovery& discovery, std::shared_ptr<Cluster> cluster, std::size_t index)
      : discovery_(discovery), cluster_(std::move(cluster)), index_(index) {
    ask();
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  ~Name() { discovery_.resolver_.cancel(ticket_); }

  bool answered() const noexcept { return answered_; }
  const Cluster* cluster() const noexcept { return cluster_.get(); }

 private:
  const EndpointConfig& config() const noexcept { return cluster_->config().endpoints[index_]; }

  void on_timer(net::Timer&) override { ask(); }

  void ask() {
    const auto take = [this](const Result<net::DnsAnswer>& answer) { took(answer); };
    const std::string& host = config().address.host;
    ticket_ = config().resolve_srv ? discovery_.resolver_.resolve_service(host, take)
                                   : discovery_.resolver_.resolve(host, take);
  }

  void took(const Result<net::DnsAnswer>& answer) {
    answered_ = true;
    Duration again = kRetry;
    if (answer) {
      std::vector<ResolvedAddress> addresses;
      for (const net::DnsRecord& record : answer->records) {
        const std::uint16_t port = config().resolve_srv ? record.port : config().address.port;
        addresses.push_back({net::SocketAddress::tcp(record.ip, port), record.weight, record.rank});
      }
      cluster_->update(index_, addresses);
      again = std::max(answer->ttl, Duration(std::chrono::seconds(1)));
    } else if (answer.error().code == ErrorCode::not_found) {
      cluster_->update(index_, {});  // the servers are sure of it; a failure to ask them changes nothing
    }
    const bool failed = !answer || answer->stale;
    if (failed != failed_ && discovery_.listener_) {
      static const Error kStale{ErrorCode::unavailable, ErrorSource::system, Retry::safe,
                                "asking anew failed; the last answer is kept"};
      discovery_.listener_(*cluster_, config(), !failed ? nullptr : answer ? &kStale : &answer.error());
    }
    failed_ = failed;
    discovery_.loop_.arm(timer_, again);
  }

  Discovery& discovery_;
  const std::shared_ptr<Cluster> cluster_;
  const std::size_t index_;
  net::Timer timer_{*this};
  net::Resolver::Ticket ticket_ = 0;
  bool answered_ = false, failed_ = false;
};

Discovery::Discovery(net::Loop& loop, net::Resolver& resolver, Listener listener)
    : loop_(loop), resolver_(resolver), listener_(std::move(listener)) {}

Discovery::~Discovery() = default;

void Discovery::watch(const std::vector<std::shared_ptr<Cluster>>& clusters) {
  std::vector<std::unique_ptr<Name>> next;
  for (const auto& cluster : clusters) {
    bool known = false;
    for (auto& name : names_) {
      if (name == nullptr || name->cluster() != cluster.get()) continue;
      next.push_back(std::move(name));
      known = true;
    }
    if (known) continue;
    for (std::size_t i = 0; i < cluster->config().endpoints.size(); ++i) {
      if (Cluster::needs_resolving(cluster->config().endpoints[i])) {
        next.push_back(std::make_unique<Name>(*this, cluster, i));
      }
    }
  }
  names_ = std::move(next);
}

bool Discovery::settled() const noexcept {
  return std::all_of(names_.begin(), names_.end(), [](const auto& name) { return name->answered(); });
}

}  // namespace gatehouse::gateway
