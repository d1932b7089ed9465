#include "app/command_line_identity.h"

#include <CLI/CLI.hpp>

namespace gatehouse::app {
namespace {

class IdentityWords {
 public:
  IdentityWords(const CommandLineParts& parts, IdentityOptions& options) : parts_(parts), options_(options) {}

  void add_keys();
  void add_users();
  void add_sessions();
  void add_groups();
  void add_clients();

 private:
  using Run = std::function<int(const AdminTarget&, bool json)>;

  CLI::App* group_of(const char* name, const char* about) {
    CLI::App* command = parts_.app.add_subcommand(name, about);
    command->require_subcommand(1);
    return command;
  }
  CLI::App* action(CLI::App* command, const char* name, const char* about, Run run) {
    CLI::App* sub = command->add_subcommand(name, about);
    parts_.admin_options(sub);
    AdminOptions& admin = parts_.admin;
    parts_.does(sub, [&admin, run = std::move(run)] {
      return with_target(admin, [&](const AdminTarget& target) { return run(target, admin.json); });
    });
    return sub;
  }
  CLI::App* user_action(CLI::App* command, const char* name, const char* about,
                        int (*run)(const AdminTarget&, const UserOptions&, bool)) {
    UserOptions& user = options_.user;
    CLI::App* sub = action(command, name, about,
                           [&user, run](const AdminTarget& target, bool json) { return run(target, user, json); });
    sub->add_option("USER", user.user, std::string_view(name) == "add" ? "The username" : "A username, or a user's id")
        ->required();
    return sub;
  }
  CLI::App* client_action(CLI::App* command, const char* name, const char* about,
                          int (*run)(const AdminTarget&, const ClientOptions&, bool)) {
    ClientOptions& client = options_.client;
    CLI::App* sub = action(command, name, about,
                           [&client, run](const AdminTarget& target, bool json) { return run(target, client, json); });
    sub->add_option("CLIENT_ID", client.client,
                    std::string_view(name) == "add" ? "What it calls itself in its requests" : "Which one: see list")
        ->required();
    return sub;
  }
  CLI::App* group_action(CLI::App* command, const char* name, const char* about,
                         int (*run)(const AdminTarget&, const GroupOptions&, bool)) {
    GroupOptions& group = options_.group;
    CLI::App* sub = action(command, name, about,
                           [&group, run](const AdminTarget& target, bool json) { return run(target, group, json); });
    sub->add_option("GROUP", group.group, "Its name")->required();
    return sub;
  }
  // Options that may be repeated take one value each time.
  static void each(CLI::App* sub, const char* name, std::vector<std::string>& into, const char* type,
                   const char* about) {
    sub->add_option(name, into, about)->type_name(type)->expected(1)->take_all();
  }
  static void text(CLI::App* sub, const char* name, std::string& into, const char* type, const char* about) {
    sub->add_option(name, into, about)->type_name(type);
  }
  // `instead`: what is not listed by pages.
  static void page(CLI::App* sub, PageOptions& page, int most, const char* after = "NAME",
                   CLI::Option* instead = nullptr) {
    CLI::Option* limit = sub->add_option("--limit", page.limit, "How many are listed")
                             ->type_name("N")
                             ->check(CLI::Range(1, most).description(""))
                             ->capture_default_str();
    CLI::Option* behind = sub->add_option("--after", page.after, "Go on behind this one")->type_name(after);
    if (instead != nullptr) instead->excludes(limit)->excludes(behind);
  }
  void profile(CLI::App* sub);
  void settings(CLI::App* sub);

  const CommandLineParts& parts_;
  IdentityOptions& options_;
};

void IdentityWords::add_keys() {
  CLI::App* command = group_of("keys", "The keys that seal what is stored, those that sign tokens, and the root key");
  action(command, "status", "Which keys there are, and how many records each has sealed", run_keys_status);
  CLI::App* rotate = command->add_subcommand("rotate", "A new key seals what is stored from now on");
  parts_.admin_options(rotate);
  IdentityOptions& options = options_;
  CLI::Option* root = rotate->add_flag("--root", options.rotate_root,
                                       "Another root key instead, in the store itself; the gateway may run");
  rotate->add_flag("--signing", options.rotate_signing, "New keys that sign tokens instead")->excludes(root);
  CLI::Option* finish = rotate->add_flag("--finish", options.root.finish,
                                         "The root key that the configuration names is the only one from now on");
  CLI::Option* key = rotate->add_option("--new-key", options.root.new_key_file,
                                        "A file with the new root key, 32 bytes as base64; - is standard input");
  CLI::Option* passphrase = rotate->add_option("--new-passphrase", options.root.new_passphrase_file,
                                               "A file with the new passphrase; - is standard input");
  finish->needs(root)->excludes(key)->excludes(passphrase);
  key->type_name("FILE")->needs(root)->excludes(passphrase);
  passphrase->type_name("FILE")->needs(root);
  AdminOptions& admin = parts_.admin;
  parts_.does(rotate, [&options, &admin] {
    if (options.rotate_root) {
      options.root.config_path = admin.config_path, options.root.json = admin.json;
      return run_root_rotation(options.root);
    }
    const auto which = options.rotate_signing ? RotatedKeys::signing : RotatedKeys::data;
    return with_target(admin, [&](const AdminTarget& target) { return run_keys_rotate(target, which, admin.json); });
  });
}

void IdentityWords::profile(CLI::App* sub) {
  UserOptions& user = options_.user;
  text(sub, "--email", user.email, "ADDRESS", "The address");
  sub->add_flag("--email-verified", user.email_verified, "It is known to be theirs");
  text(sub, "--name", user.name, "TEXT", "The whole name, for people");
  text(sub, "--phone", user.phone, "NUMBER", "As +41441234567");
  text(sub, "--locale", user.locale, "TAG", "The language, as en or de-CH");
  sub->add_flag("--password-stdin", user.password_stdin, "Take a password from the first line of standard input");
}

void IdentityWords::add_users() {
  UserOptions& user = options_.user;
  CLI::App* command = group_of("user", "The people who sign in");
  CLI::App* list = action(command, "list", "Users, by username",
                          [&user](const AdminTarget& target, bool json) { return run_user_list(target, user, json); });
  text(list, "--prefix", user.prefix, "TEXT", "Whose usernames begin so");
  text(list, "--role", user.role, "ROLE", "Who have this role");
  text(list, "--group", user.group, "GROUP", "Who are in this group");
  list->add_option("--state", user.state, "Who are in this state")
      ->type_name("STATE")
      ->check(CLI::IsMember({"invited", "active", "disabled"}));
  page(list, user.page, 500);
  user_action(command, "show", "All that is told about one", run_user_show);

  CLI::App* add = user_action(command, "add", "Make a user, who is invited unless a password is given", run_user_add);
  profile(add);
  each(add, "--role", user.roles, "ROLE", "A role; may be repeated");
  each(add, "--group", user.groups, "GROUP", "A group; may be repeated");

  CLI::App* edit = user_action(command, "edit", "Change what is named", run_user_edit);
  text(edit, "--username", user.username, "NAME", "Another username");
  profile(edit);
  each(edit, "--add-role", user.roles, "ROLE", "Give a role; may be repeated");
  each(edit, "--remove-role", user.roles_less, "ROLE", "Take a role away; may be repeated");
  each(edit, "--add-group", user.groups, "GROUP", "Put into a group; may be repeated");
  each(edit, "--remove-group", user.groups_less, "GROUP", "Take out of a group; may be repeated");

  user_action(command, "invite", "Invite again; the link before is void", run_user_invite);
  user_action(command, "disable", "Let nobody sign in as this user, and end all sessions",
              [](const AdminTarget& target, const UserOptions& options, bool json) {
                return run_user_state(target, options, "disabled", json);
              });
  user_action(command, "enable", "Let the user sign in again",
              [](const AdminTarget& target, const UserOptions& options, bool json) {
                return run_user_state(target, options, "active", json);
              });
  user_action(command, "remove", "Remove a user with all that is theirs", run_user_remove);
  CLI::App* factors = user_action(command, "factors", "The second factors of a user", run_user_factors);
  CLI::Option* one = factors->add_option("--remove", user.factor, "Remove this one")->type_name("ID");
  factors->add_flag("--remove-all", user.all_factors, "Remove them all, for who has lost them")->excludes(one);
  user_action(command, "sessions", "Where a user is signed in", run_user_sessions);
  user_action(command, "revoke", "Sign a user out everywhere", run_user_revoke);
}

void IdentityWords::add_sessions() {
  CLI::App* command = group_of("session", "Where people are signed in");
  UserOptions& user = options_.user;
  CLI::App* list =
      action(command, "list", "The sessions of a user, or all of them, the newest first",
             [&user](const AdminTarget& target, bool json) { return run_session_list(target, user, json); });
  CLI::Option* whose = list->add_option("USER", user.user, "A username or an id; without it, all are listed");
  page(list, user.page, 500, "PLACE", whose);
  std::string& session = options_.session;
  CLI::App* revoke = action(command, "revoke", "End one session", [&session](const AdminTarget& target, bool json) {
    return run_session_revoke(target, session, json);
  });
  revoke->add_option("SESSION_ID", session, "Which one: see list")->required();
}

void IdentityWords::add_groups() {
  GroupOptions& group = options_.group;
  CLI::App* command = group_of("group", "Groups of users, and the roles that they give");
  action(command, "list", "Groups, by name", run_group_list);
  group_action(command, "show", "All that is told about one", run_group_show);
  CLI::App* add = group_action(command, "add", "Make a group", run_group_add);
  text(add, "--description", group.description, "TEXT", "What it is for");
  each(add, "--role", group.roles, "ROLE", "A role of its members; may be repeated");
  CLI::App* edit = group_action(command, "edit", "Change its roles and members", run_group_edit);
  each(edit, "--add-role", group.roles, "ROLE", "Give its members a role; may be repeated");
  each(edit, "--remove-role", group.roles_less, "ROLE", "Take it away; may be repeated");
  each(edit, "--add-member", group.members, "USER", "Put a user in; may be repeated");
  each(edit, "--remove-member", group.members_less, "USER", "Take a user out; may be repeated");
  group_action(command, "remove", "Remove a group; its members stay", run_group_remove);
}

void IdentityWords::settings(CLI::App* sub) {
  ClientOptions& client = options_.client;
  text(sub, "--name", client.name, "TEXT", "For people: what the consent page calls it");
  CLI::Option* is_public =
      sub->add_flag("--public", client.is_public, "It has no secret: a native or browser application");
  sub->add_option("--auth", client.auth, "How it proves itself: client_secret_basic, private_key_jwt and so on")
      ->type_name("METHOD")
      ->excludes(is_public);
  each(sub, "--redirect-uri", client.redirect_uris, "URI", "Where people come back to; may be repeated");
  each(sub, "--grant", client.grants, "TYPE",
       "authorization_code, refresh_token, client_credentials and so on; may be repeated");
  each(sub, "--scope", client.scopes, "SCOPE", "A scope that it may ask for; may be repeated");
  each(sub, "--audience", client.audiences, "NAME", "A service that it may ask tokens for; may be repeated");
  each(sub, "--set", client.settings, "NAME=VALUE",
       "Any other setting of the admin API, such as mfa=true; may be repeated");
}

void IdentityWords::add_clients() {
  ClientOptions& client = options_.client;
  CLI::App* command = group_of("client", "The applications that may ask for tokens");
  CLI::App* list = action(command, "list", "Clients, by id", [&client](const AdminTarget& target, bool json) {
    return run_client_list(target, client, json);
  });
  page(list, client.page, 1000);
  client_action(command, "show", "All that is told about one", run_client_show);
  settings(client_action(command, "add", "Register a client; its secret is shown this once", run_client_add));
  settings(client_action(command, "edit", "Change what is named; a list replaces the one before", run_client_edit));
  client_action(command, "rotate-secret", "A new secret; the old one is void at once", run_client_secret);
  client_action(command, "disable", "Give it nothing any more",
                [](const AdminTarget& target, const ClientOptions& options, bool json) {
                  return run_client_enable(target, options, false, json);
                });
  client_action(command, "enable", "Serve it again",
                [](const AdminTarget& target, const ClientOptions& options, bool json) {
                  return run_client_enable(target, options, true, json);
                });
  client_action(command, "remove", "Remove a client with all that it was given", run_client_remove);
}

}  // namespace

void add_identity_commands(const CommandLineParts& parts, IdentityOptions& options) {
  IdentityWords words(parts, options);
  words.add_keys();
  words.add_users();
  words.add_sessions();
  words.add_groups();
  words.add_clients();
}

}  // namespace gatehouse::app
