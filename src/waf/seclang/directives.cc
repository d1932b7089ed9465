#include "waf/seclang/directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

using Words = std::span<const std::string_view>;

// The place of the value in `words`.
std::optional<std::size_t> one_of(const Span& value, Words words, const Place& place) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (same_name(words[i], value.text)) return i;
  }
  place.error(value, fmt::format("{} is not one of {}", shown(value.text), fmt::join(words, ", ")),
              guess(value.text, words));
  return std::nullopt;
}

void set_flag(const Span& value, std::optional<bool>& field, const Place& place) {
  constexpr std::array<std::string_view, 2> kWords{"Off", "On"};
  if (const auto i = one_of(value, kWords, place)) field = *i == 1;
}

void set_number(const Span& value, std::optional<std::uint64_t>& field, const Place& place) {
  if (const auto n = number(value.text)) {
    field = *n;
  } else {
    place.error(value, fmt::format("{} is not a number", shown(value.text)));
  }
}

void set_limit_action(const Span& value, std::optional<LimitAction>& field, const Place& place) {
  constexpr std::array<std::string_view, 2> kWords{"Reject", "ProcessPartial"};
  if (const auto i = one_of(value, kWords, place)) field = *i == 0 ? LimitAction::reject : LimitAction::process_partial;
}

void set_engine(const Span& value, RuleSettings& settings, const Place& place) {
  constexpr std::array<std::string_view, 3> kWords{"On", "DetectionOnly", "Off"};
  constexpr std::array<EngineMode, 3> kModes{EngineMode::on, EngineMode::detection_only, EngineMode::off};
  if (const auto i = one_of(value, kWords, place)) settings.engine = kModes[*i];
}

struct Setting {
  std::string_view name;
  std::size_t values_max;
  void (*apply)(const Directive& directive, RuleSettings& settings, const Place& place);
};

constexpr std::array<Setting, 14> kSettings{{
    {"SecArgumentsLimit", 1, [](auto& d, auto& s, auto& p) { set_number(d.arguments[0], s.arguments_limit, p); }},
    {"SecCollectionTimeout", 1,
     [](auto& d, auto& s, auto& p) { set_number(d.arguments[0], s.collection_timeout_seconds, p); }},
    {"SecComponentSignature", 1,
     [](auto& d, auto& s, auto&) {
       if (!s.component_signature.empty()) s.component_signature += ", ";
       s.component_signature += d.arguments[0].text;
     }},
    {"SecRequestBodyAccess", 1, [](auto& d, auto& s, auto& p) { set_flag(d.arguments[0], s.request_body_access, p); }},
    {"SecRequestBodyJsonDepthLimit", 1,
     [](auto& d, auto& s, auto& p) { set_number(d.arguments[0], s.request_body_json_depth_limit, p); }},
    {"SecRequestBodyLimit", 1, [](auto& d, auto& s, auto& p) { set_number(d.arguments[0], s.request_body_limit, p); }},
    {"SecRequestBodyLimitAction", 1,
     [](auto& d, auto& s, auto& p) { set_limit_action(d.arguments[0], s.request_body_limit_action, p); }},
    {"SecRequestBodyNoFilesLimit", 1,
     [](auto& d, auto& s, auto& p) { set_number(d.arguments[0], s.request_body_no_files_limit, p); }},
    {"SecResponseBodyAccess", 1,
     [](auto& d, auto& s, auto& p) { set_flag(d.arguments[0], s.response_body_access, p); }},
    {"SecResponseBodyLimit", 1,
     [](auto& d, auto& s, auto& p) { set_number(d.arguments[0], s.response_body_limit, p); }},
    {"SecResponseBodyLimitAction", 1,
     [](auto& d, auto& s, auto& p) { set_limit_action(d.arguments[0], s.response_body_limit_action, p); }},
    {"SecResponseBodyMimeType", 64,
     [](auto& d, auto& s, auto&) {
       for (const Span& type : d.arguments) s.response_body_mime_types.push_back(lower(type.text));
     }},
    {"SecResponseBodyMimeTypesClear", 0, [](auto&, auto& s, auto&) { s.response_body_mime_types.clear(); }},
    {"SecRuleEngine", 1, [](auto& d, auto& s, auto& p) { set_engine(d.arguments[0], s, p); }},
}};

struct NoEffect {
  std::string_view name;
  std::string_view why;
  std::string_view only = {};  // the value that changes nothing; another one would, and is an error
};

constexpr std::string_view kLogs = "the gateway writes its own access log and decision records";
constexpr std::string_view kFiles = "the gateway keeps bodies in memory, within its own limits";
constexpr std::string_view kOwn = "the gateway's configuration decides this";
constexpr std::string_view kBounded = "the gateway bounds the work of a request itself";
constexpr std::string_view kServer = "it is about the web server around ModSecurity";

constexpr std::array<NoEffect, 46> kNoEffect{{
    {"SecArgumentSeparator", "it is always &", "&"},
    {"SecAuditEngine", kLogs},
    {"SecAuditLog", kLogs},
    {"SecAuditLog2", kLogs},
    {"SecAuditLogDirMode", kLogs},
    {"SecAuditLogFileMode", kLogs},
    {"SecAuditLogFormat", kLogs},
    {"SecAuditLogParts", kLogs},
    {"SecAuditLogPrefix", kLogs},
    {"SecAuditLogRelevantStatus", kLogs},
    {"SecAuditLogStorageDir", kLogs},
    {"SecAuditLogType", kLogs},
    {"SecCacheTransformations", kBounded},
    {"SecChrootDir", kServer},
    {"SecConnEngine", kOwn},
    {"SecConnReadStateLimit", kOwn},
    {"SecConnWriteStateLimit", kOwn},
    {"SecCookieFormat", "cookies are always of version 0", "0"},
    {"SecCookieV0Separator", "it is always ;", ";"},
    {"SecDataDir", kOwn},
    {"SecDebugLog", kLogs},
    {"SecDebugLogLevel", kLogs},
    {"SecDisableBackendCompression", kServer},
    {"SecGsbLookupDb", kOwn},
    {"SecGuardianLog", kLogs},
    {"SecHttpBlKey", kOwn},
    {"SecInterceptOnError", kOwn},
    {"SecParseXmlIntoArgs", "XML never becomes arguments", "Off"},
    {"SecPcreMatchLimit", kBounded},
    {"SecPcreMatchLimitRecursion", kBounded},
    {"SecRequestBodyInMemoryLimit", kFiles},
    {"SecRulePerfTime", kLogs},
    {"SecSensorId", kLogs},
    {"SecServerSignature", kServer},
    {"SecStatusEngine", kServer},
    {"SecStreamInBodyInspection", kFiles},
    {"SecStreamOutBodyInspection", kFiles},
    {"SecTmpDir", kFiles},
    {"SecTmpSaveUploadedFiles", kFiles},
    {"SecUnicodeMapFile", "t:urlDecodeUni maps to the best ASCII fit"},
    {"SecUploadDir", kFiles},
    {"SecUploadFileLimit", kFiles},
    {"SecUploadFileMode", kFiles},
    {"SecUploadKeepFiles", kFiles},
    {"SecWebAppId", kOwn},
    {"SecXmlExternalEntity", "external entities are never loaded"},
}};

constexpr std::array<std::string_view, 10> kUnsupported{
    "SecContentInjection", "SecHashEngine", "SecHashKey",     "SecHashMethodPm",
    "SecHashMethodRx",     "SecHashParam",  "SecRemoteRules", "SecRemoteRulesFailAction",
    "SecRuleInheritance",  "SecRuleScript"};

void note_no_effect(const Directive& directive, const NoEffect& entry, const Place& place) {
  if (!entry.only.empty() && !directive.arguments.empty() && !same_name(directive.arguments[0].text, entry.only)) {
    place.error(directive.arguments[0],
                fmt::format("{} {} is not supported", entry.name, shown(directive.arguments[0].text)),
                std::string(entry.why));
    return;
  }
  place.ignore(directive.name, fmt::format("{} has no effect: {}", entry.name, entry.why));
}

}  // namespace

Known apply_setting(const Directive& directive, RuleSettings& settings, const Place& place) {
  if (const auto* entry = find_word(std::span<const NoEffect>(kNoEffect), directive.name.text)) {
    note_no_effect(directive, *entry, place);
    return Known::yes;
  }
  const auto* entry = find_word(std::span<const Setting>(kSettings), directive.name.text);
  if (!entry) return Known::no;
  const std::size_t given = directive.arguments.size();
  if (given > entry->values_max) {
    place.error(directive.arguments[entry->values_max],
                fmt::format("{} takes {} and no more", entry->name,
                            entry->values_max == 0 ? "no value" : fmt::format("{} value(s)", entry->values_max)));
  } else if (given == 0 && entry->values_max > 0) {
    place.error(directive.name, fmt::format("{} needs a value", entry->name));
  } else {
    entry->apply(directive, settings, place);
  }
  return Known::yes;
}

void unknown_directive(const Span& name, std::span<const std::string_view> others, const Place& place) {
  if (std::any_of(kUnsupported.begin(), kUnsupported.end(), [&](auto u) { return same_name(u, name.text); })) {
    place.error(name, fmt::format("directive {} is not supported", name.text));
    return;
  }
  if (name.text.starts_with('<')) {
    place.error(name, "Apache's sections are not part of SecLang",
                "what stands in them is read as if they were not there");
    return;
  }
  std::vector<std::string_view> names = names_of(std::span<const Setting>(kSettings));
  for (const NoEffect& entry : kNoEffect) names.push_back(entry.name);
  names.insert(names.end(), others.begin(), others.end());
  place.error(name, fmt::format("unknown directive {}", shown(name.text)), guess(name.text, names));
}

}  // namespace gatehouse::waf
