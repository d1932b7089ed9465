#pragma once
// What the gateway itself answers on hosts where people sign in, below `/.gatehouse/`:
//
//   GET  login                begins a login: ?return_to=/path, and &mfa=1 for a second factor
//   GET  callback             the provider sends the browser back (RFC 6749 §4.1.2, RFC 9207)
//   GET  session              who is signed in, as JSON for this host's scripts; 401: nobody
//   GET  logout               asks whether to
//   POST logout               a page of this host signs out: here, and at the provider (RP-Initiated Logout)
//   GET  signed-out           says so
//   POST backchannel-logout   the provider says that a session is over (Back-Channel Logout)
//
// Thread safety: as LocalService. Codes and logout tokens are judged on workers, endings on those of their own.

#include <memory>
#include <optional>

#include "gateway/local_service.h"
#include "gateway/login/logins.h"

namespace gatehouse::gateway {

class RelyingParty final : public LocalService {
 public:
  explicit RelyingParty(std::shared_ptr<Logins> logins) : logins_(std::move(logins)) {}
  void answer(LocalCall call) override;
  // Blocks while the provider is asked: on a worker.
  LocalAnswer handle(const LocalRequest& request) const;

 private:
  LocalAnswer login(const LocalRequest& request) const;
  // What needs no provider and no store: at once, on the shard. Null: for a worker.
  std::optional<LocalAnswer> at_once(const LocalRequest& request) const;
  LocalAnswer callback(const LocalRequest& request) const;
  LocalAnswer session(const LocalRequest& request) const;
  LocalAnswer logout(const LocalRequest& request) const;
  LocalAnswer backchannel_logout(const LocalRequest& request) const;

  const std::shared_ptr<Logins> logins_;
};

}  // namespace gatehouse::gateway
