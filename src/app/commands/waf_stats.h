#pragma once
// `gatehouse waf stats`: which inspection rules match, which cost most, and which never match.

#include <cstddef>
#include <string>
#include <string_view>

#include "app/commands/admin_client.h"
#include "base/result.h"

namespace gatehouse::app {

struct WafStatsOptions {
  std::string by = "hits";  // or "cost"
  std::size_t limit = 20;   // rules listed
  bool never = false;       // those that never matched
  bool all = false;         // with rules that log nothing
};

// `answer`: what the admin API said to these options. Messages are cut so that no line is longer than `width`
// characters; 0: they stay whole. Fails when it is no such answer.
Result<std::string> waf_stats_text(std::string_view answer, const WafStatsOptions& options, std::size_t width,
                                   bool colour);

// Exit codes as in admin_commands.h.
int run_waf_stats(const AdminTarget& target, const WafStatsOptions& options, bool json);

}  // namespace gatehouse::app
