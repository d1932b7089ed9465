#pragma once
// gatehouse user, group, client, session: people and applications of a running gateway, over its admin API.
//
// Each prints the API's own answer with --json, and words or a table otherwise. What is shown once (an invitation, a
// client's secret) is shown by the command that made it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/commands/admin_target.h"

namespace gatehouse::app {

struct PageOptions {
  std::string after;  // the last of the page before
  std::uint32_t limit = 100;
};

struct UserOptions {
  std::string user;                        // a username or an id
  std::string prefix, role, group, state;  // of a list
  PageOptions page;
  std::string username, email, name, phone, locale;  // empty: not told
  bool email_verified = false, password_stdin = false;
  std::vector<std::string> roles, groups, roles_less, groups_less;
  std::string factor;  // to be removed
  bool all_factors = false;
};
int run_user_list(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_show(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_add(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_edit(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_invite(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_state(const AdminTarget& target, const UserOptions& options, std::string_view state, bool json);
int run_user_remove(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_factors(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_sessions(const AdminTarget& target, const UserOptions& options, bool json);
// Of one user, or of all by pages.
int run_session_list(const AdminTarget& target, const UserOptions& options, bool json);
int run_user_revoke(const AdminTarget& target, const UserOptions& options, bool json);
int run_session_revoke(const AdminTarget& target, const std::string& session, bool json);

struct GroupOptions {
  std::string group, description;
  std::vector<std::string> roles, members, roles_less, members_less;
};
int run_group_list(const AdminTarget& target, bool json);
int run_group_show(const AdminTarget& target, const GroupOptions& options, bool json);
int run_group_add(const AdminTarget& target, const GroupOptions& options, bool json);
int run_group_edit(const AdminTarget& target, const GroupOptions& options, bool json);
int run_group_remove(const AdminTarget& target, const GroupOptions& options, bool json);

struct ClientOptions {
  std::string client;
  PageOptions page;
  std::string name, auth;
  bool is_public = false;
  std::vector<std::string> redirect_uris, grants, scopes, audiences;
  std::vector<std::string> settings;  // "mfa=true": what the admin API names so
};
int run_client_list(const AdminTarget& target, const ClientOptions& options, bool json);
int run_client_show(const AdminTarget& target, const ClientOptions& options, bool json);
int run_client_add(const AdminTarget& target, const ClientOptions& options, bool json);
int run_client_edit(const AdminTarget& target, const ClientOptions& options, bool json);
int run_client_secret(const AdminTarget& target, const ClientOptions& options, bool json);
int run_client_enable(const AdminTarget& target, const ClientOptions& options, bool enabled, bool json);
int run_client_remove(const AdminTarget& target, const ClientOptions& options, bool json);

}  // namespace gatehouse::app
