#pragma once
// Where tests find the OWASP Core Rule Set: a copy of its main branch named by GATEHOUSE_CRS_DIR or lying beside the
// checkout as `shared/crs`, and what Debian's package modsecurity-crs installs. A test whose set is not there is
// skipped.

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "waf/seclang/parser.h"

#ifndef GATEHOUSE_SOURCE_DIR
#define GATEHOUSE_SOURCE_DIR "."  // tests define it; this is for compiling the header alone
#endif

namespace gatehouse::waf {

// The folder that holds `crs-setup.conf.example`, `rules/` and `tests/`.
inline std::optional<std::filesystem::path> crs_main_folder() {
  const auto has_rules = [](const std::filesystem::path& folder) {
    std::error_code error;
    return std::filesystem::exists(folder / "crs-setup.conf.example", error);
  };
  if (const char* named = std::getenv("GATEHOUSE_CRS_DIR")) {
    return has_rules(named) ? std::optional<std::filesystem::path>(named) : std::nullopt;
  }
  const std::filesystem::path checkout = GATEHOUSE_SOURCE_DIR;
  for (auto above = checkout.parent_path();; above = above.parent_path()) {
    if (has_rules(above / "shared/crs")) return above / "shared/crs";
    if (above == above.parent_path()) return std::nullopt;
  }
}

inline std::vector<RuleSource> crs_main() {
  const auto folder = crs_main_folder();
  if (!folder) return {};
  return {{folder->string() + "/crs-setup.conf.example", {}}, {folder->string() + "/rules/*.conf", {}}};
}

// In the order of the package's own owasp-crs.load.
inline std::vector<RuleSource> crs_debian() {
  const std::string own = "/etc/modsecurity/crs/", rules = "/usr/share/modsecurity-crs/rules/";
  if (!std::filesystem::exists(own + "crs-setup.conf") || !std::filesystem::exists(rules)) return {};
  return {{own + "crs-setup.conf", {}},
          {own + "REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf", {}},
          {rules + "*.conf", {}},
          {own + "RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf", {}}};
}

// For want of time, of a whole set: files that hold little but every kind of target, operator and chain.
inline std::vector<RuleSource> files_that_compile_in_seconds(const std::vector<RuleSource>& sources) {
  std::vector<RuleSource> result;
  for (const RuleSource& source : sources) {
    if (!source.name.ends_with("/*.conf")) {
      result.push_back(source);
      continue;
    }
    for (const char* name :
         {"REQUEST-901-INITIALIZATION", "REQUEST-920-PROTOCOL-ENFORCEMENT", "REQUEST-921-PROTOCOL-ATTACK",
          "REQUEST-930-APPLICATION-ATTACK-LFI", "REQUEST-943-APPLICATION-ATTACK-SESSION-FIXATION"}) {
      result.push_back({source.name.substr(0, source.name.size() - 6) + name + ".conf", {}});
    }
  }
  return result;
}

}  // namespace gatehouse::waf
