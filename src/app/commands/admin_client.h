#pragma once
// The commands that speak to a running gateway's admin API. Exit codes: 0 done, 1 it can't be reached or said no,
// 2 a reload was refused because the configuration isn't valid.

#include <cstdint>
#include <string>

namespace gatehouse::app {

struct AdminTarget {
  std::string config_path = "gatehouse.yaml";  // where `admin` is read from
  std::string address;                         // instead: host:port or unix:/path
  std::string token;                           // instead of admin.token; GATEHOUSE_ADMIN_TOKEN is looked at too
  bool json = false;
};

struct BansOptions {
  enum class Action : std::uint8_t { list, add, remove } action = Action::list;
  std::string network;
  std::string duration;  // "10m"; empty: until removed
  std::string reason;
};

int run_reload(const AdminTarget& target, bool dry_run);
int run_rollback(const AdminTarget& target);
int run_status(const AdminTarget& target);
int run_explain(const AdminTarget& target, const std::string& request_id);
int run_bans(const AdminTarget& target, const BansOptions& options);

}  // namespace gatehouse::app
