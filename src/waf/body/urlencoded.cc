#include "waf/body/urlencoded.h"

#include "waf/body/text.h"

namespace gatehouse::waf {

UrlencodedResult parse_urlencoded(std::string_view text, std::size_t arguments_max, Arena& arena,
                                  std::vector<NameValue>& out) {
  UrlencodedResult result;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (count++ == arguments_max) {
      result.too_many = true;
      result.stopped_at = at;
      return result;
    }
    const std::string_view piece = text.substr(at, text.find('&', at) - at);
    const std::size_t equals = piece.find('=');
    const std::string_view name = piece.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1);
    out.push_back({percent_decode(name, PlusSign::space, arena, result.invalid_escape),
                   percent_decode(value, PlusSign::space, arena, result.invalid_escape)});
    at += piece.size() + 1;
  }
  return result;
}

void read_urlencoded_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body) {
  const UrlencodedResult result = parse_urlencoded(bytes, limits.arguments_max, arena, body.arguments);
  body.invalid_escape = result.invalid_escape;
  if (result.too_many) body.fail(BodyError::too_many_arguments, "too many arguments", result.stopped_at);
}

bool parse_cookies(std::string_view header, std::size_t cookies_max, std::vector<NameValue>& out) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < header.size();) {
    std::string_view piece = header.substr(at, header.find(';', at) - at);
    at += piece.size() + 1;
    // White space at the very end is not part of the last cookie; before a `;` it is.
    if (at >= header.size()) {
      while (!piece.empty() && is_space(piece.back())) piece.remove_suffix(1);
    }
    const std::size_t equals = piece.find('=');
    std::string_view name = piece.substr(0, equals);
    while (!name.empty() && is_space(name.front())) name.remove_prefix(1);
    if (name.empty()) continue;
    if (count++ == cookies_max) return false;
    out.push_back({name, equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1)});
  }
  return true;
}

}  // namespace gatehouse::waf
