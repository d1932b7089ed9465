#include "crypto/tls_session_store.h"

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "base/check.h"

namespace gatehouse::crypto {

int TlsSessionStore::origin_slot() {
  static const int slot = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* origin, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Origin*>(origin); });
  return slot;
}

void TlsSessionStore::fill_from(SSL_CTX& context) {
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(&context, &on_new_session);
}

// 1: the session is ours now.
int TlsSessionStore::on_new_session(SSL* ssl, SSL_SESSION* session) {
  const auto* origin = static_cast<const Origin*>(SSL_get_ex_data(ssl, origin_slot()));
  if (origin == nullptr) return 0;
  origin->store->keep(origin->server, SessionPtr(session));
  return 1;
}

void TlsSessionStore::resume(SSL& ssl, std::string server) {
  if (const SessionPtr session = take(server)) SSL_set_session(&ssl, session.get());
  auto origin = std::make_unique<Origin>(Origin{this, std::move(server)});
  GH_CHECK(SSL_set_ex_data(&ssl, origin_slot(), origin.release()) == 1);
}

TlsSessionStore::SessionPtr TlsSessionStore::take(const std::string& server) {
  const std::lock_guard lock(mutex_);
  const auto at = sessions_.find(server);
  if (at == sessions_.end()) return nullptr;
  std::vector<SessionPtr>& known = at->second;
  const long now = static_cast<long>(std::time(nullptr));
  while (!known.empty()) {
    SSL_SESSION* const newest = known.back().get();
    const long age = now - SSL_SESSION_get_time(newest);
    const long lasts = std::min(kAgeMax, SSL_SESSION_get_timeout(newest));
    if (SSL_SESSION_is_resumable(newest) == 1 && age >= 0 && age < lasts) {
      if (SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION) {
        SSL_SESSION_up_ref(newest);
        return SessionPtr(newest);
      }
      SessionPtr once = std::move(known.back());
      known.pop_back();
      return once;
    }
    known.pop_back();
  }
  sessions_.erase(at);
  return nullptr;
}

void TlsSessionStore::keep(const std::string& server, SessionPtr session) {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= kServersMax && !sessions_.contains(server)) sessions_.erase(sessions_.begin());
  std::vector<SessionPtr>& known = sessions_[server];
  if (known.size() >= kSessionsMax) known.erase(known.begin());
  known.push_back(std::move(session));
}

}  // namespace gatehouse::crypto
