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

// Its error, where ours reads what RFC 2045 §5.1 allows: (5).
inline bool is_later_parameter(std::string_view message) {
  return message.find("Invalid boundary in C-T (malformed)") != std::string_view::npos ||
         message.find("Invalid boundary in C-T (quote)") != std::string_view::npos;
}

}  // namespace gatehouse::waf
