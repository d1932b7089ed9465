#include "waf/engine/rule_engine.h"

namespace gatehouse::waf {

std::vector<RuleSource> rule_sources(const std::vector<std::string>& rules) {
  std::vector<RuleSource> sources;
  for (const std::string& each : rules) {
    if (each != "crs") {
      sources.push_back({each, {}});
      continue;
    }
    sources.push_back({"/etc/modsecurity/crs/crs-setup.conf", {}});
    sources.push_back({"/etc/modsecurity/crs/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf", {}});
    sources.push_back({"/usr/share/modsecurity-crs/rules/*.conf", {}});
    sources.push_back({"/etc/modsecurity/crs/RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf", {}});
  }
  return sources;
}

}  // namespace gatehouse::waf
