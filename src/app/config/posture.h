#pragma once
// What a valid configuration says about security: each thing that is unwise with its place, why it matters, and what to
// write instead. `gatehouse check` prints it; docs/posture.md lists them.
//
// Severities: error, an attacker gains something by it as it stands; warning, a defence is missing; info, worth
// knowing.

#include <vector>

#include "app/config/diagnostic.h"
#include "app/config/load.h"
#include "base/clock.h"

namespace gatehouse::app {

struct PostureOptions {
  bool look_at_files = true;  // certificates, keys, permissions
  const Clock& clock = SystemClock::instance();
  std::string becomes{};  // the user that the process will be after its start; empty: who it is
};

// `outcome` must be ok. In the order of the file.
std::vector<Diagnostic> judge_posture(const LoadOutcome& outcome, const PostureOptions& options = {});

}  // namespace gatehouse::app
