#include "app/config/diagnostic.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "codec/json_writer.h"
#include "telemetry/explain.h"

namespace gatehouse::app {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

std::string_view line_of(std::string_view source, std::uint32_t line) {
  std::size_t begin = 0;
  for (std::uint32_t i = 1; i < line; ++i) {
    begin = source.find('\n', begin);
    if (begin == std::string_view::npos) return {};
    ++begin;
  }
  std::string_view text = source.substr(begin, source.find('\n', begin) - begin);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// What a terminal would act on, or can't show, becomes '?', one for one: the caret has to stay under its place.
std::string shown_line(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size();) {
    std::size_t bad_bytes = 0;
    const std::size_t length = codec::utf8_sequence(line.data() + i, line.data() + line.size(), &bad_bytes);
    const std::string_view character = line.substr(i, length);
    const bool control = length == 1 && (static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7F);
    const bool c1 = length == 2 && character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
    const bool bidirectional = character >= "\xE2\x80\xAA" && character <= "\xE2\x80\xAE";
    const bool isolate = character >= "\xE2\x81\xA6" && character <= "\xE2\x81\xA9";
    if (character == "\t") {
      out += ' ';
    } else if (length == 0 || control || c1 || (length == 3 && (bidirectional || isolate))) {
      out += '?';
    } else {
      out += character;
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  telemetry::append_printable(text, out);
  return out;
}

// Byte offset of a column that counts code points.
std::size_t offset_of(std::string_view line, std::uint32_t column) {
  std::size_t offset = 0;
  for (std::uint32_t at = 1; offset < line.size(); ++offset) {
    if (is_continuation(line[offset])) continue;
    if (at++ == column) break;
  }
  return offset;
}

// Where the word that starts at `offset` ends: what the caret underlines.
std::size_t word_end(std::string_view line, std::size_t offset) {
  if (offset >= line.size()) return offset + 1;
  const char quote = line[offset];
  if (quote == '"' || quote == '\'') {
    const std::size_t close = line.find(quote, offset + 1);
    return close == std::string_view::npos ? line.size() : close + 1;
  }
  if (quote == '{' || quote == '[') return offset + 1;
  std::size_t end = line.find_first_of(" ,]}\t", offset);
  if (end == std::string_view::npos) end = line.size();
  if (end > offset + 1 && line[end - 1] == ':') --end;
  return std::max(end, offset + 1);
}

constexpr std::string_view kLiteralSecret = "config.literal_secret";

struct Paint {
  bool on;
  std::string_view operator()(std::string_view code) const { return on ? code : std::string_view(); }
};

std::string_view colour_of(Severity severity) {
  switch (severity) {
    case Severity::error: return "\x1b[1;31m";
    case Severity::warning: return "\x1b[1;33m";
    case Severity::info: return "\x1b[1;36m";
  }
  return "";
}

void append_quote(std::string& out, const Diagnostic& d, std::string_view source, Paint paint) {
  // A long line (JSON without line breaks) is shown around the place only.
  constexpr std::size_t kBefore = 60, kWidth = 120;
  const std::string whole = shown_line(d.line.empty() ? line_of(source, d.position.line) : d.line);
  std::string_view line = whole;
  std::size_t offset = std::min(offset_of(line, d.position.column), line.size());
  std::size_t cut = offset > kWidth - 20 ? offset - kBefore : 0;
  while (cut > 0 && is_continuation(line[cut])) --cut;
  line.remove_prefix(cut), offset -= cut;
  if (line.size() > kWidth) {
    std::size_t end = kWidth;
    while (end > offset && is_continuation(line[end])) --end;
    line = line.substr(0, end);
  }
  std::string pad;
  for (std::size_t i = 0; i < offset; ++i) {
    if (!is_continuation(line[i])) pad += ' ';
  }
  std::size_t width = 0;
  for (std::size_t i = offset, end = word_end(line, offset); i < end; ++i) {
    width += i < line.size() && is_continuation(line[i]) ? 0 : 1;
  }
  out += fmt::format("{}{:>5} |{} {}\n", paint("\x1b[34m"), d.position.line, paint("\x1b[0m"), line);
  out += fmt::format("{}      |{} {}{}^{}{}\n", paint("\x1b[34m"), paint("\x1b[0m"), pad, paint(colour_of(d.severity)),
                     std::string(width > 0 ? width - 1 : 0, '~'), paint("\x1b[0m"));
}

Json to_value(const Diagnostic& d) {
  Json value = {{"severity", name_of(d.severity)}, {"id", d.id}, {"file", d.file}};
  value["line"] = d.position.line;
  value["column"] = d.position.column;
  value["message"] = d.message;
  if (!d.why.empty()) value["why"] = d.why;
  if (!d.hint.empty()) value["hint"] = d.hint;
  return value;
}

// Values may quote what the file holds; the loader has checked that it is UTF-8, and a file name need not be.
std::string dump(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

// A path as a URI reference (RFC 3986 §4.1): relative stays relative.
std::string to_uri(std::string_view path) {
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/._~-").find(c) != std::string_view::npos;
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

}  // namespace

std::string_view name_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::info: return "info";
  }
  return "error";
}

std::optional<Severity> severity_of(std::string_view name) noexcept {
  for (const Severity s : {Severity::error, Severity::warning, Severity::info}) {
    if (name == name_of(s)) return s;
  }
  return std::nullopt;
}

void sort_by_position(std::vector<Diagnostic>& diagnostics) {
  const auto other = [](const Diagnostic& d) { return d.line.empty() ? std::string_view() : std::string_view(d.file); };
  std::stable_sort(diagnostics.begin(), diagnostics.end(), [&](const Diagnostic& a, const Diagnostic& b) {
    const auto order = other(a) <=> other(b);
    return order != 0 ? order < 0 : a.position < b.position;
  });
}

std::string to_text(std::span<const Diagnostic> diagnostics, std::string_view source, bool colour) {
  const Paint paint{colour};
  // A line that holds a secret is not quoted, whatever it is quoted for: what is printed here ends in logs.
  const auto has_secret = [&](const Diagnostic& d) {
    return std::any_of(diagnostics.begin(), diagnostics.end(), [&](const Diagnostic& other) {
      return other.id == kLiteralSecret && other.file == d.file && other.position.line == d.position.line;
    });
  };
  std::string out;
  for (const Diagnostic& d : diagnostics) {
    out += paint("\x1b[1m");
    out += d.position.line > 0 ? fmt::format("{}:{}:{}: ", printable(d.file), d.position.line, d.position.column)
                               : printable(d.file) + ": ";
    out += fmt::format("{}{}:{} {}", paint(colour_of(d.severity)), name_of(d.severity), paint("\x1b[0m"),
                       printable(d.message));
    if (!d.id.empty()) out += fmt::format(" {}[{}]{}", paint("\x1b[2m"), d.id, paint("\x1b[0m"));
    out += '\n';
    if (d.position.line > 0 && !has_secret(d)) append_quote(out, d, source, paint);
    if (!d.why.empty()) out += fmt::format("      = why: {}\n", printable(d.why));
    if (!d.hint.empty()) out += fmt::format("      = {}{}\n", d.why.empty() ? "" : "fix: ", printable(d.hint));
  }
  return out;
}

std::string to_json(std::span<const Diagnostic> diagnostics, std::string_view file) {
  Json root = {{"file", file}};
  root["valid"] = std::none_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) {
    return d.severity == Severity::error && d.id.starts_with("config.");
  });
  root["diagnostics"] = Json::array();
  for (const Diagnostic& d : diagnostics) root["diagnostics"].push_back(to_value(d));
  return dump(root);
}

std::string to_sarif(std::span<const Diagnostic> diagnostics, std::string_view file, std::string_view tool) {
  const std::string uri = to_uri(file);
  Json rules = Json::array(), results = Json::array();
  std::vector<std::string> ids;
  for (const Diagnostic& d : diagnostics) {
    const char* level = d.severity == Severity::error ? "error" : d.severity == Severity::warning ? "warning" : "note";
    auto known = std::find(ids.begin(), ids.end(), d.id);
    if (known == ids.end()) {
      Json rule = {{"id", d.id}, {"shortDescription", {{"text", d.id}}}, {"defaultConfiguration", {{"level", level}}}};
      if (!d.why.empty()) rule["fullDescription"] = {{"text", d.why}};
      if (!d.hint.empty()) rule["help"] = {{"text", d.hint}};
      rules.push_back(std::move(rule));
      known = ids.insert(ids.end(), d.id);
    }
    Json result = {{"ruleId", d.id}, {"ruleIndex", known - ids.begin()}, {"level", level}};
    result["message"]["text"] = d.hint.empty() ? d.message : d.message + ". " + d.hint;
    Json place = {{"artifactLocation", {{"uri", d.line.empty() ? uri : to_uri(d.file)}}}};
    if (d.position.line > 0) place["region"] = {{"startLine", d.position.line}, {"startColumn", d.position.column}};
    result["locations"] = Json::array({Json{{"physicalLocation", std::move(place)}}});
    results.push_back(std::move(result));
  }
  Json driver = {{"name", tool}, {"version", GATEHOUSE_VERSION}, {"rules", std::move(rules)}};
  Json run = {{"tool", {{"driver", std::move(driver)}}},
              {"columnKind", "unicodeCodePoints"},
              {"artifacts", Json::array({Json{{"location", {{"uri", uri}}}}})},
              {"results", std::move(results)}};
  Json root = {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}};
  root["runs"] = Json::array({std::move(run)});
  return dump(root);
}

bool wants_colour(int fd) noexcept {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  const char* terminal = std::getenv("TERM");
  return isatty(fd) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace gatehouse::app
