#pragma once
// How far the compiling of rules' patterns is: a bar on a terminal, and word to the service manager that the start is
// still under way. Any thread.

#include <cstddef>

namespace gatehouse::app {
void show_rule_progress(std::size_t done, std::size_t total);
}
