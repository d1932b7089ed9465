#include "waf/seclang/ctl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "waf/seclang/actions.h"
#include "waf/seclang/target.h"
#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

enum class Value : std::uint8_t { on_off, audit, engine, processor, text, ids, tag, ids_target, tag_target };

struct Entry {
  std::string_view name;
  Ctl::Kind kind;
  Value value;
};

constexpr std::array<Entry, 10> kCtls{{
    {"auditEngine", Ctl::Kind::audit_engine, Value::audit},
    {"auditLogParts", Ctl::Kind::audit_log_parts, Value::text},
    {"forceRequestBodyVariable", Ctl::Kind::force_request_body_variable, Value::on_off},
    {"requestBodyAccess", Ctl::Kind::request_body_access, Value::on_off},
    {"requestBodyProcessor", Ctl::Kind::request_body_processor, Value::processor},
    {"ruleEngine", Ctl::Kind::rule_engine, Value::engine},
    {"ruleRemoveById", Ctl::Kind::rule_remove_by_id, Value::ids},
    {"ruleRemoveByTag", Ctl::Kind::rule_remove_by_tag, Value::tag},
    {"ruleRemoveTargetById", Ctl::Kind::rule_remove_target_by_id, Value::ids_target},
    {"ruleRemoveTargetByTag", Ctl::Kind::rule_remove_target_by_tag, Value::tag_target},
}};
constexpr std::array<std::string_view, 7> kUnsupported{"hashEnforcement",      "hashEngine",        "parseXmlIntoArgs",
                                                       "responseBodyAccess",   "responseBodyLimit", "ruleRemoveByMsg",
                                                       "ruleRemoveTargetByMsg"};
constexpr std::array<std::string_view, 1> kIgnored{"debugLogLevel"};

constexpr std::array<std::string_view, 2> kOnOff{"On", "Off"};
constexpr std::array<std::string_view, 3> kAudit{"On", "Off", "RelevantOnly"};
constexpr std::array<std::string_view, 3> kEngine{"On", "Off", "DetectionOnly"};
constexpr std::array<std::string_view, 4> kProcessor{"URLENCODED", "MULTIPART", "JSON", "XML"};

// In the spelling of the list, whatever the case written.
bool read_word(const Span& span, std::span<const std::string_view> words, Ctl& ctl, const Place& place) {
  for (const std::string_view word : words) {
    if (same_name(word, span.text)) {
      ctl.value = word;
      return true;
    }
  }
  place.error(span, fmt::format("{} is not one of {}", shown(span.text), fmt::join(words, ", ")),
              guess(span.text, words));
  return false;
}

bool read_target(const Span& span, std::size_t semicolon, Ctl& ctl, const Place& place) {
  if (semicolon == std::string_view::npos) {
    place.error(span, "the variable is missing", "write it behind a semicolon: 942100;ARGS:name");
    return false;
  }
  ctl.target = parse_one_target(span.sub(semicolon + 1), place);
  return ctl.target.has_value();
}

bool read_tag(const Span& span, Ctl& ctl, const Place& place) {
  ctl.value = span.trimmed().text;
  if (ctl.value.empty()) place.error(span, "the tag is missing");
  return !ctl.value.empty();
}

bool read_value(Value kind, const Span& value, Ctl& ctl, const Place& place) {
  const std::size_t semicolon = value.text.find(';');
  switch (kind) {
    case Value::on_off: return read_word(value, kOnOff, ctl, place);
    case Value::audit: return read_word(value, kAudit, ctl, place);
    case Value::engine: return read_word(value, kEngine, ctl, place);
    case Value::processor: return read_word(value, kProcessor, ctl, place);
    case Value::text: ctl.value = value.text; return true;
    case Value::ids: ctl.ids = parse_ids(value, place); return !ctl.ids.empty();
    case Value::tag: return read_tag(value, ctl, place);
    case Value::ids_target:
      ctl.ids = parse_ids(value.sub(0, semicolon), place);
      return !ctl.ids.empty() && read_target(value, semicolon, ctl, place);
    case Value::tag_target:
      return read_tag(value.sub(0, semicolon), ctl, place) && read_target(value, semicolon, ctl, place);
  }
  return false;
}

}  // namespace

std::optional<Ctl> parse_ctl(const Span& span, const Place& place) {
  const std::size_t equals = span.text.find('=');
  const Span name = span.sub(0, std::min(equals, span.text.size())).trimmed();
  const auto is = [&](std::string_view word) { return same_name(word, name.text); };
  const Entry* entry = find_word(std::span<const Entry>(kCtls), name.text);
  if (std::any_of(kIgnored.begin(), kIgnored.end(), is)) {
    place.ignore(name, fmt::format("ctl:{} has no effect here", name.text));
    return std::nullopt;
  }
  if (!entry) {
    const bool known = std::any_of(kUnsupported.begin(), kUnsupported.end(), is);
    place.error(name, fmt::format("ctl:{} is not {}", name.text, known ? "supported" : "known"),
                known ? std::string() : guess(name.text, names_of(std::span<const Entry>(kCtls))));
    return std::nullopt;
  }
  if (equals == std::string_view::npos) {
    place.error(name, fmt::format("ctl:{} needs a value", entry->name), "write it behind an equals sign");
    return std::nullopt;
  }
  Ctl ctl;
  ctl.kind = entry->kind;
  if (!read_value(entry->value, span.sub(equals + 1).trimmed(), ctl, place)) return std::nullopt;
  return ctl;
}

}  // namespace gatehouse::waf
