// Users and groups.

#include <fmt/format.h>

#include "admin/identity/identity_api.h"
#include "admin/identity/identity_views.h"
#include "codec/form.h"

namespace gatehouse::admin {
namespace {

using codec::Form;
using codec::Json;
using identity::NewUser;
using identity::Outcome;
using identity::Profile;
using identity::User;
using identity::UserPtr;

// Reads members that are texts; the error names the one that isn't.
Status read_texts(const Json& body, std::initializer_list<std::pair<std::string_view, std::string*>> members) {
  for (const auto& [name, into] : members) {
    const Json* member = body.find(name);
    if (member == nullptr) continue;
    const auto text = member->string();
    if (!text) return fail(ErrorCode::invalid, fmt::format("'{}' must be a text.", name));
    *into = *text;
  }
  return {};
}

Status read_address(const Json& body, Profile::Address& address) {
  const Json* member = body.find("address");
  if (member == nullptr) return {};
  if (!member->is_object()) return fail(ErrorCode::invalid, "'address' must be an object.");
  if (const auto unknown =
          unknown_member(*member, {"street_address", "locality", "region", "postal_code", "country"})) {
    return fail(ErrorCode::invalid, *unknown);
  }
  return read_texts(*member, {{"street_address", &address.street_address},
                              {"locality", &address.locality},
                              {"region", &address.region},
                              {"postal_code", &address.postal_code},
                              {"country", &address.country}});
}

Status read_profile(const Json& body, Profile& profile) {
  if (Status read = read_address(body, profile.address); !read) return read;
  return read_texts(body, {{"name", &profile.name},
                           {"given_name", &profile.given_name},
                           {"family_name", &profile.family_name},
                           {"nickname", &profile.nickname},
                           {"phone_number", &profile.phone_number},
                           {"birthdate", &profile.birthdate},
                           {"locale", &profile.locale},
                           {"zoneinfo", &profile.zoneinfo},
                           {"picture", &profile.picture},
                           {"website", &profile.website},
                           {"gender", &profile.gender}});
}

Status read_list(const Json& body, std::string_view name, std::vector<std::string>& into) {
  const Json* member = body.find(name);
  if (member == nullptr) return {};
  if (!member->is_array()) return fail(ErrorCode::invalid, fmt::format("'{}' must be a list of texts.", name));
  for (const Json& one : member->items()) into.emplace_back(one.string().value_or(""));
  return {};
}

Status read_flag(const Json& body, std::string_view name, bool& into) {
  const Json* member = body.find(name);
  if (member == nullptr) return {};
  if (!member->boolean()) return fail(ErrorCode::invalid, fmt::format("'{}' must be true or false.", name));
  into = *member->boolean();
  return {};
}

}  // namespace

Answer IdentityApi::users(const Asked& asked) {
  if (asked.pieces.size() == 1) {
    if (asked.call.method == "GET") return list_users(asked);
    return asked.call.method == "POST" ? create_user(asked) : not_here("GET, POST");
  }
  auto found = find_user(asked.pieces[1]);
  if (!found) return identity_problem(found.error());
  return user(asked, **found);
}

Answer IdentityApi::list_users(const Asked& asked) {
  const auto query = Form::parse(asked.call.query);
  if (!query) return problem(400, "The query has a broken escape.");
  identity::UserFilter filter;
  for (const auto& [name, value] : query->entries()) {
    if (name == "prefix") {
      filter.username_prefix = value;
    } else if (name == "role") {
      filter.role = value;
    } else if (name == "group") {
      filter.group = value;
    } else if (name == "after") {
      filter.after_username = value;
    } else if (name == "state") {
      filter.state = identity::parse_user_state(value);
      if (!filter.state) return problem(400, "'state' is invited, active or disabled.");
    } else if (name != "limit") {
      return problem(400, fmt::format("'{}' is no parameter: prefix, role, group, state, after and limit are.", name));
    }
  }
  auto limit = limit_of(*query, filter.limit, identity::Accounts::kLimitMax);
  if (!limit) return identity_problem(limit.error());
  filter.limit = *limit;
  auto list = p_.accounts.list(filter);
  return list ? identity_json(users_json(*list)) : identity_problem(list.error());
}

Answer IdentityApi::create_user(const Asked& asked) {
  if (const auto unknown =
          unknown_member(asked.body, {"username", "email", "email_verified", "password", "roles", "groups", "name",
                                      "given_name", "family_name", "nickname", "phone_number", "birthdate", "locale",
                                      "zoneinfo", "picture", "website", "gender", "address"}))
    return problem(400, *unknown);
  NewUser wanted;
  std::string password;
  Status read = read_texts(asked.body,
                           {{"username", &wanted.username}, {"email", &wanted.profile.email}, {"password", &password}});
  if (read) read = read_profile(asked.body, wanted.profile);
  if (read) read = read_flag(asked.body, "email_verified", wanted.email_verified);
  if (!read) return identity_problem(read.error());
  std::vector<std::string> groups;
  if (read = read_list(asked.body, "roles", wanted.roles); read) read = read_list(asked.body, "groups", groups);
  // Before anything is made: half of what was asked for is worse than nothing.
  for (const std::string& group : groups) {
    auto found = read ? p_.groups.find(group) : Result<std::optional<identity::Group>>(std::nullopt);
    if (!found) return identity_problem(found.error());
    if (read && !*found) read = fail(ErrorCode::invalid, fmt::format("There is no group {}.", group));
  }
  if (!read) return identity_problem(read.error());
  if (password.empty()) {
    auto invited = p_.registration.invite(wanted, asked.actor);
    if (!invited) return identity_problem(invited.error());
    return into_groups(asked, invited->user, groups, invited->link);
  }
  User owner;
  owner.username = wanted.username;
  owner.profile = wanted.profile;
  if (const auto bad = p_.passwords.judge(password, &owner); bad != identity::PasswordProblem::none)
    return problem(400, fmt::format("This password will not do: {}.", name_of(bad)));
  auto hash = p_.passwords.hash(password);
  if (!hash) return identity_problem(hash.error());
  wanted.password_hash = std::move(*hash);
  wanted.state = identity::UserState::active;
  auto created = p_.accounts.create(wanted);
  p_.audit.record(asked.actor, "user.create", created ? "user:" + (*created)->id : std::string(),
                  created ? Outcome::ok : Outcome::refused, {{"username", wanted.username}});
  return created ? into_groups(asked, *created, groups, {}) : identity_problem(created.error());
}

Answer IdentityApi::into_groups(const Asked& asked, const UserPtr& user, const std::vector<std::string>& groups,
                                std::string_view link) {
  for (const std::string& group : groups) {
    const Status status = p_.groups.add_member(group, user->id);
    Answer answer = done(asked, "group.member.add", "group:" + group, status, {{"user", user->id}});
    if (!status) return answer;
  }
  auto now = p_.accounts.find(user->id);
  return identity_json(user_json(now && *now ? **now : *user, link), 201);
}

Answer IdentityApi::user(const Asked& asked, const User& user) {
  const std::string& method = asked.call.method;
  const std::string target = "user:" + user.id;
  if (asked.pieces.size() == 2) {
    if (method == "GET") return identity_json(user_json(user));
    if (method == "PATCH") return change_user(asked, user);
    if (method != "DELETE") return not_here("GET, PATCH, DELETE");
    if (auto ended = p_.sessions.end_all(user.id); !ended) return identity_problem(ended.error());
    return done(asked, "user.remove", target, p_.accounts.remove(user.id), {{"username", user.username}});
  }
  const std::string& what = asked.pieces[2];
  if (what == "roles" && asked.pieces.size() == 4) return user_role(asked, user);
  if (what == "factors" && asked.pieces.size() <= 4) return user_factors(asked, user);
  if (what == "logins" && asked.pieces.size() == 3) return user_logins(asked, user);
  if (what == "sessions" && asked.pieces.size() == 3) return end_sessions_of(asked, user);
  if (what == "invitation" && asked.pieces.size() == 3) {
    if (method != "POST") return not_here("POST");
    auto invited = p_.registration.invite_again(user.id, asked.actor);
    if (!invited) return identity_problem(invited.error());
    return identity_json(user_json(*invited->user, invited->link));
  }
  return nothing_here();
}

Answer IdentityApi::change_user(const Asked& asked, const User& user) {
  if (const auto unknown =
          unknown_member(asked.body, {"username", "email", "email_verified", "password", "state", "name", "given_name",
                                      "family_name", "nickname", "phone_number", "birthdate", "locale", "zoneinfo",
                                      "picture", "website", "gender", "address"}))
    return problem(400, *unknown);
  std::string username, email = user.profile.email, password, state;
  Profile profile = user.profile;
  bool verified = user.email_verified;
  Status status =
      read_texts(asked.body, {{"username", &username}, {"email", &email}, {"password", &password}, {"state", &state}});
  if (status) status = read_profile(asked.body, profile);
  if (status) status = read_flag(asked.body, "email_verified", verified);
  if (!status) return identity_problem(status.error());
  const auto new_state = identity::parse_user_state(state.empty() ? name_of(user.state) : state);
  if (!new_state) return problem(400, "'state' is invited, active or disabled.");
  if (!username.empty() && username != user.username) status = p_.accounts.set_username(user.id, username);
  if (status && (email != user.profile.email || verified != user.email_verified))
    status = p_.accounts.set_email(
        user.id, email, verified && (email == user.profile.email || asked.body.find("email_verified") != nullptr));
  profile.email = email;
  if (status && profile != user.profile) status = p_.accounts.set_profile(user.id, profile);
  if (status && !password.empty()) {
    status = p_.passwords.set(user.id, password);
    if (status) {
      if (auto ended = p_.sessions.end_all(user.id); !ended) status = tl::unexpected(ended.error());
    }
  }
  if (status && *new_state != user.state) {
    status = p_.accounts.set_state(user.id, *new_state);
    if (status && *new_state != identity::UserState::active) {
      if (auto ended = p_.sessions.end_all(user.id); !ended) status = tl::unexpected(ended.error());
    }
  }
  Answer answer = done(asked, "user.change", "user:" + user.id, status,
                       {{"password", password.empty() ? "unchanged" : "changed"}, {"state", name_of(*new_state)}});
  if (!status) return answer;
  auto now = p_.accounts.find(user.id);
  return now && *now ? identity_json(user_json(**now)) : answer;
}

Answer IdentityApi::user_role(const Asked& asked, const User& user) {
  const std::string& role = asked.pieces[3];
  const std::string target = "user:" + user.id;
  if (asked.call.method == "PUT")
    return done(asked, "user.role.add", target, p_.accounts.add_role(user.id, role), {{"role", role}});
  if (asked.call.method == "DELETE")
    return done(asked, "user.role.remove", target, p_.accounts.remove_role(user.id, role), {{"role", role}});
  return not_here("PUT, DELETE");
}

Answer IdentityApi::user_factors(const Asked& asked, const User& user) {
  const std::string target = "user:" + user.id;
  if (asked.call.method == "GET" && asked.pieces.size() == 3) {
    auto factors = p_.factors.of_user(user.id);
    return factors ? identity_json(factors_json(*factors)) : identity_problem(factors.error());
  }
  if (asked.call.method != "DELETE") return not_here(asked.pieces.size() == 3 ? "GET, DELETE" : "DELETE");
  Status status;
  if (asked.pieces.size() == 4) {
    auto removed = p_.factors.remove(user.id, asked.pieces[3]);
    if (!removed) status = tl::unexpected(removed.error());
    if (removed && !*removed) status = fail(ErrorCode::not_found, "This user has no such factor.");
    return done(asked, "factor.remove", target, status, {{"factor", asked.pieces[3]}});
  }
  // Who has lost everything begins anew; devices that skip the factor are no way around that.
  auto removed = p_.factors.remove_all(user.id);
  if (!removed) status = tl::unexpected(removed.error());
  if (status) status = p_.devices.forget_all(user.id);
  return done(asked, "factor.remove_all", target, status);
}

Answer IdentityApi::user_logins(const Asked& asked, const User& user) {
  if (asked.call.method == "GET") {
    auto logins = p_.logins.list(user.id);
    return logins ? identity_json(logins_json(*logins)) : identity_problem(logins.error());
  }
  if (asked.call.method != "DELETE") return not_here("GET, DELETE");
  const auto removed = p_.logins.unlink_all(user.id);
  return done(asked, "login.unlink_all", "user:" + user.id, removed ? Status{} : tl::unexpected(removed.error()));
}

// Groups

Answer IdentityApi::groups(const Asked& asked) {
  const std::string& method = asked.call.method;
  if (asked.pieces.size() == 1) {
    if (method == "POST") return create_group(asked);
    if (method != "GET") return not_here("GET, POST");
    auto list = p_.groups.list();
    return list ? identity_json(groups_json(*list)) : identity_problem(list.error());
  }
  const std::string& name = asked.pieces[1];
  if (asked.pieces.size() == 2) {
    if (method == "DELETE") return done(asked, "group.remove", "group:" + name, p_.groups.remove(name));
    if (method != "GET") return not_here("GET, DELETE");
    auto group = p_.groups.find(name);
    if (!group) return identity_problem(group.error());
    return *group ? identity_json(group_json(**group)) : problem(404, fmt::format("There is no group {}.", name));
  }
  return asked.pieces.size() == 4 ? group_member(asked) : nothing_here();
}

Answer IdentityApi::create_group(const Asked& asked) {
  if (const auto unknown = unknown_member(asked.body, {"name", "description"})) return problem(400, *unknown);
  std::string name, description;
  if (Status read = read_texts(asked.body, {{"name", &name}, {"description", &description}}); !read)
    return identity_problem(read.error());
  auto created = p_.groups.create(name, description);
  const Status status = created ? Status{} : tl::unexpected(created.error());
  Answer answer = done(asked, "group.create", "group:" + name, status);
  return created ? identity_json(group_json(*created), 201) : answer;
}

Answer IdentityApi::group_member(const Asked& asked) {
  const std::string& name = asked.pieces[1];
  const std::string& kind = asked.pieces[2];
  const bool add = asked.call.method == "PUT";
  if (kind != "members" && kind != "roles") return nothing_here();
  if (!add && asked.call.method != "DELETE") return not_here("PUT, DELETE");
  const std::string target = "group:" + name;
  if (kind == "roles") {
    const std::string& role = asked.pieces[3];
    return done(asked, add ? "group.role.add" : "group.role.remove", target,
                add ? p_.groups.add_role(name, role) : p_.groups.remove_role(name, role), {{"role", role}});
  }
  auto member = find_user(asked.pieces[3]);
  if (!member) return identity_problem(member.error());
  return done(asked, add ? "group.member.add" : "group.member.remove", target,
              add ? p_.groups.add_member(name, (*member)->id) : p_.groups.remove_member(name, (*member)->id),
              {{"user", (*member)->id}});
}

}  // namespace gatehouse::admin
