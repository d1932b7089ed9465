#include "app/commands/run.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/audit/audit_runtime.h"
#include "app/config/load.h"
#include "app/control/access_log_switch.h"
#include "app/control/ban_store.h"
#include "app/control/control_plane.h"
#include "app/control/handover.h"
#include "app/control/rule_loader.h"
#include "app/control/rule_progress.h"
#include "app/control/shared_counters.h"
#include "app/identity/identity_runtime.h"
#include "app/identity/login_runtime.h"
#include "app/jwks_fetcher.h"
#include "app/observe/observers.h"
#include "app/process/notify.h"
#include "app/process/privileges.h"
#include "app/process/readable.h"
#include "base/file.h"
#include "gateway/login/login_routes.h"
#include "gateway/login/relying_party.h"
#include "gateway/server/listen.h"
#include "net/socket.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

constexpr std::uint32_t kShardsMax = 64;

int give_up(const Error& error) {
  std::fprintf(stderr, "gatehouse: %s\n", error.message.c_str());
  return error.code == ErrorCode::invalid && error.source == ErrorSource::configuration ? 2 : 1;
}

// The folder for what is kept; what has been in there from before belongs to the user we become.
Status prepare_data_dir(const gateway::Config& config, const std::string& user) {
  if (config.data_dir.empty()) return {};
  if (auto made = make_private_folder(config.data_dir); !made)
    return tl::unexpected(std::move(made.error()).while_("data_dir"));
  return hand_over(config.data_dir, user);
}

Status hand_over_access_log(const gateway::Config& config, const std::string& user) {
  const std::string& to = config.telemetry.access_log.to;
  return to.starts_with('/') ? hand_over(to, user) : Status{};
}

void restore_bans_of(const gateway::Config& config, gateway::SharedState& state, const Clock& clock) {
  const std::string file = ban_file(config.data_dir);
  if (file.empty()) return;
  const auto restored = restore_bans(state.bans(), file, clock);
  if (!restored) {
    GH_LOG(warn, "bans of before are not restored", {"why", restored.error().message});
  } else if (*restored > 0) {
    GH_LOG(info, "bans of before are restored", {"count", *restored});
  }
}

void warn_of_unreadable_files(const gateway::Config& config, const std::string& user) {
  const auto reader = user.empty() ? std::nullopt : file_user(user);
  if (!reader) return;
  for (const Unreadable& one : unreadable_files(config, *reader)) GH_LOG(warn, one.message, {"fix", one.remedy});
}

void say_ready(const RunOptions& options, const ReadyInfo& info) {
  if (options.ready_fd >= 0) {
    nlohmann::json line = {{"listeners", info.listeners}};
    if (!info.admin.empty()) line["admin"] = info.admin;
    if (!info.metrics.empty()) line["metrics"] = info.metrics;
    const std::string text = line.dump() + "\n";
    [[maybe_unused]] const auto written = ::write(options.ready_fd, text.data(), text.size());
    ::close(options.ready_fd);
  }
  report_ready();
  notify_supervisor("READY=1");
  if (options.on_ready) options.on_ready();
}

// A second gateway with the same addresses is a mistake. A successor shares them for a moment, on purpose.
Status check_addresses(const gateway::Config& config) {
  if (is_successor()) return {};
  const auto check = [](const std::string& whose, const gateway::Address& address) -> Status {
    const bool chosen = address.unix_path.empty() && (address.host.empty() || address.port == 0);
    const auto at = gateway::socket_address(address);
    if (chosen || !at) return {};  // who opens it says what is wrong with it
    if (auto unused = net::check_unused(*at); !unused) {
      return tl::unexpected(std::move(unused.error()).while_(fmt::format("{} at {}", whose, address.to_string())));
    }
    return {};
  };
  for (const gateway::ListenerConfig& listener : config.listeners) {
    if (auto unused = check("listener " + listener.name, listener.address); !unused) return unused;
  }
  if (auto unused = check("admin", config.admin.address); !unused) return unused;
  return config.telemetry.metrics ? check("telemetry.metrics", *config.telemetry.metrics) : Status{};
}

Result<gateway::Credentials> credentials_for(const gateway::Config& config, JwksFetcher& fetcher,
                                             const IdentityRuntime* identity, LoginRuntime* login) {
  gateway::Credentials credentials;
  std::vector<gateway::JwtIssuerConfig> fetched = config.authentication.jwt;
  std::erase_if(fetched, [](const gateway::JwtIssuerConfig& issuer) { return issuer.own; });
  auto issuers = fetcher.keys_for(fetched);
  if (!issuers) return tl::unexpected(issuers.error());
  credentials.issuers = std::move(*issuers);
  // Our own provider's keys are in this process; its entry is the last (built_in.cc).
  if (fetched.size() < config.authentication.jwt.size())
    credentials.issuers.push_back(identity != nullptr ? identity->issuer_keys()
                                                      : std::make_shared<gateway::IssuerKeys>());
  if (config.authentication.api_keys) {
    auto keys = fetcher.api_keys_for(config.authentication.api_keys->file);
    if (!keys) return tl::unexpected(keys.error());
    credentials.api_keys = std::move(*keys);
  }
  if (config.authentication.internal_token.enabled) {
    auto key = crypto::SigningKey::load_or_create(config.data_dir + "/identity.pem");
    if (!key) return tl::unexpected(std::move(key.error()).while_("authentication.internal_token"));
    // What services verify our tokens with.
    if (auto written = write_file_atomically(config.data_dir + "/identity.jwks.json", key->public_jwks()); !written) {
      return tl::unexpected(written.error());
    }
    credentials.identity_key = std::make_shared<const crypto::SigningKey>(std::move(*key));
  }
  if (login != nullptr) {
    auto logins = login->logins_for(config);
    if (!logins) return tl::unexpected(logins.error());
    credentials.logins = std::move(*logins);
  }
  return credentials;
}

// What is over the store: users, the provider, and sign-in at the gateway, null where they are not configured; and what
// is kept of requests.
struct StoredParts {
  std::unique_ptr<AuditRuntime> audit;  // the others tell it
  std::unique_ptr<IdentityStore> store;
  std::shared_ptr<IdentityRuntime> identity;
  std::shared_ptr<LoginRuntime> login;
  std::unique_ptr<Observers> observers;

  Status in_force(const gateway::Config& config) { return login ? login->in_force(config) : Status{}; }
  void start() {
    if (audit) audit->start();
    if (store) store->start();
    if (identity) identity->start();
    observers->start();
  }
  // After the last request.
  void end() {
    observers->stop();
    if (audit) audit->stop();
  }
  // All but those who stay until the last request is through.
  void stop() {
    if (login) login->stop();
    if (identity) identity->stop();
    if (store) store->stop();
  }
};

Status open_identity(const gateway::Config& config, SharedCounters* counters, const Clock& clock, StoredParts& parts) {
  if (config.identity) {
    auto opened = IdentityRuntime::create(config, *parts.store, clock, counters);
    if (!opened) return tl::unexpected(opened.error());
    parts.identity = std::move(*opened);
    if (counters != nullptr) counters->hear(parts.identity->throttle());
    if (AuditRuntime* audit = parts.audit.get()) {
      parts.identity->audit().also_tell([audit](const identity::AuditEvent& event) { audit->tell(event); });
    }
  }
  parts.login = std::make_shared<LoginRuntime>(*parts.store, parts.identity, clock);
  return {};
}

Result<StoredParts> open_stored(const gateway::Config& config, SharedCounters* counters,
                                const telemetry::RecordStore& records, telemetry::Metrics& metrics,
                                const Clock& clock) {
  StoredParts parts;
  auto audit = AuditRuntime::open(config, metrics, clock);
  if (!audit) return tl::unexpected(std::move(audit.error()));
  parts.audit = std::move(*audit);
  const bool signs_in = config.identity || gateway::lets_sign_in(config);
  if (signs_in || keeps_events(config)) {
    using Use = IdentityStore::Use;
    auto store = IdentityStore::open(config, signs_in ? Use::identity : Use::events, clock);
    // Nobody is turned away because what happens cannot be kept.
    const bool goes_on = !store && !signs_in && store.error().code == ErrorCode::unavailable;
    if (goes_on) GH_LOG(error, "no events are kept until the next start", {"reason", store.error().message});
    if (!store && !goes_on)
      return tl::unexpected(std::move(store.error()).while_(signs_in ? "identity" : "telemetry.events"));
    if (store) parts.store = std::move(*store);
  }
  if (signs_in) {
    if (auto opened = open_identity(config, counters, clock, parts); !opened) return tl::unexpected(opened.error());
  }
  std::vector<telemetry::RecordSink*> others;
  if (parts.audit && parts.audit->denials() != nullptr) others.push_back(parts.audit->denials());
  auto observers = Observers::open(config, parts.store.get(), records, metrics, clock, std::move(others));
  if (!observers) return tl::unexpected(observers.error());
  parts.observers = std::move(*observers);
  if (events::EventStore* events = parts.observers->events(); events != nullptr && parts.audit)
    parts.audit->also_tell([events](const audit::Entry& act) { record_act(*events, act); });
  return parts;
}

gateway::LocalServiceSource local_services(const StoredParts& parts) {
  using Answer = Result<std::shared_ptr<gateway::LocalService>>;
  return [&parts](const gateway::Config& config, gateway::LocalTarget target) -> Answer {
    if (target == gateway::LocalTarget::relying_party) {
      if (!parts.login) return fail(ErrorCode::invalid, "signing in begins with a restart, not with a reload");
      auto logins = parts.login->logins_for(config);
      if (!logins) return tl::unexpected(logins.error());
      return std::make_shared<gateway::RelyingParty>(std::move(*logins));
    }
    if (!parts.identity) return fail(ErrorCode::invalid, "identity begins with a restart, not with a reload");
    return parts.identity;
  };
}

// Shown to whoever started the program, and to nobody else: it is not in the log.
void say_first_admin_link(const IdentityRuntime& identity) {
  if (identity.first_admin_link().empty()) return;
  std::fprintf(stderr,
               "\nThere is no administrator yet. Whoever opens this link becomes the first (once, within 24 hours):\n"
               "  %s\n\n",
               identity.first_admin_link().c_str());
}

std::uint32_t shard_count(const gateway::Config& config) {
  if (config.process.shards > 0) return std::min(config.process.shards, kShardsMax);
  return std::clamp(std::thread::hardware_concurrency(), 1u, kShardsMax);
}

int serve(const RunOptions& options, std::shared_ptr<const gateway::Config> config) {
  const Clock& clock = SystemClock::instance();
  const std::string user = unprivileged_user(config->process.user);
  if (auto unused = check_addresses(*config); !unused) return give_up(unused.error());
  if (auto prepared = prepare_data_dir(*config, user); !prepared) return give_up(prepared.error());
  // Before any socket is open: nobody shall wait at one while patterns are compiled.
  RuleLoader rules(show_rule_progress);
  auto loaded = rules.load(*config);
  if (!loaded) return give_up(loaded.error());
  const std::uint32_t shards = shard_count(*config);

  auto state = gateway::SharedState::create(*config, clock);
  if (!state) return give_up(state.error());
  restore_bans_of(*config, **state, clock);
  const auto counters = SharedCounters::make(*config, **state, clock);
  if (!counters) return give_up(counters.error());
  telemetry::RecordStore records(shards);
  telemetry::Metrics metrics(shards);
  telemetry::add_process_collector(metrics, GATEHOUSE_VERSION);
  auto access_log = AccessLogSwitch::open(config->telemetry.access_log, shards, clock);
  if (!access_log) return give_up(access_log.error());
  if (auto given = hand_over_access_log(*config, user); !given) return give_up(given.error());
  auto stored = open_stored(*config, counters->get(), records, metrics, clock);
  if (!stored) return give_up(stored.error());
  StoredParts parts = std::move(*stored);
  JwksFetcher fetcher(clock, fetch_document, JwksFetcher::Thread::own, [&metrics](const std::string& name, bool good) {
    metrics.count(telemetry::Metric::key_refreshes, {name, good ? "success" : "failure"});
  });
  auto gateway = gateway::Gateway::create(
      config, shards,
      {**state, records, &(*access_log)->current(), metrics, clock,
       [&](const gateway::Config& wanted) {
         return credentials_for(wanted, fetcher, parts.identity.get(), parts.login.get());
       },
       [&rules](const gateway::Config& wanted) { return rules.load(wanted); }, local_services(parts)},
      inherited_sockets());
  if (!gateway) return give_up(gateway.error());
  loaded->reset();  // the snapshots have it
  if (auto told = parts.in_force(*config); !told) return give_up(told.error());
  if (auto given = hand_over(config->data_dir, user); !config->data_dir.empty() && !given)
    return give_up(given.error());
  // Whoever asks for the file's name later is in another folder.
  std::error_code no_folder;
  const std::string config_file = std::filesystem::absolute(options.config_path, no_folder).lexically_normal().string();
  auto control =
      ControlPlane::create({**gateway, **state, records, **access_log, metrics, rules, clock, parts.identity.get(),
                            parts.login.get(), counters->get(), parts.observers.get(), parts.audit.get()},
                           config_file);
  if (!control) return give_up(control.error());
  if (auto opened = (*control)->open_sockets(); !opened) return give_up(opened.error());
  warn_of_unreadable_files(*config, user);  // still as root, who can look everywhere
  auto privileges = drop_privileges(config->process.user, config->process.sandbox);
  if (!privileges) return give_up(privileges.error());
  if (*counters) (*counters)->start();
  (*control)->settle(std::chrono::seconds(2));
  if (auto started = (*gateway)->start(); !started) return give_up(started.error());

  GH_LOG(info, "serving", {"version", GATEHOUSE_VERSION}, {"shards", shards}, {"user", privileges->user},
         {"seccomp", privileges->seccomp});
  say_ready(options, (*control)->ready_info());
  parts.start();
  if (parts.identity) say_first_admin_link(*parts.identity);
  const int code = (*control)->run();
  if (*counters) (*counters)->stop();  // what it hears goes to identity
  parts.stop();
  (*gateway)->stop();
  parts.end();
  return code;
}

}  // namespace

int run_gateway(const RunOptions& options) {
  LoadOutcome outcome = load_config(options.config_path);
  if (!outcome.diagnostics.empty()) {
    std::fputs(to_text(outcome.diagnostics, outcome.source, wants_colour(STDERR_FILENO)).c_str(), stderr);
  }
  if (!outcome.ok()) return 2;
  ::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread, so that all inherit it
  raise_file_limit();
  return serve(options, outcome.config);
}

}  // namespace gatehouse::app
