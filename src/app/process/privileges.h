#pragma once
// What the process may still do once its ports are open: an ordinary user, no capability, no way to gain any, and a
// system call filter.

#include <string>

#include "base/result.h"

namespace gatehouse::app {

struct PrivilegeReport {
  std::string user;      // who we are now
  bool dropped = false;  // false: we had not been root
  bool no_new_privs = false;
  bool seccomp = false;
};

// Makes `path` and what is in it belong to the user that the process will become; nothing to do when not root.
Status hand_over(const std::string& path, const std::string& user);

// Becomes `user` (empty: "gatehouse" where that exists, else "nobody") with its groups, when root; drops every
// capability; sets no_new_privs; and installs the filter when `sandbox`. Call once, after the sockets are open. An
// error leaves the process unfit to go on.
Result<PrivilegeReport> drop_privileges(const std::string& user, bool sandbox);

// The user that `drop_privileges` would become; empty when the process is not root.
std::string unprivileged_user(const std::string& configured);

// Raises the soft limit of open files to the hard one. Returns the limit.
std::size_t raise_file_limit();

}  // namespace gatehouse::app
