#pragma once
// Timed bans on disk, so that they outlive a restart and a binary replacement.
//
// DATA_DIR/bans.json: {"version":1,"bans":[{"network":"192.0.2.7/32","since":…,"until":…,"forget":…,"level":0,
// "reason":"…"}]}, times in seconds since the epoch. Replaced in one step. A file of another version, or that is
// broken, is left out as a whole; an entry that makes no sense, or is over, alone.

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/layers/bans/ban_table.h"

namespace gatehouse::app {

constexpr std::size_t kStoredBansMax = 65'536;

Status save_bans(const gateway::BanTable& bans, const std::string& file);
// How many are back; zero when there is no file.
Result<std::size_t> restore_bans(gateway::BanTable& bans, const std::string& file, const Clock& clock);

std::string ban_file(const std::string& data_dir);  // empty without a folder

}  // namespace gatehouse::app
