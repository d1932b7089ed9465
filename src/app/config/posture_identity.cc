// People and applications that sign in here.
#include <algorithm>
#include <chrono>

#include "app/config/posture_findings.h"
#include "app/config/scalars.h"

namespace gatehouse::app {
namespace {

using namespace gateway;
using namespace std::chrono_literals;

constexpr Duration kIdleMax = 24h * 7, kAbsoluteMax = 24h * 30, kRememberMax = 24h * 90;

void judge_listener_of_pages(Findings& findings) {
  const auto& listeners = findings.config().listeners;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const ListenerConfig& listener = listeners[i];
    if (listener.tls || is_loopback(listener.address)) continue;
    findings.add(listener.trusted_proxies.empty() ? Severity::error : Severity::warning, "identity.plain_listener",
                 fmt::format("listeners/{}/address", i),
                 fmt::format("people can sign in over plain HTTP, on listener \"{}\"", listener.name),
                 "passwords, codes and tokens can be read on the way",
                 "tls: { certificates: [{ cert: site.pem, key: site.key }] }, or an address on 127.0.0.1 behind a TLS "
                 "terminator");
  }
}

void judge_lifetimes(Findings& findings, const IdentityConfig& identity) {
  const auto too_long = [&](Duration told, Duration most, const char* key, std::string message, std::string_view why) {
    if (told <= most) return;
    const std::string_view name = key;
    findings.add(Severity::warning, "identity.long_sessions", fmt::format("identity/{}", name), std::move(message), why,
                 fmt::format("{}: {}", name.substr(name.rfind('/') + 1), format_duration(most)));
  };
  too_long(identity.session_idle, kIdleMax, "sessions/idle",
           fmt::format("a session that nobody uses lives for {}", format_duration(identity.session_idle)),
           "a browser that was left open, or its cookie, is good for as long");
  too_long(identity.session_absolute, kAbsoluteMax, "sessions/absolute",
           fmt::format("people stay signed in for up to {}", format_duration(identity.session_absolute)),
           "a stolen session is good for as long");
  too_long(identity.remember_device, kRememberMax, "remember_device",
           fmt::format("a device may skip the second factor for {}", format_duration(identity.remember_device)),
           "a stolen device and a password are enough for as long");
}

void judge_root_key(Findings& findings) {
  const Config& config = findings.config();
  const SecretsConfig& secrets = config.secrets;
  if (!secrets.root_key.empty() || !secrets.passphrase.empty() || config.store != "sqlite") return;
  const bool beside = secrets.root_key_file.empty() || secrets.root_key_file.starts_with(config.data_dir + "/");
  if (!beside) return;
  findings.add(Severity::info, "identity.root_key_beside_data", "secrets/root_key_file",
               "the root key lies in data_dir, beside the database that it protects",
               "whoever copies that folder, a backup say, can read what is sealed",
               "secrets: { root_key_file: /etc/gatehouse/root.key }, or root_key: \"${env:GATEHOUSE_ROOT_KEY}\"");
}

void judge_second_factor(Findings& findings) {
  const auto& routes = findings.config().routes;
  const bool demanded = std::any_of(routes.begin(), routes.end(), [](const RouteConfig& r) { return r.access.mfa; });
  if (demanded) return;
  findings.add(Severity::info, "identity.mfa_nowhere", "identity", "no route asks for a second factor",
               "who has a password, and has chosen no factor, gets everywhere with it",
               "access: { mfa: true } on the routes that matter, or mfa in a client's settings");
}

}  // namespace

void judge_identity(Findings& findings) {
  const Config& config = findings.config();
  if (!config.identity) return;
  const IdentityConfig& identity = *config.identity;
  judge_listener_of_pages(findings);
  judge_lifetimes(findings, identity);
  judge_root_key(findings);
  judge_second_factor(findings);
  const auto is_rate = [](const RateLimitConfig& limit) { return limit.concurrent == 0; };
  if (std::none_of(config.rate_limit.begin(), config.rate_limit.end(), is_rate)) {
    findings.add(Severity::warning, "identity.no_rate_limit", "identity", "the provider's endpoints have no rate limit",
                 "anybody can ask for tokens, pages and mail as fast as the network carries",
                 "rate_limit: [{ key: client_ip, rate: 100/s }]");
  }
  if (!identity.mail) {
    findings.add(Severity::info, "identity.no_mail", "identity", "no mail can be sent",
                 "who forgets a password needs an administrator, and nobody is told of a new device or factor",
                 "mail: { server: \"mail.shop.example:587\", from: login@shop.example }");
  }
  if (identity.password_breached.empty()) {
    findings.add(Severity::info, "identity.no_breached_list", "identity",
                 "passwords are held against the commonest only, not against those that others have lost",
                 "a lost password is the first that is tried", "passwords: { breached: breached.txt }");
  }
  if (identity.client_registration == IdentityConfig::ClientRegistration::open) {
    findings.add(Severity::warning, "identity.open_registration", "identity/client_registration",
                 "anybody can register an application",
                 "its name and logo are the attacker's choice, on a consent page that people trust",
                 "client_registration: token");
  }
}

}  // namespace gatehouse::app
