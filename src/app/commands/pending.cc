// Commands whose parts are not in this build. Each goes away with its definition elsewhere.
#include <cstdio>

#include "app/commands/admin_client.h"
#include "app/commands/apikey.h"
#include "app/commands/dev.h"
#include "app/commands/run.h"

namespace gatehouse::app {
namespace {

int not_here(const char* command) {
  std::fprintf(stderr, "gatehouse %s: not part of this build\n", command);
  return 1;
}

}  // namespace

int run_gateway(const RunOptions&) { return not_here("run"); }
int run_reload(const AdminTarget&, bool) { return not_here("reload"); }
int run_rollback(const AdminTarget&) { return not_here("rollback"); }
int run_status(const AdminTarget&) { return not_here("status"); }
int run_explain(const AdminTarget&, const std::string&) { return not_here("explain"); }
int run_bans(const AdminTarget&, const BansOptions&) { return not_here("bans"); }
int run_apikey(const ApiKeyOptions&) { return not_here("apikey"); }
int run_dev(const DevOptions&) { return not_here("dev"); }

}  // namespace gatehouse::app
