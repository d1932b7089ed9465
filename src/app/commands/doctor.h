#pragma once
// `gatehouse doctor`: would the gateway run on this machine, now, with this file? Each check that fails says how to
// mend it. It asks the machine and the network, and changes nothing.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "app/config/load.h"
#include "base/clock.h"

namespace gatehouse::app {

struct DoctorOptions {
  std::string config_path = "gatehouse.yaml";
  bool json = false;
  std::chrono::milliseconds connect_timeout{1500};  // for each upstream
};

struct Examination {
  enum class State : std::uint8_t { good, warning, bad, skipped };
  std::string group, name;
  State state = State::good;
  std::string detail;  // what was found
  std::string fix;     // empty when good
};

// For each check of the file's own parts, in groups. `outcome` may be invalid: then only what doesn't need it is looked
// at.
std::vector<Examination> examine(const LoadOutcome& outcome, const DoctorOptions& options, const Clock& clock);
std::string to_text(const std::vector<Examination>& examinations, bool colour);
std::string to_json(const std::vector<Examination>& examinations);

// 0: it would run (warnings included); 1: something is bad; 2: the configuration isn't valid.
int run_doctor(const DoctorOptions& options);

}  // namespace gatehouse::app
