#pragma once
// `gatehouse backup`, `gatehouse restore`.

#include <string>

namespace gatehouse::app {

struct BackupOptions {
  enum class Action { backup, restore } action = Action::backup;
  std::string config_path = "gatehouse.yaml";
  std::string file;  // the target of one, the source of the other
};

int run_backup(const BackupOptions& options);  // 0; 1 when it failed, 2 when the configuration isn't valid

}  // namespace gatehouse::app
