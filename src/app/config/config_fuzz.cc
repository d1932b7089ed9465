// Any bytes as a configuration file: no crash, every problem has a place, and a file that is accepted reads back the
// same from what `config show` prints.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/config/documents.h"
#include "app/config/load.h"
#include "app/config/posture.h"
#include "base/check.h"

namespace gatehouse::app {
namespace {

LoadOutcome load(std::string_view text) {
  LoadOptions options;
  options.check_files = false;
  options.base_dir = "/etc/gatehouse";
  options.environment = [](const std::string& name) { return std::optional<std::string>("value-of-" + name); };
  return load_config_text(text, "gatehouse.yaml", options);
}

void check(std::string_view text) {
  const LoadOutcome first = load(text);
  for (const Diagnostic& d : first.diagnostics) GH_CHECK(d.position.line > 0 && d.position.column > 0);
  (void)to_text(first.diagnostics, first.source, true);
  (void)to_sarif(first.diagnostics, first.file);
  if (!first.ok()) {
    GH_CHECK(!first.diagnostics.empty());
    return;
  }
  for (const Diagnostic& d : judge_posture(first, {.look_at_files = false})) GH_CHECK(!d.hint.empty());
  const std::string shown = effective_yaml(*first.config, false);
  // a secret in a header may hold "${", which would be a reference when it is read again
  if (shown.find("${") != std::string::npos) return;
  const LoadOutcome second = load(shown);
  GH_CHECK(second.ok());
  GH_CHECK(effective_yaml(*second.config, false) == shown);
}

}  // namespace
}  // namespace gatehouse::app

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::app::check(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
