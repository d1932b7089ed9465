#pragma once
// Completion scripts for bash, zsh and fish from a tree of commands.

#include <string>
#include <vector>

namespace gatehouse::app {

struct OptionNode {
  std::vector<std::string> names;  // "--config", "-c"
  std::string description;
  std::string value;  // "FILE", "FORMAT:{text,json}"; empty: a flag
};

struct CommandNode {
  std::string name, description;
  std::vector<OptionNode> options;
  std::vector<CommandNode> commands;
};

std::string bash_completion(const CommandNode& root);
std::string zsh_completion(const CommandNode& root);
std::string fish_completion(const CommandNode& root);

}  // namespace gatehouse::app
