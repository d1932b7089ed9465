#pragma once
// Other forms of a request, in which libmodsecurity would see what we see of the first.

#include <regex>
#include <string>
#include <string_view>
#include <utility>

#include "waf/characters.h"
#include "waf/differential/engine_under_test.h"
#include "waf/differential/generated_traffic_for_tests.h"

namespace gatehouse::waf {

inline RawRequest without_high_bytes(RawRequest request) {
  static const std::regex kHigh("[\\x80-\\xff]|%[89a-f][0-9a-f]", std::regex::icase);
  request.uri = std::regex_replace(request.uri, kHigh, "");
  request.body = std::regex_replace(request.body, kHigh, "");
  set_length(request);
  return request;
}

inline RawRequest without_nuls(RawRequest request) {
  static const std::regex kNul(
      "\\x00|(?:%25|%|\\\\|%5C)[ux]0*?00(?![0-9a-f])|(?:%25|%)00|(?:&|%26)(?:#|%23)x0+(?:;|%3B)", std::regex::icase);
  for (auto& [name, value] : request.headers) value = std::regex_replace(value, kNul, "");
  request.uri = std::regex_replace(request.uri, kNul, "");
  request.body = std::regex_replace(request.body, kNul, "");
  set_length(request);
  return request;
}

inline std::pair<std::string, std::string> split_once(const std::string& text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

inline std::string turned(const std::string& text) {
  const std::size_t at = text.find('&');
  return at == std::string::npos ? text : text.substr(at + 1) + "&" + text.substr(0, at);
}

// As the library's utils::uri_decode.
inline std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // A decoded `#` would end the target for us; it does not for the library.
    const std::string_view escape = text.substr(i, 3);
    if (escape == "%23") {
      out += escape;
      i += 2;
    } else if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace gatehouse::waf
