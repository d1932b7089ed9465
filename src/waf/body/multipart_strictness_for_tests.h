#pragma once
// Where ours and libmodsecurity 3.0.9 do not agree that a form in parts has a fault. Tests only.

#include <set>
#include <string>
#include <string_view>

namespace gatehouse::waf {

// Errors of ours where libmodsecurity reads on in silence: (3) and (4) in the list of differences in multipart.h.
inline const std::set<std::string, std::less<>>& errors_of_ours_alone() {
  static const std::set<std::string, std::less<>> errors = {
      "bare CR in part headers",
      "boundary followed by other bytes",
      "boundary longer than 70 bytes",
      "empty boundary",
      "invalid characters in boundary",
      "invalid name of a part header",
      "parameter of Content-Disposition repeated",
      "part header repeated",
      "part without data",
      "white space or quote in front of a boundary",
  };
  return errors;
}
inline bool is_stricter_about_parts(std::string_view message) {
  // The last: where the library may say either. It goes over the quote that is not there and reads on behind its
  // string's end.
  return errors_of_ours_alone().contains(message) || message == "unclosed quote in Content-Disposition";
}

// Why an error of its own is none for us; empty: for no known reason.
inline std::string_view why_error_of_theirs_alone(std::string_view message, std::string_view body) {
  const auto says = [message](std::string_view what) { return message.find(what) != std::string_view::npos; };
  // What RFC 2045 §5.1 allows: (5).
  if (says("Invalid boundary in C-T (malformed)") || says("Invalid boundary in C-T (quote)"))
    return "parameters beside the boundary";
  // The closing boundary is the only one and the body ends with it, without a line end: (7).
  if (says("No boundaries found in payload") && body.ends_with("--")) return "a closing boundary alone";
  // Nothing on its first line is no error for us; the folding is flagged.
  for (const std::string_view folded : {"Disposition:\r\n ", "Disposition:\r\n\t", "Disposition:\n "}) {
    if (body.find(folded) != std::string_view::npos) return "Content-Disposition on its second line";
  }
  return {};
}

}  // namespace gatehouse::waf
