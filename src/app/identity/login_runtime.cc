#include "app/identity/login_runtime.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/identity/outside_provider.h"
#include "codec/base64.h"
#include "crypto/digest.h"
#include "gateway/login/login_routes.h"
#include "identity/provider/provider.h"
#include "identity/sessions/sessions.h"

namespace gatehouse::app {
namespace {

using namespace identity;

// They wait for the provider, or for the store.
constexpr std::size_t kCallbackThreads = 4, kEndingThreads = 1, kRenewalThreads = 2;
constexpr std::size_t kQueueMax = 1024;
constexpr std::uint32_t kAccessTokenSeconds = 300;  // nobody uses it; the ID token and the refresh token count

std::int64_t seconds(WallTime time) noexcept { return time.time_since_epoch() / std::chrono::seconds(1); }

// Every gateway of a store has the same.
std::string own_secret(const secrets::Keyring& keyring) {
  return codec::base64url_encode(keyring.derive("login client secret").expose());
}

// Our own provider, without a network between.
class OwnProvider final : public gateway::TokenEndpoint {
 public:
  OwnProvider(IdentityRuntime& runtime, std::string_view client_id, std::string_view secret, const Clock& clock)
      : runtime_(runtime), clock_(clock) {
    // Both are visible ASCII without a colon.
    authorization_ = "Basic " + codec::base64_encode(fmt::format("{}:{}", client_id, secret));
    auto metadata = std::make_shared<gateway::ProviderMetadata>();
    metadata->issuer = runtime.provider().options().issuer;
    metadata->authorization_endpoint = metadata->issuer + "/authorize";
    // No end_session_endpoint: the session ends in the store, before the browser is sent anywhere.
    metadata->names_itself = true;
    metadata->keys = runtime.issuer_keys();
    metadata_ = std::move(metadata);
  }

  std::shared_ptr<const gateway::ProviderMetadata> provider() const override { return metadata_; }

  Result<Answer> ask(std::string_view form) override {
    WebRequest request;
    request.method = "POST";
    request.path = "/token";
    request.body = form;
    request.content_type = "application/x-www-form-urlencoded";
    request.authorization = authorization_;
    request.now = clock_.wall();
    auto response = runtime_.provider().handle(request);
    if (!response) return fail(ErrorCode::internal, "the provider has no token endpoint");
    return Answer{response->status, std::move(response->body)};
  }

 private:
  IdentityRuntime& runtime_;
  const Clock& clock_;
  std::string authorization_;
  std::shared_ptr<const gateway::ProviderMetadata> metadata_;
};

class RevokedSessionsInStore final : public gateway::RevokedSessions {
 public:
  // `sessions`: of our own provider; null where it is an outside one.
  RevokedSessionsInStore(Revocations& revocations, Sessions* sessions, Duration absolute, const Clock& clock)
      : revocations_(revocations), sessions_(sessions), keep_(std::max(absolute, Revocations::kKeep)), clock_(clock) {}

  bool covers(const gateway::LoginName& session, WallTime begun, WallTime said) const noexcept override {
    return revocations_.covers(RevokedKind::session, session.id, seconds(begun)) ||
           (!session.sid.empty() && revocations_.covers(RevokedKind::session, session.sid, seconds(begun))) ||
           revocations_.covers(RevokedKind::user, session.user, seconds(said));
  }

  Status end(const gateway::LoginName& session) override {
    if (session.sid.empty() && session.id.empty()) return add(RevokedKind::user, session.user);
    if (sessions_ != nullptr && !session.sid.empty()) {
      // All that the gateway has given in it go with the provider's.
      auto ended = sessions_->end_by_id(session.sid);
      return ended ? Status{} : tl::unexpected(ended.error());
    }
    for (const std::string_view id : {session.id, session.sid}) {
      if (auto added = add(RevokedKind::session, id); !added) return added;
    }
    return {};
  }

 private:
  Status add(RevokedKind kind, std::string_view id) {
    const WallTime now = clock_.wall();
    if (id.empty() || (kind == RevokedKind::session && revocations_.covers(kind, id, seconds(now)))) return {};
    return revocations_.add(kind, id, seconds(now + keep_));
  }

  Revocations& revocations_;
  Sessions* const sessions_;
  const Duration keep_;
  const Clock& clock_;
};

bool same(const gateway::LoginConfig& a, const gateway::LoginConfig& b) {
  return a.issuer == b.issuer && a.client_id == b.client_id && a.scopes == b.scopes && a.idle == b.idle &&
         a.absolute == b.absolute && a.refresh == b.refresh && a.ca == b.ca &&
         crypto::equal_in_constant_time(a.client_secret.expose(), b.client_secret.expose());
}

// Where our provider may send browsers back to: exact addresses.
std::vector<std::string> login_origins(const gateway::Config& config) {
  std::vector<std::string> origins;
  for (const std::string& host : gateway::login_hosts(config)) {
    origins.push_back("https://" + host);
    // Where TLS ends in front of us the port is the default one.
    for (const gateway::ListenerConfig& listener : config.listeners) {
      if (!listener.tls || listener.address.port == 0 || listener.address.port == 443) continue;
      std::string origin = fmt::format("https://{}:{}", host, listener.address.port);
      if (std::find(origins.begin(), origins.end(), origin) == origins.end()) origins.push_back(std::move(origin));
    }
  }
  return origins;
}

}  // namespace

class LoginRuntime::Side {
 public:
  Side(LoginRuntime& runtime, const gateway::LoginConfig& wanted)
      : config(wanted),
        revoked(runtime.store_.revocations(), wanted.issuer.empty() ? &runtime.identity_->sessions() : nullptr,
                wanted.absolute, runtime.clock_) {
    if (wanted.issuer.empty()) {
      provider = std::make_unique<OwnProvider>(*runtime.identity_, wanted.client_id,
                                               own_secret(runtime.store_.keyring()), runtime.clock_);
    } else {
      provider = std::make_unique<OutsideProvider>(
          OutsideProviderOptions{wanted.issuer, wanted.client_id, wanted.client_secret, wanted.ca}, runtime.clock_);
    }
    logins = std::make_shared<gateway::Logins>(
        wanted, gateway::LoginParts{runtime.store_.cookies(), revoked, *provider, runtime.callbacks_, runtime.endings_,
                                    runtime.renewals_, runtime.clock_});
  }

  const gateway::LoginConfig config;
  RevokedSessionsInStore revoked;
  std::unique_ptr<gateway::TokenEndpoint> provider;
  std::shared_ptr<gateway::Logins> logins;
};

LoginRuntime::LoginRuntime(IdentityStore& store, std::shared_ptr<IdentityRuntime> identity, const Clock& clock)
    : store_(store),
      identity_(std::move(identity)),
      clock_(clock),
      callbacks_("login", kCallbackThreads, kQueueMax),
      endings_("logout", kEndingThreads, kQueueMax),
      renewals_("renewal", kRenewalThreads, kQueueMax) {}

LoginRuntime::~LoginRuntime() { stop(); }

void LoginRuntime::stop() {
  for (const auto& side : sides_) side->logins->stop_renewing();
  callbacks_.stop();
  endings_.stop();
  renewals_.stop();
}

Status LoginRuntime::register_with_ours(const gateway::Config& config) {
  ClientSettings settings;
  settings.grants = {GrantType::authorization_code, GrantType::refresh_token};
  for (const std::string& origin : login_origins(config))
    settings.redirect_uris.push_back(origin + std::string(gateway::kCallbackPath));
  settings.scopes = config.login.scopes;
  settings.first_party = true;
  settings.session_refresh = true;
  settings.access_token_s = kAccessTokenSeconds;
  settings.refresh_token_s = static_cast<std::uint32_t>(config.login.absolute / std::chrono::seconds(1));
  return identity_->provider().clients().keep_own({config.login.client_id, "Gatehouse", std::move(settings)},
                                                  own_secret(store_.keyring()));
}

Status LoginRuntime::in_force(const gateway::Config& config) {
  if (!gateway::lets_sign_in(config) || !config.login.issuer.empty() || !identity_) return {};
  auto registered = register_with_ours(config);
  return registered ? Status{} : tl::unexpected(std::move(registered.error()).while_("login"));
}

Result<std::shared_ptr<gateway::Logins>> LoginRuntime::logins_for(const gateway::Config& config) {
  if (!gateway::lets_sign_in(config)) return std::shared_ptr<gateway::Logins>();
  if (config.login.issuer.empty() && !identity_)
    return fail(ErrorCode::invalid, "identity begins with a restart, not with a reload");
  // What was only tried out, or was in force before, and that no snapshot holds any more.
  std::erase_if(sides_,
                [&](const auto& side) { return side->logins.use_count() == 1 && !same(side->config, config.login); });
  for (const auto& side : sides_) {
    if (same(side->config, config.login)) return side->logins;
  }
  sides_.push_back(std::make_unique<Side>(*this, config.login));
  return sides_.back()->logins;
}

}  // namespace gatehouse::app
