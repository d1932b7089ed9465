#include "app/command_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

namespace gatehouse::app {
namespace {

int run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return run_command_line(static_cast<int>(argv.size()), argv.data());
}

TEST(CommandLine, ExitCodes) {
  EXPECT_EQ(run({"gatehouse"}), 64);
  EXPECT_EQ(run({"gatehouse", "chek"}), 64);
  EXPECT_EQ(run({"gatehouse", "check", "--format", "xml"}), 64);
  EXPECT_EQ(run({"gatehouse", "--help"}), 0);
  EXPECT_EQ(run({"gatehouse", "--version"}), 0);
  EXPECT_EQ(run({"gatehouse", "version"}), 0);
  EXPECT_EQ(run({"gatehouse", "check", "-c", "/nowhere/gatehouse.yaml"}), 2);
  EXPECT_EQ(run({"gatehouse", "config", "show", "-c", "/nowhere/gatehouse.yaml"}), 2);
  EXPECT_EQ(run({"gatehouse", "config", "schema"}), 0);
}

TEST(CommandLine, BashCompletes) {
  const std::string script = "source " GATEHOUSE_SOURCE_DIR
                             "/packaging/completions/gatehouse.bash\n"
                             "COMP_WORDS=(gatehouse check --format \"\"); COMP_CWORD=3; _gatehouse\n"
                             "[ \"${COMPREPLY[*]}\" = \"text json sarif\" ] || exit 1\n"
                             "COMP_WORDS=(gatehouse config sh); COMP_CWORD=2; _gatehouse\n"
                             "[ \"${COMPREPLY[*]}\" = show ] || exit 2\n"
                             "COMP_WORDS=(gatehouse bans add --f); COMP_CWORD=3; _gatehouse\n"
                             "[ \"${COMPREPLY[*]}\" = --for ] || exit 3\n";
  EXPECT_EQ(std::system(("bash -c '" + script + "'").c_str()), 0);
}

}  // namespace
}  // namespace gatehouse::app
