#include "events/event_query.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "codec/json_writer.h"
#include "events/term_filter.h"

namespace gatehouse::events {
namespace {

// `anywhere`: layers and rules have it, too, and any of them will do.
struct Field {
  std::string_view name;
  bool is_number = false, anywhere = false;
};
constexpr auto kFields = std::to_array<Field>({
    {"request_id"},       {"trace_id"}, {"client_ip"},    {"zone"},
    {"listener"},         {"route"},    {"service"},      {"endpoint"},
    {"method"},           {"host"},     {"user"},         {"auth"},
    {"verdict"},          {"layer"},    {"actor"},        {"action"},
    {"target"},           {"outcome"},  {"status", true}, {"reason", false, true},
    {"rule", true, true},
});

const Field* find_field(std::string_view name) noexcept {
  const auto* at = std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) { return f.name == name; });
  return at == kFields.end() ? nullptr : at;
}

// A decision record's line tells the layers, each with the same names, behind what is told of the request.
std::string_view head_of(std::string_view line) noexcept { return line.substr(0, line.find(",\"layers\":[")); }

// A string's quotes are escaped inside a string, so that `"name":"` stands nowhere but where it is a name.
std::string pattern_of(const Field& field, std::string_view value) {
  std::string text;
  codec::JsonWriter json(text);
  json.raw("\"");
  json.raw(field.name);
  json.raw("\":");
  field.is_number ? json.raw(value) : json.string(value);
  json.flush();
  return text;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

bool is_in_word(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

// Whole words: "sql" is not in "mysql".
bool has_word(std::string_view text, std::string_view word) noexcept {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !is_in_word(text[at - 1]);
    // The filter knows the front of a long word only.
    const bool ends = end == text.size() || !is_in_word(text[end]) || word.size() == Terms::kWordBytesMax;
    if (begins && ends) return true;
  }
  return false;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (word.size() >= 2) words.push_back(word.substr(0, Terms::kWordBytesMax));
    word.clear();
  };
  for (const char c : lowered(text)) {
    if (is_in_word(c)) {
      word += c;
    } else {
      end_word();
    }
  }
  end_word();
  return words;
}

// The end of the string whose first byte is at `at`, behind its quote.
std::size_t end_of_string(std::string_view line, std::size_t at) noexcept {
  while (at < line.size() && line[at] != '"') at += line[at] == '\\' ? 2 : 1;
  return std::min(at, line.size());
}

// Calls `visit(name, value, is_number)` with each member of a line that is a string, as it is escaped, or a number; of
// an array's elements, with each of them. One pass: a line is read for every event that is kept.
template <class Visit>
void for_each_member(std::string_view line, Visit visit) {
  std::string_view name;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '"') {
      const std::size_t end = end_of_string(line, at + 1);
      const std::string_view text = line.substr(at + 1, end - at - 1);
      at = end;
      if (at + 1 < line.size() && line[at + 1] == ':') {
        name = text;
      } else {
        visit(name, text, false);
      }
    } else if (is_digit(line[at])) {
      const std::size_t begin = at;
      while (at + 1 < line.size() && is_digit(line[at + 1])) ++at;
      visit(name, line.substr(begin, at + 1 - begin), true);
    }
  }
}

std::string escaped(std::string_view value) {
  std::string text;
  codec::JsonWriter json(text);
  json.escaped(value);
  json.flush();
  return text;
}

}  // namespace

bool is_field(std::string_view name) noexcept { return find_field(name) != nullptr; }

void add_terms(std::string_view line, const Terms& terms, std::vector<Term>& out) {
  const char* const head_end = line.data() + head_of(line).size();
  for_each_member(line, [&](std::string_view name, std::string_view value, bool is_number) {
    if (!is_number) terms.add_words(value, out);
    const Field* field = find_field(name);
    if (field == nullptr || field->is_number != is_number || value.empty()) return;
    if (field->anywhere || value.data() < head_end) out.push_back(terms.field(name, value));
  });
}

Result<EventMatcher> EventMatcher::make(const EventQuery& query, const Terms& terms) {
  EventMatcher matcher;
  matcher.query_ = query;
  for (const auto& [name, value] : query.fields) {
    const Field* field = find_field(name);
    if (field == nullptr) return fail(ErrorCode::invalid, "events have no '" + name + "'", ErrorSource::downstream);
    if (field->is_number && (value.empty() || value.size() > 9 || !std::all_of(value.begin(), value.end(), is_digit)))
      return fail(ErrorCode::invalid, "'" + value + "' is no number for '" + name + "'", ErrorSource::downstream);
    matcher.patterns_.push_back({pattern_of(*field, value), field->anywhere, field->is_number});
    if (!value.empty()) matcher.needed_.push_back(terms.field(name, escaped(value)));
  }
  if (query.client && query.client->prefix == 128)
    matcher.needed_.push_back(terms.field("client_ip", query.client->base.to_string()));
  matcher.words_ = words_of(query.text);
  terms.add_words(query.text, matcher.needed_);
  return matcher;
}

bool EventMatcher::may_match(std::string_view filter) const noexcept {
  return std::all_of(needed_.begin(), needed_.end(), [&](Term term) { return may_hold(filter, term); });
}

bool EventMatcher::matches(const Event& event) const {
  if (query_.from && event.time < *query_.from) return false;
  if (query_.to && event.time >= *query_.to) return false;
  if (query_.kind && event.kind != *query_.kind) return false;
  const std::string_view head = head_of(event.line);
  for (const Pattern& pattern : patterns_) {
    const std::string_view where = pattern.anywhere ? event.line : head;
    std::size_t at = where.find(pattern.text);
    while (pattern.is_number && at != std::string_view::npos && at + pattern.text.size() < where.size() &&
           is_digit(where[at + pattern.text.size()])) {
      at = where.find(pattern.text, at + 1);
    }
    if (at == std::string_view::npos) return false;
  }
  if (query_.client) {
    constexpr std::string_view kName = "\"client_ip\":\"";
    const std::size_t at = head.find(kName);
    if (at == std::string_view::npos) return false;
    const std::string_view rest = head.substr(at + kName.size());
    const auto address = IpAddress::parse(rest.substr(0, rest.find('"')));
    if (!address || !query_.client->contains(*address)) return false;
  }
  if (words_.empty()) return true;
  const std::string text = lowered(event.line);
  return std::all_of(words_.begin(), words_.end(), [&](const std::string& word) { return has_word(text, word); });
}

}  // namespace gatehouse::events
