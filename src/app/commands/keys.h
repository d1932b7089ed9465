#pragma once
// gatehouse keys: the keys that seal what is stored and sign tokens, of a running gateway; and the root key, which is
// rotated in the store itself, whether a gateway runs or not.

#include <string>

#include "app/commands/admin_target.h"

namespace gatehouse::app {

int run_keys_status(const AdminTarget& target, bool json);

enum class RotatedKeys : std::uint8_t { data, signing };
int run_keys_rotate(const AdminTarget& target, RotatedKeys which, bool json);

struct RootRotationOptions {
  std::string config_path = "gatehouse.yaml";
  std::string new_key_file;         // what secrets.root_key will be; "-": standard input
  std::string new_passphrase_file;  // what secrets.passphrase will be
  bool finish = false;              // the root key that the configuration names is the only one from now on
  bool json = false;
};
int run_root_rotation(const RootRotationOptions& options);

}  // namespace gatehouse::app
