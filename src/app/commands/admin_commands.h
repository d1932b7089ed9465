#pragma once
// The commands that talk to a running gateway. Each prints to stdout, errors to stderr, and returns the exit code:
// 0 done; 1 it could not be done (no answer, not found, not allowed); 2 refused as invalid (a configuration with
// mistakes, a malformed argument).
//
// `json`: what the admin API answered, for programs. Otherwise text for people, in colour on a terminal unless NO_COLOR
// is set.

#include <optional>
#include <string>

#include "app/commands/admin_client.h"

namespace gatehouse::app {

int run_status(const AdminTarget& target, bool json);
// A link that signs a browser in, once, within ten minutes. `role`: "viewer", "operator", "administrator".
Result<std::string> sign_in_link(const AdminTarget& target, const std::string& role);
int run_dashboard(const AdminTarget& target, const std::string& role, bool json);
int run_reload(const AdminTarget& target, bool dry_run, bool json);
int run_rollback(const AdminTarget& target, bool json);
int run_bans_list(const AdminTarget& target, bool json);
// `network`: an address or a network; `duration`: "10m", "24h", "7d".
int run_bans_add(const AdminTarget& target, const std::string& network, const std::string& duration,
                 const std::string& reason, bool json);
int run_bans_remove(const AdminTarget& target, const std::string& network, bool json);
// With `log_file` it searches that access log and the one it was rotated to; otherwise it asks the running gateway.
int run_explain(const AdminTarget& target, const std::string& request_id, const std::optional<std::string>& log_file,
                bool json);

}  // namespace gatehouse::app
