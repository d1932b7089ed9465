#pragma once
// What each reason code means, and what one could change. The one table of sentences: `gatehouse explain` and the
// dashboard read it. Reason codes are stable; these words may get better.

#include <string_view>

namespace gatehouse::telemetry {

struct ReasonText {
  std::string_view code;
  std::string_view meaning;  // a sentence without its full stop
  std::string_view hint;     // what to do about it; empty where nothing is to be done
};

// Never fails: an unknown code gets the text of its family ("waf.…"), or one that says it is unknown.
const ReasonText& text_of_reason(std::string_view code) noexcept;
// Is the code itself in the table?
bool has_reason_text(std::string_view code) noexcept;

}  // namespace gatehouse::telemetry
