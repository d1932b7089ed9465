#pragma once
// Reads a configuration file: YAML or JSON in, a checked `gateway::Config` or a list of everything that is wrong out.
//
// Thread safety: no shared state. Reading blocks on files: never from a shard.
// Invariants: (1) `config` is set exactly when no diagnostic is an error; (2) every diagnostic has a position, except
// that the file as a whole cannot be read.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/diagnostic.h"
#include "app/config/kind.h"
#include "base/result.h"
#include "codec/yaml.h"
#include "gateway/config.h"

namespace gatehouse::app {

struct LoadOutcome {
  std::shared_ptr<const gateway::Config> config;  // null: invalid
  std::vector<Diagnostic> diagnostics;            // errors and warnings, in the order of the file
  std::string file;                               // as given
  std::string source;                             // the file's text, for quoting
  codec::YamlNode root;                           // for positions: see `locate`

  bool ok() const noexcept { return config != nullptr; }
};

LoadOutcome load_config(const std::string& file, LoadOptions options = {});
LoadOutcome load_config_text(std::string_view text, std::string file_name, LoadOptions options = {});

// The `admin` block alone, whatever is wrong with the rest of the file and with the files it names: a command that is
// to roll back a broken configuration has to find the running gateway. Fails when there is no address to be read; a
// token that can't be had is left empty.
Result<gateway::AdminConfig> load_admin(const std::string& file);

// Where the value at `path` is: keys and list indices joined by '/', as in "listeners/0/tls/min_version". When the file
// doesn't hold it, the nearest block that would.
codec::YamlPosition locate(const codec::YamlNode& root, std::string_view path);

}  // namespace gatehouse::app
