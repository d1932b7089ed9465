#pragma once
// What is wrong or could be better in a configuration file, where, why, and what to do about it; and the three forms in
// which it is shown: text with the line and a caret, JSON, SARIF 2.1.0.
//
// Values; no shared state.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/spelling.h"
#include "codec/yaml.h"

namespace gatehouse::app {

enum class Severity : std::uint8_t { error, warning, info };
std::string_view name_of(Severity severity) noexcept;
std::optional<Severity> severity_of(std::string_view name) noexcept;

struct Diagnostic {
  Severity severity = Severity::error;
  std::string id;  // stable: "config.unknown_key", "tls.key_permissions"
  std::string file;
  codec::YamlPosition position;  // line 0: of the file as a whole
  std::string message;           // what
  std::string why;               // what could happen; empty for plain mistakes
  std::string hint;              // what to write instead, or to do
  // The line itself, where it is one of another file than the configuration's.
  std::string line{};
};

// A line of a text by its number, from 1, without its end; empty when there is none.
std::string_view line_of(std::string_view source, std::uint32_t line);

// By severity is not asked for: people read a file from top to bottom. The configuration's own come first.
void sort_by_position(std::vector<Diagnostic>& diagnostics);

// `source` is the text of the file that the positions are in; its lines are quoted.
std::string to_text(std::span<const Diagnostic> diagnostics, std::string_view source, bool colour);
// {"file", "valid", "diagnostics": [{severity, id, file, line, column, message, why, hint}]}
std::string to_json(std::span<const Diagnostic> diagnostics, std::string_view file);
// `tool`: the command that found them.
std::string to_sarif(std::span<const Diagnostic> diagnostics, std::string_view file,
                     std::string_view tool = "gatehouse check");

// Whether `fd` is a terminal that wants colour: NO_COLOR unset or empty (no-color.org), TERM not "dumb".
bool wants_colour(int fd) noexcept;

}  // namespace gatehouse::app
