#pragma once
// Browsers that are signed in at the provider, and devices that it has seen before.
//
// A browser holds 256 random bits in the cookie `__Host-gatehouse-sso`; the store has their hash. The cookie's value is
// new after every proof (start, renew), the session's id (`sid`) stays. A session ends when it wasn't used for `idle`,
// at `absolute` after it began, when it is ended, when its user is disabled or gone, or was signed out everywhere.
// Thread safety: any thread; `find` asks the store only when the session isn't remembered (kFresh) or its last use has
// to be written (once a minute); everything else blocks. While the store cannot be reached, `find` answers with what it
// remembers, until a session expires. A session that another gateway ended is over here within about a second
// (Revocations), at the latest after kFresh.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_cache.h"
#include "base/clock.h"
#include "base/result.h"
#include "identity/sessions/revocations.h"
#include "identity/users/accounts.h"
#include "store/database.h"

namespace gatehouse::identity {

// Names for `host_cookie`, `expired_cookie` and, behind "__Host-", for `cookie`.
inline constexpr std::string_view kSessionCookie = "gatehouse-sso";
inline constexpr std::string_view kDeviceCookie = "gatehouse-device";
inline constexpr std::string_view kBrowserCookie = "gatehouse-browser";

struct Session {
  std::string id;  // `sid`
  std::string user_id;
  std::int64_t auth_s = 0;    // of the last proof: `auth_time`
  std::int64_t factor_s = 0;  // of the last proof's second factor; 0: it had none
  std::string amr;            // RFC 8176, separated by spaces: "pwd otp mfa"
  std::string device;         // "Firefox on Linux"
  std::string client_ip;
  std::int64_t created_s = 0, seen_s = 0, expires_s = 0;

  bool mfa() const noexcept { return factor_s != 0; }
};
using SessionPtr = std::shared_ptr<const Session>;

// How somebody has just proved who they are.
struct Proof {
  std::string amr;
  bool mfa = false;  // a second factor was among it
};

struct StartedSession {
  Session session;
  std::string token;  // the cookie's value
};

class Sessions {
 public:
  static constexpr Duration kFresh = std::chrono::seconds(10);
  static constexpr Duration kSeenEvery = std::chrono::minutes(1);
  static constexpr std::size_t kCachedMax = 64 * 1024;
  static constexpr std::size_t kPerUserMax = 100;  // the one that was used longest ago gives way

  struct Options {
    Duration idle = std::chrono::hours(12);
    Duration absolute = std::chrono::hours(24 * 14);
  };
  Sessions(store::Database& database, Accounts& accounts, Revocations& revocations, const Clock& clock, Options options,
           std::size_t cached_max = kCachedMax);

  Result<StartedSession> start(std::string_view user_id, const Proof& proof, std::string_view device,
                               std::string_view client_ip);
  // The session of a cookie's value; null: none, or it is over.
  Result<SessionPtr> find(std::string_view token);
  // The same user has proved it again (step-up, prompt=login): another token for the same `sid`; the old one is void,
  // at other gateways within kFresh. ErrorCode::not_found: it was renewed or ended meanwhile.
  Result<StartedSession> renew(std::string_view token, const Proof& proof);

  Result<std::vector<Session>> list(std::string_view user_id);  // those that are not over; the last used first
  Result<SessionPtr> find_by_id(std::string_view sid);          // null: none, or it is over
  // Of this user only. False: there is no such session.
  Result<bool> end(std::string_view user_id, std::string_view sid);
  Result<bool> end_by_id(std::string_view sid);
  // What tokens call a user beside the user's id (pairwise subjects): before the first call of `end_all`.
  using OtherNames = std::function<Result<std::vector<std::string>>(std::string_view user_id)>;
  void other_names(OtherNames names) { other_names_ = std::move(names); }
  // Ends all of a user, or all but one (that stays signed in). How many.
  Result<std::int64_t> end_all(std::string_view user_id, std::string_view except_sid = {});

  Status remove_expired();  // now and then, a bounded number a call
  const Options& options() const noexcept { return options_; }

 private:
  struct Remembered {
    SessionPtr session;
    MonotonicTime fresh_until{};
  };
  bool is_over(const Session& session, std::int64_t now_s) const noexcept;
  Result<SessionPtr> load(const store::Bytes& hash);
  Result<SessionPtr> with_user(SessionPtr session);
  SessionPtr touch(const store::Bytes& hash, SessionPtr session, std::int64_t now_s);
  void remember(const store::Bytes& hash, SessionPtr session);
  Status end_where(store::Executor& in, std::string_view condition, store::Parameters parameters, std::int64_t& ended);

  store::Database& database_;
  Accounts& accounts_;
  Revocations& revocations_;
  const Clock& clock_;
  const Options options_;
  OtherNames other_names_;
  BoundedCache<Remembered> remembered_;
};

// A browser from which a user has signed in before: the cookie `__Host-gatehouse-device`. It spares its owner the
// delays that strangers' failures bring (users/throttle.h), the notice of a new device, and, when its owner said so,
// the second factor. A browser has one cookie, and may be known for several users.
struct Device {
  std::string id;  // to name it in a list; not the cookie
  std::string label;
  std::int64_t skips_factor_until_s = 0;  // "remember this device"
  std::int64_t created_s = 0, seen_s = 0, expires_s = 0;
};

class Devices {
 public:
  static constexpr Duration kKnown = std::chrono::hours(24 * 180);
  static constexpr std::size_t kPerUserMax = 50;

  // `remember`: how long a device may skip the second factor.
  Devices(store::Database& database, const Clock& clock, Duration remember = std::chrono::hours(24 * 30))
      : database_(database), clock_(clock), remember_(remember) {}

  // What this user has of this browser; nullopt: not known.
  Result<std::optional<Device>> find(std::string_view user_id, std::string_view cookie);
  // After a completed login. The cookie's value, the given one if it is good. `skips_factor` only ever after a second
  // factor; false leaves what an earlier login said.
  Result<std::string> know(std::string_view user_id, std::string_view cookie, std::string_view label,
                           bool skips_factor);
  Result<std::vector<Device>> list(std::string_view user_id);
  Result<bool> forget(std::string_view user_id, std::string_view device_id);
  Status forget_all(std::string_view user_id);
  Duration remember() const noexcept { return remember_; }
  Status remove_expired();

 private:
  store::Database& database_;
  const Clock& clock_;
  const Duration remember_;
};

// "Firefox on Linux", from the User-Agent field; "unknown browser" when it says nothing known.
std::string device_label(std::string_view user_agent);

}  // namespace gatehouse::identity
