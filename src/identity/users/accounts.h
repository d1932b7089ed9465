#pragma once
// Who may sign in, and what is known about them.
//
// Thread safety: any thread. `cached` never blocks for the store; `find` asks it only when the user isn't remembered;
// everything else blocks.
// A change made through this object is seen by its next `find`; one made through another gateway within kFresh. While
// the store cannot be reached, `find` goes on answering with what it remembers.
// A username with `@` is its user's own address, so that nobody takes a name that another signs in with.
// Invariants: usernames and e-mail addresses are unique in their normal form (users/profile.h). The store has the
// profile sealed; an e-mail address is found by a keyed hash.

#include <atomic>
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
#include "base/secret_bytes.h"
#include "identity/users/profile.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

enum class UserState : std::uint8_t {
  invited,  // made, has not yet chosen how to sign in
  active,
  disabled,
};
std::string_view name_of(UserState state) noexcept;
std::optional<UserState> parse_user_state(std::string_view name) noexcept;

struct User {
  std::string id;  // ULID, 26 characters in lower case: the subject that clients see
  std::string username;
  UserState state = UserState::active;
  Profile profile;
  bool email_verified = false;
  bool has_password = false;
  std::vector<std::string> own_roles;  // sorted
  std::vector<std::string> roles;      // own and those of the groups, sorted, each once: what tokens say
  std::vector<std::string> groups;     // names, sorted
  std::int64_t password_at_s = 0;
  std::int64_t sessions_after_s = 0;  // what was signed in before it is over
  std::int64_t created_s = 0, updated_s = 0;
  std::uint64_t version = 0;  // of the profile

  bool active() const noexcept { return state == UserState::active; }
  bool has_role(std::string_view role) const noexcept;
};
using UserPtr = std::shared_ptr<const User>;

struct NewUser {
  std::string username;
  Profile profile;
  bool email_verified = false;
  UserState state = UserState::invited;
  std::string password_hash = {};  // from PasswordService; empty: none yet
  std::vector<std::string> roles = {};
};

struct UserFilter {
  std::string username_prefix, role, group;  // empty: any; `group` is a name
  std::optional<UserState> state;
  std::string after_username;  // for the next page: the last username of this one
  std::size_t limit = 50;
};

// What a password is compared with.
struct StoredPassword {
  std::string user_id;
  UserState state = UserState::disabled;
  std::string hash;  // empty: none
  bool operator==(const StoredPassword&) const = default;
};

class Accounts {
 public:
  static constexpr Duration kFresh = std::chrono::seconds(10);
  static constexpr std::size_t kCachedMax = 32 * 1024;
  static constexpr std::size_t kLimitMax = 500;

  Accounts(store::Database& database, secrets::Keyring& keyring, const Clock& clock,
           std::size_t cached_max = kCachedMax);

  // ErrorCode::conflict: the username or the address is taken; invalid: which field is wrong.
  Result<UserPtr> create(const NewUser& wanted);
  // The same inside a transaction of the caller's; returns the id.
  Result<std::string> create(store::Executor& in, const NewUser& wanted);

  // Null: there is no such user. Disabled users are found: ask `active()`.
  Result<UserPtr> find(std::string_view id);
  UserPtr cached(std::string_view id);  // null: not remembered, ask `find`
  Result<UserPtr> find_by_username(std::string_view username);
  Result<UserPtr> find_by_email(std::string_view email);
  // What somebody types at the login: a username, else an e-mail address that was proved.
  Result<UserPtr> find_by_login(std::string_view text);
  Result<std::optional<StoredPassword>> password_by_login(std::string_view text);
  Result<std::optional<StoredPassword>> password_of(std::string_view id);

  Result<std::vector<UserPtr>> list(const UserFilter& filter);
  Result<std::int64_t> count();

  // All of these: ErrorCode::not_found when there is no such user.
  // The e-mail address stays what it is (`set_email` changes it), and a new phone number counts as not proved.
  Status set_profile(std::string_view id, Profile profile);
  Status set_email(std::string_view id, std::string_view email, bool verified);   // conflict: taken
  Status set_phone_verified(std::string_view id, std::string_view phone_number);  // conflict: another number by now
  Status set_username(std::string_view id, std::string_view username);            // conflict: taken
  Status set_state(std::string_view id, UserState state);
  Status set_password_hash(std::string_view id, std::string_view hash);
  // After a hash with other parameters: only if the old one is still there.
  Status replace_password_hash(std::string_view id, std::string_view old_hash, std::string_view hash);
  // What was signed in until now is over (Sessions::end_all calls this).
  Status set_sessions_after(std::string_view id, std::int64_t at_s);
  Status remove(std::string_view id);

  Status add_role(std::string_view id, std::string_view role);
  Status remove_role(std::string_view id, std::string_view role);

  // Forgets what is remembered of a user; the next `find` asks the store. For whoever changes the tables beside this
  // class: inside a transaction it must come after the commit.
  void forget(std::string_view id);
  void forget_all();

 private:
  struct Remembered {
    UserPtr user;
    MonotonicTime fresh_until{};
    std::uint64_t generation = 0;
  };
  // The stored profile as `change` left it, and what else the statement sets.
  struct ProfileChange {
    Profile profile;
    bool email_verified = false;
  };
  using ChangeProfile = std::function<Status(ProfileChange& change)>;

  Result<std::vector<UserPtr>> load(std::string_view conditions, const store::Parameters& parameters);
  Result<UserPtr> load_one(std::string_view condition, store::Value value);
  Result<std::shared_ptr<User>> read(const store::Row& row);
  Status add_memberships(std::vector<std::shared_ptr<User>>& users);
  Status change(std::string_view id, std::string_view sql, store::Parameters parameters);
  Status change_profile(std::string_view id, const ChangeProfile& change);
  store::Value email_hash(std::string_view email) const;
  void remember(const UserPtr& user, std::uint64_t epoch, std::uint64_t generation);

  store::Database& database_;
  secrets::Keyring& keyring_;
  const Clock& clock_;
  const SecretBytes email_key_;
  BoundedCache<Remembered> remembered_;
  std::atomic<std::uint64_t> epoch_{0};  // counts what was forgotten: a reading that began before is not remembered
  std::atomic<std::uint64_t> generation_{0};  // counts `forget_all`: what was remembered before is not fresh
};

// Roles are names of 1 to 64 of a-z A-Z 0-9 . _ - : /; groups 1 to 64 of any but control characters.
bool is_role(std::string_view text) noexcept;
bool is_group_name(std::string_view text) noexcept;

struct Group {
  std::string id, name, description;
  std::vector<std::string> roles;
  std::int64_t members = 0;
  std::int64_t created_s = 0;
};

// Sets of users that share roles. A user is told apart by id, a group by its name.
class Groups {
 public:
  static constexpr std::size_t kGroupsMax = 10'000;

  Groups(store::Database& database, Accounts& accounts, const Clock& clock)
      : database_(database), accounts_(accounts), clock_(clock) {}

  Result<Group> create(std::string_view name, std::string_view description);  // conflict: taken
  Result<std::optional<Group>> find(std::string_view name);
  Result<std::vector<Group>> list();  // by name
  Status remove(std::string_view name);
  Status add_member(std::string_view name, std::string_view user_id);
  Status remove_member(std::string_view name, std::string_view user_id);
  Status add_role(std::string_view name, std::string_view role);
  Status remove_role(std::string_view name, std::string_view role);

 private:
  Result<std::string> id_of(std::string_view name);

  store::Database& database_;
  Accounts& accounts_;
  const Clock& clock_;
};

}  // namespace gatehouse::identity
