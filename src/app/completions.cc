#include "app/completions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>

namespace gatehouse::app {
namespace {

// What may follow an option: the words in "FORMAT:{text,json}".
std::vector<std::string> choices(const std::string& value) {
  std::vector<std::string> words;
  const std::size_t open = value.find('{'), close = value.find('}');
  if (open == std::string::npos || close == std::string::npos) return words;
  for (std::size_t at = open + 1; at < close;) {
    const std::size_t end = std::min(value.find(',', at), close);
    words.push_back(value.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool names_file(const std::string& value) { return value.starts_with("FILE"); }
bool names_folder(const std::string& value) { return value.starts_with("DIR"); }

// In single quotes, for all three shells.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<std::string> words_after(const CommandNode& node) {
  std::vector<std::string> words;
  for (const CommandNode& command : node.commands) words.push_back(command.name);
  for (const OptionNode& option : node.options) words.insert(words.end(), option.names.begin(), option.names.end());
  return words;
}

// Calls `visit` for each command with its path: "gatehouse config show".
void each(const CommandNode& node, const std::string& path,
          const std::function<void(const CommandNode&, const std::string&)>& visit) {
  visit(node, path);
  for (const CommandNode& command : node.commands) each(command, path + " " + command.name, visit);
}

}  // namespace

std::string bash_completion(const CommandNode& root) {
  std::string commands, values, words;
  each(root, root.name, [&](const CommandNode& node, const std::string& path) {
    for (const CommandNode& command : node.commands)
      commands +=
          fmt::format("      {}) path={} ;;\n", quoted(path + ":" + command.name), quoted(path + " " + command.name));
    words += fmt::format("    {}) words={} ;;\n", quoted(path),
                         quoted(fmt::format("{}", fmt::join(words_after(node), " "))));
    for (const OptionNode& option : node.options) {
      const auto known = choices(option.value);
      std::string action = !known.empty()               ? fmt::format("COMPREPLY=($(compgen -W {} -- \"$current\"))",
                                                                      quoted(fmt::format("{}", fmt::join(known, " "))))
                           : names_file(option.value)   ? "COMPREPLY=($(compgen -f -- \"$current\"))"
                           : names_folder(option.value) ? "COMPREPLY=($(compgen -d -- \"$current\"))"
                           : option.value.empty()       ? ""
                                                        : "COMPREPLY=()";
      if (action.empty()) continue;
      for (const std::string& name : option.names)
        values += fmt::format("    {}) {}; return ;;\n", quoted(path + ":" + name), action);
    }
  });
  return fmt::format(R"(# bash completion for gatehouse. Made by: gatehouse completions bash
_gatehouse() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} path=gatehouse words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path:${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$path:$previous" in
{}  esac
  case "$path" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o filenames -F _gatehouse gatehouse
)",
                     commands, values, words);
}

std::string zsh_completion(const CommandNode& root) {
  std::string functions;
  // In _arguments, ':' and brackets part a specification.
  const auto plain = [](std::string_view text) {
    std::string out;
    for (const char c : text) out += c == ':' || c == '[' || c == ']' ? std::string("\\") + c : std::string(1, c);
    return out;
  };
  each(root, root.name, [&](const CommandNode& node, const std::string& path) {
    std::string function = "_" + path;
    for (char& c : function) c = c == ' ' || c == '-' ? '_' : c;
    functions += fmt::format("{}() {{\n  local line state\n  _arguments -C", function);
    for (const OptionNode& option : node.options) {
      for (const std::string& name : option.names) {
        std::string value;
        if (!option.value.empty()) {
          const auto known = choices(option.value);
          value = ":value:" + (!known.empty()               ? fmt::format("({})", fmt::join(known, " "))
                               : names_file(option.value)   ? "_files"
                               : names_folder(option.value) ? "_files -/"
                                                            : " ");
        }
        functions +=
            fmt::format(" \\\n    {}", quoted(fmt::format("{}[{}]{}", name, plain(option.description), value)));
      }
    }
    if (node.commands.empty()) {
      functions += "\n}\n";
      return;
    }
    functions +=
        " \\\n    '1: :->command' \\\n    '*:: :->arguments'\n  case $state in\n    command)\n      local -a "
        "commands=(\n";
    for (const CommandNode& command : node.commands)
      functions += fmt::format("        {}\n", quoted(fmt::format("{}:{}", command.name, plain(command.description))));
    functions += fmt::format("      )\n      _describe command commands ;;\n    arguments)\n      case $line[1] in\n");
    for (const CommandNode& command : node.commands)
      functions += fmt::format("        {0}) {1}_{0} ;;\n", command.name, function);
    functions += "      esac ;;\n  esac\n}\n";
  });
  return fmt::format(
      "#compdef gatehouse\n# zsh completion for gatehouse. Made by: gatehouse completions zsh\n{}\n_gatehouse \"$@\"\n",
      functions);
}

std::string fish_completion(const CommandNode& root) {
  std::string out = "# fish completion for gatehouse. Made by: gatehouse completions fish\ncomplete -c gatehouse -f\n";
  each(root, "", [&](const CommandNode& node, const std::string& path) {
    // "seen config and not its subcommands yet"
    std::string condition = path.empty() ? "__fish_use_subcommand" : "";
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t end = std::min(path.find(' ', at + 1), path.size());
      condition += fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ",
                               path.substr(at + 1, end - at - 1));
      at = end;
    }
    std::vector<std::string> below;
    for (const CommandNode& command : node.commands) below.push_back(command.name);
    const std::string open = below.empty() || path.empty() ? condition
                                                           : fmt::format("{}; and not __fish_seen_subcommand_from {}",
                                                                         condition, fmt::join(below, " "));
    for (const CommandNode& command : node.commands) {
      out += fmt::format("complete -c gatehouse -n {} -a {} -d {}\n", quoted(open), command.name,
                         quoted(command.description));
    }
    for (const OptionNode& option : node.options) {
      std::string line = fmt::format("complete -c gatehouse -n {}", quoted(condition));
      for (const std::string& name : option.names)
        line += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
      const auto known = choices(option.value);
      if (!known.empty())
        line += fmt::format(" -x -a {}", quoted(fmt::format("{}", fmt::join(known, " "))));
      else if (names_file(option.value) || names_folder(option.value))
        line += " -r -F";
      else if (!option.value.empty())
        line += " -x";
      out += fmt::format("{} -d {}\n", line, quoted(option.description));
    }
  });
  return out;
}

}  // namespace gatehouse::app
