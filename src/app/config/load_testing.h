#pragma once
// What the tests of the loader share. For tests only.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "app/config/load.h"

namespace gatehouse::app {

inline LoadOptions without_files() {
  LoadOptions options;
  options.check_files = false;
  options.base_dir = "/etc/gatehouse";
  options.environment = [](const std::string& name) {
    return name == "TOKEN" ? std::optional<std::string>("from-the-environment") : std::nullopt;
  };
  return options;
}

inline LoadOutcome load(std::string_view text) { return load_config_text(text, "gatehouse.yaml", without_files()); }

// Good files to which keys are added: at the end of a listener, of a service, of a route.
inline std::string listener_with(std::string_view keys) {
  return fmt::format("version: 1\nlisteners:\n  - name: public\n    address: 127.0.0.1:8080\n{}", keys);
}
inline std::string service_with(std::string_view keys) {
  return listener_with(fmt::format("services:\n  app:\n    endpoints: [http://127.0.0.1:9001]\n{}", keys));
}
inline std::string route_with(std::string_view keys) {
  return service_with(fmt::format("routes:\n  - name: all\n    service: app\n{}", keys));
}

inline std::string place(const Diagnostic& d) {
  return fmt::format("{}:{}: {}", d.position.line, d.position.column, d.message);
}

inline std::string all(const LoadOutcome& outcome) {
  std::string text;
  for (const Diagnostic& d : outcome.diagnostics)
    text += fmt::format("{} {} | {}\n", name_of(d.severity), place(d), d.hint);
  return text;
}

}  // namespace gatehouse::app
