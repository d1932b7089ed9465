#include "waf/seclang/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

// ModSecurity has these; we don't.
constexpr std::array<std::string_view, 45> kUnsupported{"ARGS_RAW",
                                                        "ARGS_NAMES_RAW",
                                                        "ARGS_GET_RAW",
                                                        "ARGS_POST_RAW",
                                                        "AUTH_TYPE",
                                                        "ENV",
                                                        "FILES_SIZES",
                                                        "FILES_TMPNAMES",
                                                        "FILES_TMP_CONTENT",
                                                        "FULL_REQUEST",
                                                        "FULL_REQUEST_LENGTH",
                                                        "GLOBAL",
                                                        "HIGHEST_SEVERITY",
                                                        "INBOUND_DATA_ERROR",
                                                        "MODSEC_BUILD",
                                                        "MSC_PCRE_ERROR",
                                                        "MSC_PCRE_LIMITS_EXCEEDED",
                                                        "OUTBOUND_DATA_ERROR",
                                                        "PATH_INFO",
                                                        "REMOTE_HOST",
                                                        "REMOTE_PORT",
                                                        "REMOTE_USER",
                                                        "RESOURCE",
                                                        "SERVER_ADDR",
                                                        "SERVER_NAME",
                                                        "SERVER_PORT",
                                                        "SESSION",
                                                        "SESSIONID",
                                                        "STATUS",
                                                        "STATUS_LINE",
                                                        "STREAM_INPUT_BODY",
                                                        "STREAM_OUTPUT_BODY",
                                                        "TIME",
                                                        "TIME_DAY",
                                                        "TIME_EPOCH",
                                                        "TIME_HOUR",
                                                        "TIME_MIN",
                                                        "TIME_MON",
                                                        "TIME_SEC",
                                                        "TIME_WDAY",
                                                        "TIME_YEAR",
                                                        "URLENCODED_ERROR",
                                                        "USER",
                                                        "USERID",
                                                        "WEBAPPID"};

struct Alias {
  std::string_view name;
  Variable variable;
};
constexpr std::array<Alias, 1> kAliases{{{"MULTIPART_SEMICOLON_MISSING", Variable::multipart_missing_semicolon}}};

constexpr std::size_t kMacroBytesMax = 256;
constexpr std::size_t kKeyBytesMax = 4096;  // keeps the search for a closing mark from being quadratic

constexpr bool is_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::size_t name_length(std::string_view text) noexcept {
  std::size_t n = 0;
  while (n < text.size() && is_name(text[n])) ++n;
  return n;
}

std::optional<Variable> variable_named(std::string_view name) noexcept {
  if (const auto known = variable_of(name)) return known;
  const Alias* alias = find_word(std::span<const Alias>(kAliases), name);
  return alias ? std::optional(alias->variable) : std::nullopt;
}

void unknown_variable(const Span& name, const Place& place) {
  if (std::any_of(kUnsupported.begin(), kUnsupported.end(), [&](auto u) { return same_name(u, name.text); })) {
    place.error(name, fmt::format("variable {} is not supported", name.text));
    return;
  }
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kVariables; ++i) names.push_back(name_of(static_cast<Variable>(i)));
  place.error(name, fmt::format("unknown variable {}", shown(name.text)), guess(name.text, names));
}

// The end of a key that begins here: behind a closing quote or slash, or where a separator or the text ends.
std::size_t key_end(std::string_view text, bool to_end, bool is_xml) noexcept {
  const auto closing = [&](char mark) {
    for (std::size_t i = 1; i < std::min(text.size(), kKeyBytesMax); ++i) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == mark && (i + 1 == text.size() || text[i + 1] == '|' || text[i + 1] == ',')) {
        return i + 1;
      }
    }
    return std::string_view::npos;
  };
  if (to_end) return text.size();
  std::size_t end = std::string_view::npos;
  if (text.starts_with('\'')) end = closing('\'');
  if (text.starts_with('/') && !is_xml) end = closing('/');  // an XPath's slash opens nothing
  return end != std::string_view::npos ? end : std::min(text.find_first_of("|,"), text.size());
}

std::string without_quotes(std::string_view key) {
  if (key.size() < 2 || !key.starts_with('\'') || !key.ends_with('\'')) return std::string(key);
  std::string result;
  for (std::size_t i = 1; i + 1 < key.size(); ++i) {
    if (key[i] == '\\' && key[i + 1] == '\'' && i + 2 < key.size()) continue;
    result += key[i];
  }
  return result;
}

bool read_key(const Span& span, Target& target, const Place& place) {
  std::string key = without_quotes(span.text);
  if (key.empty()) {
    place.error(span, fmt::format("{}: has no key", name_of(target.variable)), "leave the colon out to mean all");
    return false;
  }
  if (key.starts_with('\'')) {
    place.error(span, "this quote is never closed");
    return false;
  }
  if (target.variable == Variable::xml) {
    if (key != "/*" && key != "//@*") {
      place.error(span, "of XML only /* (all text) and //@* (all attributes) are supported");
      return false;
    }
    target.select = Target::Select::key;
    target.key = std::move(key);
    return true;
  }
  if (key.starts_with('/')) {
    if (key.size() < 3 || !key.ends_with('/')) {
      place.error(span, "a regular expression as key stands between two slashes", "write /pattern/");
      return false;
    }
    target.select = Target::Select::regex;
    target.key = key.substr(1, key.size() - 2);
    return true;
  }
  target.select = Target::Select::key;
  target.key = lower(key);
  return true;
}

// Reads one target from the front of `rest`; `used` is what it took.
std::optional<Target> read_target(const Span& rest, bool to_end, std::size_t& used, const Place& place) {
  Target target;
  std::size_t at = 0;
  while (at < rest.text.size() && (rest.text[at] == '!' || rest.text[at] == '&')) {
    bool& flag = rest.text[at] == '!' ? target.exclude : target.count;
    if (flag || (target.exclude && rest.text[at] == '&') || (target.count && rest.text[at] == '!')) {
      place.error(rest.sub(at, 1), "! (not this one) and & (how many) stand once, and not together");
    }
    flag = true;
    ++at;
  }
  const Span name = rest.sub(at, name_length(rest.text.substr(at)));
  at += name.text.size();
  const bool keyed = at < rest.text.size() && (rest.text[at] == ':' || (to_end && rest.text[at] == '.'));
  const Span key =
      keyed ? rest.sub(at + 1, key_end(rest.text.substr(at + 1), to_end, same_name(name.text, "XML"))) : Span{};
  if (keyed) at += 1 + key.text.size();
  used = at;
  if (name.text.empty()) {
    used = std::max<std::size_t>(used, 1);
    place.error(rest, "a variable is expected here", "for example ARGS or REQUEST_HEADERS:Host");
    return std::nullopt;
  }
  const auto variable = variable_named(name.text);
  if (!variable) {
    unknown_variable(name, place);
    return std::nullopt;
  }
  target.variable = *variable;
  if (keyed && !is_collection(*variable)) {
    place.error(key, fmt::format("{} is one value and takes no key", name_of(*variable)));
    return std::nullopt;
  }
  if (!keyed && *variable == Variable::xml) {
    place.error(name, "XML needs a path", "XML:/* is all text, XML://@* all attributes");
    return std::nullopt;
  }
  if (keyed && !read_key(key, target, place)) return std::nullopt;
  return target;
}

// `tx.score` between the braces; false when it is an error.
bool read_macro(const Span& inside, MacroPart& part, const Place& place) {
  const Span name = inside.sub(0, name_length(inside.text));
  const auto variable = variable_named(name.text);
  if (!variable) {
    unknown_variable(name, place);
    return false;
  }
  part.variable = variable;
  if (name.text.size() == inside.text.size()) return true;
  part.key = lower(inside.text.substr(name.text.size() + 1));
  if (!is_collection(*variable)) {
    place.error(inside, fmt::format("{} is one value and takes no key", name_of(*variable)));
    return false;
  }
  return true;
}

// Whether `%{…}` is a macro. Elsewhere the same bytes are a pattern's: `%{2}`, `%{\w}`.
bool looks_like_macro(std::string_view inside) noexcept {
  const std::size_t n = name_length(inside);
  if (n == 0 || (inside[0] >= '0' && inside[0] <= '9')) return false;
  return n == inside.size() || ((inside[n] == '.' || inside[n] == ':') && n + 1 < inside.size());
}

}  // namespace

std::vector<Target> parse_targets(const Span& span, const Place& place) {
  std::vector<Target> targets;
  std::size_t at = 0;
  while (at <= span.text.size() && !place.findings.full()) {
    std::size_t skipped = at;
    while (skipped < span.text.size() && (span.text[skipped] == ' ' || span.text[skipped] == '\t')) ++skipped;
    const Span rest = span.sub(skipped);
    std::size_t used = 0;
    auto target = read_target(rest, false, used, place);
    if (target) targets.push_back(std::move(*target));
    const std::size_t end = std::min(rest.text.find_first_of("|,", used), rest.text.size());
    if (const Span between = rest.sub(std::min(used, end), end - std::min(used, end)).trimmed();
        target && !between.text.empty()) {
      place.error(between, fmt::format("{} after a variable", shown(between.text)), "variables are separated by |");
    }
    at = skipped + end + 1;
  }
  return targets;
}

std::optional<Target> parse_one_target(const Span& span, const Place& place) {
  std::size_t used = 0;
  auto target = read_target(span.trimmed(), true, used, place);
  if (target && (target->exclude || target->count)) {
    place.error(span, "a variable without ! and & is expected here");
    return std::nullopt;
  }
  if (target && used < span.trimmed().text.size()) {
    place.error(span.trimmed().sub(used),
                fmt::format("{} after the variable", shown(span.trimmed().text.substr(used))));
    return std::nullopt;
  }
  return target;
}

MacroText parse_macros(const Span& span, const Place& place) {
  MacroText text;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) text.parts.push_back({std::move(literal), std::nullopt, {}});
    literal.clear();
  };
  for (std::size_t at = 0; at < span.text.size();) {
    const std::size_t begin = std::min(span.text.find("%{", at), span.text.size());
    literal.append(span.text.substr(at, begin - at));
    if (begin == span.text.size()) break;
    at = begin + 2;
    const std::string_view following = span.text.substr(at, kMacroBytesMax);
    const std::size_t length = following.find('}');
    const Span inside = span.sub(at, std::min(length, following.size()));
    if (length == std::string_view::npos || !looks_like_macro(inside.text)) {
      literal.append("%{");  // only the opening is taken: a macro may follow inside of what looked like one
      continue;
    }
    at += length + 1;
    MacroPart part;
    if (!read_macro(inside, part, place)) continue;
    flush();
    text.parts.push_back(std::move(part));
  }
  flush();
  return text;
}

MacroText literal_text(std::string text) {
  MacroText result;
  if (!text.empty()) result.parts.push_back({std::move(text), std::nullopt, {}});
  return result;
}

MacroText lower_case(MacroText text) {
  for (MacroPart& part : text.parts) part.literal = lower(part.literal);
  return text;
}

}  // namespace gatehouse::waf
