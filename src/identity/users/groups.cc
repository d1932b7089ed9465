#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "identity/ids.h"
#include "identity/seconds.h"
#include "identity/users/accounts.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kNameBytesMax = 64, kDescriptionBytesMax = 512;

tl::unexpected<Error> no_group() { return fail(ErrorCode::not_found, "no such group", ErrorSource::downstream); }

Status done(Result<store::Rows> rows) {
  if (!rows) return tl::unexpected(std::move(rows.error()));
  return {};
}

}  // namespace

bool is_role(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-:/").find(c) != std::string_view::npos;
  });
}

bool is_group_name(std::string_view text) noexcept { return !text.empty() && is_plain_text(text, kNameBytesMax); }

Result<Group> Groups::create(std::string_view name, std::string_view description) {
  if (!is_group_name(name) || !is_plain_text(description, kDescriptionBytesMax)) {
    return fail(ErrorCode::invalid, "a group's name has 1 to 64 bytes, its description 512 at most",
                ErrorSource::downstream);
  }
  const WallTime now = clock_.wall();
  Group group{new_id(now), std::string(name), std::string(description), {}, 0, seconds_of(now)};
  const auto made = database_.run(
      "INSERT INTO groups (id, name, description, created_at) SELECT $1, $2, $3, $4 "
      "WHERE (SELECT COUNT(*) FROM groups) < $5",
      {group.id, group.name, group.description, group.created_s, kGroupsMax});
  if (!made && made.error().code == ErrorCode::conflict) {
    return fail(ErrorCode::conflict, "there is a group of that name", ErrorSource::downstream);
  }
  if (!made) return tl::unexpected(made.error());
  if (made->changed == 0) return fail(ErrorCode::exhausted, "there are as many groups as there may be");
  return group;
}

Result<std::vector<Group>> Groups::list() {
  const auto rows = database_.run(
      "SELECT g.id, g.name, g.description, g.created_at, COUNT(m.user_id) FROM groups g "
      "LEFT JOIN group_members m ON m.group_id = g.id GROUP BY g.id, g.name, g.description, g.created_at "
      "ORDER BY g.name");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> by_id;
  for (const store::Row& row : rows->rows) {
    by_id.emplace(row[0].text(), groups.size());
    groups.push_back({row[0].text(), row[1].text(), row[2].text(), {}, row[4].integer(), row[3].integer()});
  }
  const auto roles = database_.run("SELECT group_id, role FROM group_roles ORDER BY role");
  if (!roles) return tl::unexpected(roles.error());
  for (const store::Row& row : roles->rows) {
    if (const auto at = by_id.find(row[0].text()); at != by_id.end()) groups[at->second].roles.push_back(row[1].text());
  }
  return groups;
}

Result<std::optional<Group>> Groups::find(std::string_view name) {
  const auto rows = database_.run(
      "SELECT g.id, g.name, g.description, g.created_at, (SELECT COUNT(*) FROM group_members m WHERE m.group_id = "
      "g.id) "
      "FROM groups g WHERE g.name = $1",
      {name});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  const store::Row& row = rows->rows[0];
  Group group{row[0].text(), row[1].text(), row[2].text(), {}, row[4].integer(), row[3].integer()};
  const auto roles = database_.run("SELECT role FROM group_roles WHERE group_id = $1 ORDER BY role", {group.id});
  if (!roles) return tl::unexpected(roles.error());
  for (const store::Row& role : roles->rows) group.roles.push_back(role[0].text());
  return group;
}

Result<std::string> Groups::id_of(std::string_view name) {
  const auto rows = database_.run("SELECT id FROM groups WHERE name = $1", {name});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return no_group();
  return rows->rows[0][0].text();
}

Status Groups::remove(std::string_view name) {
  const auto rows = database_.run("DELETE FROM groups WHERE name = $1", {name});
  accounts_.forget_all();
  if (!rows) return tl::unexpected(rows.error());
  if (rows->changed == 0) return no_group();
  return {};
}

Status Groups::add_member(std::string_view name, std::string_view user_id) {
  const auto group = id_of(name);
  if (!group) return tl::unexpected(group.error());
  auto rows = database_.run(
      "INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT (group_id, user_id) DO NOTHING",
      {*group, user_id});
  accounts_.forget(user_id);
  if (!rows && rows.error().code == ErrorCode::conflict) {
    return fail(ErrorCode::not_found, "no such user", ErrorSource::downstream);
  }
  return done(std::move(rows));
}

Status Groups::remove_member(std::string_view name, std::string_view user_id) {
  const auto group = id_of(name);
  if (!group) return tl::unexpected(group.error());
  auto rows = database_.run("DELETE FROM group_members WHERE group_id = $1 AND user_id = $2", {*group, user_id});
  accounts_.forget(user_id);
  return done(std::move(rows));
}

Status Groups::add_role(std::string_view name, std::string_view role) {
  if (!is_role(role))
    return fail(ErrorCode::invalid, "role: 1 to 64 of a-z A-Z 0-9 . _ - : /", ErrorSource::downstream);
  const auto group = id_of(name);
  if (!group) return tl::unexpected(group.error());
  auto rows =
      database_.run("INSERT INTO group_roles (group_id, role) VALUES ($1, $2) ON CONFLICT (group_id, role) DO NOTHING",
                    {*group, role});
  accounts_.forget_all();
  return done(std::move(rows));
}

Status Groups::remove_role(std::string_view name, std::string_view role) {
  const auto group = id_of(name);
  if (!group) return tl::unexpected(group.error());
  auto rows = database_.run("DELETE FROM group_roles WHERE group_id = $1 AND role = $2", {*group, role});
  accounts_.forget_all();
  return done(std::move(rows));
}

}  // namespace gatehouse::identity
