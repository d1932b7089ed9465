// gatehouse user, session

#include <fmt/format.h>

#include <cstdio>

#include "admin/members.h"
#include "app/commands/identity_calls.h"
#include "app/commands/identity_commands.h"
#include "app/commands/printed_table.h"
#include "base/secret_bytes.h"
#include "codec/form.h"

namespace gatehouse::app {
namespace {

using codec::Json;

constexpr std::size_t kPasswordBytesMax = 4096;

std::string user_path(const UserOptions& options) { return "/v1/users/" + piece(options.user); }

// The first line of standard input.
std::string read_password() {
  std::string line;
  for (int c = std::getchar(); c != EOF && c != '\n' && line.size() <= kPasswordBytesMax; c = std::getchar())
    line += static_cast<char>(c);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// What of a user's own is told. `is_new`: by its names when it is made.
std::string user_body(const UserOptions& options, bool is_new) {
  std::string body;
  codec::JsonWriter json(body);
  {
    admin::Members members(json);
    const auto text = [&](std::string_view name, const std::string& value) {
      if (!value.empty()) members.text(name, value);
    };
    text("username", is_new ? options.user : options.username);
    text("email", options.email);
    text("name", options.name);
    text("phone_number", options.phone);
    text("locale", options.locale);
    if (options.email_verified) members.boolean("email_verified", true);
    if (options.password_stdin) members.text("password", read_password());
    if (is_new && !options.roles.empty()) members.texts("roles", options.roles);
    if (is_new && !options.groups.empty()) members.texts("groups", options.groups);
  }
  json.flush();
  return body;
}

void add_invitation(const Json& user, PrintedText& text) {
  const std::string_view link = text_of(user, "invitation");
  if (link.empty()) return;
  text.literal("whoever opens this link becomes that user, once (it was mailed, too, if that could be done):\n  ");
  text.strong(link).literal("\n");
}

}  // namespace

std::string piece(std::string_view name) { return codec::percent_encode(name); }

std::string query_of(std::initializer_list<std::pair<std::string_view, std::string_view>> parameters) {
  codec::FormWriter form;
  for (const auto& [name, value] : parameters) {
    if (!value.empty()) form.add(name, value);
  }
  return form.text().empty() ? std::string() : "?" + form.text();
}

void tell_of_more(std::size_t shown, std::size_t limit, std::string_view last) {
  if (shown == limit && shown > 0) complain(fmt::format("there may be more: --after {}", last));
}

int run_user_list(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto answer = calls.call("GET", "/v1/users" + query_of({{"prefix", options.prefix},
                                                                {"role", options.role},
                                                                {"group", options.group},
                                                                {"state", options.state},
                                                                {"after", options.page.after},
                                                                {"limit", std::to_string(options.page.limit)}}));
  if (!answer) return calls.code();
  if (json) return calls.end(PrintedText(false));
  const auto users = list_of(*answer, "users");
  PrintedTable table({"USERNAME", "STATE", "NAME", "EMAIL", "ROLES", "GROUPS"});
  for (const Json& user : users) {
    table.add({std::string(text_of(user, "username")), std::string(text_of(user, "state")),
               std::string(text_of(user, "name")), std::string(text_of(user, "email")), joined(user, "effective_roles"),
               joined(user, "groups")});
  }
  table.print_out("there is no such user");
  if (!users.empty()) tell_of_more(users.size(), options.page.limit, text_of(users.back(), "username"));
  return kDone;
}

int run_user_show(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto user = calls.call("GET", user_path(options));
  if (!user) return calls.code();
  PrintedText text(in_colour());
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) text.column(name, 12).add(value).literal("\n");
  };
  line("username", text_of(*user, "username"));
  line("id", text_of(*user, "id"));
  line("state", text_of(*user, "state"));
  line("name", text_of(*user, "name"));
  const std::string_view email = text_of(*user, "email");
  line("email", flag_of(*user, "email_verified") || email.empty() ? std::string(email)
                                                                  : fmt::format("{} (not verified)", email));
  line("phone", text_of(*user, "phone_number"));
  line("locale", text_of(*user, "locale"));
  line("password", flag_of(*user, "has_password") ? "set" : "none");
  line("roles", joined(*user, "effective_roles"));
  line("groups", joined(*user, "groups"));
  line("created", short_time(*user, "created"));
  line("updated", short_time(*user, "updated"));
  return calls.end(text);
}

int run_user_add(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto user = calls.call("POST", "/v1/users", user_body(options, true));
  if (!user) return calls.code();
  PrintedText text(in_colour());
  text.add(text_of(*user, "username")).literal(text_of(*user, "invitation").empty() ? " is made\n" : " is invited: ");
  add_invitation(*user, text);
  return calls.end(text);
}

int run_user_edit(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  auto user = calls.call("GET", user_path(options));
  if (!user) return calls.code();
  // By its id: its name may be what changes.
  const std::string id(text_of(*user, "id")), path = "/v1/users/" + piece(id);
  if (const std::string body = user_body(options, false); body != "{}" && !calls.made("PATCH", path, body))
    return calls.code();
  const auto each = [&](const std::vector<std::string>& names, std::string_view method, const auto& path_of) {
    for (const std::string& name : names) {
      if (!calls.made(method, path_of(piece(name)))) return false;
    }
    return true;
  };
  const auto role = [&](const std::string& name) { return fmt::format("{}/roles/{}", path, name); };
  const auto group = [&](const std::string& name) { return fmt::format("/v1/groups/{}/members/{}", name, piece(id)); };
  if (!each(options.roles, "PUT", role) || !each(options.roles_less, "DELETE", role) ||
      !each(options.groups, "PUT", group) || !each(options.groups_less, "DELETE", group))
    return calls.code();
  user = calls.call("GET", path);
  if (!user) return calls.code();
  PrintedText text(in_colour());
  text.add(text_of(*user, "username")).literal(" is changed\n");
  return calls.end(text);
}

int run_user_invite(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto user = calls.call("POST", user_path(options) + "/invitation", "{}");
  if (!user) return calls.code();
  PrintedText text(in_colour());
  text.add(text_of(*user, "username")).literal(" is invited: ");
  add_invitation(*user, text);
  return calls.end(text);
}

int run_user_state(const AdminTarget& target, const UserOptions& options, std::string_view state, bool json) {
  IdentityCalls calls(target, json);
  const auto user = calls.call("PATCH", user_path(options), fmt::format(R"({{"state":"{}"}})", state));
  if (!user) return calls.code();
  PrintedText text(in_colour());
  text.add(text_of(*user, "username")).literal(" is ").add(state);
  text.literal(state == "active" ? "\n" : ", and signed out everywhere\n");
  return calls.end(text);
}

int run_user_remove(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  if (!calls.made("DELETE", user_path(options))) return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.user).literal(" is removed, with all that was theirs\n"));
}

int run_user_factors(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const std::string path = user_path(options) + "/factors";
  if (options.all_factors || !options.factor.empty()) {
    if (!calls.made("DELETE", options.all_factors ? path : path + "/" + piece(options.factor))) return calls.code();
    PrintedText text(in_colour());
    return calls.end(text.literal("removed\n"));
  }
  const auto answer = calls.call("GET", path);
  if (!answer) return calls.code();
  if (json) return calls.end(PrintedText(false));
  PrintedTable table({"ID", "KIND", "LABEL", "CREATED", "USED"});
  for (const Json& factor : list_of(*answer, "factors")) {
    table.add({std::string(text_of(factor, "id")), std::string(text_of(factor, "kind")),
               std::string(text_of(factor, "label")), short_time(factor, "created"), short_time(factor, "used")});
  }
  table.print_out("no second factor");
  return kDone;
}

int run_user_sessions(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto answer = calls.call("GET", user_path(options) + "/sessions");
  if (!answer) return calls.code();
  if (json) return calls.end(PrintedText(false));
  PrintedTable table({"ID", "DEVICE", "ADDRESS", "BY", "SIGNED IN", "SEEN", "EXPIRES"});
  for (const Json& session : list_of(*answer, "sessions")) {
    table.add({std::string(text_of(session, "id")), std::string(text_of(session, "device")),
               std::string(text_of(session, "client_ip")), std::string(text_of(session, "amr")),
               short_time(session, "authenticated"), short_time(session, "seen"), short_time(session, "expires")});
  }
  table.print_out("not signed in anywhere");
  return kDone;
}

int run_session_list(const AdminTarget& target, const UserOptions& options, bool json) {
  if (!options.user.empty()) return run_user_sessions(target, options, json);
  IdentityCalls calls(target, json);
  const auto answer = calls.call(
      "GET", "/v1/sessions" + query_of({{"after", options.page.after}, {"limit", std::to_string(options.page.limit)}}));
  if (!answer) return calls.code();
  if (json) return calls.end(PrintedText(false));
  PrintedTable table({"ID", "USERNAME", "DEVICE", "ADDRESS", "BY", "BEGUN", "SEEN", "EXPIRES"});
  for (const Json& session : list_of(*answer, "sessions")) {
    table.add({std::string(text_of(session, "id")), std::string(text_of(session, "username")),
               std::string(text_of(session, "device")), std::string(text_of(session, "client_ip")),
               std::string(text_of(session, "amr")), short_time(session, "created"), short_time(session, "seen"),
               short_time(session, "expires")});
  }
  table.print_out("nobody is signed in");
  if (const std::string_view next = text_of(*answer, "next"); !next.empty())
    complain(fmt::format("there are more: --after {}", next));
  return kDone;
}

int run_user_revoke(const AdminTarget& target, const UserOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto answer = calls.call("DELETE", user_path(options) + "/sessions");
  if (!answer) return calls.code();
  PrintedText text(in_colour());
  return calls.end(
      text.add(options.user).literal(" is signed out of ").add(number_of(*answer, "ended")).literal(" sessions\n"));
}

int run_session_revoke(const AdminTarget& target, const std::string& session, bool json) {
  IdentityCalls calls(target, json);
  if (!calls.made("DELETE", "/v1/sessions/" + piece(session))) return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.literal("session ").add(session).literal(" is over\n"));
}

}  // namespace gatehouse::app
