#include "app/identity/outside_provider.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/base64.h"
#include "codec/form.h"
#include "codec/json.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;
using codec::Json;

constexpr Duration kRefresh = 1h;
constexpr Duration kFirstPause = 1s;
constexpr Duration kPauseMax = 5min;
constexpr Duration kAskForKeys = 10min;

auto not_believed(std::string why) { return fail(ErrorCode::invalid, std::move(why), ErrorSource::upstream); }

bool is_https_url(std::string_view url) noexcept {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme) || url.size() > 2048) return false;
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= 0x20 || c >= 0x7f; })) return false;
  const std::string_view rest = url.substr(kScheme.size());
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  return !authority.empty() && authority.find_first_of("@\\") == std::string_view::npos &&
         rest.find('#') == std::string_view::npos;
}

// A list of strings; absent is what the specification says then.
bool lists(const Json& metadata, std::string_view name, std::string_view what, bool when_absent) {
  const Json* list = metadata.find(name);
  if (list == nullptr) return when_absent;
  return std::any_of(list->items().begin(), list->items().end(), [&](const Json& one) { return one.string() == what; });
}

// An absent one is empty; one that is there must be good.
Status read_endpoint(const Json& metadata, std::string_view name, bool required, std::string& into) {
  const Json* value = metadata.find(name);
  if (value == nullptr && !required) return {};
  if (value == nullptr || !is_https_url(value->string().value_or("")))
    return not_believed(fmt::format("its {} is no https URL", name));
  into = *value->string();
  return {};
}

// OpenID Connect Discovery §4: a slash at the issuer's end goes.
std::string metadata_url(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return std::string(issuer) + "/.well-known/openid-configuration";
}

}  // namespace

OutsideProvider::OutsideProvider(OutsideProviderOptions options, const Clock& clock, Call call, Thread thread)
    : options_(std::move(options)),
      clock_(clock),
      call_(std::move(call)),
      keys_(
          clock, [this](const std::string& url) { return fetch_keys(url); }, JwksFetcher::Thread::none),
      next_(clock.now()) {
  if (thread == Thread::own) start();
}

void OutsideProvider::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

OutsideProvider::~OutsideProvider() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const OutsideProvider::Known> OutsideProvider::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

std::shared_ptr<const gateway::ProviderMetadata> OutsideProvider::provider() const {
  auto now_known = known();
  if (!now_known) return nullptr;
  return {now_known, &now_known->metadata};
}

// Its endpoints

Result<gateway::TokenEndpoint::Answer> OutsideProvider::ask(std::string_view form) {
  const auto at = known();
  if (!at) return fail(ErrorCode::unavailable, "the provider is not known yet", ErrorSource::upstream);
  OutsideCall call{.url = at->token_endpoint, .form = std::string(form), .ca = options_.ca};
  if (at->authentication == Authentication::basic) {
    // RFC 6749 §2.3.1: both are form-encoded before they are joined.
    call.authorization = "Basic " + codec::base64_encode(codec::percent_encode(options_.client_id) + ":" +
                                                         codec::percent_encode(options_.client_secret.expose()));
  } else {
    codec::FormWriter client;
    client.add("client_id", options_.client_id);
    if (at->authentication == Authentication::post) client.add("client_secret", options_.client_secret.expose());
    *call.form += (form.empty() ? "" : "&") + client.text();
  }
  auto answer = call_(call);
  if (!answer) return tl::unexpected(std::move(answer.error()));
  return Answer{answer->status, std::move(answer->body)};
}

Result<gateway::TokenEndpoint::Answer> OutsideProvider::userinfo(std::string_view access_token) {
  const auto at = known();
  if (!at) return fail(ErrorCode::unavailable, "the provider is not known yet", ErrorSource::upstream);
  if (at->userinfo_endpoint.empty()) return fail(ErrorCode::not_found, "the provider has no userinfo endpoint");
  // RFC 6750 §2.1: nothing else may go into the field.
  if (access_token.empty() ||
      std::any_of(access_token.begin(), access_token.end(), [](char c) { return c <= 0x20 || c >= 0x7f; }))
    return not_believed("the provider's access token has characters that no token has");
  auto answer =
      call_({.url = at->userinfo_endpoint, .authorization = "Bearer " + std::string(access_token), .ca = options_.ca});
  if (!answer) return tl::unexpected(std::move(answer.error()));
  return Answer{answer->status, std::move(answer->body)};
}

// What it says of itself

Result<OutsideProvider::Authentication> OutsideProvider::choose_authentication(const Json& metadata) const {
  constexpr std::string_view kMethods = "token_endpoint_auth_methods_supported";
  if (options_.client_secret.empty()) return Authentication::none;
  if (lists(metadata, kMethods, "client_secret_basic", true)) return Authentication::basic;
  if (lists(metadata, kMethods, "client_secret_post", false)) return Authentication::post;
  return not_believed("its token endpoint takes no client secret");
}

Result<OutsideProvider::Known> OutsideProvider::read(const OutsideAnswer& answer) const {
  if (answer.status != 200) return not_believed(fmt::format("it answers {}", answer.status));
  const auto metadata = Json::parse(answer.body, {.bytes_max = 256 * 1024});
  if (!metadata || !metadata->is_object()) return not_believed("its metadata is no JSON object");
  if (metadata->find_string("issuer") != options_.issuer)
    return not_believed("its metadata is another issuer's: " +
                        std::string(metadata->find_string("issuer").value_or("")).substr(0, 200));
  if (!lists(*metadata, "response_types_supported", "code", false))
    return not_believed("it has no authorization code flow");
  Known out;
  out.metadata.issuer = options_.issuer;
  struct Endpoint {
    const char* name;
    bool required;
    std::string& into;
  };
  for (const Endpoint& e : {Endpoint{"authorization_endpoint", true, out.metadata.authorization_endpoint},
                            {"token_endpoint", true, out.token_endpoint},
                            {"jwks_uri", true, out.jwks_uri},
                            {"userinfo_endpoint", false, out.userinfo_endpoint},
                            {"end_session_endpoint", false, out.metadata.end_session_endpoint}}) {
    if (auto good = read_endpoint(*metadata, e.name, e.required, e.into); !good) return tl::unexpected(good.error());
  }
  const Json* names_itself = metadata->find("authorization_response_iss_parameter_supported");
  out.metadata.names_itself = names_itself != nullptr && names_itself->boolean().value_or(false);
  auto authentication = choose_authentication(*metadata);
  if (!authentication) return tl::unexpected(authentication.error());
  out.authentication = *authentication;
  return out;
}

Status OutsideProvider::discover() {
  auto answer = call_({.url = metadata_url(options_.issuer), .ca = options_.ca});
  if (!answer) return tl::unexpected(std::move(answer.error()));
  auto found = read(*answer);
  if (!found) return tl::unexpected(std::move(found.error()));
  if (read_ && read_->jwks_uri == found->jwks_uri) {
    found->metadata.keys = read_->metadata.keys;
  } else {
    gateway::JwtIssuerConfig source;
    source.name = source.issuer = options_.issuer;
    source.jwks = found->jwks_uri;
    source.refresh = kAskForKeys;
    auto keys = keys_.keys_for({source});
    if (!keys) return tl::unexpected(std::move(keys.error()));
    found->metadata.keys = keys->front();
  }
  read_ = std::make_shared<Known>(std::move(*found));
  return {};
}

Result<FetchedDocument> OutsideProvider::fetch_keys(const std::string& url) const {
  auto answer = call_({.url = url, .ca = options_.ca});
  if (!answer) return tl::unexpected(std::move(answer.error()));
  if (answer->status != 200) return not_believed(fmt::format("it answers {}", answer->status));
  return FetchedDocument{std::move(answer->body), answer->max_age};
}

Duration OutsideProvider::run_due() {
  if (clock_.now() >= next_) {
    const Status read = discover();
    pause_ = read ? Duration::zero() : pause_ == Duration::zero() ? kFirstPause : std::min(pause_ * 2, kPauseMax);
    next_ = clock_.now() + (read ? kRefresh : pause_);
    if (!read) GH_LOG(warn, "provider not asked", {"issuer", options_.issuer}, {"error", read.error().message});
  }
  const Duration keys_wait = keys_.run_due();
  if (read_ && read_->metadata.keys->get()) {
    const std::lock_guard lock(mutex_);
    known_ = read_;
  }
  return std::max(Duration::zero(), std::min(next_ - clock_.now(), keys_wait));
}

void OutsideProvider::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Duration wait = run_due();
    lock.lock();
    changed_.wait_for(lock, wait, [this] { return stopping_; });
  }
}

}  // namespace gatehouse::app
