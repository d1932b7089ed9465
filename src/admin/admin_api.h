#pragma once
// The admin API (docs/admin-api.yaml): status, configuration, bans, decision records, services, what
// inspection rules do and cost, metrics.
//
// Who may call: on a Unix socket root, our own user and the members of the configured group, as the kernel names them;
// on a TCP address whoever has the token, compared in constant time. Without a token a TCP address answers nobody.
// /healthz and /readyz, which say nothing but yes or no, are for everybody. Against browsers that were sent here by a
// page elsewhere: on TCP the Host must be an IP address or `localhost` (DNS rebinding needs a name), an Origin must be
// our own, what changes something must be JSON, and no CORS header is ever sent. Every change, and every refused
// caller, is a line in the program's log.
//
// The dashboard is served here as well (dashboard/). A browser signs in with the token, or with a code that somebody
// who may call has made; it then has a cookie (dashboard/browser_sessions.h), and a role. A call by cookie must come
// from a page of ours, and one that changes something must have the field `x-gatehouse-ui`, which no page elsewhere can
// send.
//
// Shard rule: the control plane's loop.

#include <functional>
#include <optional>
#include <string>

#include "admin/backend.h"
#include "admin/dashboard/browser_sessions.h"
#include "admin/live/live_feed.h"
#include "admin/service_sink.h"
#include "base/secret_bytes.h"

namespace gatehouse::admin {

struct AdminOptions {
  SecretBytes token;                     // for TCP; empty: nobody
  std::optional<std::uint32_t> group;    // whose members may use the Unix socket
  std::optional<std::uint32_t> own_uid;  // default: the effective user at the time of the call
  const Clock* clock = &SystemClock::instance();
};

class AdminApi final : public Service {
 public:
  AdminApi(AdminBackend& backend, AdminOptions options) noexcept
      : backend_(backend), options_(std::move(options)), sessions_(*options_.clock) {}

  bool admits(const Call& call, Answer& refusal) override;
  void answer(const Call& call, const Reply& reply) override;
  // What blocks, and is called off this loop. `run` is false when it cannot be run now. Nothing here: those paths do
  // not exist.
  struct BlockingPart {
    std::function<Answer(const Call&)> answer;
    std::function<bool(std::function<void()> work)> run;   // somewhere else
    std::function<void(std::function<void()> work)> back;  // on this loop
  };
  void use_identity(BlockingPart part) { identity_ = std::move(part); }  // users, clients, sessions
  void use_events(BlockingPart part) { events_ = std::move(part); }      // what was kept
  // Who has to know of every call that changes something, before it is done and after. `before` calls `go` at once or
  // later, from any thread: with an error the call is answered 503, and nothing is done.
  struct ActGuard {
    std::function<void(const Call&, std::function<void(const Status&)> go)> before;
    std::function<void(const Call&, int status)> after;
    std::function<void(std::function<void()> work)> back;  // on this loop
  };
  void use_guard(ActGuard guard) { guard_ = std::move(guard); }
  void use_token(SecretBytes token);                // after a reload; another one ends what began with the one before
  void use_live(LiveFeed& live) { live_ = &live; }  // it outlives this

 private:
  void act(const Call& call, const Reply& reply);
  void answer_admitted(const Call& call, const Reply& reply);
  Caller caller_of(const Call& call);
  bool comes_from_here(const Call& call, Answer& refusal) const;
  Answer session(const Call& call);
  Answer sign_in(const Call& call);
  Answer sign_out(const Call& call);
  Answer make_code(const Call& call);
  Answer traffic(const Call& call);
  Answer live(const Call& call);
  Answer answer_at_once(const Call& call);
  void answer_elsewhere(const BlockingPart& part, const Call& call, const Reply& reply);
  Answer status();
  void reload(const Call& call, const Reply& reply);
  void rollback(const Call& call, const Reply& reply);
  Answer list_bans();
  Answer add_ban(const Call& call);
  Answer remove_ban(const Call& call);
  Answer list_requests(const Call& call);
  void find_request(const Call& call, const Reply& reply);
  Answer services();
  Answer reasons(const Call& call);
  Answer waf_stats(const Call& call);

  AdminBackend& backend_;
  AdminOptions options_;
  BlockingPart identity_, events_;
  BrowserSessions sessions_;
  LiveFeed* live_ = nullptr;
  ActGuard guard_;
};

// "250ms", "10s", "5m", "24h", "7d"; nullopt for anything else, zero, and more than a year.
std::optional<Duration> parse_ban_duration(std::string_view text) noexcept;

}  // namespace gatehouse::admin
