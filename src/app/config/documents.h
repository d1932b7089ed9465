#pragma once
// What is derived from the table: the JSON Schema, the annotated defaults, the reference page; and the effective
// configuration as a file.

#include <string>
#include <vector>

#include "app/config/kind.h"
#include "gateway/config.h"

namespace gatehouse::app {

std::string json_schema();         // draft 2020-12
std::string annotated_defaults();  // a file that loads, every key with its text and default
std::string reference_page();      // docs/configuration.md

// Every key with the value that holds, defaults included. Secrets are masked unless asked for.
std::string effective_yaml(const gateway::Config& config, bool mask_secrets = true);
std::string effective_json(const gateway::Config& config, bool mask_secrets = true);

// "process.shards": what a reload cannot change.
std::vector<std::string> restart_keys();

// YAML block style that `parse_yaml` reads back as the same values.
std::string to_yaml(const Json& value);
// One line: `[a, b]`, `{ a: 1 }`, "quoted" where it must be.
std::string to_yaml_flow(const Json& value);

}  // namespace gatehouse::app
