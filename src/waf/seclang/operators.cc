#include "waf/seclang/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ip.h"
#include "waf/characters.h"
#include "waf/seclang/target.h"
#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

enum class Argument : std::uint8_t {
  none,      // must not have one
  text,      // may be empty
  required,  // macros allowed
  literal,   // required, without macros
  phrases,
  phrase_files,
  networks,
  network_files,
  bytes,
};

struct Entry {
  std::string_view name;
  OperatorKind kind;
  Argument argument;
};

constexpr std::array<Entry, 28> kOperators{{
    {"beginsWith", OperatorKind::begins_with, Argument::text},
    {"contains", OperatorKind::contains, Argument::text},
    {"containsWord", OperatorKind::contains_word, Argument::text},
    {"detectSQLi", OperatorKind::detect_sqli, Argument::none},
    {"detectXSS", OperatorKind::detect_xss, Argument::none},
    {"endsWith", OperatorKind::ends_with, Argument::text},
    {"eq", OperatorKind::eq, Argument::required},
    {"ge", OperatorKind::ge, Argument::required},
    {"geoLookup", OperatorKind::geo_lookup, Argument::none},
    {"gt", OperatorKind::gt, Argument::required},
    {"ipMatch", OperatorKind::ip_match, Argument::networks},
    {"ipMatchF", OperatorKind::ip_match, Argument::network_files},
    {"ipMatchFromFile", OperatorKind::ip_match, Argument::network_files},
    {"le", OperatorKind::le, Argument::required},
    {"lt", OperatorKind::lt, Argument::required},
    {"noMatch", OperatorKind::no_match, Argument::none},
    {"pm", OperatorKind::pm, Argument::phrases},
    {"pmf", OperatorKind::pm_from_file, Argument::phrase_files},
    {"pmFromFile", OperatorKind::pm_from_file, Argument::phrase_files},
    {"rbl", OperatorKind::rbl, Argument::literal},
    {"rx", OperatorKind::rx, Argument::text},
    {"streq", OperatorKind::str_eq, Argument::text},
    {"strmatch", OperatorKind::str_match, Argument::text},
    {"unconditionalMatch", OperatorKind::unconditional, Argument::none},
    {"validateByteRange", OperatorKind::validate_byte_range, Argument::bytes},
    {"validateUrlEncoding", OperatorKind::validate_url_encoding, Argument::none},
    {"validateUtf8Encoding", OperatorKind::validate_utf8_encoding, Argument::none},
    {"within", OperatorKind::within, Argument::text},
}};

constexpr std::array<std::string_view, 12> kUnsupported{"fuzzyHash", "gsbLookup",   "inspectFile",  "rsub",
                                                        "rxGlobal",  "validateDTD", "validateHash", "validateSchema",
                                                        "verifyCC",  "verifyCPF",   "verifySSN",    "verifySVNR"};

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

// `a|20 62|c` has bytes in hex between pipes; `\:`, `\;`, `\\` and `\"` are those characters. Anything else means
// itself, all of it, as in libmodsecurity.
std::string decoded_phrases(std::string_view text) {
  std::string result;
  bool hex = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '|') {
      hex = !hex;
    } else if (hex) {
      if (is_blank(c)) continue;
      const unsigned high = hex_value(c), low = i + 1 < text.size() ? hex_value(text[i + 1]) : 16;
      if (high >= 16 || low >= 16) return std::string(text);
      result += static_cast<char>(high * 16 + low);
      ++i;
    } else if (c == '\\') {
      if (i + 1 >= text.size() || std::string_view(":;\\\"").find(text[i + 1]) == std::string_view::npos)
        return std::string(text);
      result += text[++i];
    } else {
      result += c;
    }
  }
  return hex ? std::string(text) : result;
}

template <class Each>
void each_word(const Span& span, std::string_view separators, Each each) {
  for (std::size_t at = 0; at < span.text.size();) {
    const std::size_t begin = span.text.find_first_not_of(separators, at);
    if (begin == std::string_view::npos) return;
    const std::size_t end = std::min(span.text.find_first_of(separators, begin), span.text.size());
    each(span.sub(begin, end - begin));
    at = end;
  }
}

void read_phrases(const Span& span, Operator& op) {
  const std::string text = decoded_phrases(span.text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \t", at);
    if (begin == std::string::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \t", begin), text.size());
    op.phrases.push_back(lower(std::string_view(text).substr(begin, end - begin)));
    at = end;
  }
}

// Every line of every file named, in order; false when one cannot be read.
template <class Each>
bool each_line(const Span& span, Files* files, const Place& place, Each each) {
  bool good = true;
  each_word(span, " \t", [&](const Span& path) {
    if (!files || path.text.find("://") != std::string_view::npos) {
      place.error(path, files ? "phrases are read from files only" : "these rules must not name files");
      good = false;
      return;
    }
    const auto lines = files->lines(place.source.resolved(path.text));
    if (!lines) {
      place.error(path, lines.error().message);
      good = false;
      return;
    }
    for (const std::string& line : **lines) each(path, line);
  });
  return good;
}

bool is_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return false;
  if (slash == std::string_view::npos) return true;
  const auto prefix = number(text.substr(slash + 1));
  return prefix && *prefix <= (text.find(':') == std::string_view::npos ? 32u : 128u);
}

bool read_networks(const Span& span, const Place& place) {
  bool good = true;
  each_word(span, ", \t", [&](const Span& word) {
    if (is_network(word.text)) return;
    place.error(word, fmt::format("{} is not an address or a network", shown(word.text)), "for example 192.0.2.0/24");
    good = false;
  });
  return good;
}

bool read_network_files(const Span& span, Files* files, const Place& place, std::string& joined) {
  return each_line(span, files, place, [&](const Span& path, const std::string& line) {
    const std::size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t");
    const std::string_view network = std::string_view(line).substr(first, last - first + 1);
    if (!is_network(network)) {
      place.error(path, fmt::format("{}: {} is not an address or a network", path.text, shown(network)));
      return;
    }
    if (!joined.empty()) joined += ',';
    joined += network;
  });
}

bool read_bytes(const Span& span, const Place& place) {
  bool good = true;
  each_word(span, ", \t", [&](const Span& word) {
    const std::size_t dash = word.text.find('-');
    const auto first = number(word.text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(word.text.substr(dash + 1));
    if (first && last && *first <= *last && *last <= 255) return;
    place.error(word, fmt::format("{} is not a byte or a range of bytes", shown(word.text)), "for example 9,10,32-126");
    good = false;
  });
  return good;
}

bool read_argument(Argument kind, const Span& span, Operator& op, Files* files, const Place& place) {
  const Span trimmed = span.trimmed();
  switch (kind) {
    case Argument::none: return true;
    case Argument::text: op.argument = parse_macros(span, place); return true;
    case Argument::required: op.argument = parse_macros(trimmed, place); return true;
    case Argument::literal: op.argument = literal_text(std::string(trimmed.text)); return true;
    case Argument::phrases:
      op.argument = literal_text(std::string(trimmed.text));
      read_phrases(trimmed, op);
      return true;
    case Argument::phrase_files:
      op.argument = literal_text(std::string(trimmed.text));
      return each_line(trimmed, files, place,
                       [&](const Span&, const std::string& line) { op.phrases.push_back(lower(line)); });
    case Argument::networks:
      op.argument = literal_text(std::string(trimmed.text));
      return read_networks(trimmed, place);
    case Argument::network_files: {
      std::string joined;
      const bool good = read_network_files(trimmed, files, place, joined);
      op.argument = literal_text(std::move(joined));
      return good;
    }
    case Argument::bytes: op.argument = literal_text(std::string(trimmed.text)); return read_bytes(trimmed, place);
  }
  return false;
}

void unknown_operator(const Span& name, const Place& place) {
  const std::string_view word = name.text.substr(1);
  if (std::any_of(kUnsupported.begin(), kUnsupported.end(), [&](auto u) { return same_name(u, word); })) {
    place.error(name, fmt::format("operator {} is not supported", name.text));
    return;
  }
  const auto names = names_of(std::span<const Entry>(kOperators));
  const std::string hint = guess(word, names);
  place.error(name, fmt::format("unknown operator {}", shown(name.text)),
              hint.empty() ? "a pattern that begins with @ is written @rx @…" : hint);
}

}  // namespace

std::optional<Operator> parse_operator(const Span& span, Files* files, const Place& place) {
  std::size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < span.text.size() && is_blank(span.text[at])) ++at;
  };
  Operator op;
  skip_blanks();
  if (at < span.text.size() && span.text[at] == '!') {
    op.negated = true;
    ++at;
    skip_blanks();
  }
  if (at >= span.text.size() || span.text[at] != '@') {
    op.kind = OperatorKind::rx;
    op.argument = parse_macros(span.sub(at), place);
    return op;
  }
  const std::size_t name_end = std::min(span.text.find_first_of(" \t", at), span.text.size());
  const Span name = span.sub(at, name_end - at);
  const Entry* entry = find_word(std::span<const Entry>(kOperators), name.text.substr(1));
  if (!entry) {
    unknown_operator(name, place);
    return std::nullopt;
  }
  op.kind = entry->kind;
  at = name_end;
  skip_blanks();
  const Span argument = span.sub(at);
  const bool empty = argument.trimmed().text.empty();
  if (entry->argument == Argument::none && !empty) {
    place.error(argument, fmt::format("@{} takes no argument", entry->name));
    return std::nullopt;
  }
  if (empty && entry->argument != Argument::none && entry->argument != Argument::text) {
    place.error(name, fmt::format("@{} needs an argument", entry->name));
    return std::nullopt;
  }
  if (!read_argument(entry->argument, argument, op, files, place)) return std::nullopt;
  return op;
}

}  // namespace gatehouse::waf
