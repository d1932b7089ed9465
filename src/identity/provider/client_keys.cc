#include "identity/provider/client_keys.h"

#include <algorithm>
#include <optional>

#include "crypto/digest.h"
#include "telemetry/log.h"

namespace gatehouse::identity {
namespace {

// "https://host:port": what one server answers for.
std::string_view host_of(std::string_view uri) noexcept {
  const std::size_t authority = uri.find("://");
  return uri.substr(0, authority == std::string_view::npos ? uri.npos : uri.find_first_of("/?", authority + 3));
}

Duration pause_after(int failures) noexcept {
  return std::min<Duration>(ClientKeys::kPause * (1 << std::min(std::max(failures - 1, 0), 10)), ClientKeys::kRefresh);
}

auto not_now(std::string why) { return fail(ErrorCode::unavailable, std::move(why), ErrorSource::upstream); }

}  // namespace

// With the lock held. What is full begins anew: an entry costs a parse or a fetch, no more.
ClientKeys::Entry& ClientKeys::entry(const std::string& name) {
  const auto found = entries_.find(name);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= kCachedMax) std::erase_if(entries_, [](const auto& one) { return !one.second.fetching; });
  return entries_[name];
}

Result<ClientKeys::Keys> ClientKeys::registered(const std::string& jwks) {
  const std::string name(crypto::as_text(crypto::sha256(jwks)));
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(name); found != entries_.end()) return found->second.keys;
  }
  auto set = crypto::KeySet::parse(jwks);
  if (!set) return tl::unexpected(std::move(set.error()));
  auto keys = std::make_shared<const crypto::KeySet>(std::move(*set));
  const std::lock_guard lock(mutex_);
  entry(name).keys = keys;
  return keys;
}

Result<ClientKeys::Keys> ClientKeys::fetch_now(const std::string& uri) {
  auto document = fetch_(uri);
  if (!document) return tl::unexpected(std::move(document.error()));
  auto set = crypto::KeySet::parse(*document);
  if (!set) return tl::unexpected(std::move(set.error()));
  return std::make_shared<const crypto::KeySet>(std::move(*set));
}

Result<ClientKeys::Keys> ClientKeys::fetched(const std::string& uri, const Keys& seen) {
  const MonotonicTime now = clock_.now();
  {
    const std::lock_guard lock(mutex_);
    Entry& one = entry(uri);
    const bool old = !one.keys || now - one.fetched >= kRefresh;
    const bool wanted = old || (seen && one.keys == seen);
    const bool may_ask = !one.fetching && (!one.attempted || now - one.tried >= pause_after(one.failures)) &&
                         hosts_.size() < kFetchesMax && !hosts_.contains(host_of(uri));
    if (!wanted || !may_ask) {
      if (one.keys && now - one.fetched < kStaleMax) return one.keys;
      return not_now("the client's keys are not here");
    }
    one.fetching = one.attempted = true;
    one.tried = now;
    hosts_.emplace(host_of(uri));
  }
  auto keys = fetch_now(uri);
  const std::lock_guard lock(mutex_);
  hosts_.erase(hosts_.find(host_of(uri)));
  Entry& one = entries_[uri];
  one.fetching = false;
  one.failures = keys ? 0 : one.failures + 1;
  if (keys) {
    one.keys = *keys;
    one.fetched = clock_.now();
    return keys;
  }
  GH_LOG(warn, "a client's keys are not fetched", {"address", uri}, {"why", keys.error().message});
  if (one.keys && now - one.fetched < kStaleMax) return one.keys;
  return not_now(keys.error().message);
}

Result<ClientKeys::Keys> ClientKeys::of(const Client& client) {
  if (!client.settings.jwks.empty()) return registered(client.settings.jwks);
  if (client.settings.jwks_uri.empty()) return fail(ErrorCode::invalid, "the client has no keys");
  return fetched(client.settings.jwks_uri, nullptr);
}

Result<ClientKeys::Keys> ClientKeys::newer_than(const Keys& seen, const Client& client) {
  return client.settings.jwks_uri.empty() ? seen : fetched(client.settings.jwks_uri, seen);
}

}  // namespace gatehouse::identity
