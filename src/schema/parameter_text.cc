#include "schema/parameter_text.h"

#include <charconv>

#include "codec/json_writer.h"

namespace gatehouse::schema {

using codec::Json;

namespace {

constexpr std::size_t kItemsMax = 1000;  // of one parameter

// A number as JSON writes it (RFC 8259 §6): no plus sign, no zeros in front, no hexadecimal, no infinity.
bool is_number(std::string_view text) noexcept {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - begin;
  };
  const std::size_t whole = at;
  const std::size_t count = digits();
  if (count == 0 || (count > 1 && text[whole] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

std::optional<Json> number_of(std::string_view text) noexcept {
  if (!is_number(text)) return std::nullopt;
  std::int64_t whole = 0;
  if (const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), whole);
      code == std::errc() && end == text.data() + text.size())
    return Json::of(whole);
  double real = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), real).ec != std::errc()) return std::nullopt;
  return Json::of(real);
}

std::vector<std::string_view> split_commas(std::string_view text, bool trims) {
  std::vector<std::string_view> parts;
  while (true) {
    std::string_view part = text.substr(0, text.find(','));
    const bool last = part.size() == text.size();
    if (!last) text.remove_prefix(part.size() + 1);
    while (trims && (part.starts_with(' ') || part.starts_with('\t'))) part.remove_prefix(1);
    while (trims && (part.ends_with(' ') || part.ends_with('\t'))) part.remove_suffix(1);
    parts.push_back(part);
    if (last || parts.size() > kItemsMax) return parts;
  }
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    std::size_t bad = 0;
    const std::size_t length = codec::utf8_sequence(text.data() + i, text.data() + text.size(), &bad);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

bool is_array(const Schema& schema) noexcept {
  return (schema.possible & kArray) != 0 && (schema.possible & (kString | kNumber | kBoolean | kObject)) == 0;
}
bool is_object(const Schema& schema) noexcept {
  return (schema.possible & kObject) != 0 && (schema.possible & (kString | kNumber | kBoolean | kArray)) == 0;
}

Json value_of_text(const Schema& schema, std::string_view text, Validator& validator) {
  std::optional<Json> typed;
  if ((schema.possible & kNumber) != 0) typed = number_of(text);
  if (!typed && (schema.possible & kBoolean) != 0 && (text == "true" || text == "false"))
    typed = Json::of(text == "true");
  const bool text_too = (schema.possible & kString) != 0;
  if (typed && (!text_too || validator.probe(schema, *typed) == Validator::Verdict::valid)) return std::move(*typed);
  return Json::of(std::string(text));
}

ParameterValue value_of_parameter(const Parameter& parameter, std::span<const std::string_view> values,
                                  Validator& validator) {
  if (parameter.is_json) {
    if (values.size() > 1) return {"given more than once", {}};
    auto parsed = Json::parse(values[0]);
    if (!parsed) return {"not JSON", {}};
    return {nullptr, std::move(*parsed)};
  }
  if (!is_array(*parameter.schema)) {
    // Readers take the first, the last, or all of them: a way to show us another value than the service sees.
    if (values.size() > 1) return {"given more than once", {}};
    return {nullptr, value_of_text(*parameter.schema, values[0], validator)};
  }
  const bool simple = parameter.style == ParameterStyle::simple;
  const Schema* items = find_items(*parameter.schema);
  std::vector<Json> list;
  if (!parameter.explode && !simple && values.size() > 1) return {"given more than once", {}};
  for (const std::string_view value : values) {
    const bool splits = simple || !parameter.explode;
    for (const std::string_view part : splits ? split_commas(value, simple) : std::vector<std::string_view>{value}) {
      if (list.size() == kItemsMax) return {"more elements than are looked at", {}};
      list.push_back(items != nullptr ? value_of_text(*items, part, validator) : Json::of(std::string(part)));
    }
  }
  return {nullptr, Json::array(std::move(list))};
}

}  // namespace gatehouse::schema
