#include "schema/model_text.h"

#include <algorithm>

#include "codec/json_writer.h"
#include "schema/parameter_text.h"

namespace gatehouse::schema {

using codec::Json;

namespace {

constexpr std::size_t kNameMax = 48;

struct Piece {
  std::string_view name, text;
  bool is_file;
};

// A file's content is not kept: only a schema that says nothing about it can be met.
bool takes_file(const Schema& schema, int fuel = 32) noexcept {
  if (schema.format == Format::binary || schema.possible == kAnyType) return true;
  if (schema.reference != nullptr && fuel > 0) return takes_file(*schema.reference, fuel - 1);
  return false;
}

Json value_of_piece(const Schema& schema, const Piece& piece, Validator& validator, const char*& problem) {
  if (piece.is_file) {
    if (!takes_file(schema)) problem = "is not to be a file";
    return Json::of(std::string());
  }
  // RFC 7578 has no structure within a part; OpenAPI 3.0.3 "Special Considerations for multipart Content" makes
  // objects JSON.
  if (is_object(schema)) {
    auto parsed = Json::parse(piece.text);
    if (!parsed) problem = "is not JSON";
    return parsed ? std::move(*parsed) : Json{};
  }
  return value_of_text(schema, piece.text, validator);
}

}  // namespace

std::string_view shown(std::string_view name) noexcept { return codec::utf8_prefix(name, kNameMax); }

std::string_view keep(Arena& arena, std::string_view text) {
  return arena.copy(codec::utf8_prefix(text, kEvidenceMax));
}

std::string failure_text(const Failure& failure) {
  std::string out;
  if (!failure.pointer.empty()) out = failure.pointer + ": ";
  out += failure.keyword;
  if (!failure.expected.empty()) out += fmt::format(", {}", failure.expected);
  return out;
}

ContentType parse_content_type(std::string_view field, Arena& arena) {
  const std::string_view copy = arena.copy(field);
  // The arena's own bytes, which nobody else sees yet.
  for (char& c : std::span(const_cast<char*>(copy.data()), copy.size()))
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  const auto trimmed = [](std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  };
  ContentType out;
  std::size_t end = std::min(copy.find(';'), copy.size());
  out.type = trimmed(copy.substr(0, end));
  while (end < copy.size()) {
    const std::size_t next = std::min(copy.find(';', end + 1), copy.size());
    std::string_view parameter = trimmed(copy.substr(end + 1, next - end - 1));
    if (parameter.starts_with("charset=")) {
      parameter.remove_prefix(8);
      if (parameter.size() > 1 && parameter.front() == '"' && parameter.back() == '"')
        parameter = parameter.substr(1, parameter.size() - 2);
      // The first of two may be the one that the service does not believe.
      out.charset = out.charset.empty() || out.charset == parameter ? parameter : std::string_view("two of them");
    }
    end = next;
  }
  return out;
}

FormValue value_of_form(const Schema& schema, std::span<const waf::NameValue> fields, std::span<const waf::File> files,
                        Validator& validator) {
  std::vector<Piece> pieces;
  pieces.reserve(fields.size() + files.size());
  for (const waf::NameValue& field : fields) pieces.push_back({field.name, field.value, false});
  for (const waf::File& file : files) pieces.push_back({file.field, {}, true});
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.name < b.name; });
  static const Schema kAnything;
  FormValue out;
  std::vector<std::string> names;
  std::vector<Json> values;
  for (std::size_t i = 0; i < pieces.size();) {
    std::size_t end = i + 1;
    while (end < pieces.size() && pieces[end].name == pieces[i].name) ++end;
    out.field = pieces[i].name;
    const Schema* described = find_property(schema, pieces[i].name);
    const bool list = described != nullptr && is_array(*described);
    const Schema* each = list ? find_items(*described) : described;
    if (each == nullptr) each = &kAnything;
    if (!list && end - i > 1) return out.problem = "is given more than once", out;
    std::vector<Json> items;
    for (; i < end; ++i) {
      items.push_back(value_of_piece(*each, pieces[i], validator, out.problem));
      if (out.problem != nullptr) return out;
    }
    names.emplace_back(out.field);
    values.push_back(list ? Json::array(std::move(items)) : std::move(items[0]));
  }
  out.value = Json::object(std::move(names), std::move(values));
  return out;
}

}  // namespace gatehouse::schema
