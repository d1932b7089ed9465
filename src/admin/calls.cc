#include "admin/calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gatehouse::admin {

using codec::Json;
using telemetry::RecordFilter;

namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

template <class Enum>
std::optional<Enum> enum_of(std::string_view name, int count) {
  for (int i = 0; i < count; ++i) {
    if (telemetry::name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

Answer json_answer(std::string body, int status) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

std::optional<Json> object_in(const Call& call) {
  auto value = Json::parse(call.body.empty() ? std::string_view("{}") : std::string_view(call.body));
  if (!value || !value->is_object()) return std::nullopt;
  return value;
}

std::optional<std::string> unknown_member(const Json& object, std::initializer_list<std::string_view> known) {
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (std::find(known.begin(), known.end(), object.name(i)) == known.end())
      return fmt::format("Unknown member '{}'.", object.name(i));
  }
  return std::nullopt;
}

Status bad_value(std::string_view name, std::string_view value) {
  return fail(ErrorCode::invalid, fmt::format("'{}' is no value for '{}'.", value, name), ErrorSource::downstream);
}

Status read_count(std::string_view name, std::string_view value, std::size_t max, std::size_t& count) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc() || end != value.data() + value.size() || count == 0 || count > max)
    return bad_value(name, value);
  return {};
}

Status read_filter(std::string_view name, const std::string& value, RecordFilter& filter, bool& known) {
  const auto bad = [&] { return bad_value(name, value); };
  known = true;
  if (name == "verdict") {
    filter.verdict = enum_of<telemetry::Verdict>(value, 4);
    if (!filter.verdict) return bad();
  } else if (name == "layer") {
    filter.layer = enum_of<telemetry::Layer>(value, static_cast<int>(telemetry::Layer::count_));
    if (!filter.layer) return bad();
  } else if (name == "client") {
    filter.client = Network::parse(value);
    if (!filter.client) return bad();
  } else {
    known = false;
  }
  return {};
}

}  // namespace gatehouse::admin
