#pragma once
// Somebody else's OpenID provider, of which we are a client: what it says of itself, its keys, its token endpoint.
//
// What it holds to: the provider is configured, and what it says of itself is believed as far as it names the issuer
// that was configured, letter by letter (OpenID Connect Discovery §4.3), and https alone. It is asked again every hour;
// the last good word stays in use, whatever it answers; after a failure the pause doubles, from a second to five
// minutes. Its keys are fetched as those of token issuers are (JwksFetcher). No redirect is followed.
// Its endpoints may be in a private network: the operator chose it, and a company's own provider often is.
//
// Thread safety: any thread; `ask` and `userinfo` block for ten seconds at most. A thread of its own asks the provider.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/jwks_fetcher.h"
#include "app/outside_call.h"
#include "base/secret_bytes.h"
#include "gateway/login/login_parts.h"

namespace gatehouse::app {

struct OutsideProviderOptions {
  std::string issuer, client_id;
  SecretBytes client_secret;  // empty: a public client
  std::string ca;             // a file; empty: the system's authorities
};

class OutsideProvider final : public gateway::TokenEndpoint {
 public:
  using Call = std::function<Result<OutsideAnswer>(const OutsideCall&)>;
  enum class Thread : bool { none, own };  // without one, `start` brings it, or `run_due` does the work

  explicit OutsideProvider(OutsideProviderOptions options, const Clock& clock = SystemClock::instance(),
                           Call call = call_outside, Thread thread = Thread::own);
  ~OutsideProvider() override;  // waits for a request under way

  void start();  // the thread, when there is none

  // Null until its metadata and its keys have both been here once.
  std::shared_ptr<const gateway::ProviderMetadata> provider() const override;
  // The form's client authentication is added here: client_secret_basic, or client_secret_post where the provider takes
  // only that. ErrorCode::unavailable, timeout: no answer.
  Result<Answer> ask(std::string_view form) override;
  // OpenID Connect Core §5.3. ErrorCode::not_found: it has no such endpoint.
  Result<Answer> userinfo(std::string_view access_token);

  const OutsideProviderOptions& options() const noexcept { return options_; }

  // Does what is due; returns how long nothing will be. By one thread only.
  Duration run_due();

 private:
  enum class Authentication : std::uint8_t { none, basic, post };
  struct Known {
    gateway::ProviderMetadata metadata;
    std::string token_endpoint, userinfo_endpoint, jwks_uri;
    Authentication authentication = Authentication::basic;
  };

  std::shared_ptr<const Known> known() const;
  Result<Known> read(const OutsideAnswer& answer) const;
  Result<Authentication> choose_authentication(const codec::Json& metadata) const;
  Status discover();
  Result<FetchedDocument> fetch_keys(const std::string& url) const;
  void run();

  const OutsideProviderOptions options_;
  const Clock& clock_;
  const Call call_;
  // Of the thread alone.
  JwksFetcher keys_;
  std::shared_ptr<Known> read_;  // as it was last read; becomes known with its keys
  MonotonicTime next_;
  Duration pause_{};  // after failures; zero after a success

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Known> known_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::app
