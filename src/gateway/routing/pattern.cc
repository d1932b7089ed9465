#include "gateway/routing/pattern.h"

#include "base/ip.h"
#include "http/canonical.h"

namespace gatehouse::gateway {
namespace {

tl::unexpected<Error> refuse(std::string_view pattern, std::string_view why) {
  return fail(ErrorCode::invalid, fmt::format("`{}`: {}", pattern, why), ErrorSource::configuration);
}

Result<PathPattern::Segment> parse_segment(std::string_view whole, std::string_view text) {
  using Segment = PathPattern::Segment;
  if (text == "*") return Segment{Segment::Kind::any, {}};
  if (text == "**") return refuse(whole, "`**` stands at the end only");
  if (text.front() == '{' && text.back() == '}') {
    if (text.size() == 2 || text.find_first_of("{}*", 1) != text.size() - 1) {
      return refuse(whole, "a parameter is written `{name}`");
    }
    return Segment{Segment::Kind::any, {}};
  }
  if (text.find_first_of("*{}") != std::string_view::npos) {
    return refuse(whole, "a wildcard stands for a whole segment: `/*/`, `/{name}/` or `/**` at the end");
  }
  if (text.find(';') != std::string_view::npos) return refuse(whole, "path parameters (`;`) take no part in matching");
  Arena arena;
  std::string_view canonical;
  const http::Reason reason = http::canonicalize_path(
      fmt::format("/{}", text), {.allow_encoded_slash = true, .allow_encoded_backslash = true}, arena, canonical);
  if (reason != http::Reason::none || canonical == "/") {
    return refuse(whole, fmt::format("`{}` is in no canonical path", text));
  }
  return Segment{Segment::Kind::literal, std::string(canonical.substr(1))};
}

}  // namespace

std::string_view next_segment(std::string_view path, std::size_t& at) noexcept {
  while (at < path.size()) {
    const std::size_t begin = at + 1;
    std::size_t name_end = begin;
    while (name_end < path.size() && path[name_end] != '/' && path[name_end] != ';') ++name_end;
    at = name_end;
    while (at < path.size() && path[at] != '/') ++at;
    if (name_end != begin) return path.substr(begin, name_end - begin);
  }
  return {};
}

Result<PathPattern> PathPattern::parse(std::string_view text) {
  if (!text.starts_with('/')) return refuse(text, "a path begins with `/`");
  PathPattern pattern;
  std::string_view rest = text.substr(1);
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty()) return refuse(text, "an empty segment matches nothing: canonical paths have single slashes");
    if (segment == "**" && slash == std::string_view::npos) {
      pattern.rest = true;
      break;
    }
    auto parsed = parse_segment(text, segment);
    if (!parsed) return tl::unexpected(std::move(parsed.error()));
    if (pattern.segments.size() == kPathSegmentsMax) return refuse(text, "too many segments (64)");
    pattern.segments.push_back(*std::move(parsed));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return pattern;
}

bool PathPattern::matches(std::string_view path) const noexcept {
  std::size_t at = 0;
  for (const Segment& segment : segments) {
    const std::string_view name = next_segment(path, at);
    if (name.empty() || (segment.kind == Segment::Kind::literal && segment.text != name)) return false;
  }
  return rest || next_segment(path, at).empty();
}

std::string PathPattern::to_string() const {
  std::string text;
  for (const Segment& segment : segments) {
    text += '/';
    text += segment.kind == Segment::Kind::any ? "*" : segment.text;
  }
  if (rest) return text + "/**";
  return text.empty() ? "/" : text;
}

Result<HostPattern> HostPattern::parse(std::string_view text) {
  if (text.empty() || text == "*") return HostPattern{};
  HostPattern pattern{Kind::exact, {}};
  std::string_view name = text;
  if (name.starts_with("*.")) {
    pattern.kind = Kind::wildcard;
    name.remove_prefix(2);
  }
  if (name.find('*') != std::string_view::npos) return refuse(text, "a wildcard is the first label: `*.shop.example`");
  std::string bracketed;
  const bool bare_v6 = name.find(':') != std::string_view::npos && IpAddress::parse(name).has_value();
  if (bare_v6) name = bracketed = fmt::format("[{}]", name);
  const std::size_t bracket = name.rfind(']');
  if (name.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos)
    return refuse(text, "hosts are matched without the port");
  Arena arena;
  std::string_view authority, host;
  if (http::canonicalize_authority(name, "http", arena, authority, host) != http::Reason::none) {
    return refuse(text, "not a host name or address");
  }
  if (pattern.kind == Kind::wildcard && (authority.front() == '[' || IpAddress::parse(host))) {
    return refuse(text, "an address has no labels");
  }
  pattern.name = host;
  return pattern;
}

std::string HostPattern::to_string() const {
  switch (kind) {
    case Kind::any: return "*";
    case Kind::wildcard: return "*." + name;
    case Kind::exact: return name;
  }
  return {};
}

}  // namespace gatehouse::gateway
