#pragma once
// People who are signed in at the gateway, and how they get there.
//
//   no session ── begin ──> the provider ──> /.gatehouse/callback (relying_party.h) ── open_session ──> cookie
//   session    ── authenticate ──> principal; when it gets old, a worker renews it meanwhile, and the next answer
//                                  brings the new cookie
//
// The session is in its cookie: every gateway of the deployment can read it, and none has to keep it. What is kept here
// only saves work (opened cookies, renewals that are on their way) or throws out early (sessions that ended here).
// Thread safety: any thread. `authenticate` and `begin` never block and run on shards.
// Lifetime: shared; renewals hold it, so the pool that was given must outlive it or be drained before.
// Bounds: kOpenedMax cookies, kRenewalsMax renewals, kEndedMax endings are remembered.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/bounded_cache.h"
#include "gateway/layers/layer.h"
#include "gateway/login/cookie_sealer.h"
#include "gateway/login/login_cookies.h"
#include "gateway/login/login_parts.h"
#include "gateway/login/token_answer.h"
#include "net/worker_pool.h"

namespace gatehouse::gateway {

struct LoginParts {            // all of it outlives the Logins
  const CookieSealer& sealer;  // by a key that every gateway of the deployment has
  RevokedSessions& revoked;
  TokenEndpoint& tokens;
  // A provider that hangs holds up what waits for it, and neither endings nor other people's logins with renewals.
  net::WorkerPool& callbacks;
  net::WorkerPool& endings;
  net::WorkerPool& renewals;
  const Clock& clock;
};

class Logins : public std::enable_shared_from_this<Logins> {
 public:
  static constexpr std::size_t kOpenedMax = 16 * 1024, kEndedMax = 64 * 1024, kRenewalsMax = 16 * 1024;
  static constexpr Duration kAttemptAge = std::chrono::minutes(10);
  static constexpr Duration kRenewAgain = std::chrono::seconds(15);  // after a renewal that failed
  static constexpr Duration kSweepAgain = std::chrono::seconds(1);

  Logins(const LoginConfig& config, LoginParts parts) : config_(config), p_(parts) {}

  enum class Found : std::uint8_t { session, none, over };
  // session: the request has its principal, and perhaps a cookie to be set.
  Found authenticate(Request& request);

  struct StepUp {
    std::chrono::seconds max_age;
  };
  // For a page: 303 to the provider. For anything else: 401 with what would help.
  Decision begin(Request& request, std::string_view reason, const StepUp* step_up);
  struct Begun {
    std::string location, set_cookie;
  };
  // `return_to`: path and query of this host, where the browser ends up. Null: the provider is not known yet.
  std::optional<Begun> begin(const http::Fields& fields, std::string_view authority, std::string return_to,
                             const StepUp* step_up, WallTime now) const;

  // Workers, or shards where nothing blocks.
  std::string seal_attempt(const LoginAttempt& attempt, std::string_view authority) const;
  std::optional<LoginAttempt> open_attempt(std::string_view cookie, std::string_view authority) const;
  // The cookie's value; empty: it would be too large for a browser.
  std::string open_session(SignedIn signed_in, std::string_view authority);
  std::optional<LoginSession> read_session(std::string_view cookie, std::string_view authority) const;
  // Whose cookie came with these fields, unless the session is over.
  std::optional<LoginSession> current(const http::Fields& fields, std::string_view authority, WallTime now);
  // Here at once, and for all gateways. An error: not for the others.
  Status end(const LoginSession& session);
  Status end(const LoggedOut& logged_out);
  // Of a code or state that is good once; false: it was used. Here alone: the provider knows for all.
  bool use_once(std::string_view state);

  // What is ordered and has not begun is dropped.
  void stop_renewing() noexcept { stopped_.store(true, std::memory_order_relaxed); }

  const LoginConfig& config() const noexcept { return config_; }
  const LoginParts& parts() const noexcept { return p_; }

 private:
  struct Opened {
    std::string authority, id, sid;
    PrincipalRecord principal;
    WallTime begun, said, sealed, expires;
    std::uint64_t epoch;  // of the keys that opened it
  };
  struct Renewal {
    std::string cookie;  // the newest one; empty: there is none yet
    WallTime sealed{};   // when it was made
    bool running = false;
    WallTime again{};    // not before
    WallTime expires{};  // of what is remembered
  };
  // What a cookie says, in the request's arena.
  struct Known {
    std::string_view id, sid;
    WallTime begun, said, sealed, expires;
  };

  bool know(Request& request, std::string_view cookie, Known& known);
  bool is_over(const Known& known, std::string_view user, WallTime now);
  std::string_view renewed(Request& request, std::string_view cookie, const Known& known);
  void renew(const std::string& cookie, const std::string& authority);
  Result<std::pair<std::string, WallTime>> renew_session(LoginSession session, const std::string& authority);
  Result<SignedIn> ask_again(std::string_view refresh_token) const;
  // With the time at which it was sealed.
  Result<std::pair<std::string, WallTime>> resealed(LoginSession& session, const std::string& authority) const;
  bool is_paused(WallTime now) const noexcept;
  void renewal_over(const std::string& id, std::string cookie, WallTime sealed, bool refused);
  bool make_room(WallTime now);
  std::string seal(LoginSession& session, std::string_view authority) const;
  WallTime expiry(WallTime begun, WallTime sealed) const noexcept;
  void remember_end(std::string_view kind, std::string_view id);
  bool ended_here(std::string_view kind, std::string_view id, WallTime begun, WallTime now);
  std::string associated(std::string_view what, std::string_view authority) const;
  std::string authorization_url(const ProviderMetadata& provider, const LoginAttempt& attempt,
                                std::string_view authority, const StepUp* step_up) const;

  const LoginConfig config_;
  const LoginParts p_;
  BoundedCache<Opened> opened_{kOpenedMax};
  BoundedCache<WallTime> ended_{kEndedMax};  // by kind and id: when
  std::atomic<bool> any_ended_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<WallTime::rep> provider_pause_{0};  // no renewals until then: the provider did not answer
  std::mutex mutex_;                              // over renewals_ and next_sweep_
  WallTime next_sweep_{};
  std::unordered_map<std::string, Renewal> renewals_;  // by session id
};

inline constexpr std::string_view kCallbackPath = "/.gatehouse/callback";
std::string redirect_uri(std::string_view authority);

}  // namespace gatehouse::gateway
