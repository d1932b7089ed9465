#pragma once
// Identity in this process: its users, sessions and provider, put together from the configuration and bound to the
// gateway's local service.
//
// Thread safety: `answer` is called by shards; what blocks runs on the pool. Everything else: the main thread.
// Lifetime: made before the gateway, `stop`ped before the gateway stops (what runs on the pool answers through shards),
// destroyed after it.

#include <memory>
#include <string>

#include "admin/identity/identity_api.h"
#include "app/identity/housekeeper.h"
#include "app/identity/identity_store.h"
#include "gateway/config.h"
#include "gateway/layers/authentication/key_source.h"
#include "gateway/local_service.h"
#include "identity/users/throttle.h"
#include "net/worker_pool.h"

namespace gatehouse::identity {
class Provider;
class Sessions;
}  // namespace gatehouse::identity

namespace gatehouse::app {

class IdentityRuntime final : public gateway::LocalService {
 public:
  // Makes what is missing. The error is for whoever starts the program. `news`: null where failed logins are counted
  // here alone.
  static Result<std::unique_ptr<IdentityRuntime>> create(const gateway::Config& config, IdentityStore& store,
                                                         const Clock& clock, identity::FailureNews* news = nullptr);
  ~IdentityRuntime() override;

  void answer(gateway::LocalCall call) override;

  // The link with which the first administrator is made; empty: there is one.
  const std::string& first_admin_link() const noexcept { return first_admin_link_; }
  // What the gateway verifies this provider's tokens with.
  const std::shared_ptr<gateway::IssuerKeys>& issuer_keys() const noexcept { return issuer_keys_; }
  admin::IdentityApi& admin_api() noexcept { return *admin_api_; }
  identity::Throttle& throttle() noexcept;
  net::WorkerPool& pool() noexcept { return *pool_; }
  identity::Provider& provider() noexcept;
  identity::Sessions& sessions() noexcept;
  identity::AuditTrail& audit() noexcept;

  void start();  // the background work; after privileges are dropped
  void stop();

 private:
  struct Parts;
  IdentityRuntime(const gateway::IdentityConfig& config, IdentityStore& store, const Clock& clock);
  Status open(const gateway::Config& config, identity::FailureNews* news);
  identity::WebResponse handle(const identity::WebRequest& request);
  std::string_view below_issuer(std::string_view path) const noexcept;
  void every_second();
  void every_minute();
  void publish_keys();

  const gateway::IdentityConfig config_;
  const std::string issuer_path_;
  const Clock& clock_;
  IdentityStore& store_;
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<admin::IdentityApi> admin_api_;
  std::shared_ptr<gateway::IssuerKeys> issuer_keys_;
  std::string published_jwks_;
  std::string first_admin_link_;
  std::unique_ptr<net::WorkerPool> pool_;
  Housekeeper housekeeper_;
};

}  // namespace gatehouse::app
