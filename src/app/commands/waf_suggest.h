#pragma once
// The narrowest exclusion that would have let a request pass, from its decision record; and which other recorded
// requests it would have let pass with it.
//
// Values; no shared state. A record keeps one place for each rule that matched, the first: where a rule matched several
// values, the suggestion says that it may not be enough.

#include <span>
#include <string>
#include <string_view>

#include "app/commands/admin_target.h"
#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::app {

// `records`: decision records as JSON, among which the request itself may be. Fails when the request was not refused
// for what the rules found. Text to read and paste, or JSON.
Result<std::string> suggest_exclusion(const std::string& record, std::span<const std::string> records, WallTime now,
                                      bool json);

int run_waf_suggest(const AdminTarget& target, const std::string& request_id, bool json);

}  // namespace gatehouse::app
