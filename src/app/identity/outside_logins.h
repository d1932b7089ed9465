#pragma once
// The outside providers that people may sign in through: identity's OutsideLogin over OutsideProvider.
//
// What a provider's token endpoint says is believed as the gateway believes its own provider (gateway/login/
// token_answer.h): one verifier. Only a few answers are waited for at once, so that a provider that hangs leaves
// workers to the other ways of signing in. Thread safety: any thread.

#include <atomic>
#include <memory>
#include <vector>

#include "app/identity/outside_provider.h"
#include "gateway/config.h"
#include "identity/users/federation.h"

namespace gatehouse::app {

class OutsideLogins final : public identity::OutsideLogin {
 public:
  static constexpr int kAtOnceMax = 3;  // of eight workers

  OutsideLogins(const std::vector<gateway::IdentityConfig::OutsideProvider>& config, const Clock& clock,
                const OutsideProvider::Call& call = call_outside);

  const std::vector<Provider>& providers() const noexcept override { return views_; }
  Result<std::string> authorization_url(std::string_view id, const identity::OutsideAttempt& attempt) override;
  Status check_issuer(std::string_view id, std::optional<std::string_view> iss) override;
  Result<identity::OutsideIdentity> redeem(std::string_view id, std::string_view code,
                                           const identity::OutsideAttempt& attempt) override;

  void start();    // asks the providers, from now on
  void run_due();  // or does so now: for tests

 private:
  struct One {
    gateway::IdentityConfig::OutsideProvider config;
    std::unique_ptr<OutsideProvider> client;
  };
  One* find(std::string_view id) noexcept;
  Result<identity::OutsideIdentity> redeem_now(One& one, const gateway::ProviderMetadata& known, std::string_view code,
                                               const identity::OutsideAttempt& attempt) const;

  const Clock& clock_;
  std::vector<Provider> views_;
  std::vector<One> all_;
  std::atomic<int> waiting_{0};
};

}  // namespace gatehouse::app
