#include "app/identity/identity_runtime.h"

#include <fmt/format.h>

#include "app/config/built_in.h"
#include "app/config/store_options.h"
#include "app/delivery/outbound_delivery.h"
#include "app/identity/logout_sender.h"
#include "app/identity/outside_logins.h"
#include "app/identity/web_call.h"
#include "identity/pages/pages.h"
#include "identity/pages/screens.h"
#include "identity/provider/provider.h"
#include "secrets/root_key.h"

namespace gatehouse::app {
namespace {

using namespace identity;

constexpr std::size_t kQueueMax = 1024;
constexpr std::size_t kThreads = 8;  // most of them wait for the store

Result<std::unique_ptr<OutboundDelivery>> open_delivery(const gateway::IdentityConfig& config, const Clock& clock) {
  std::optional<MailServer> mail;
  if (config.mail) {
    const auto& m = *config.mail;
    mail = MailServer{m.server, m.from, m.username, m.password, static_cast<MailServer::Tls>(m.tls), m.ca};
  }
  std::optional<SmsWebhook> sms;
  if (config.sms) sms = SmsWebhook{config.sms->webhook, config.sms->secret, config.sms->ca};
  return OutboundDelivery::create(std::move(mail), std::move(sms), clock);
}

AuthenticationOptions authentication_options(const gateway::IdentityConfig& config) {
  AuthenticationOptions options;
  options.issuer = config.issuer;
  options.rp_id = split_issuer(config.issuer).host;
  options.origins = {split_issuer(config.issuer).origin};
  options.site = config.theme.name.empty() ? options.rp_id : config.theme.name;
  options.email_codes = config.mail.has_value();
  options.sms_codes = config.sms.has_value();
  return options;
}

PagesOptions pages_options(const gateway::IdentityConfig& config) {
  PagesOptions options;
  options.issuer = config.issuer;
  options.name = config.theme.name.empty() ? split_issuer(config.issuer).host : config.theme.name;
  options.email_codes = config.mail.has_value();
  options.sms_codes = config.sms.has_value();
  for (const auto& scope : config.scopes) options.scopes.emplace_back(scope.name, scope.text);
  return options;
}

// As the gateway's penalties say: so many failures of one account are free, and of one address, behind which there may
// be an office, four times as many.
ThrottleOptions throttle_options(const gateway::Config& config) {
  ThrottleOptions options;
  if (const auto& logins = config.penalties.failed_logins) {
    options.free_per_account = options.free_per_device = logins->threshold;
    options.free_per_address = 4 * std::min<std::uint32_t>(logins->threshold, 1'000'000);
  }
  return options;
}

ProviderOptions provider_options(const gateway::IdentityConfig& config) {
  ProviderOptions options;
  options.issuer = config.issuer;
  options.certificates = true;
  options.key_rotation = config.key_rotation;
  options.dpop_nonces = config.dpop_nonces;
  using Who = RegistrationPolicy::Who;
  using Registers = gateway::IdentityConfig::ClientRegistration;
  options.registration.who = config.client_registration == Registers::off     ? Who::nobody
                             : config.client_registration == Registers::token ? Who::token
                                                                              : Who::anybody;
  options.registration.token = config.client_registration_token;
  return options;
}

// Of a client's own address, which an administrator has entered, or whoever has the token for registration.
Result<std::string> fetch_keys(const std::string& url) {
  auto answer = call_outside({.url = url, .bytes_max = crypto::KeySet::kBytesMax});
  if (!answer) return tl::unexpected(std::move(answer.error()));
  if (answer->status != 200)
    return fail(ErrorCode::unavailable, fmt::format("the server answers {}", answer->status), ErrorSource::upstream);
  return std::move(answer->body);
}

class RevokedTokensInStore final : public gateway::RevokedTokens {
 public:
  explicit RevokedTokensInStore(const Revocations& revocations) : revocations_(revocations) {}
  bool covers(const gateway::TokenName& token) const noexcept override {
    return is_revoked(revocations_, TokenName{token.id, token.grant, token.session, token.user, token.issued_s});
  }

 private:
  const Revocations& revocations_;
};

}  // namespace

struct IdentityRuntime::Parts {
  Parts(IdentityStore& kept, BreachedList breached, std::unique_ptr<OutboundDelivery> sender, Assets loaded,
        const gateway::Config& whole, FailureNews* news, const Clock& clock)
      : database(kept.database()),
        keyring(kept.keyring()),
        revocations(kept.revocations()),
        delivery(std::move(sender)),
        assets(std::move(loaded)),
        logouts(clock),
        accounts(database, keyring, clock),
        groups(database, accounts, clock),
        passwords(accounts, keyring, std::move(breached),
                  {.cost = {}, .policy = {.length_min = whole.identity->password_min_length}, .at_once = 0}),
        sessions(database, accounts, revocations, clock,
                 {whole.identity->session_idle, whole.identity->session_absolute}),
        session_list(database, whole.identity->session_idle, clock),
        devices(database, clock, whole.identity->remember_device),
        interactions(database, keyring, clock),
        form_tokens(keyring),
        tickets(database, keyring, accounts, clock),
        factors(database, keyring, clock),
        audit(database, keyring, clock),
        throttle(clock, throttle_options(whole), news),
        registration({database, accounts, passwords, sessions, devices, tickets, throttle, *delivery, audit, clock},
                     {.issuer = whole.identity->issuer, .site = split_issuer(whole.identity->issuer).host}),
        authentication_parts{accounts,     passwords, throttle, factors, sessions, devices,
                             interactions, *delivery, audit,    keyring, clock},
        authentication(authentication_parts, authentication_options(*whole.identity)),
        enrolment(authentication, authentication_parts, authentication_options(*whole.identity)),
        outside(whole.identity->federation, clock),
        federation(authentication, authentication_parts, database, outside, whole.identity->issuer),
        screens(Site{assets, split_issuer(whole.identity->issuer).path, pages_options(*whole.identity).name, false,
                     pages_options(*whole.identity).scopes}),
        provider(
            {database, keyring, accounts, sessions, interactions, form_tokens, revocations, audit, screens,
             [this](const std::string& uri, const std::string& token) { logouts.send(uri, token); }, clock, fetch_keys},
            provider_options(*whole.identity)),
        pages({database, accounts, passwords, authentication, enrolment, registration, factors, sessions, devices,
               interactions, form_tokens, provider.clients(), provider.grants(), *delivery, audit, assets,
               whole.identity->federation.empty() ? nullptr : &federation},
              pages_options(*whole.identity)) {}

  store::Database& database;
  secrets::Keyring& keyring;
  Revocations& revocations;
  std::unique_ptr<OutboundDelivery> delivery;
  Assets assets;
  LogoutSender logouts;
  Accounts accounts;
  Groups groups;
  PasswordService passwords;
  Sessions sessions;
  SessionList session_list;
  Devices devices;
  Interactions interactions;
  FormTokens form_tokens;
  Tickets tickets;
  EnrolledFactors factors;
  AuditTrail audit;
  Throttle throttle;
  Registration registration;
  AuthenticationParts authentication_parts;
  Authentication authentication;
  Enrolment enrolment;
  OutsideLogins outside;
  Federation federation;
  PageScreens screens;
  Provider provider;
  Pages pages;
};

IdentityRuntime::IdentityRuntime(const gateway::IdentityConfig& config, IdentityStore& store, const Clock& clock)
    : config_(config),
      issuer_path_(split_issuer(config.issuer).path),
      clock_(clock),
      store_(store),
      issuer_keys_(std::make_shared<gateway::IssuerKeys>(std::make_shared<RevokedTokensInStore>(store.revocations()))) {
}

IdentityRuntime::~IdentityRuntime() { stop(); }

Result<std::unique_ptr<IdentityRuntime>> IdentityRuntime::create(const gateway::Config& config, IdentityStore& store,
                                                                 const Clock& clock, FailureNews* news) {
  std::unique_ptr<IdentityRuntime> runtime(new IdentityRuntime(*config.identity, store, clock));
  if (auto opened = runtime->open(config, news); !opened)
    return tl::unexpected(std::move(opened.error()).while_("identity"));
  return runtime;
}

Throttle& IdentityRuntime::throttle() noexcept { return parts_->throttle; }

Status IdentityRuntime::open(const gateway::Config& config, FailureNews* news) {
  BreachedList breached;
  if (!config_.password_breached.empty()) {
    auto list = BreachedList::open(config_.password_breached);
    if (!list) return tl::unexpected(list.error());
    breached = std::move(*list);
  }
  auto delivery = open_delivery(config_, clock_);
  if (!delivery) return tl::unexpected(delivery.error());
  auto assets = Assets::load({config_.theme.name, config_.theme.logo, config_.theme.css}, issuer_path_);
  if (!assets) return tl::unexpected(assets.error());
  parts_ = std::make_unique<Parts>(store_, std::move(breached), std::move(*delivery), std::move(*assets), config, news,
                                   clock_);
  if (auto started = parts_->provider.start(); !started) return started;
  admin_api_ = std::make_unique<admin::IdentityApi>(
      admin::IdentityParts{parts_->accounts, parts_->groups, parts_->passwords, parts_->registration, parts_->factors,
                           parts_->sessions, parts_->devices, parts_->provider, parts_->audit, store_.keyring(),
                           store_.resealer(), std::string(secrets::kind_name(root_key_source(config.secrets, {}).kind)),
                           parts_->federation.linked(), parts_->session_list});
  auto link = parts_->registration.first_admin_link();
  if (!link) return tl::unexpected(link.error());
  first_admin_link_ = link->value_or("");
  publish_keys();
  pool_ = std::make_unique<net::WorkerPool>("identity", kThreads, kQueueMax);
  return {};
}

// Serving

std::string_view IdentityRuntime::below_issuer(std::string_view path) const noexcept {
  constexpr std::string_view kMetadata = "/.well-known/oauth-authorization-server";
  if (path.starts_with(kMetadata) && path.substr(kMetadata.size()) == issuer_path_) return kMetadata;
  if (path.starts_with(issuer_path_)) path.remove_prefix(issuer_path_.size());
  return path.empty() ? std::string_view("/") : path;
}

WebResponse IdentityRuntime::handle(const WebRequest& request) {
  if (auto response = parts_->provider.handle(request)) return std::move(*response);
  if (auto response = parts_->pages.handle(request)) return std::move(*response);
  return parts_->screens.error(request, 404, "not_found", "there is no such page");
}

void IdentityRuntime::answer(gateway::LocalCall call) {
  const WebRequest request = web_request(call.request, below_issuer(call.request.path));
  auto response = parts_->provider.at_once(request);
  if (!response) response = parts_->pages.at_once(request);
  if (response) return call.reply.send(local_answer(std::move(*response)));
  // What was submitted is moved from only when it was accepted.
  struct Work {
    void operator()() {
      const gateway::LocalRequest& from = kept->request();
      kept->reply().send(local_answer(runtime.handle(web_request(from, runtime.below_issuer(from.path)))));
    }
    IdentityRuntime& runtime;
    std::unique_ptr<gateway::KeptCall> kept;
  };
  Work work{*this, std::move(call).keep()};
  if (pool_->submit(std::move(work))) return;
  WebResponse busy = json(503, R"({"error":"temporarily_unavailable"})");
  busy.add("retry-after", "1");
  work.kept->reply().send(local_answer(std::move(busy)));
}

// Background

void IdentityRuntime::publish_keys() {
  const auto keys = parts_->provider.signing_keys().current();
  if (!keys || keys->jwks() == published_jwks_) return;
  auto set = crypto::KeySet::parse(keys->jwks());
  if (!set) return tell("publishing keys", tl::unexpected(set.error()));
  published_jwks_ = keys->jwks();
  issuer_keys_->publish(std::move(*set));
}

void IdentityRuntime::every_second() {
  tell("signing keys and back-channel logout", parts_->provider.every_second());
  publish_keys();
}

void IdentityRuntime::every_minute() {
  tell("sealing linked logins", parts_->federation.linked().move_old());
  tell("keeping the signing keys", parts_->provider.every_minute());
  tell("removing what has expired", parts_->sessions.remove_expired());
  tell("removing what has expired", parts_->interactions.remove_expired());
  tell("removing what has expired", parts_->tickets.remove_expired());
  tell("removing what has expired", parts_->devices.remove_expired());
}

void IdentityRuntime::start() {
  parts_->outside.start();
  housekeeper_.start([this] { every_second(); }, [this] { every_minute(); });
}

void IdentityRuntime::stop() {
  housekeeper_.stop();
  if (pool_) pool_->stop();  // shards may still ask
}

Provider& IdentityRuntime::provider() noexcept { return parts_->provider; }
Sessions& IdentityRuntime::sessions() noexcept { return parts_->sessions; }
AuditTrail& IdentityRuntime::audit() noexcept { return parts_->audit; }

}  // namespace gatehouse::app
