#pragma once
// A decision record in words: what happened to a request, which layer decided it, on what evidence, what that cost,
// what it means and what one could change.
//
// Records hold what strangers sent. Everything that is printed passes `append_printable`, so that a path cannot drive
// the operator's terminal.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::telemetry {

struct ExplainStyle {
  bool colour = false;  // meaning never rests on it
};

// `line`: one line of the JSON access log, or what the admin API gives for a request.
Result<std::string> explain(std::string_view line, const ExplainStyle& style);

// Control bytes (C0, DEL, C1), bidirectional overrides and what is not UTF-8 become \xHH; the rest stays.
void append_printable(std::string_view text, std::string& out);

// "41 ns", "2.61 ms", "1.20 s"
std::string duration_text(std::uint64_t ns);
// "412 B", "1.8 KiB"
std::string bytes_text(std::uint64_t bytes);

// Looks in a JSON access log for the line of that request, then in `path`.1, to which it may have been rotated.
// not_found when it is in neither.
Result<std::string> find_in_log(const std::string& path, std::string_view request_id);

}  // namespace gatehouse::telemetry
