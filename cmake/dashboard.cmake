# The dashboard: ui/build.mjs bundles, compresses and writes it as C++ for the binary. It needs Node.js and the packages
# that scripts/build fetches once (npm ci); without them the program is built without the dashboard, and says so.
find_program(GATEHOUSE_NODE NAMES node nodejs)
set(dashboard_cc ${CMAKE_BINARY_DIR}/dashboard_files.cc)
set(ui ${CMAKE_SOURCE_DIR}/ui)
if(GATEHOUSE_NODE AND EXISTS ${ui}/node_modules/esbuild)
  file(GLOB_RECURSE ui_sources CONFIGURE_DEPENDS ${ui}/src/*)
  add_custom_command(OUTPUT ${dashboard_cc}
    COMMAND ${GATEHOUSE_NODE} ${ui}/build.mjs ${dashboard_cc}
    DEPENDS ${ui_sources} ${ui}/build.mjs ${ui}/package-lock.json
    COMMENT "Bundling the dashboard" VERBATIM)
else()
  message(WARNING "no Node.js, or no ui/node_modules (npm ci --prefix ui): building without the dashboard")
  file(CONFIGURE OUTPUT ${dashboard_cc} CONTENT [[
#include "admin/dashboard/dashboard_files.h"

namespace gatehouse::admin {
std::span<const DashboardFile> dashboard_files() noexcept { return {}; }
}  // namespace gatehouse::admin
]])
endif()
target_sources(gatehouse_admin PRIVATE ${dashboard_cc})
