#include "app/control/config_difference.h"

#include <algorithm>
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

// A value as it is, to compare, and as it may be shown: with its secrets masked.
struct Value {
  const json& real;
  const json& shown;
  bool has(const std::string& key) const { return real.contains(key); }
  Value at(const std::string& key) const { return {real[key], shown.contains(key) ? shown[key] : kNothing}; }
  std::string text() const { return shown.is_string() ? shown.get<std::string>() : shown.dump(); }

 private:
  static inline const json kNothing;
};

class Difference {
 public:
  std::vector<std::string> lines;

  explicit Difference(std::vector<std::string> restart) : restart_(std::move(restart)) {}

  void compare(const std::string& path, const Value& before, const Value& after) {
    if (before.real == after.real) return;
    if (before.real.is_object() && after.real.is_object()) {
      const auto child = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
      for (const auto& [key, value] : before.real.items()) {
        if (after.has(key)) {
          compare(child(key), before.at(key), after.at(key));
        } else {
          add(child(key), "- " + child(key) + ": " + before.at(key).shown.dump());
        }
      }
      for (const auto& [key, value] : after.real.items()) {
        if (!before.has(key)) add(child(key), "+ " + child(key) + ": " + after.at(key).shown.dump());
      }
      return;
    }
    const std::string old_text = before.text(), new_text = after.text();
    add(path, path + ": " + (old_text == new_text ? "changed (a secret)" : old_text + " → " + new_text));
  }

 private:
  void add(const std::string& path, std::string line) {
    const bool restart = std::any_of(restart_.begin(), restart_.end(), [&](const std::string& key) {
      return key == path || key.starts_with(path + ".") || path.starts_with(key + ".");
    });
    lines.push_back(std::move(line) + (restart ? " (needs a restart)" : ""));
  }

  std::vector<std::string> restart_;
};

json values_of(const gateway::Config& config, bool mask_secrets) {
  return json::parse(effective_json(config, mask_secrets), nullptr, false);
}

// The value at "process.shards", or null.
json at_path(json value, std::string_view path) {
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const std::string step(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
    if (!value.is_object() || !value.contains(step)) return nullptr;
    value = json(value[step]);
  }
  return value;
}

}  // namespace

std::vector<std::string> config_difference(const gateway::Config& before, const gateway::Config& after) {
  Difference difference(restart_keys());
  const json old_real = by_name(values_of(before, false)), old_shown = by_name(values_of(before, true));
  const json new_real = by_name(values_of(after, false)), new_shown = by_name(values_of(after, true));
  difference.compare("", {old_real, old_shown}, {new_real, new_shown});
  return std::move(difference.lines);
}

std::vector<std::string> keys_needing_restart(const gateway::Config& started, const gateway::Config& wanted) {
  const json old_values = values_of(started, false), new_values = values_of(wanted, false);
  std::vector<std::string> keys = restart_keys();
  std::erase_if(keys, [&](const std::string& key) { return at_path(old_values, key) == at_path(new_values, key); });
  return keys;
}

}  // namespace gatehouse::app
