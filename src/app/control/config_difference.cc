#include "app/control/config_difference.h"

#include <nlohmann/json.hpp>

#include "app/config/documents.h"

namespace gatehouse::app {
namespace {

using nlohmann::json;

// Lists whose members have names become objects, so that an inserted route is one change and not a shift of all behind
// it.
json by_name(const json& value) {
  if (value.is_object()) {
    json result = json::object();
    for (const auto& [key, member] : value.items()) result[key] = by_name(member);
    return result;
  }
  if (!value.is_array()) return value;
  const bool named = !value.empty() && std::all_of(value.begin(), value.end(), [](const json& member) {
    return member.is_object() && member.contains("name") && member["name"].is_string();
  });
  json result = named ? json::object() : json::array();
  for (const json& member : value) {
    if (named) {
      json content = by_name(member);
      content.erase("name");
      result[member["name"].get<std::string>()] = std::move(content);
    } else {
      result.push_back(by_name(member));
    }
  }
  return result;
}

void compare(const std::string& path, const json& before, const json& after, std::vector<std::string>& out) {
  if (before == after) return;
  if (before.is_object() && after.is_object()) {
    const auto child = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
    for (const auto& [key, value] : before.items()) {
      if (after.contains(key)) {
        compare(child(key), value, after[key], out);
      } else {
        out.push_back("- " + child(key) + ": " + value.dump());
      }
    }
    for (const auto& [key, value] : after.items()) {
      if (!before.contains(key)) out.push_back("+ " + child(key) + ": " + value.dump());
    }
    return;
  }
  const auto shown = [](const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  out.push_back(path + ": " + shown(before) + " → " + shown(after));
}

}  // namespace

std::vector<std::string> config_difference(const gateway::Config& before, const gateway::Config& after) {
  std::vector<std::string> changes;
  const json old_values = json::parse(effective_json(before), nullptr, false);
  const json new_values = json::parse(effective_json(after), nullptr, false);
  compare("", by_name(old_values), by_name(new_values), changes);
  return changes;
}

}  // namespace gatehouse::app
