#pragma once
// `gatehouse verify`: attack drills against the gateway that runs with this configuration, and what held.

#include <string>
#include <vector>

#include "app/commands/admin_target.h"
#include "app/verify/drills.h"

namespace gatehouse::app {

struct VerifyOptions {
  std::string format = "text";  // text | json | sarif | junit
  DrillOptions drills;
};

// 0: all that applied held; 1: something did not, or no listener answers; 2: the configuration isn't valid.
int run_verify(const AdminOptions& admin, const VerifyOptions& options);

// The forms of the report.
std::string drills_to_text(const std::vector<Drill>& drills, bool colour);
std::string drills_to_json(const std::vector<Drill>& drills);
std::string drills_to_junit(const std::vector<Drill>& drills);  // as JUnit's ant task writes it, and CI systems read it

}  // namespace gatehouse::app
