#include <cstdlib>
#include <cstring>
#include "app/commands/dev.h"
#include "app/commands/run.h"
int main(int argc, char** argv) {
  if (argc > 1 && !std::strcmp(argv[1], "dev")) return gatehouse::app::run_dev({});
  gatehouse::app::RunOptions o;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "-c")) o.config_path = argv[i + 1];
    if (!std::strcmp(argv[i], "--ready-fd")) o.ready_fd = std::atoi(argv[i + 1]);
  }
  return gatehouse::app::run_gateway(o);
}
