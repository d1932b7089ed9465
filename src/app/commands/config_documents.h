#pragma once
// `gatehouse config schema|default|show|reference`.

#include <string>

namespace gatehouse::app {

enum class ConfigDocument { schema, defaults, show, reference };

struct ConfigDocumentOptions {
  ConfigDocument document = ConfigDocument::show;
  std::string config_path = "gatehouse.yaml";  // for `show`
  bool json = false;                           // for `show`
};

int run_config_document(const ConfigDocumentOptions& options);  // 0, or 2 when the file isn't valid

}  // namespace gatehouse::app
