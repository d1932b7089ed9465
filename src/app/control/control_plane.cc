#include "app/control/control_plane.h"

#include <grp.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/events_api.h"
#include "app/audit/audit_runtime.h"
#include "app/control/ban_store.h"
#include "app/control/handover.h"
#include "app/identity/identity_runtime.h"
#include "app/observe/observers.h"
#include "app/process/notify.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

Result<std::uint32_t> group_id(const std::string& name) {
  const group* entry = ::getgrnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): at start, one thread asks
  if (entry == nullptr)
    return fail(ErrorCode::not_found, fmt::format("admin.group: there is no group \"{}\"", name),
                ErrorSource::configuration);
  return entry->gr_gid;
}

}  // namespace

ControlPlane::ControlPlane(ControlPlaneParts parts, std::string config_file)
    : parts_(parts),
      config_file_(std::move(config_file)),
      started_with_(parts.gateway.snapshot()->config),
      metrics_page_(std::make_unique<admin::MetricsService>(parts.metrics)),
      metrics_sink_(std::make_unique<admin::ServiceSink>(*metrics_page_)),
      started_(parts.clock.wall()),
      certificates_(parts.clock),
      bans_saved_(parts.state.bans().revision()) {
  const auto snapshot = parts_.gateway.snapshot();
  note_certificates(CertificateWatch::look(*snapshot->config, snapshot->certificates));
}

ControlPlane::~ControlPlane() {
  parts_.rules.end();  // before the loop that it would post to
  if (loop_) {
    loop_->remove(signal_token_, signals_.get());
    if (successor_fd_ >= 0) loop_->remove(successor_token_, successor_fd_), ::close(successor_fd_);
  }
}

Result<std::unique_ptr<ControlPlane>> ControlPlane::create(ControlPlaneParts parts, std::string config_file) {
  std::unique_ptr<ControlPlane> plane(new ControlPlane(parts, std::move(config_file)));
  auto loop = net::Loop::create(parts.clock);
  if (!loop) return tl::unexpected(loop.error());
  plane->loop_ = std::move(*loop);

  sigset_t set = handled_signals();
  plane->signals_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!plane->signals_) return fail_errno("signalfd");
  auto token = plane->loop_->add(plane->signals_.get(), EPOLLIN, *plane);
  if (!token) return tl::unexpected(token.error());
  plane->signal_token_ = *token;

  auto resolver = net::Resolver::create(*plane->loop_, {});
  if (!resolver) return tl::unexpected(resolver.error());
  plane->resolver_ = std::move(*resolver);
  plane->discovery_ = std::make_unique<gateway::Discovery>(
      *plane->loop_, *plane->resolver_,
      [](const gateway::Cluster& cluster, const gateway::EndpointConfig& endpoint, const Error* error) {
        if (error != nullptr) {
          GH_LOG(warn, "cannot resolve an endpoint", {"service", cluster.name()}, {"endpoint", endpoint.url},
                 {"why", error->message});
        } else {
          GH_LOG(info, "an endpoint resolves again", {"service", cluster.name()}, {"endpoint", endpoint.url});
        }
      });
  plane->prober_ = std::make_unique<gateway::HealthProber>(
      *plane->loop_, static_cast<std::uint64_t>(parts.clock.wall().time_since_epoch().count()),
      [](const gateway::Cluster& cluster, const gateway::Endpoint& endpoint, gateway::HealthChange change) {
        if (change == gateway::HealthChange::became_unhealthy) {
          GH_LOG(warn, "endpoint is unhealthy", {"service", cluster.name()}, {"endpoint", endpoint.name});
        } else {
          GH_LOG(info, "endpoint is healthy", {"service", cluster.name()}, {"endpoint", endpoint.name});
        }
      });
  parts.metrics.add_collector([raw = plane.get()](telemetry::MetricSamples& samples) { raw->collect(samples); });
  return plane;
}

Status ControlPlane::open_sockets() {
  const gateway::Config& config = *parts_.gateway.snapshot()->config;
  const gateway::Address& admin = config.admin.address;
  if (admin.is_given()) {
    admin::AdminOptions options;
    options.token = config.admin.token;
    if (!config.admin.group.empty()) {
      const auto group = group_id(config.admin.group);
      if (!group) return tl::unexpected(group.error());
      options.group = *group;
    }
    const auto socket_group = options.group;
    admin_api_ = std::make_unique<admin::AdminApi>(*this, std::move(options));
    live_ = std::make_unique<admin::LiveFeed>(parts_.records, parts_.clock);
    admin_api_->use_live(*live_);
    if (IdentityRuntime* identity = parts_.identity) {
      admin_api_->use_identity(
          {[identity](const admin::Call& call) { return identity->admin_api().answer(call); },
           [identity](std::function<void()> work) { return identity->pool().submit(std::move(work)); },
           [this](std::function<void()> work) { loop_->post(std::move(work)); }});
    }
    if (Observers* observers = parts_.observers; observers != nullptr && observers->events() != nullptr) {
      admin_api_->use_events(
          {[observers, &clock = parts_.clock](const admin::Call& call) {
             return admin::EventsApi(*observers->events(), clock).answer(call);
           },
           [observers](std::function<void()> work) { return observers->searches().submit(std::move(work)); },
           [this](std::function<void()> work) { loop_->post(std::move(work)); }});
    }
    if (AuditRuntime* audit = parts_.audit) {
      admin_api_->use_guard({[audit](const admin::Call& call, std::function<void(const Status&)> go) {
                               audit->before_act(call, std::move(go));
                             },
                             [audit](const admin::Call& call, int status) { audit->after_act(call, status); },
                             [this](std::function<void()> work) { loop_->post(std::move(work)); }});
    }
    admin_sink_ = std::make_unique<admin::ServiceSink>(*admin_api_);
    auto opened = ControlListener::open(*loop_, admin, *admin_sink_, socket_group);
    if (!opened) return tl::unexpected(std::move(opened.error()).while_("admin"));
    admin_listener_ = std::move(*opened);
  }
  auto metrics = open_metrics(config);
  if (!metrics) return tl::unexpected(metrics.error());
  metrics_listener_ = std::move(*metrics);
  return {};
}

Result<std::unique_ptr<ControlListener>> ControlPlane::open_metrics(const gateway::Config& config) {
  if (!config.telemetry.metrics) return std::unique_ptr<ControlListener>();
  auto opened = ControlListener::open(*loop_, *config.telemetry.metrics, *metrics_sink_);
  if (!opened) return tl::unexpected(std::move(opened.error()).while_("telemetry.metrics"));
  return opened;
}

ReadyInfo ControlPlane::ready_info() const {
  ReadyInfo info;
  for (const gateway::BoundListener& listener : parts_.gateway.listeners())
    info.listeners[listener.name] = listener.bound;
  if (admin_listener_) info.admin = admin_listener_->bound();
  if (metrics_listener_) info.metrics = metrics_listener_->bound();
  return info;
}

void ControlPlane::settle(Duration at_most) {
  watch_upstreams();
  const MonotonicTime until = parts_.clock.now() + at_most;
  while (!discovery_->settled() && parts_.clock.now() < until) loop_->run_once(std::chrono::milliseconds(10));
}

int ControlPlane::run() {
  serving_ = true;
  loop_->arm(tick_, std::chrono::seconds(1));
  if (live_) loop_->arm(live_tick_, admin::LiveFeed::kPeriod);
  loop_->run();
  save_bans_if_changed();
  return exit_code_;
}

void ControlPlane::watch_upstreams() {
  const auto snapshot = parts_.gateway.snapshot();
  discovery_->watch(snapshot->clusters);
  std::vector<gateway::HealthProber::Service> services;
  for (std::size_t i = 0; i < snapshot->clusters.size(); ++i) {
    const auto& tls = snapshot->upstream_tls[i];
    services.push_back({snapshot->clusters[i], tls.http1, tls.http2});
  }
  prober_->watch(services);
}

void ControlPlane::on_io(std::uint32_t) {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) on_signal(static_cast<int>(info.ssi_signo));
  if (successor_fd_ < 0) return;
  char answer[16];
  const ssize_t got = ::read(successor_fd_, answer, sizeof answer);
  if (got < 0) return;
  loop_->remove(successor_token_, successor_fd_);
  ::close(std::exchange(successor_fd_, -1));
  if (got > 0) {
    GH_LOG(info, "the new program serves; draining");
    succeeded_ = true;
    begin_drain();
  } else {
    GH_LOG(error, "the new program did not start; going on");
  }
}

void ControlPlane::on_signal(int signal) {
  switch (signal) {
    case SIGHUP: want({Change::Kind::reload, {}}); break;
    case SIGUSR1: parts_.access_log.current().reopen(); break;
    case SIGUSR2: replace_program(); break;
    case SIGTERM:
    case SIGINT:
      if (draining_) {
        exit_code_ = 1;
        loop_->stop();
      } else {
        begin_drain();
      }
      break;
    default: break;
  }
}

void ControlPlane::begin_drain() {
  if (std::exchange(draining_, true)) return;
  notify_supervisor("STOPPING=1");
  parts_.rules.stop();
  save_bans_if_changed();
  const Duration deadline = parts_.gateway.snapshot()->config->process.drain_timeout;
  parts_.gateway.drain(deadline, [this] { loop_->stop(); });
}

void ControlPlane::replace_program() {
  if (successor_fd_ >= 0 || draining_) return;
  save_bans_if_changed();
  auto begun = begin_handover(parts_.gateway.sockets());
  if (!begun) {
    GH_LOG(error, "cannot start the new program", {"why", begun.error().message});
    return;
  }
  notify_supervisor(fmt::format("MAINPID={}", begun->pid));
  successor_fd_ = begun->ready_fd;
  if (auto token = loop_->add(successor_fd_, EPOLLIN | EPOLLRDHUP, *this)) successor_token_ = *token;
}

void ControlPlane::on_timer(net::Timer& timer) {
  if (&timer == &live_tick_) {
    loop_->arm(live_tick_, admin::LiveFeed::kPeriod);
    return live_->tick();
  }
  loop_->arm(tick_, std::chrono::seconds(1));
  if (parts_.observers != nullptr) parts_.observers->tick();
  if (draining_) return;
  save_bans_if_changed();
  if (certificates_.due(*parts_.gateway.snapshot()->config)) read_certificates_again();
  for (const CertificateWatch::Certificate& one : certificates_.ending()) {
    const auto left = std::chrono::duration_cast<std::chrono::hours>(one.expires - parts_.clock.wall()).count();
    GH_LOG(warn, "a certificate is about to end", {"listener", one.served.listener}, {"file", one.served.file},
           {"hours_left", left});
  }
}

void ControlPlane::note_certificates(CertificateWatch::Stamps stamps) {
  const auto snapshot = parts_.gateway.snapshot();
  certificates_.loaded(*snapshot->config, snapshot->certificates, std::move(stamps));
}

// The same configuration compiled anew: nothing but what its files hold is different.
void ControlPlane::read_certificates_again() {
  const auto current = parts_.gateway.snapshot();
  auto stamps = CertificateWatch::look(*current->config, current->certificates);
  const Status done = parts_.gateway.reload(current->config);
  parts_.metrics.count(telemetry::Metric::certificate_reloads, {done ? "applied" : "failed"});
  if (!done) {
    certificates_.failed(std::move(stamps));
    GH_LOG(error, "changed certificates cannot be used; the last good ones stay", {"why", done.error().message});
    return;
  }
  note_certificates(std::move(stamps));
  watch_upstreams();
  GH_LOG(info, "certificates read again");
}

// A ban that is lost with a crash within the last second is no loss.
void ControlPlane::save_bans_if_changed() {
  const std::string file = ban_file(parts_.gateway.snapshot()->config->data_dir);
  const std::uint64_t revision = parts_.state.bans().revision();
  if (file.empty() || revision == bans_saved_ || succeeded_) return;
  bans_saved_ = revision;
  if (auto saved = save_bans(parts_.state.bans(), file); !saved)
    GH_LOG(error, "bans are not kept on disk", {"why", saved.error().message});
}

}  // namespace gatehouse::app
