#include "identity/users/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "crypto/digest.h"
#include "crypto/keyed_hash.h"
#include "identity/ids.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/store_errors.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kColumns =
    "u.id, u.username, u.state, u.password_at, u.profile_sealed, u.version, u.email_verified, u.sessions_after_at, "
    "u.created_at, u.updated_at";
// How long what is remembered may serve while the store is gone.
constexpr Duration kStaleMax = std::chrono::hours(24);

void sort_and_unify(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

tl::unexpected<Error> no_user() { return fail(ErrorCode::not_found, "no such user", ErrorSource::downstream); }

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::invalid, std::move(message), ErrorSource::downstream);
}

Status check_username(std::string_view username, std::string_view email) {
  if (username.find('@') != std::string_view::npos && username != email_key(email)) {
    return invalid("username: one with @ has to be the user's own address");
  }
  return {};
}

// `%` and `_` of LIKE as themselves.
std::string like_prefix(std::string_view prefix) {
  std::string pattern;
  for (const char c : prefix) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + '%';
}

}  // namespace

std::string_view name_of(UserState state) noexcept {
  switch (state) {
    case UserState::invited: return "invited";
    case UserState::active: return "active";
    case UserState::disabled: break;
  }
  return "disabled";
}

std::optional<UserState> parse_user_state(std::string_view name) noexcept {
  for (const UserState state : {UserState::invited, UserState::active, UserState::disabled}) {
    if (name_of(state) == name) return state;
  }
  return std::nullopt;
}

bool User::has_role(std::string_view role) const noexcept {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

Accounts::Accounts(store::Database& database, secrets::Keyring& keyring, const Clock& clock, std::size_t cached_max)
    : database_(database),
      keyring_(keyring),
      clock_(clock),
      email_key_(keyring.derive("e-mail index")),
      remembered_(cached_max) {}

store::Value Accounts::email_hash(std::string_view email) const {
  if (email.empty()) return {};
  const crypto::Sha256 hash = crypto::hmac_sha256(email_key_.expose(), email_key(email));
  return store::Bytes{std::string(crypto::as_text(hash))};
}

// --- Reading ---

Result<std::shared_ptr<User>> Accounts::read(const store::Row& row) {
  auto user = std::make_shared<User>();
  user->id = row[0].text();
  user->username = row[1].text();
  user->state = parse_user_state(row[2].text()).value_or(UserState::disabled);
  user->password_at_s = row[3].integer();
  user->has_password = user->password_at_s != 0;
  user->email_verified = row[6].integer() != 0;
  user->sessions_after_s = row[7].integer();
  user->created_s = row[8].integer();
  user->updated_s = row[9].integer();
  user->version = static_cast<std::uint64_t>(row[5].integer());
  auto plain = keyring_.open(kUserProfile.path(user->id), user->version, row[4].bytes());
  if (!plain) return tl::unexpected(std::move(plain.error()).while_("reading a user"));
  auto profile = profile_from_form(plain->expose());
  if (!profile) return fail(ErrorCode::internal, "a stored profile does not parse");
  user->profile = std::move(*profile);
  return user;
}

Status Accounts::add_memberships(std::vector<std::shared_ptr<User>>& users) {
  if (users.empty()) return {};
  // Of a few sizes only, so that there are few statements to keep prepared.
  const std::size_t slots = users.size() == 1 ? 1 : users.size() <= 50 ? 50 : kLimitMax;
  std::unordered_map<std::string_view, User*> by_id;
  store::Parameters ids;
  std::string list;
  for (std::size_t i = 0; i < slots; ++i) {
    User& user = *users[std::min(i, users.size() - 1)];
    by_id[user.id] = &user;
    ids.emplace_back(user.id);
    list += fmt::format("{}${}", i == 0 ? "" : ", ", i + 1);
  }
  const auto rows = database_.run(
      fmt::format("SELECT user_id, 'own', role FROM user_roles WHERE user_id IN ({0}) "
                  "UNION ALL SELECT m.user_id, 'group', g.name FROM group_members m JOIN groups g ON g.id = m.group_id "
                  "WHERE m.user_id IN ({0}) "
                  "UNION ALL SELECT m.user_id, 'role', r.role FROM group_members m JOIN group_roles r "
                  "ON r.group_id = m.group_id WHERE m.user_id IN ({0})",
                  list),
      ids);
  if (!rows) return tl::unexpected(rows.error());
  for (const store::Row& row : rows->rows) {
    const auto found = by_id.find(row[0].text());
    if (found == by_id.end()) continue;
    User& user = *found->second;
    if (row[1].text() == "group") {
      user.groups.push_back(row[2].text());
      continue;
    }
    if (row[1].text() == "own") user.own_roles.push_back(row[2].text());
    user.roles.push_back(row[2].text());
  }
  for (const auto& user : users) {
    for (std::vector<std::string>* names : {&user->own_roles, &user->roles, &user->groups}) sort_and_unify(*names);
  }
  return {};
}

Result<std::vector<UserPtr>> Accounts::load(std::string_view conditions, const store::Parameters& parameters) {
  const auto rows = database_.run(fmt::format("SELECT {} FROM users u WHERE {}", kColumns, conditions), parameters);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::shared_ptr<User>> users;
  for (const store::Row& row : rows->rows) {
    auto user = read(row);
    if (!user) return tl::unexpected(std::move(user.error()));
    users.push_back(std::move(*user));
  }
  if (auto added = add_memberships(users); !added) return tl::unexpected(std::move(added.error()));
  return std::vector<UserPtr>(users.begin(), users.end());
}

Result<UserPtr> Accounts::load_one(std::string_view condition, store::Value value) {
  const std::uint64_t epoch = epoch_.load(), generation = generation_.load();
  auto users = load(condition, {std::move(value)});
  if (!users) return tl::unexpected(std::move(users.error()));
  if (users->empty()) return UserPtr();
  remember(users->front(), epoch, generation);
  return users->front();
}

void Accounts::remember(const UserPtr& user, std::uint64_t epoch, std::uint64_t generation) {
  const std::uint64_t hash = crypto::keyed_hash(user->id);
  const WallTime now = clock_.wall();
  remembered_.insert(hash, user->id, now, now + kStaleMax, {user, clock_.now() + kFresh, generation});
  // Somebody changed a user while we read: it may have been this one, before our reading of it was put here.
  if (epoch_.load() != epoch) remembered_.erase(hash, user->id);
}

UserPtr Accounts::cached(std::string_view id) {
  UserPtr user;
  remembered_.find(crypto::keyed_hash(id), id, clock_.wall(), [&](const Remembered& known) {
    if (known.fresh_until > clock_.now() && known.generation == generation_.load()) user = known.user;
  });
  return user;
}

Result<UserPtr> Accounts::find(std::string_view id) {
  if (UserPtr user = cached(id)) return user;
  auto loaded = load_one("u.id = $1", id);
  if (loaded && !*loaded) remembered_.erase(crypto::keyed_hash(id), id);
  if (loaded || !store_is_gone(loaded.error())) return loaded;
  UserPtr stale;
  remembered_.find(crypto::keyed_hash(id), id, clock_.wall(), [&](const Remembered& known) { stale = known.user; });
  if (!stale) return loaded;
  remember(stale, epoch_.load(), generation_.load());  // and don't wait for the store with every request
  return stale;
}

Result<UserPtr> Accounts::find_by_username(std::string_view username) {
  const auto normal = normal_username(username);
  if (!normal) return UserPtr();
  return load_one("u.username = $1", *normal);
}

Result<UserPtr> Accounts::find_by_email(std::string_view email) {
  const auto normal = normal_email(email);
  if (!normal) return UserPtr();
  return load_one("u.email_hash = $1", email_hash(*normal));
}

Result<UserPtr> Accounts::find_by_login(std::string_view text) {
  auto user = find_by_username(text);
  if (!user || *user) return user;
  user = find_by_email(text);
  if (user && *user && !(*user)->email_verified) return UserPtr();
  return user;
}

Result<std::optional<StoredPassword>> Accounts::password_by_login(std::string_view text) {
  const auto look = [&](std::string_view condition, store::Value value) -> Result<std::optional<StoredPassword>> {
    const auto rows = database_.run(fmt::format("SELECT id, state, password FROM users WHERE {}", condition), {value});
    if (!rows) return tl::unexpected(rows.error());
    const store::Row* const row = rows->first();
    if (row == nullptr) return std::nullopt;
    return StoredPassword{(*row)[0].text(), parse_user_state((*row)[1].text()).value_or(UserState::disabled),
                          (*row)[2].text()};
  };
  if (const auto username = normal_username(text)) {
    auto found = look("username = $1", *username);
    if (!found || *found) return found;
  }
  if (const auto email = normal_email(text)) return look("email_hash = $1 AND email_verified = 1", email_hash(*email));
  return std::nullopt;
}

Result<std::optional<StoredPassword>> Accounts::password_of(std::string_view id) {
  const auto rows = database_.run("SELECT state, password FROM users WHERE id = $1", {id});
  if (!rows) return tl::unexpected(rows.error());
  const store::Row* const row = rows->first();
  if (row == nullptr) return std::nullopt;
  return StoredPassword{std::string(id), parse_user_state((*row)[0].text()).value_or(UserState::disabled),
                        (*row)[1].text()};
}

Result<std::vector<UserPtr>> Accounts::list(const UserFilter& filter) {
  store::Parameters values;
  std::string conditions = "1 = 1";
  const auto demand = [&](std::string_view condition, store::Value value) {
    values.push_back(std::move(value));
    conditions += " AND " + fmt::format(fmt::runtime(condition), fmt::format("${}", values.size()));
  };
  if (!filter.username_prefix.empty()) {
    demand("u.username LIKE {} ESCAPE '\\'", like_prefix(ascii_lower(filter.username_prefix)));
  }
  if (filter.state) demand("u.state = {}", name_of(*filter.state));
  if (!filter.group.empty()) {
    demand("u.id IN (SELECT m.user_id FROM group_members m JOIN groups g ON g.id = m.group_id WHERE g.name = {})",
           filter.group);
  }
  if (!filter.role.empty()) {
    demand(
        "u.id IN (SELECT user_id FROM user_roles WHERE role = {0} UNION SELECT m.user_id FROM group_members m "
        "JOIN group_roles r ON r.group_id = m.group_id WHERE r.role = {0})",
        filter.role);
  }
  if (!filter.after_username.empty()) demand("u.username > {}", filter.after_username);
  values.emplace_back(std::clamp<std::size_t>(filter.limit, 1, kLimitMax));
  return load(fmt::format("{} ORDER BY u.username LIMIT ${}", conditions, values.size()), values);
}

Result<std::int64_t> Accounts::count() {
  const auto rows = database_.run("SELECT COUNT(*) FROM users");
  if (!rows) return tl::unexpected(rows.error());
  return rows->rows.at(0).at(0).integer();
}

// --- Changing ---

Result<std::string> Accounts::create(store::Executor& in, const NewUser& wanted) {
  auto username = normal_username(wanted.username);
  if (!username) return invalid("username: 1 to 128 of a-z 0-9 . _ - + @, a letter or digit at both ends");
  Profile profile = wanted.profile;
  if (auto good = check_profile(profile); !good) return tl::unexpected(std::move(good.error()));
  if (auto good = check_username(*username, profile.email); !good) return tl::unexpected(std::move(good.error()));
  const WallTime now = clock_.wall();
  std::string id = new_id(now);
  auto sealed = keyring_.seal(kUserProfile.path(id), 1, to_form(profile));
  if (!sealed) return tl::unexpected(std::move(sealed.error()));
  const std::int64_t now_s = seconds_of(now);
  const bool has_password = !wanted.password_hash.empty();
  auto made = in.run(
      "INSERT INTO users (id, username, state, password, password_at, profile_sealed, version, email_hash, "
      "email_verified, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $9)",
      {id, *username, name_of(wanted.state), has_password ? store::Value(wanted.password_hash) : store::Value(),
       has_password ? now_s : 0, store::Bytes{std::move(*sealed)}, email_hash(profile.email),
       wanted.email_verified && !profile.email.empty() ? 1 : 0, now_s});
  if (!made && made.error().code == ErrorCode::conflict) {
    return fail(ErrorCode::conflict, "the username or the address is taken", ErrorSource::downstream);
  }
  if (!made) return tl::unexpected(std::move(made.error()));
  for (const std::string& role : wanted.roles) {
    if (!is_role(role)) return invalid(fmt::format("roles: not a role: {}", as_plain_text(role, 64)));
    auto given = in.run("INSERT INTO user_roles (user_id, role) VALUES ($1, $2) ON CONFLICT (user_id, role) DO NOTHING",
                        {id, role});
    if (!given) return tl::unexpected(std::move(given.error()));
  }
  return id;
}

Result<UserPtr> Accounts::create(const NewUser& wanted) {
  std::string id;
  auto done = database_.transact([&](store::Executor& tx) -> Status {
    auto made = create(tx, wanted);
    if (!made) return tl::unexpected(std::move(made.error()));
    id = std::move(*made);
    return {};
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return find(id);
}

Status Accounts::change(std::string_view id, std::string_view sql, store::Parameters parameters) {
  auto rows = database_.run(sql, parameters);
  forget(id);  // also after an error: the change may have been made all the same
  if (!rows && rows.error().code == ErrorCode::conflict) {
    return fail(ErrorCode::conflict, "the username or the address is taken", ErrorSource::downstream);
  }
  if (!rows) return tl::unexpected(std::move(rows.error()));
  if (rows->changed == 0) return no_user();
  return {};
}

Status Accounts::change_profile(std::string_view id, const ChangeProfile& change) {
  // Another change between our reading and our writing makes the second one read again.
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    auto before = load_one("u.id = $1", id);
    if (!before) return tl::unexpected(std::move(before.error()));
    if (!*before) return no_user();
    const std::uint64_t version = (*before)->version;
    ProfileChange changed{(*before)->profile, (*before)->email_verified};
    if (auto good = change(changed); !good) return good;
    auto sealed = keyring_.seal(kUserProfile.path(id), version + 1, to_form(changed.profile));
    if (!sealed) return tl::unexpected(std::move(sealed.error()));
    auto done = this->change(id,
                             "UPDATE users SET profile_sealed = $2, version = version + 1, email_hash = $3, "
                             "email_verified = $4, updated_at = $5 WHERE id = $1 AND version = $6",
                             {id, store::Bytes{std::move(*sealed)}, email_hash(changed.profile.email),
                              changed.email_verified ? 1 : 0, seconds_of(clock_.wall()), version});
    if (done || done.error().code != ErrorCode::not_found) return done;
  }
  return fail(ErrorCode::conflict, "the user is being changed by others");
}

Status Accounts::set_profile(std::string_view id, Profile profile) {
  if (auto good = check_profile(profile); !good) return good;
  return change_profile(id, [&](ProfileChange& change) -> Status {
    Profile next = profile;
    next.email = change.profile.email;
    next.phone_number_verified =
        change.profile.phone_number_verified && next.phone_number == change.profile.phone_number;
    change.profile = std::move(next);
    return {};
  });
}

Status Accounts::set_email(std::string_view id, std::string_view email, bool verified) {
  auto normal = email.empty() ? std::optional<std::string>("") : normal_email(email);
  if (!normal) return invalid("email: not an e-mail address");
  return change_profile(id, [&](ProfileChange& change) -> Status {
    change.profile.email = *normal;
    change.email_verified = verified && !normal->empty();
    return {};
  });
}

Status Accounts::set_phone_verified(std::string_view id, std::string_view phone_number) {
  return change_profile(id, [&](ProfileChange& change) -> Status {
    if (phone_number.empty() || change.profile.phone_number != phone_number) {
      return fail(ErrorCode::conflict, "the user has another phone number");
    }
    change.profile.phone_number_verified = true;
    return {};
  });
}

Status Accounts::set_username(std::string_view id, std::string_view username) {
  const auto normal = normal_username(username);
  if (!normal) return invalid("username: 1 to 128 of a-z 0-9 . _ - + @, a letter or digit at both ends");
  const auto user = find(id);
  if (!user) return tl::unexpected(user.error());
  if (!*user) return no_user();
  if (auto good = check_username(*normal, (*user)->profile.email); !good) return good;
  return change(id, "UPDATE users SET username = $2, updated_at = $3 WHERE id = $1",
                {id, *normal, seconds_of(clock_.wall())});
}

Status Accounts::set_state(std::string_view id, UserState state) {
  return change(id, "UPDATE users SET state = $2, updated_at = $3 WHERE id = $1",
                {id, name_of(state), seconds_of(clock_.wall())});
}

Status Accounts::set_password_hash(std::string_view id, std::string_view hash) {
  const std::int64_t now_s = seconds_of(clock_.wall());
  return change(id, "UPDATE users SET password = $2, password_at = $3, updated_at = $4 WHERE id = $1",
                {id, hash.empty() ? store::Value() : store::Value(hash), hash.empty() ? 0 : now_s, now_s});
}

Status Accounts::replace_password_hash(std::string_view id, std::string_view old_hash, std::string_view hash) {
  auto done = change(id, "UPDATE users SET password = $3 WHERE id = $1 AND password = $2", {id, old_hash, hash});
  if (!done && done.error().code == ErrorCode::not_found) return {};  // somebody has set another
  return done;
}

Status Accounts::set_sessions_after(std::string_view id, std::int64_t at_s) {
  return change(id, "UPDATE users SET sessions_after_at = $2 WHERE id = $1", {id, at_s});
}

Status Accounts::remove(std::string_view id) { return change(id, "DELETE FROM users WHERE id = $1", {id}); }

Status Accounts::add_role(std::string_view id, std::string_view role) {
  if (!is_role(role)) return invalid("role: 1 to 64 of a-z A-Z 0-9 . _ - : /");
  auto done = database_.run(
      "INSERT INTO user_roles (user_id, role) VALUES ($1, $2) ON CONFLICT (user_id, role) DO NOTHING", {id, role});
  forget(id);
  if (!done && done.error().code == ErrorCode::conflict) return no_user();  // the row that it refers to
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

Status Accounts::remove_role(std::string_view id, std::string_view role) {
  auto done = database_.run("DELETE FROM user_roles WHERE user_id = $1 AND role = $2", {id, role});
  forget(id);
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

void Accounts::forget(std::string_view id) {
  ++epoch_;
  remembered_.erase(crypto::keyed_hash(id), id);
}

void Accounts::forget_all() {
  ++epoch_;
  ++generation_;
}

}  // namespace gatehouse::identity
