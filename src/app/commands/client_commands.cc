// gatehouse client, group

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "admin/members.h"
#include "app/commands/identity_calls.h"
#include "app/commands/identity_commands.h"
#include "app/commands/printed_table.h"

namespace gatehouse::app {
namespace {

using codec::Json;

std::string client_path(const ClientOptions& options) { return "/v1/clients/" + piece(options.client); }
std::string group_path(const GroupOptions& options) { return "/v1/groups/" + piece(options.group); }

// "mfa=true": JSON where it is that, and a text otherwise.
bool write_setting(const std::string& written, admin::Members& members, codec::JsonWriter& json) {
  const std::size_t equals = written.find('=');
  if (equals == 0 || equals == std::string::npos) return false;
  const std::string value = written.substr(equals + 1);
  members.name(written.substr(0, equals));
  if (Json::parse(value)) {
    json.raw(value);
  } else {
    json.string(value);
  }
  return true;
}

// nullopt: a setting that is none, which was told.
std::optional<std::string> client_body(const ClientOptions& options, bool is_new) {
  std::string body;
  codec::JsonWriter json(body);
  const bool has_settings = options.is_public || !options.auth.empty() || !options.redirect_uris.empty() ||
                            !options.grants.empty() || !options.scopes.empty() || !options.audiences.empty() ||
                            !options.settings.empty();
  {
    admin::Members members(json);
    if (is_new && !options.client.empty()) members.text("client_id", options.client);
    if (!options.name.empty()) members.text("client_name", options.name);
    if (has_settings) {
      members.name("settings");
      admin::Members settings(json);
      if (options.is_public || !options.auth.empty())
        settings.text("token_endpoint_auth_method", options.is_public ? "none" : options.auth);
      if (!options.redirect_uris.empty()) settings.texts("redirect_uris", options.redirect_uris);
      if (!options.grants.empty()) settings.texts("grant_types", options.grants);
      if (!options.scopes.empty()) settings.text("scope", fmt::format("{}", fmt::join(options.scopes, " ")));
      if (!options.audiences.empty()) settings.texts("audiences", options.audiences);
      for (const std::string& setting : options.settings) {
        if (write_setting(setting, settings, json)) continue;
        complain(fmt::format("--set takes NAME=VALUE, such as mfa=true, not '{}'", setting));
        return std::nullopt;
      }
    }
  }
  json.flush();
  return body;
}

void add_secret(const Json& client, PrintedText& text) {
  const std::string_view secret = text_of(client, "client_secret");
  if (secret.empty()) return;
  text.literal("its secret, which is shown this once:\n  ").strong(secret).literal("\n");
}

std::string in_words(const Json& value) {
  if (const auto text = value.string()) return std::string(*text);
  if (const auto flag = value.boolean()) return *flag ? "yes" : "no";
  if (const auto number = value.integer()) return std::to_string(*number);
  std::string list;
  for (const Json& one : value.items()) list += (list.empty() ? "" : " ") + in_words(one);
  return list;
}

bool change_each(IdentityCalls& calls, std::string_view method, const std::string& path,
                 const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!calls.made(method, path + piece(name))) return false;
  }
  return true;
}

}  // namespace

// Clients

int run_client_list(const AdminTarget& target, const ClientOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto answer = calls.call(
      "GET", "/v1/clients" + query_of({{"after", options.page.after}, {"limit", std::to_string(options.page.limit)}}));
  if (!answer) return calls.code();
  if (json) return calls.end(PrintedText(false));
  const auto clients = list_of(*answer, "clients");
  PrintedTable table({"CLIENT ID", "NAME", "STATE", "AUTHENTICATION", "GRANTS"});
  for (const Json& client : clients) {
    const Json* settings = client.find("settings");
    if (settings == nullptr) continue;
    table.add({std::string(text_of(client, "client_id")), std::string(text_of(client, "client_name")),
               flag_of(client, "enabled") ? "active" : "disabled",
               std::string(text_of(*settings, "token_endpoint_auth_method")), joined(*settings, "grant_types")});
  }
  table.print_out("there is no client");
  if (!clients.empty()) tell_of_more(clients.size(), options.page.limit, text_of(clients.back(), "client_id"));
  return kDone;
}

int run_client_show(const AdminTarget& target, const ClientOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto client = calls.call("GET", client_path(options));
  if (!client) return calls.code();
  PrintedText text(in_colour());
  constexpr std::size_t kWidth = 38;
  text.column("client_id", kWidth).add(text_of(*client, "client_id"));
  text.literal("\n").column("client_name", kWidth).add(text_of(*client, "client_name"));
  text.literal("\n").column("enabled", kWidth).literal(flag_of(*client, "enabled") ? "yes" : "no");
  text.literal("\n").column("created", kWidth).add(short_time(*client, "created"));
  text.literal("\n").column("updated", kWidth).add(short_time(*client, "updated")).literal("\n");
  if (const Json* settings = client->find("settings")) {
    for (std::size_t i = 0; i < settings->size(); ++i) {
      const std::string value = in_words(settings->value(i));
      if (!value.empty()) text.column(settings->name(i), kWidth).add(value).literal("\n");
    }
  }
  return calls.end(text);
}

int run_client_add(const AdminTarget& target, const ClientOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto body = client_body(options, true);
  if (!body) return kRefused;
  const auto client = calls.call("POST", "/v1/clients", *body);
  if (!client) return calls.code();
  PrintedText text(in_colour());
  text.add(text_of(*client, "client_id")).literal(" is registered\n");
  add_secret(*client, text);
  return calls.end(text);
}

int run_client_edit(const AdminTarget& target, const ClientOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto body = client_body(options, false);
  if (!body) return kRefused;
  if (!calls.made("PATCH", client_path(options), *body)) return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.client).literal(" is changed\n"));
}

int run_client_secret(const AdminTarget& target, const ClientOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto client = calls.call("POST", client_path(options) + "/secret", "{}");
  if (!client) return calls.code();
  PrintedText text(in_colour());
  text.add(options.client).literal(": the secret before is void\n");
  add_secret(*client, text);
  return calls.end(text);
}

int run_client_enable(const AdminTarget& target, const ClientOptions& options, bool enabled, bool json) {
  IdentityCalls calls(target, json);
  if (!calls.made("PATCH", client_path(options), enabled ? R"({"enabled":true})" : R"({"enabled":false})"))
    return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.client).literal(enabled ? " is enabled\n" : " is disabled\n"));
}

int run_client_remove(const AdminTarget& target, const ClientOptions& options, bool json) {
  IdentityCalls calls(target, json);
  if (!calls.made("DELETE", client_path(options))) return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.client).literal(" is removed, with all that it was given\n"));
}

// Groups

int run_group_list(const AdminTarget& target, bool json) {
  IdentityCalls calls(target, json);
  const auto answer = calls.call("GET", "/v1/groups");
  if (!answer) return calls.code();
  if (json) return calls.end(PrintedText(false));
  PrintedTable table({"NAME", "MEMBERS", "ROLES", "DESCRIPTION"});
  for (const Json& group : list_of(*answer, "groups")) {
    table.add({std::string(text_of(group, "name")), std::to_string(number_of(group, "members")), joined(group, "roles"),
               std::string(text_of(group, "description"))});
  }
  table.print_out("there is no group");
  return kDone;
}

int run_group_show(const AdminTarget& target, const GroupOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const auto group = calls.call("GET", group_path(options));
  if (!group) return calls.code();
  PrintedText text(in_colour());
  if (json) return calls.end(text);
  text.column("name", 12).add(text_of(*group, "name"));
  text.literal("\n").column("description", 12).add(text_of(*group, "description"));
  text.literal("\n").column("roles", 12).add(joined(*group, "roles"));
  text.literal("\n").column("members", 12).add(number_of(*group, "members"));
  text.literal("  (gatehouse user list --group ").add(text_of(*group, "name")).literal(")\n");
  return calls.end(text);
}

int run_group_add(const AdminTarget& target, const GroupOptions& options, bool json) {
  IdentityCalls calls(target, json);
  std::string body;
  codec::JsonWriter writer(body);
  {
    admin::Members members(writer);
    members.text("name", options.group);
    if (!options.description.empty()) members.text("description", options.description);
  }
  writer.flush();
  if (!calls.made("POST", "/v1/groups", body)) return calls.code();
  if (!change_each(calls, "PUT", group_path(options) + "/roles/", options.roles) ||
      !calls.made("GET", group_path(options)))
    return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.group).literal(" is made\n"));
}

int run_group_edit(const AdminTarget& target, const GroupOptions& options, bool json) {
  IdentityCalls calls(target, json);
  const std::string roles = group_path(options) + "/roles/", members = group_path(options) + "/members/";
  if (!change_each(calls, "PUT", roles, options.roles) || !change_each(calls, "DELETE", roles, options.roles_less) ||
      !change_each(calls, "PUT", members, options.members) ||
      !change_each(calls, "DELETE", members, options.members_less) || !calls.made("GET", group_path(options)))
    return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.group).literal(" is changed\n"));
}

int run_group_remove(const AdminTarget& target, const GroupOptions& options, bool json) {
  IdentityCalls calls(target, json);
  if (!calls.made("DELETE", group_path(options))) return calls.code();
  PrintedText text(in_colour());
  return calls.end(text.add(options.group).literal(" is removed; its members stay\n"));
}

}  // namespace gatehouse::app
