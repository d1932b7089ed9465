#pragma once
// Other forms of a request, in which one engine sees what the other sees of the first. Tests only.

#include <algorithm>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waf/body/body.h"
#include "waf/characters.h"
#include "waf/differential/traffic_for_tests.h"
#include "waf/modsecurity_test_peer.h"
#include "waf/names.h"

namespace gatehouse::waf {

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

// An absolute target without scheme and authority.
inline std::string origin_form(const std::string& target) {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string::npos || scheme > target.find('/')) return target;
  const std::size_t slash = target.find('/', scheme + 3);
  return slash == std::string::npos ? "/" : target.substr(slash);
}

using NamesAndValues = std::vector<std::pair<std::string, std::string>>;

// The values of one of the library's collections, which are in no order. `backwards`: as rules see them that look at
// all of it; otherwise, at those of one name.
inline NamesAndValues in_their_order(const modsecurity::AnchoredSetVariable& values, bool backwards) {
  NamesAndValues result;
  for (const auto& [name, value] : values) result.emplace_back(value->getKey(), value->getValue());
  if (backwards) std::reverse(result.begin(), result.end());
  return result;
}
inline std::string form_of(const NamesAndValues& values) {
  std::string out;
  for (const auto& [name, value] : values)
    out += (out.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
  return out;
}

// The same values in the library's order: each where it stood, and all arguments in the query, since it keeps those of
// the query and of the body together.
inline std::vector<RawRequest> in_their_order(const RawRequest& request, const modsecurity::Transaction& theirs) {
  const bool is_form = theirs.m_variableReqbodyProcessor.m_value == "URLENCODED";
  const std::string path = split_once(request.uri, '?').first;
  std::vector<RawRequest> result;
  for (const bool backwards : {false, true}) {
    RawRequest each = request;
    each.headers.clear();
    for (auto& [name, value] : in_their_order(theirs.m_variableRequestHeaders, backwards)) {
      if (!same_name(name, "cookie")) each.headers.emplace_back(name, value);
    }
    std::string cookies;
    for (const auto& [name, value] : in_their_order(theirs.m_variableRequestCookies, backwards))
      cookies += (cookies.empty() ? "" : "; ") + name + "=" + value;
    if (!cookies.empty()) each.headers.emplace_back("Cookie", cookies);
    if (request.uri.find('?') != std::string::npos)
      each.uri = path + "?" + form_of(in_their_order(theirs.m_variableArgsGet, backwards));
    RawRequest together = each;
    if (is_form) each.body = form_of(in_their_order(theirs.m_variableArgsPost, backwards));
    together.uri = path + "?" + form_of(in_their_order(theirs.m_variableArgs, backwards));
    together.body = is_form ? "a=b" : "";
    for (RawRequest* form : {&each, &together}) {
      set_length(*form);
      result.push_back(std::move(*form));
    }
  }
  return result;
}

// A form in parts, without the line ends in the values of its fields.
inline std::string without_lines_in_fields(const std::string& bytes, const Body& parts) {
  std::string out;
  std::size_t from = 0;
  for (const NameValue& field : parts.arguments) {
    const char* const begin = bytes.data();
    if (field.value.data() < begin + from || field.value.data() > begin + bytes.size()) continue;  // made, not found
    const auto at = static_cast<std::size_t>(field.value.data() - begin);
    out += bytes.substr(from, at - from);
    for (std::size_t i = 0; i < field.value.size(); ++i) {
      const bool crlf = field.value.substr(i, 2) == "\r\n";
      if (!crlf && field.value[i] != '\n') out += field.value[i];
    }
    from = at + field.value.size();
  }
  return out + bytes.substr(from);
}

// What has been read of a form in parts, as a form without faults; `request` gets the type that goes with it.
inline std::string in_parts(const Body& parts, RawRequest& request) {
  constexpr std::string_view kBoundary = "the-boundary-of-a-form-without-faults";
  for (auto& [name, value] : request.headers) {
    if (same_name(name, "content-type")) value = fmt::format("multipart/form-data; boundary={}", kBoundary);
  }
  const auto quoted = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '\r' || c == '\n' || c == '\0') continue;
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out.empty() ? std::string("unnamed") : out;
  };
  std::string out;
  std::size_t lines = 0;
  // A header that stands twice in a part is one of its faults: each gets a part of its own.
  for (const NameValue& header : parts.part_headers) {
    const std::size_t colon = header.value.find(':');
    if (colon == std::string_view::npos || same_name(header.value.substr(0, colon), "content-disposition")) continue;
    out += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n{}\r\n\r\n{}\r\n", kBoundary,
                       quoted(header.name), head_text(header.value), ++lines);
  }
  for (const File& file : parts.files)
    out += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\r\n\r\n", kBoundary,
                       quoted(file.field), quoted(file.filename));
  for (const NameValue& field : parts.arguments)
    out += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", kBoundary,
                       quoted(field.name), field.value);
  return out + fmt::format("--{}--\r\n", kBoundary);
}

}  // namespace gatehouse::waf
