#pragma once
// `gatehouse apikey`: makes, lists and revokes the API keys of authentication.api_keys.file. Keys are shown once, and
// stored hashed.

#include <cstdint>
#include <string>
#include <vector>

namespace gatehouse::app {

struct ApiKeyOptions {
  enum class Action : std::uint8_t { create, list, revoke } action = Action::list;
  std::string config_path = "gatehouse.yaml";
  std::string file;  // instead of authentication.api_keys.file
  std::string user;  // create: whom the key speaks for
  std::vector<std::string> roles, scopes;
  std::string expires;  // create: "90d"; empty: never
  std::string key_id;   // revoke
  bool json = false;
};

int run_apikey(const ApiKeyOptions& options);

}  // namespace gatehouse::app
