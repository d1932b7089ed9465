#pragma once
// The gateway as a relying party, put together from the configuration: the provider (ours, in this process, or an
// outside one), the key of its cookies, and what is over before its time.
//
// Thread safety: `logins_for` by the control thread; what it gives, as Logins.
// Lifetime: made after identity, `stop`ped before identity and the gateway, destroyed after the gateway.

#include <memory>
#include <vector>

#include "app/identity/identity_runtime.h"
#include "app/identity/identity_store.h"
#include "gateway/login/logins.h"

namespace gatehouse::app {

class LoginRuntime {
 public:
  // `identity` may be null where the provider is an outside one.
  LoginRuntime(IdentityStore& store, std::shared_ptr<IdentityRuntime> identity, const Clock& clock);
  ~LoginRuntime();

  // Null where no route lets people sign in. The same object as before while `login` says the same, so that a reload
  // forgets nobody. Registers the gateway with our own provider, which blocks for the store.
  Result<std::shared_ptr<gateway::Logins>> logins_for(const gateway::Config& config);
  void stop() { pool_.reset(); }  // what is being renewed is renewed

 private:
  class Side;
  Status register_with_ours(const gateway::Config& config);

  IdentityStore& store_;
  const std::shared_ptr<IdentityRuntime> identity_;
  const Clock& clock_;
  const gateway::CookieSealer sealer_;
  std::unique_ptr<net::WorkerPool> pool_;
  std::string registered_;                    // what our provider was last told of us
  std::vector<std::unique_ptr<Side>> sides_;  // the last is in use; requests of snapshots before it use the others
};

// Where our provider sends browsers back to: exact addresses of the hosts of routes with `login`, for the registration.
std::vector<std::string> login_origins(const gateway::Config& config);

}  // namespace gatehouse::app
