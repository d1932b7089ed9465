#include "app/config/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/config/built_in.h"
#include "app/config/table.h"
#include "codec/yaml.h"

namespace gatehouse::app {
namespace {

// Whether text means itself without quotes: a narrow set, so that nothing has to be known of YAML's finer rules.
bool is_plain(std::string_view text) {
  if (text.empty() || text.size() > 200) return false;
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/' || c == '.';
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!letter(text[0]) && !digit(text[0])) return false;
  const bool clean = std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || digit(c) || c == '-' || c == ':' || c == '*' || c == '+' || c == '@' || c == ';' || c == '=';
  });
  if (!clean || text.back() == ':') return false;
  const codec::YamlDocument read = codec::parse_yaml(text);  // "true", "12", "1e3" and the like are something else
  return read.errors.empty() && read.root.is(YamlNode::Kind::string) && read.root.text() == text;
}

std::string scalar(const Json& value) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  // JSON's escapes are YAML's; what isn't UTF-8 cannot have come from a file
  return is_plain(text) ? text : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_flat(const Json& value) {
  return std::all_of(value.begin(), value.end(),
                     [](const Json& item) { return !item.is_structured() || item.empty(); });
}

void append_block(std::string& out, const Json& value, std::size_t indent, bool first_in_item) {
  const std::string pad(indent, ' ');
  bool first = first_in_item;
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += (first ? "" : pad) + scalar(Json(key)) + ":";
      first = false;
      const bool one_line = !item.is_structured() || item.empty() || (item.is_array() && is_flat(item));
      if (one_line) {
        out += " " + to_yaml_flow(item) + "\n";
      } else {
        out += "\n";
        append_block(out, item, indent + 2, false);
      }
    }
    return;
  }
  for (const Json& item : value) {
    out += (first ? "" : pad) + "- ";
    first = false;
    if (item.is_structured() && !item.empty()) {
      append_block(out, item, indent + 2, true);
    } else {
      out += to_yaml_flow(item) + "\n";
    }
  }
}

Json effective(const gateway::Config& config, bool mask_secrets) {
  Json value;
  const gateway::Config shown = without_built_in(config);
  root_object().write(Writer{shown, mask_secrets}, &shown, value);
  return value;
}

}  // namespace

std::string to_yaml_flow(const Json& value) {
  if (!value.is_structured()) return scalar(value);
  if (value.empty()) return value.is_array() ? "[]" : "{}";
  std::string out;
  for (const auto& [key, item] : value.items()) {
    out += out.empty() ? "" : ", ";
    if (value.is_object()) out += scalar(Json(key)) + ": ";
    out += to_yaml_flow(item);
  }
  return value.is_array() ? "[" + out + "]" : "{ " + out + " }";
}

std::string to_yaml(const Json& value) {
  if (!value.is_structured() || value.empty()) return to_yaml_flow(value) + "\n";
  std::string out;
  append_block(out, value, 0, false);
  return out;
}

std::string effective_yaml(const gateway::Config& config, bool mask_secrets) {
  return to_yaml(effective(config, mask_secrets));
}

std::string effective_json(const gateway::Config& config, bool mask_secrets) {
  return effective(config, mask_secrets).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> restart_keys() {
  std::vector<std::string> keys;
  const auto walk = [&](const auto& self, const Object& object, const std::string& path) -> void {
    for (const Key& key : object.keys()) {
      const std::string here = path.empty() ? std::string(key.name) : fmt::format("{}.{}", path, key.name);
      if (key.notes.restart) keys.push_back(here);
      const Object* nested = key.kind->nested();
      if (nested != nullptr && key.kind->nesting().empty()) self(self, *nested, here);
    }
  };
  walk(walk, root_object(), "");
  return keys;
}

std::string json_schema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"$id", "https://gatehouse.example/schema/gatehouse-1.json"},
                 {"title", "Gatehouse configuration"}};
  Json definitions = Json::object(), root;
  root_object().schema(root, definitions);
  schema.update(root);
  schema["$defs"] = std::move(definitions);
  return schema.dump(2) + "\n";
}

}  // namespace gatehouse::app
