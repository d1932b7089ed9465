#pragma once
// Parts of a rule written out in one canonical way, so that tests are tables.

#include <fmt/format.h>

#include <string>

#include "waf/seclang/parser.h"

namespace gatehouse::waf {

inline ParseResult parse_text(std::string_view text, const ParseLimits& limits = {}) {
  const RuleSource source{"test.conf", std::string(text)};
  return parse_rules({&source, 1}, limits);
}

inline std::string describe(const MacroText& text) {
  std::string result;
  for (const MacroPart& part : text.parts) {
    if (!part.variable) {
      result += part.literal;
    } else {
      result += fmt::format("<{}{}{}>", name_of(*part.variable), part.key.empty() ? "" : ".", part.key);
    }
  }
  return result;
}

inline std::string describe(const Target& target) {
  std::string result = target.exclude ? "!" : target.count ? "&" : "";
  result += name_of(target.variable);
  if (target.select == Target::Select::key) result += ":" + target.key;
  if (target.select == Target::Select::regex) result += ":/" + target.key + "/";
  return result;
}

inline std::string describe(const std::vector<Target>& targets) {
  std::string result;
  for (const Target& target : targets) result += (result.empty() ? "" : "|") + describe(target);
  return result;
}

inline std::string describe(const ParseResult& result) {
  std::string text;
  for (const Finding& finding : result.errors) text += to_string(finding, result.rules) + "\n";
  return text;
}

}  // namespace gatehouse::waf
