#include "app/config/kind.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

namespace gatehouse::app {
namespace {

constexpr std::size_t kDiagnosticsMax = 200;

}  // namespace

void Reader::report(Severity severity, YamlPosition position, std::string_view id, std::string message,
                    std::string hint) {
  if (severity == Severity::error) ++errors_;
  // A file of the wrong kind must not print a line for each of its lines.
  if (diagnostics_.size() > kDiagnosticsMax) return;
  if (diagnostics_.size() == kDiagnosticsMax) {
    diagnostics_.push_back({Severity::error, "config.too_many", file_, position, "too many problems to list them all",
                            "", "mend these first"});
    return;
  }
  diagnostics_.push_back(
      {severity, fmt::format("config.{}", id), file_, position, std::move(message), "", std::move(hint)});
}

void Reader::report_in(const std::string& file, std::string_view line, Severity severity, YamlPosition position,
                       std::string_view id, std::string message, std::string hint) {
  const std::size_t before = diagnostics_.size();
  report(severity, position, id, std::move(message), std::move(hint));
  if (diagnostics_.size() == before) return;
  diagnostics_.back().file = file;
  diagnostics_.back().line = line.empty() ? " " : line;  // an empty line of that file is not one of ours
}

bool Reader::error(YamlPosition position, std::string_view id, std::string message, std::string hint) {
  report(Severity::error, position, id, std::move(message), std::move(hint));
  return false;
}

bool Reader::wrong_type(const YamlNode& node, std::string_view expected, std::string hint) {
  if (node.is(YamlNode::Kind::invalid)) return false;  // reported by the YAML reader
  if (node.is(YamlNode::Kind::null)) {
    return error(node.position(), "type", fmt::format("expected {}, but there is no value", expected),
                 hint.empty() ? "remove the key to use its default" : std::move(hint));
  }
  const std::string found =
      node.is_scalar() ? fmt::format("\"{}\"", node.text().substr(0, 80)) : std::string(name_of(node.kind()));
  return error(node.position(), "type", fmt::format("expected {}, found {}", expected, found), std::move(hint));
}

std::string Reader::absolute(std::string_view path) const {
  return (std::filesystem::path(options_.base_dir) / path).lexically_normal().string();
}

const YamlNode* Given::value(std::string_view key) const {
  const codec::YamlEntry* entry = node_.find(key);
  return entry ? &entry->value : nullptr;
}
YamlPosition Given::key(std::string_view key) const {
  const codec::YamlEntry* entry = node_.find(key);
  return entry ? entry->position : node_.position();
}
YamlPosition Given::at(std::string_view key) const {
  const YamlNode* node = value(key);
  return node ? node->position() : node_.position();
}
bool Given::good(std::initializer_list<std::string_view> keys) const {
  return std::none_of(keys.begin(), keys.end(), [this](std::string_view key) {
    return std::find(failed_.begin(), failed_.end(), key) != failed_.end();
  });
}

const Key* Object::find(std::string_view key) const {
  for (const Key& k : keys_) {
    if (k.name == key) return &k;
  }
  return nullptr;
}

// Reports the keys that aren't known, and returns those that were probably meant.
std::vector<std::string_view> Object::report_unknown(Reader& reader, const YamlNode& node) const {
  std::vector<std::string_view> meant;
  for (const codec::YamlEntry& entry : node.entries()) {
    if (find(entry.key) != nullptr) continue;
    std::vector<std::string_view> known;
    for (const Key& k : keys_) known.push_back(k.name);
    const std::string_view guess = closest(entry.key, known);
    reader.error(entry.position, "unknown_key", fmt::format("unknown key \"{}\"", entry.key),
                 guess.empty() ? fmt::format("accepted here: {}", fmt::join(known, ", "))
                               : fmt::format("did you mean \"{}\"?", guess));
    if (!guess.empty() && node.find(guess) == nullptr) meant.push_back(guess);
  }
  return meant;
}

bool Object::read(Reader& reader, const YamlNode& node, void* into) const {
  if (!node.is(YamlNode::Kind::map)) {
    const Key* stand_in = shorthand_.empty() ? nullptr : find(shorthand_);
    if (stand_in == nullptr || !node.is_scalar() || node.is(YamlNode::Kind::null)) {
      return reader.wrong_type(node, "a block of keys");
    }
    if (!stand_in->kind->read(reader, node, stand_in->member(into))) return false;
    if (check_) check_(reader, Given(node, {}), into);
    return true;
  }
  const std::size_t errors_before = reader.errors();
  std::vector<std::string_view> failed = report_unknown(reader, node);
  // In the table's order, not the file's: what is referred to comes before what refers.
  for (const Key& k : keys_) {
    const codec::YamlEntry* entry = node.find(k.name);
    if (entry == nullptr) {
      // a slip in its name was reported: it is not missing as well
      const bool slipped = std::find(failed.begin(), failed.end(), k.name) != failed.end();
      if (!k.notes.required || slipped) continue;
      reader.error(
          node.position(), "missing_key", fmt::format("missing key \"{}\"", k.name),
          k.notes.example.empty() ? std::string() : fmt::format("for example {}: {}", k.name, k.notes.example));
      failed.push_back(k.name);
    } else if (!k.kind->read(reader, entry->value, k.member(into))) {
      failed.push_back(k.name);
    }
  }
  if (check_) check_(reader, Given(node, std::move(failed)), into);
  return reader.errors() == errors_before;
}

void Object::write(const Writer& writer, const void* from, Json& to) const {
  to = Json::object();
  for (const Key& k : keys_) {
    Json value;
    // `member` computes an address only; nothing is changed through it here
    k.kind->write(writer, k.member(const_cast<void*>(from)), value);
    if (value.is_null() && k.notes.required) {  // a block without what it can't be without isn't there
      to = nullptr;
      return;
    }
    if (!value.is_null()) to[std::string(k.name)] = std::move(value);
  }
}

void Object::schema(Json& to, Json& definitions) const {
  to = {{"$ref", fmt::format("#/$defs/{}", name_)}};
  const std::string name(name_);
  if (definitions.contains(name)) return;
  definitions[name] = nullptr;  // taken, for blocks that contain themselves
  Json full = {{"type", "object"}, {"additionalProperties", false}};
  if (!doc_.empty()) full["description"] = doc_;
  Json properties = Json::object(), required = Json::array(), stand_in;
  const std::shared_ptr<void> defaults = make();
  const gateway::Config none;
  for (const Key& k : keys_) {
    Json value, standard;
    k.kind->schema(value, definitions);
    if (k.name == shorthand_) stand_in = value;
    value["description"] = k.doc;
    k.kind->write(Writer{none, false}, k.member(defaults.get()), standard);
    if (!k.notes.required && !standard.is_null() && k.notes.default_note.empty())
      value["default"] = std::move(standard);
    properties[std::string(k.name)] = std::move(value);
    if (k.notes.required) required.push_back(k.name);
  }
  full["properties"] = std::move(properties);
  if (!required.empty()) full["required"] = std::move(required);
  if (!stand_in.is_null()) full = {{"anyOf", Json::array({std::move(full), std::move(stand_in)})}};
  definitions[name] = std::move(full);
}

namespace detail {

Json& append(Json& list) {
  list.push_back(nullptr);
  return list.back();
}
Json& member(Json& map, std::string_view key) { return map[std::string(key)]; }
void make_list(Json& value) { value = Json::array(); }
void make_map(Json& value) { value = Json::object(); }

void list_schema(const AnyKind& item, bool one_or_many, std::size_t min, Json& to, Json& definitions) {
  Json items;
  item.schema(items, definitions);
  Json list = {{"type", "array"}, {"items", items}};
  if (min > 0) list["minItems"] = min;
  to = one_or_many ? Json{{"anyOf", Json::array({std::move(list), std::move(items)})}} : std::move(list);
}

void map_schema(const AnyKind& value, Json& to, Json& definitions) {
  Json values;
  value.schema(values, definitions);
  to = {{"type", "object"}, {"additionalProperties", std::move(values)}};
}

void off_schema(const AnyKind& on, Json& to, Json& definitions) {
  Json value;
  on.schema(value, definitions);
  to = {{"anyOf", Json::array({std::move(value), Json{{"enum", Json::array({"off", false})}}})}};
}
void write_off(Json& to) { to = "off"; }
bool is_off(const YamlNode& node) {
  return (node.is(YamlNode::Kind::string) && node.text() == "off") ||
         (node.is(YamlNode::Kind::boolean) && !node.boolean());
}

bool check_names(Reader& reader, const std::vector<std::pair<std::string_view, YamlPosition>>& names) {
  std::unordered_map<std::string_view, std::uint32_t> lines;
  bool good = true;
  for (const auto& [name, position] : names) {
    const auto [it, fresh] = lines.emplace(name, position.line);
    if (!fresh) {
      good = reader.error(position, "duplicate_name", fmt::format("the name \"{}\" is already taken", name),
                          fmt::format("line {} has it; give each its own", it->second));
    }
  }
  return good;
}

bool good_name(Reader& reader, std::string_view name, YamlPosition position) {
  const bool good = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  return good || reader.error(position, "value", fmt::format("\"{}\" is not a name", name.substr(0, 80)),
                              "1 to 64 letters, digits, '-', '_' and '.'");
}

}  // namespace detail
}  // namespace gatehouse::app
