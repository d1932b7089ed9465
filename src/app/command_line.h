#pragma once
// The command line: which command was asked for, with which options. CLI11 stays in its .cc.

#include <string>

namespace gatehouse::app {

// Parses and runs the command; returns the exit code. A command line that makes no sense is 64 (EX_USAGE, sysexits.h).
int run_command_line(int argc, char** argv);

enum class Shell { bash, zsh, fish };
// A completion script, made from the same definitions that parse the command line.
std::string completion_script(Shell shell);

}  // namespace gatehouse::app
