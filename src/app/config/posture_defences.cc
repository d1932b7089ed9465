// What holds for the whole of the program, and what lies on the disk.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "app/config/posture_findings.h"
#include "app/config/scalars.h"
#include "app/config/table.h"
#include "app/process/readable.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "gateway/layers/waf/rule_store.h"
#include "store/postgresql_location.h"
#include "store/redis_location.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

void judge_authentication(Findings& findings) {
  const Config& config = findings.config();
  const AuthenticationConfig& authentication = config.authentication;
  const bool any_method = !authentication.jwt.empty() || authentication.api_keys || authentication.client_certificates;
  const auto closed =
      std::find_if(config.routes.begin(), config.routes.end(), [](const RouteConfig& r) { return !r.is_public; });
  if (!any_method && closed != config.routes.end()) {
    findings.add(Severity::warning, "auth.no_method", fmt::format("routes/{}", closed - config.routes.begin()),
                 fmt::format("the route \"{}\" needs authentication, and no method is configured", closed->name),
                 "every request to it gets 401",
                 "configure authentication.jwt, api_keys or client_certificates; or public: true");
  }
  if (!authentication.internal_token.enabled) {
    findings.add(Severity::warning, "auth.no_internal_token", "authentication/internal_token",
                 "services don't get a signed token that says who called",
                 "a service can't tell a request of the gateway from one that went around it",
                 "remove internal_token: false");
  }
  if (authentication.forward_credentials) {
    findings.add(Severity::warning, "auth.forward_credentials", "authentication/forward_credentials",
                 "services get the clients' own tokens and API keys", "one weak service can use them everywhere",
                 "forward_credentials: false; services know the caller from the internal token");
  }
  for (std::size_t i = 0; i < authentication.jwt.size(); ++i) {
    const JwtIssuerConfig& issuer = authentication.jwt[i];
    if (issuer.leeway <= std::chrono::minutes(2)) continue;
    findings.add(
        Severity::warning, "auth.leeway", fmt::format("authentication/jwt/{}/leeway", i),
        fmt::format("tokens of \"{}\" are good for {} after they expired", issuer.name, format_duration(issuer.leeway)),
        "a stolen token stays useful", "leeway: 30s, and clocks kept by NTP");
  }
}

void judge_modes(Findings& findings) {
  const Config& config = findings.config();
  const auto judge = [&](const std::vector<std::pair<telemetry::Layer, Mode>>& modes, const std::string& path,
                         const std::string& where) {
    for (const auto& [layer, mode] : modes) {
      const auto name = std::find_if(layer_names().begin(), layer_names().end(),
                                     [l = layer](const LayerName& n) { return n.layer == l; });
      if (mode == Mode::enforce || name == layer_names().end() || !name->available) continue;
      const bool proves = layer == telemetry::Layer::authentication || layer == telemetry::Layer::authorization;
      findings.add(proves ? Severity::error : Severity::warning, mode == Mode::off ? "layer.off" : "layer.monitor",
                   fmt::format("{}/{}", path, name->name),
                   fmt::format("the {} layer {}{}", name->name, mode == Mode::off ? "is off" : "only watches", where),
                   proves ? "every request is let through, whoever sends it" : "what it would refuse is let through",
                   fmt::format("{}: enforce, once the records show nothing that it would wrongly refuse", name->name));
    }
  };
  judge(config.modes, "layers", "");
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    judge(config.routes[i].modes, fmt::format("routes/{}/layers", i),
          fmt::format(" for the route \"{}\"", config.routes[i].name));
  }
}

void judge_waf(Findings& findings) {
  const Config& config = findings.config();
  const auto judge = [&](Mode mode, const std::string& path, const std::string& where) {
    if (mode == Mode::enforce) return;
    const bool off = mode == Mode::off;
    findings.add(Severity::warning, off ? "waf.off" : "waf.monitor", path,
                 fmt::format("the WAF {}{}", off ? "is off" : "only watches", where),
                 off ? "injection and the like reach the service" : "the attacks that it sees reach the service",
                 off ? "waf: monitor, to see first what it would refuse"
                     : "waf: enforce, once the records show nothing that it would wrongly refuse");
  };
  judge(config.waf.mode, "waf", "");
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    if (config.routes[i].waf.mode)
      judge(*config.routes[i].waf.mode, fmt::format("routes/{}/waf", i),
            fmt::format(" for the route \"{}\"", config.routes[i].name));
  }
}

void judge_penalties(Findings& findings) {
  const PenaltiesConfig& penalties = findings.config().penalties;
  if (!penalties.failed_logins) {
    findings.add(Severity::warning, "penalties.failed_logins", "penalties/failed_logins",
                 "failed logins are not slowed down", "passwords and keys can be guessed at full speed",
                 "remove failed_logins: off");
  }
  if (!penalties.attacks) {
    findings.add(Severity::warning, "penalties.attacks", "penalties/attacks", "attackers are never banned",
                 "they can try until something gives", "remove attacks: off");
  }
}

void judge_operation(Findings& findings) {
  const Config& config = findings.config();
  const Address& admin = config.admin.address;
  if (!admin.host.empty()) {
    const bool near = is_loopback(admin);
    if (config.admin.token.empty()) {
      findings.add(near ? Severity::warning : Severity::error, "admin.no_token", "admin",
                   fmt::format("the admin API on {} has no token", admin.to_string()),
                   near ? "every user and program of this machine can change bans and configuration"
                        : "anybody who reaches it can change bans and configuration",
                   "admin: { address: \"unix:admin.sock\" }, or token: ${env:GATEHOUSE_ADMIN_TOKEN}");
    }
    if (!near) {
      findings.add(Severity::error, "admin.exposed", "admin/address",
                   fmt::format("the admin API listens on {} in plain HTTP", admin.to_string()),
                   "its token can be read on the way, and tried by anybody",
                   "listen on 127.0.0.1 or a Unix socket, and reach it by SSH");
    }
    if (!config.admin.token.empty() && config.admin.token.size() < 24) {
      findings.add(Severity::warning, "admin.weak_token", "admin/token", "the admin token is short",
                   "it can be guessed", "openssl rand -base64 32");
    }
  }
  if (config.telemetry.metrics && !is_loopback(*config.telemetry.metrics)) {
    findings.add(Severity::info, "metrics.exposed", "telemetry/metrics",
                 fmt::format("metrics are served to the network on {}", config.telemetry.metrics->to_string()),
                 "they tell the names of routes and services, and how busy they are",
                 "an address that only Prometheus reaches");
  }
  if (config.telemetry.access_log.to == "off") {
    findings.add(Severity::warning, "log.off", "telemetry/access_log", "there is no access log",
                 "an attack can't be looked into afterwards", "access_log: { to: stdout }");
  }
  if (!config.process.sandbox) {
    findings.add(Severity::warning, "process.no_sandbox", "process/sandbox", "the process keeps all system calls",
                 "a bug in it could be used against the machine", "remove sandbox: false");
  }
  if (config.process.user == "root") {
    findings.add(Severity::error, "process.root", "process/user", "the process stays root",
                 "a bug in it could be used against the machine", "user: gatehouse");
  }
  if (const auto location = store::read_postgresql_location(config.store); location && !location->verified) {
    findings.add(Severity::error, "state.store_unverified", "state/store",
                 fmt::format("nothing proves that {} is the database that it should be", location->printable),
                 "whoever stands between can read and change accounts and sessions",
                 "sslmode=verify-full, or leave sslmode out");
  }
  if (const auto redis = store::read_redis_location(config.counters); redis && !redis->local) {
    if (!redis->tls) {
      findings.add(Severity::warning, "state.counters_in_clear", "state/counters",
                   fmt::format("what is said to {} can be read and changed on the way", redis->printable),
                   "whoever stands between can lift limits and bans", "rediss://… with a Redis that serves TLS");
    }
    if (config.counters_password.empty()) {
      findings.add(Severity::warning, "state.counters_no_password", "state/counters",
                   fmt::format("there is no password for {}", redis->printable),
                   "whoever reaches it can lift limits and bans", "counters_password: ${file:counters.password}");
    }
  }
  if (config.rate_entries_max < 65536) {
    findings.add(Severity::info, "state.rate_entries", "state/rate_entries",
                 "limits are counted for few clients at once", "a flood from many addresses pushes others' counts out",
                 "rate_entries: 1048576");
  }
}

bool others_may(const std::string& file, mode_t bits) {
  struct stat info {};
  return stat(file.c_str(), &info) == 0 && (info.st_mode & bits) != 0;
}

void judge_key(Findings& findings, const std::string& file, const std::string& path) {
  if (file.empty() || !others_may(file, S_IROTH | S_IWOTH)) return;
  findings.add(Severity::error, "tls.key_permissions", path,
               fmt::format("every user of this machine can read the private key {}", file), "whoever has it can be you",
               fmt::format("chmod 640 {}", file));
}

void judge_certificate(Findings& findings, const std::string& file, const std::string& path) {
  const auto expiry = crypto::certificate_expiry(file);
  if (!expiry) return;  // what can't be read is found by making the TLS context
  const auto left =
      std::chrono::duration_cast<std::chrono::hours>(*expiry - findings.options().clock.wall()).count() / 24;
  if (*expiry <= findings.options().clock.wall()) {
    findings.add(Severity::error, "tls.expired", path,
                 fmt::format("the certificate {} expired {} days ago", file, -left), "clients refuse to connect",
                 "renew it");
  } else if (left < 21) {
    findings.add(Severity::warning, "tls.expires_soon", path,
                 fmt::format("the certificate {} expires in {} days", file, left), "clients will refuse to connect",
                 "renew it, and see why that isn't automatic");
  }
}

void judge_listener_files(Findings& findings, std::size_t index, const ListenerTls& tls) {
  const std::string here = fmt::format("listeners/{}/tls", index);
  crypto::TlsServerOptions options;
  for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
    const TlsCertificateFiles& files = tls.certificates[i];
    if (files.auto_issue) continue;
    const std::string path = fmt::format("{}/certificates/{}", here, i);
    judge_key(findings, files.key, path + "/key");
    judge_certificate(findings, files.cert, path + "/cert");
    options.certificates.push_back({files.cert, files.key, files.ocsp});
  }
  if (options.certificates.empty()) return;
  options.client_ca_file = tls.client_ca;
  options.alpn = tls.alpn;
  options.client_auth = tls.client_auth == ClientAuthMode::required   ? crypto::ClientAuth::required
                        : tls.client_auth == ClientAuthMode::optional ? crypto::ClientAuth::optional
                                                                      : crypto::ClientAuth::none;
  if (const auto context = crypto::TlsServerContext::create(options); !context) {
    findings.add(Severity::error, "config.tls", here, "the TLS settings can't be used: " + context.error().message, "",
                 "the key must belong to the certificate, both in PEM");
  }
}

void judge_service_files(Findings& findings, const ServiceConfig& service) {
  const std::string here = fmt::format("services/{}/tls", service.name);
  const UpstreamTlsConfig& tls = service.tls;
  judge_key(findings, tls.client_key, here + "/client_key");
  if (!tls.client_cert.empty()) judge_certificate(findings, tls.client_cert, here + "/client_cert");
  if (tls.ca.empty() && tls.client_cert.empty()) return;
  const crypto::TlsClientOptions options{tls.ca, tls.client_cert, tls.client_key, {}, tls.verify};
  if (const auto context = crypto::TlsClientContext::create(options); !context) {
    findings.add(Severity::error, "config.tls", here, "the TLS settings can't be used: " + context.error().message, "",
                 "the key must belong to the certificate, all in PEM");
  }
}

}  // namespace

void judge_defences(Findings& findings) {
  judge_authentication(findings);
  judge_modes(findings);
  judge_waf(findings);
  judge_penalties(findings);
  judge_operation(findings);
}

// As `run` would refuse them.
void judge_rules(Findings& findings) {
  if (!gateway::wants_rules(findings.config())) return;
  gateway::RuleFindings found = gateway::examine_rules(findings.config().waf);
  for (std::string& error : found.errors) {
    findings.add(Severity::error, "config.waf_rules", "waf/rules", std::move(error),
                 "the gateway does not start with rules that it cannot read, and does not take them at a reload",
                 "correct the rule file");
  }
  for (std::string& line : found.blind) {
    findings.add(Severity::warning, "waf.operator_without_data", "waf/rules", std::move(line),
                 "the rule lets pass what it was written to refuse",
                 "see what the message proposes, or remove the rule");
  }
}

// Started as root, the process becomes somebody else before the first reload.
void judge_readability(Findings& findings) {
  const std::string& name = findings.options().becomes;
  const auto user = name.empty() ? std::nullopt : file_user(name);
  if (!user) return;
  for (Unreadable& one : unreadable_files(findings.config(), *user)) {
    findings.add(Severity::warning, "file.unreadable", one.file.key, std::move(one.message),
                 "reloads are refused, and a renewed certificate is not taken", std::move(one.remedy));
  }
}

void judge_files(Findings& findings) {
  const Config& config = findings.config();
  judge_readability(findings);
  judge_rules(findings);
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (config.listeners[i].tls) judge_listener_files(findings, i, *config.listeners[i].tls);
  }
  for (const ServiceConfig& service : config.services) judge_service_files(findings, service);
  if (config.authentication.api_keys && others_may(config.authentication.api_keys->file, S_IROTH | S_IWOTH)) {
    findings.add(Severity::warning, "auth.key_file_permissions", "authentication/api_keys/file",
                 "every user of this machine can read the API keys' hashes", "they can be matched against leaked keys",
                 fmt::format("chmod 640 {}", config.authentication.api_keys->file));
  }
  if (others_may(config.file, S_IWOTH)) {
    findings.add(Severity::error, "file.writable", "", "every user of this machine can change this file",
                 "whoever does is the gateway's master", fmt::format("chmod 644 {}", config.file));
  }
  if (others_may(config.data_dir, S_IWOTH)) {
    findings.add(Severity::error, "data_dir.writable", "data_dir",
                 fmt::format("every user of this machine can write to {}", config.data_dir),
                 "keys and state can be replaced", fmt::format("chmod 750 {}", config.data_dir));
  }
}

}  // namespace gatehouse::app
