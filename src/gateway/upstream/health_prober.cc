#include "gateway/upstream/health_prober.h"

#include <algorithm>

#include "http/client_connection.h"

namespace gatehouse::gateway {
namespace {

// What a probe calls the endpoint in its Host field: the name it is configured by.
std::string authority_of(const Endpoint& endpoint) {
  const Address& address = endpoint.config->address;
  if (endpoint.address.is_unix()) return "localhost";
  return IpAddress::parse(address.host) ? endpoint.name : fmt::format("{}:{}", address.host, endpoint.address.port());
}

}  // namespace

// One probe: its connection, its one request, its deadline. Ends exactly once, whatever comes first.
class HealthProber::Probe final : private http::ClientStreamEvents,
                                  private http::ClientConnectionOwner,
                                  private net::Timer::Handler {
 public:
  Probe(HealthProber& prober, const Service& service, Endpoint& endpoint)
      : prober_(prober),
        cluster_(service.cluster),
        tls_(endpoint.config->protocol == UpstreamProtocol::h2 ? service.tls_http2 : service.tls_http1),
        endpoint_(endpoint) {}

  void start() {
    const ServiceConfig& service = cluster_->config();
    prober_.loop_.arm(timer_, service.health->timeout);
    http::ClientConnectionOptions options;
    options.version = endpoint_.config->protocol == UpstreamProtocol::h2 ? http::UpstreamVersion::http2
                                                                         : http::UpstreamVersion::http1;
    options.connect_timeout = service.health->timeout;
    if (endpoint_.config->tls) {
      if (tls_ == nullptr) return end(ProbeResult::fail);
      options.tls = tls_.get();
      options.server_name = service.tls.sni.empty() ? endpoint_.config->address.host : service.tls.sni;
    }
    auto connection = http::UpstreamConnection::connect(prober_.loop_, endpoint_.address, options, *this);
    if (!connection) return end(ProbeResult::fail);
    connection_ = std::move(*connection);
    if (connection_->client().available() == 0) return end(ProbeResult::fail);
    authority_ = authority_of(endpoint_);
    http::RequestHead head;
    head.method = "GET";
    head.scheme = endpoint_.config->tls ? "https" : "http";
    head.authority = authority_;
    head.target = service.health->path;
    head.fields.add("user-agent", "gatehouse-health");
    head.fields.add("accept", "*/*");
    connection_->client().open(*this).send_head(head, http::End::yes);
  }

  const Cluster& cluster() const noexcept { return *cluster_; }
  Endpoint& endpoint() noexcept { return endpoint_; }

 private:
  void on_informational(const http::ResponseHead&) override {}
  void on_response(const http::ResponseHead& head, http::End) override {
    end(head.status >= 200 && head.status < 300 ? ProbeResult::pass : ProbeResult::fail);
  }
  void on_body(std::string_view) override {}
  void on_response_end(const http::Fields&) override {}
  void on_drained() override {}
  void on_failure(const http::Failure&) override { end(ProbeResult::fail); }
  void on_available(http::ClientConnection&) override {}
  void on_closed(http::ClientConnection&) override {}
  void on_timer(net::Timer&) override { end(ProbeResult::fail); }

  void end(ProbeResult result) {
    if (std::exchange(ended_, true)) return;
    timer_.cancel();
    prober_.done(*this, result);
  }

  HealthProber& prober_;
  const std::shared_ptr<Cluster> cluster_;  // keeps the endpoint
  const std::shared_ptr<crypto::TlsClientContext> tls_;
  Endpoint& endpoint_;
  std::string authority_;
  bool ended_ = false;
  net::Timer timer_{static_cast<net::Timer::Handler&>(*this)};
  std::unique_ptr<http::UpstreamConnection> connection_;
};

HealthProber::HealthProber(net::Loop& loop, std::uint64_t seed, Listener listener)
    : loop_(loop), listener_(std::move(listener)), seed_(seed) {}

HealthProber::~HealthProber() = default;

void HealthProber::watch(const std::vector<Service>& services) {
  std::unordered_map<const Cluster*, Watched> next;
  for (const Service& service : services) {
    if (!service.cluster->config().health) continue;
    const auto known = watched_.find(service.cluster.get());
    if (known != watched_.end()) {
      known->second.service = service;
      next.insert(watched_.extract(known));
      continue;
    }
    HealthChecker checker(*service.cluster->config().health, seed_ += 0x9e3779b97f4a7c15);
    next.emplace(service.cluster.get(), Watched{service, std::move(checker), loop_.now()});
  }
  watched_ = std::move(next);
  run();
}

void HealthProber::run() {
  const MonotonicTime now = loop_.now();
  MonotonicTime next = MonotonicTime::max();
  for (auto& [cluster, watched] : watched_) {
    if (watched.due <= now) {
      watched.checker.follow(watched.service.cluster->endpoints(), now);
      while (probes_.size() < kProbesMax) {
        Endpoint* const endpoint = watched.checker.take_due(now);
        if (endpoint == nullptr) break;
        begin(watched, *endpoint);
      }
      watched.due = watched.checker.next_due(now);
    }
    next = std::min(next, watched.due);
  }
  // When all probes are busy, the end of one is the next occasion.
  if (next != MonotonicTime::max() && probes_.size() < kProbesMax) {
    loop_.arm(timer_, std::max<Duration>(next - now, std::chrono::milliseconds(1)));
  }
}

void HealthProber::begin(Watched& watched, Endpoint& endpoint) {
  auto probe = std::make_unique<Probe>(*this, watched.service, endpoint);
  Probe* const started = probe.get();
  probes_.emplace(started, std::move(probe));
  started->start();
}

void HealthProber::done(Probe& probe, ProbeResult result) {
  const auto watched = watched_.find(&probe.cluster());
  if (watched != watched_.end()) {
    const MonotonicTime now = loop_.now();
    const HealthChange change = watched->second.checker.result(probe.endpoint(), result, now);
    if (change != HealthChange::none && listener_) listener_(probe.cluster(), probe.endpoint(), change);
    watched->second.due = std::min(watched->second.due, watched->second.checker.next_due(now));
  }
  const auto at = probes_.find(&probe);
  loop_.destroy_later(std::move(at->second));  // we are in one of its callbacks
  probes_.erase(at);
  loop_.arm(timer_, std::chrono::milliseconds(1));
}

}  // namespace gatehouse::gateway
