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
  // forgets nobody. Changes nothing outside: a configuration may only be tried out.
  Result<std::shared_ptr<gateway::Logins>> logins_for(const gateway::Config& config);
  // The configuration is in force: the gateway is registered with our own provider, as it says. Blocks for the store.
  Status in_force(const gateway::Config& config);
  void stop();  // what is being renewed is renewed

 private:
  class Side;
  Status register_with_ours(const gateway::Config& config);

  IdentityStore& store_;
  const std::shared_ptr<IdentityRuntime> identity_;
  const Clock& clock_;
  net::WorkerPool callbacks_, endings_, renewals_;
  std::vector<std::unique_ptr<Side>> sides_;  // of the snapshots that there are
};

}  // namespace gatehouse::app
