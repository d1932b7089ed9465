// What each keyword of a Schema Object becomes.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/spelling.h"
#include "schema/schema_reader.h"

namespace gatehouse::schema {

using codec::Json;
using codec::YamlEntry;
using codec::YamlNode;

namespace {

constexpr std::size_t kPatternBytesMax = 1 << 20;  // of all patterns of a document

constexpr std::size_t kPropertiesMax = 4096;  // of one schema

struct TypeName {
  std::string_view name;
  Types types;
};
constexpr std::array<TypeName, 7> kTypeNames{{{"null", kNull},
                                              {"boolean", kBoolean},
                                              {"integer", kInteger},
                                              {"number", kNumber},
                                              {"string", kString},
                                              {"array", kArray},
                                              {"object", kObject}}};

}  // namespace

void SchemaReader::read_type(Schema& schema, const YamlEntry& entry) {
  const bool v31 = document_.version() == OpenApiVersion::v31;
  Types types = 0;
  const auto add = [&](const YamlNode& node) {
    for (const TypeName& known : kTypeNames) {
      // The word `null` is a null in YAML unless it is quoted.
      const bool same = node.is(YamlNode::Kind::string) && node.text() == known.name;
      if (same && (v31 || known.types != kNull)) {
        types |= known.types;
        return;
      }
    }
    std::string_view hint = "null, boolean, integer, number, string, array or object";
    if (!v31) hint = "boolean, integer, number, string, array or object; and nullable: true";
    if (node.is(YamlNode::Kind::null)) hint = "\"null\", in quotes";
    document_.error(node.position(), fmt::format("\"{}\" is no type", node.text().substr(0, 80)), std::string(hint));
  };
  if (v31 && entry.value.is(YamlNode::Kind::list)) {
    if (entry.value.items().empty())
      document_.error(entry.value.position(), "no type is allowed: nothing could be sent");
    for (const YamlNode& item : entry.value.items()) add(item);
  } else {
    add(entry.value);
  }
  schema.types = types;
}

// 3.0.3, "nullable": only beside `type`, and `enum` must list null itself.
void SchemaReader::read_nullable(Schema& schema, const YamlNode& node) {
  const YamlEntry* nullable = node.find("nullable");
  if (nullable == nullptr || !nullable->value.boolean()) return;
  if (node.find("type") == nullptr) {
    document_.error(nullable->position, "nullable without type has no effect", "write the type beside it");
    return;
  }
  schema.types |= kNull;
}

void SchemaReader::read_reference(Schema& schema, const YamlEntry& entry) {
  const YamlNode* target = document_.resolve(entry.value);
  if (target != nullptr) schema.reference = at(*target, entry.value.text().substr(1));
}

void SchemaReader::read_enumeration(Schema& schema, const YamlEntry& entry) {
  if (!document_.expect_list(entry.value, "enum")) return;
  if (entry.value.items().empty()) document_.error(entry.value.position(), "enum is empty: nothing could be sent");
  Schema& into = enumerating(schema);
  for (const YamlNode& item : entry.value.items()) into.enumeration.push_back(json_of(document_, item));
  into.sort_enumeration();
}

void SchemaReader::read_constant(Schema& schema, const YamlEntry& entry) {
  enumerating(schema).enumeration.push_back(json_of(document_, entry.value));
}

// `enum` and `const` beside each other must both hold: the second of them goes into a schema of its own.
Schema& SchemaReader::enumerating(Schema& schema) {
  Schema* into = &schema;
  if (schema.has_enumeration) {
    into = &set_.emplace_back();
    into->place = schema.place;
    schema.all_of.push_back(into);
  }
  into->has_enumeration = true;
  return *into;
}

std::optional<Json> SchemaReader::number(const YamlEntry& entry) {
  if (entry.value.is(YamlNode::Kind::integer) || entry.value.is(YamlNode::Kind::real)) {
    // Larger bounds than 64 bits hold are met in double precision.
    if (entry.value.is(YamlNode::Kind::integer) && !entry.value.integer() && entry.value.real())
      return Json::of(*entry.value.real());
    return json_of(document_, entry.value);
  }
  document_.error(entry.value.position(), fmt::format("{} must be a number", entry.key));
  return std::nullopt;
}

void SchemaReader::read_bound(Schema& schema, const YamlEntry& entry) {
  auto value = number(entry);
  if (!value) return;
  // In 3.1 the exclusive bound may stand beside this one; the tighter of two is not always known before a value is.
  auto& bound = entry.key == "minimum" ? schema.minimum : schema.maximum;
  if (!bound) {
    bound = Bound{std::move(*value), false};
    return;
  }
  const int order = compare(*value, bound->value);
  const bool tighter = entry.key == "minimum" ? order > 0 : order < 0;
  if (tighter) bound = Bound{std::move(*value), false};
}

void SchemaReader::read_exclusive(Schema& schema, const YamlEntry& entry) {
  if (document_.version() == OpenApiVersion::v30) {
    if (!entry.value.is(YamlNode::Kind::boolean))
      document_.error(entry.value.position(), fmt::format("{} must be true or false in OpenAPI 3.0", entry.key));
    return;  // see read_boolean_exclusive
  }
  auto value = number(entry);
  if (!value) return;
  auto& bound = entry.key == "exclusiveMinimum" ? schema.minimum : schema.maximum;
  const int order = bound ? compare(*value, bound->value) : 0;
  const bool tighter = !bound || order == 0 || (entry.key == "exclusiveMinimum" ? order > 0 : order < 0);
  if (tighter) bound = Bound{std::move(*value), true};
}

// 3.0: `exclusiveMinimum: true` sharpens `minimum`.
void SchemaReader::read_boolean_exclusive(Schema& schema, const YamlNode& node) {
  for (const auto& [key, bound, of] : {std::tuple{"exclusiveMinimum", &schema.minimum, "minimum"},
                                       std::tuple{"exclusiveMaximum", &schema.maximum, "maximum"}}) {
    const YamlEntry* entry = node.find(key);
    if (entry == nullptr || !entry->value.boolean()) continue;
    if (*bound) {
      (*bound)->exclusive = true;
    } else if (node.find(of) == nullptr) {
      document_.error(entry->position, fmt::format("{} without {} has no effect", key, of));
    }
  }
}

void SchemaReader::read_multiple(Schema& schema, const YamlEntry& entry) {
  auto value = number(entry);
  if (!value) return;
  if (*value->number() <= 0) {
    document_.error(entry.value.position(), "multipleOf must be more than 0");
    return;
  }
  schema.multiple_of = std::move(*value);
}

void SchemaReader::read_count(Schema& schema, const YamlEntry& entry) {
  const auto value = entry.value.is(YamlNode::Kind::integer) ? entry.value.integer() : std::nullopt;
  if (!value || *value < 0) {
    document_.error(entry.value.position(), fmt::format("{} must be a whole number, 0 or more", entry.key));
    return;
  }
  const auto count = static_cast<std::uint64_t>(*value);
  const std::string_view key = entry.key;
  if (key == "minLength") schema.length_min = count;
  if (key == "maxLength") schema.length_max = count;
  if (key == "minItems") schema.items_min = count;
  if (key == "maxItems") schema.items_max = count;
  if (key == "minProperties") schema.properties_min = count;
  if (key == "maxProperties") schema.properties_max = count;
  if (key == "minContains") schema.contains_min = count;
  if (key == "maxContains") schema.contains_max = count;
}

void SchemaReader::read_flag(Schema& schema, const YamlEntry& entry) {
  if (!entry.value.is(YamlNode::Kind::boolean)) {
    document_.error(entry.value.position(), fmt::format("{} must be true or false", entry.key));
    return;
  }
  if (entry.key == "uniqueItems") schema.unique_items = entry.value.boolean();
  if (entry.key == "readOnly") schema.read_only = entry.value.boolean();
}

std::optional<waf::Regex> SchemaReader::regex(std::string_view pattern, codec::YamlPosition position) {
  pattern_bytes_ += pattern.size();
  if (pattern_bytes_ > kPatternBytesMax) {
    document_.error(position, "the document's patterns are longer than 1 MiB together");
    return std::nullopt;
  }
  auto compiled = waf::Regex::compile(pattern, waf::Regex::Dialect::ecma);
  if (compiled) return std::move(*compiled);
  document_.error(position, fmt::format("the pattern cannot be used: {}", compiled.error().message));
  return std::nullopt;
}

void SchemaReader::read_pattern(Schema& schema, const YamlEntry& entry) {
  // `pattern: 5` is the text 5 to everybody who wrote it.
  if (!entry.value.is_scalar()) {
    document_.error(entry.value.position(), "pattern must be text");
    return;
  }
  schema.pattern = regex(entry.value.text(), entry.value.position());
}

void SchemaReader::read_format(Schema& schema, const YamlEntry& entry) {
  if (!entry.value.is(YamlNode::Kind::string)) {
    document_.error(entry.value.position(), "format must be text");
    return;
  }
  // `password` is for forms: it says nothing about the text.
  if (const auto format = format_named(entry.value.text())) {
    schema.format = *format;
  } else if (entry.value.text() != "password") {
    document_.warning(entry.value.position(),
                      fmt::format("the format \"{}\" is not checked", entry.value.text().substr(0, 80)),
                      "say it with pattern");
  }
}

void SchemaReader::read_part(Schema& schema, const YamlEntry& entry) {
  const Schema* part = at(entry.value, schema.place + "/" + entry.key);
  const std::string_view key = entry.key;
  if (key == "items") schema.items = part;
  if (key == "contains") schema.contains = part;
  if (key == "not") schema.negated = part;
  if (key == "if") schema.condition = part;
  if (key == "then") schema.consequence = part;
  if (key == "else") schema.alternative = part;
  if (key == "propertyNames") schema.property_names = part;
  if (key == "unevaluatedProperties") schema.unevaluated_properties = part;
}

void SchemaReader::read_parts(Schema& schema, const YamlEntry& entry) {
  if (!document_.expect_list(entry.value, entry.key)) return;
  if (entry.value.items().empty()) document_.error(entry.value.position(), fmt::format("{} is empty", entry.key));
  auto& parts = entry.key == "allOf"   ? schema.all_of
                : entry.key == "anyOf" ? schema.any_of
                : entry.key == "oneOf" ? schema.one_of
                                       : schema.prefix_items;
  for (std::size_t i = 0; i < entry.value.items().size(); ++i)
    parts.push_back(at(entry.value.items()[i], fmt::format("{}/{}/{}", schema.place, entry.key, i)));
}

Property& SchemaReader::property(Schema& schema, std::string_view name) {
  const auto at = std::find_if(schema.properties.begin(), schema.properties.end(),
                               [&](const Property& property) { return property.name == name; });
  return at != schema.properties.end() ? *at : schema.properties.emplace_back(Property{std::string(name)});
}

void SchemaReader::read_properties(Schema& schema, const YamlEntry& entry) {
  if (!document_.expect_map(entry.value, "properties")) return;
  schema.names_properties = true;
  if (entry.value.entries().size() > kPropertiesMax) {
    document_.error(entry.value.position(), fmt::format("more than {} properties", kPropertiesMax));
    return;
  }
  for (const YamlEntry& described : entry.value.entries()) {
    property(schema, described.key).schema =
        at(described.value, schema.place + "/properties" + pointer_step(described.key));
  }
}

std::optional<std::vector<std::string>> SchemaReader::names(const YamlNode& node, std::string_view what) {
  if (!document_.expect_list(node, what)) return std::nullopt;
  std::vector<std::string> names;
  for (const YamlNode& item : node.items()) {
    if (item.is_scalar() && !item.is(YamlNode::Kind::null)) {
      names.push_back(item.text());
    } else {
      document_.error(item.position(), fmt::format("{} must list names", what));
    }
  }
  return names;
}

void SchemaReader::read_required(Schema& schema, const YamlEntry& entry) {
  // Of Swagger 2 and of parameters; a mistake that would otherwise go unseen.
  if (entry.value.is(YamlNode::Kind::boolean)) {
    document_.error(entry.value.position(), "required must be a list of property names",
                    "name the property in the required list of the object around it");
    return;
  }
  if (const auto required = names(entry.value, "required")) {
    if (required->size() > kPropertiesMax)
      document_.error(entry.value.position(), fmt::format("more than {} names", kPropertiesMax));
    for (const std::string& name : std::span(*required).first(std::min(required->size(), kPropertiesMax)))
      property(schema, name).required = true;
  }
}

void SchemaReader::read_pattern_properties(Schema& schema, const YamlEntry& entry) {
  if (!document_.expect_map(entry.value, "patternProperties")) return;
  schema.names_properties = true;
  for (const YamlEntry& described : entry.value.entries()) {
    auto pattern = regex(described.key, described.position);
    const Schema* part = at(described.value, schema.place + "/patternProperties" + pointer_step(described.key));
    if (pattern) schema.pattern_properties.push_back({std::move(*pattern), part});
  }
}

void SchemaReader::read_additional(Schema& schema, const YamlEntry& entry) {
  schema.additional = Schema::Additional::described;
  if (!entry.value.is(YamlNode::Kind::boolean)) {
    schema.additional_properties = at(entry.value, schema.place + "/additionalProperties");
    return;
  }
  Schema& said = set_.emplace_back();
  said.place = schema.place + "/additionalProperties";
  said.refuses_all = !entry.value.boolean();
  schema.additional_properties = &said;
}

void SchemaReader::read_dependents(Schema& schema, const YamlEntry& entry) {
  if (!document_.expect_map(entry.value, entry.key)) return;
  for (const YamlEntry& dependent : entry.value.entries()) {
    DependentProperties& into = schema.dependents.emplace_back();
    into.name = dependent.key;
    if (entry.key == "dependentSchemas") {
      into.schema = at(dependent.value, schema.place + "/dependentSchemas" + pointer_step(dependent.key));
    } else if (auto required = names(dependent.value, entry.key)) {
      into.required = std::move(*required);
    }
  }
}

}  // namespace gatehouse::schema
