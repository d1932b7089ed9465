#pragma once
// The groups of checks of `gatehouse doctor`. For doctor*.cc only.

#include <vector>

#include "app/commands/doctor.h"

namespace gatehouse::app {

void examine_files(const LoadOutcome& outcome, const Clock& clock, std::vector<Examination>& found);
void examine_ports(const gateway::Config& config, const std::string& file, std::vector<Examination>& found);
void examine_upstreams(const gateway::Config& config, const DoctorOptions& options, std::vector<Examination>& found);
// `config` may be null.
void examine_system(const gateway::Config* config, const Clock& clock, std::vector<Examination>& found);

}  // namespace gatehouse::app
