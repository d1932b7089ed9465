#pragma once
// Who has signed in to the dashboard: a browser has a cookie instead of the admin token, which no script can read and
// which ends by itself.
//
// A cookie's value is 256 bits of the kernel's randomness; what is kept here is its digest. A code is a cookie's value
// to be: whoever may call the API has one made, opens a link with it, and it is good for one sign-in within kCodeLife.
//
// Shard rule: the control plane's loop. Invariants: (1) at most kSessionsMax sessions and kCodesMax codes; the one that
// ends first makes room. (2) A session ends kIdle after it was last used and kAbsolute after it began.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "crypto/digest.h"

namespace gatehouse::admin {

// What somebody may do, each role all that the one before may: look at traffic; ban, and see people; the rest.
enum class Role : std::uint8_t { none, viewer, operate, administrator };
std::string_view name_of(Role role) noexcept;  // "operator"

struct Caller {
  Role role = Role::none;
  std::string name;                 // "token", "uid=0"
  bool by_cookie = false;           // a browser's session: it could have been sent here by another page
  std::optional<WallTime> expires;  // of such a session
};

class BrowserSessions {
 public:
  static constexpr std::size_t kSessionsMax = 64, kCodesMax = 16;
  static constexpr std::chrono::minutes kIdle{30}, kAbsolute{12 * 60}, kCodeLife{10};

  explicit BrowserSessions(const Clock& clock) noexcept : clock_(clock) {}

  std::string begin(Role role, std::string name);  // the cookie's value
  Caller find(std::string_view value);             // Role::none: there is no such session. It counts as used.
  void end(std::string_view value);
  void end_all();

  std::string make_code(Role role, std::string name);
  Caller redeem(std::string_view code);  // Role::none: there is no such code, or no longer
  WallTime code_ends() const noexcept { return clock_.wall() + kCodeLife; }

 private:
  struct Entry {
    crypto::Sha256 digest;
    Role role;
    std::string name;
    MonotonicTime idle_until, ends;
    MonotonicTime until() const noexcept { return std::min(idle_until, ends); }
  };
  void drop_ended(std::vector<Entry>& entries, std::size_t entries_max) const;
  static std::vector<Entry>::iterator look_up(std::vector<Entry>& entries, std::string_view value);

  const Clock& clock_;
  std::vector<Entry> sessions_, codes_;
};

}  // namespace gatehouse::admin
