#include "schema/schema_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/spelling.h"

namespace gatehouse::schema {

using codec::Json;
using codec::YamlEntry;
using codec::YamlNode;

namespace {

constexpr int kJsonDepthMax = 32;  // of an enumerated value

Json json_at(Document& document, const YamlNode& node, int depth) {
  switch (node.kind()) {
    case YamlNode::Kind::invalid:
    case YamlNode::Kind::null: return {};
    case YamlNode::Kind::boolean: return Json::of(node.boolean());
    case YamlNode::Kind::integer:
      if (const auto value = node.integer()) return Json::of(*value);
      document.error(node.position(), "the number has more than 64 bits");
      return {};
    case YamlNode::Kind::real:
      if (const auto value = node.real(); value && *value - *value == 0) return Json::of(*value);
      document.error(node.position(), "not a number that JSON has");
      return {};
    case YamlNode::Kind::string: return Json::of(node.text());
    case YamlNode::Kind::list:
    case YamlNode::Kind::map: break;
  }
  if (depth == 0) {
    document.error(node.position(), "the value is nested too deep");
    return {};
  }
  std::vector<Json> values;
  for (const YamlNode& item : node.items()) values.push_back(json_at(document, item, depth - 1));
  if (node.is(YamlNode::Kind::list)) return Json::array(std::move(values));
  std::vector<std::string> names;
  for (const YamlEntry& entry : node.entries()) {
    names.push_back(entry.key);
    values.push_back(json_at(document, entry.value, depth - 1));
  }
  return Json::object(std::move(names), std::move(values));
}

}  // namespace

Json json_of(Document& document, const YamlNode& node) { return json_at(document, node, kJsonDepthMax); }

std::string pointer_step(std::string_view name) {
  std::string out = "/";
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

constexpr std::array<std::string_view, 7> kUnsupported{
    "unevaluatedItems", "$id", "$schema", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary"};

struct SchemaReader::Keyword {
  std::string_view name;
  bool v30, v31;
  void (SchemaReader::*read)(Schema&, const YamlEntry&);  // null: an annotation
};

// The one list of what a Schema Object may hold.
const SchemaReader::Keyword* SchemaReader::find_keyword(std::string_view name) noexcept {
  using R = SchemaReader;
  static const Keyword kKeywords[] = {
      {"$ref", true, true, &R::read_reference},
      {"type", true, true, &R::read_type},
      {"enum", true, true, &R::read_enumeration},
      {"const", false, true, &R::read_constant},
      {"minimum", true, true, &R::read_bound},
      {"maximum", true, true, &R::read_bound},
      {"exclusiveMinimum", true, true, &R::read_exclusive},
      {"exclusiveMaximum", true, true, &R::read_exclusive},
      {"multipleOf", true, true, &R::read_multiple},
      {"minLength", true, true, &R::read_count},
      {"maxLength", true, true, &R::read_count},
      {"minItems", true, true, &R::read_count},
      {"maxItems", true, true, &R::read_count},
      {"minProperties", true, true, &R::read_count},
      {"maxProperties", true, true, &R::read_count},
      {"minContains", false, true, &R::read_count},
      {"maxContains", false, true, &R::read_count},
      {"uniqueItems", true, true, &R::read_flag},
      {"readOnly", true, true, &R::read_flag},
      {"nullable", true, false, &R::read_flag},
      {"pattern", true, true, &R::read_pattern},
      {"format", true, true, &R::read_format},
      {"items", true, true, &R::read_part},
      {"contains", false, true, &R::read_part},
      {"not", true, true, &R::read_part},
      {"if", false, true, &R::read_part},
      {"then", false, true, &R::read_part},
      {"else", false, true, &R::read_part},
      {"propertyNames", false, true, &R::read_part},
      {"unevaluatedProperties", false, true, &R::read_part},
      {"allOf", true, true, &R::read_parts},
      {"anyOf", true, true, &R::read_parts},
      {"oneOf", true, true, &R::read_parts},
      {"prefixItems", false, true, &R::read_parts},
      {"properties", true, true, &R::read_properties},
      {"required", true, true, &R::read_required},
      {"patternProperties", false, true, &R::read_pattern_properties},
      {"additionalProperties", true, true, &R::read_additional},
      {"dependentRequired", false, true, &R::read_dependents},
      {"dependentSchemas", false, true, &R::read_dependents},
      // Annotations. `discriminator` says which alternative is meant, never more than oneOf and anyOf say themselves.
      {"title", true, true, nullptr},
      {"description", true, true, nullptr},
      {"default", true, true, nullptr},
      {"example", true, true, nullptr},
      {"examples", false, true, nullptr},
      {"deprecated", true, true, nullptr},
      {"writeOnly", true, true, nullptr},
      {"discriminator", true, true, nullptr},
      {"externalDocs", true, true, nullptr},
      {"xml", true, true, nullptr},
      {"$comment", false, true, nullptr},
      {"$defs", false, true, nullptr},
      {"contentMediaType", false, true, nullptr},
      {"contentEncoding", false, true, nullptr},
      {"contentSchema", false, true, nullptr},
  };
  if (name.empty()) return nullptr;
  const auto at = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                               [&](const Keyword& keyword) { return keyword.name == name; });
  return at == std::end(kKeywords) ? nullptr : &*at;
}

SchemaReader::SchemaReader(Document& document) : document_(document) {}

const Schema* SchemaReader::at(const YamlNode& node, const std::string& place) {
  const auto [known, fresh] = known_.emplace(&node, nullptr);
  if (!fresh) return known->second;
  Schema& schema = set_.emplace_back();
  schema.place = place;
  known->second = &schema;
  positions_.emplace(&schema, node.position());
  pending_.push_back({&schema, &node});
  return &schema;
}

bool SchemaReader::finish() {
  while (!pending_.empty()) {
    const Pending next = pending_.front();
    pending_.pop_front();
    fill(*next.schema, *next.node);
  }
  for (Schema& schema : set_) settle(schema, 0);
  for (Schema& schema : set_) forget_read_only(schema);
  return !document_.has_errors();
}

void SchemaReader::fill(Schema& schema, const YamlNode& node) {
  const bool v31 = document_.version() == OpenApiVersion::v31;
  if (v31 && node.is(YamlNode::Kind::boolean)) {
    schema.refuses_all = !node.boolean();
    return;
  }
  if (!document_.expect_map(node, "a schema")) return;
  const bool is_reference = node.find("$ref") != nullptr;
  for (const YamlEntry& entry : node.entries()) {
    if (entry.key.starts_with("x-")) continue;
    if (v31 && std::find(kUnsupported.begin(), kUnsupported.end(), entry.key) != kUnsupported.end()) {
      document_.error(entry.position, fmt::format("\"{}\" is not supported", entry.key));
      continue;
    }
    const Keyword* keyword = find_keyword(entry.key);
    if (keyword == nullptr || !(v31 ? keyword->v31 : keyword->v30)) {
      const bool other = keyword != nullptr;
      std::string_view meant;
      if (!other) {
        static constexpr std::array<std::string_view, 20> kUsual{
            "type",      "enum",      "minimum",  "maximum",  "multipleOf",
            "minLength", "maxLength", "minItems", "maxItems", "properties",
            "required",  "pattern",   "format",   "items",    "allOf",
            "anyOf",     "oneOf",     "nullable", "readOnly", "additionalProperties"};
        meant = closest(entry.key, kUsual);
      }
      document_.error(entry.position,
                      other ? fmt::format("\"{}\" is no keyword of OpenAPI {}", entry.key, v31 ? "3.1" : "3.0")
                            : fmt::format("\"{}\" is no keyword of schemas", entry.key.substr(0, 80)),
                      meant.empty() ? std::string() : fmt::format("did you mean \"{}\"?", meant));
      continue;
    }
    if (keyword->read == nullptr || entry.value.is(YamlNode::Kind::invalid)) continue;
    // OpenAPI 3.0.3, Reference Object: "additional properties SHALL be ignored". Whoever wrote them meant something.
    if (is_reference && !v31 && keyword->read != &SchemaReader::read_reference) {
      document_.error(entry.position, fmt::format("\"{}\" beside $ref has no effect in OpenAPI 3.0", entry.key),
                      "write allOf: [$ref: …] and the key beside it");
      continue;
    }
    (this->*keyword->read)(schema, entry);
  }
  if (!v31) {
    read_nullable(schema, node);
    read_boolean_exclusive(schema, node);
  }
  std::sort(schema.properties.begin(), schema.properties.end(),
            [](const Property& a, const Property& b) { return a.name < b.name; });
  for (const Property& property : schema.properties) schema.required_count += property.required;
}

// In-place steps are those that apply another schema to the same value. Returns how many there are one behind the
// other, this one included.
int SchemaReader::settle(Schema& schema, int depth) {
  Settled& state = settled_[&schema];
  if (state.depth > 0) return state.depth;
  if (state.open || depth > kInPlaceDepthMax) {
    document_.error(positions_[&schema], state.open ? "the schema applies itself to the same value, without end"
                                                    : "too many schemas apply one another to the same value");
    return state.depth = 1;
  }
  state.open = true;
  int below = 0;
  const auto visit = [&](const Schema* part) {
    // The set owns them; they are const to everybody else.
    if (part != nullptr) below = std::max(below, settle(const_cast<Schema&>(*part), depth + 1));
  };
  for (const Schema* part :
       {schema.reference, schema.negated, schema.condition, schema.consequence, schema.alternative})
    visit(part);
  for (const auto* list : {&schema.all_of, &schema.any_of, &schema.one_of}) {
    for (const Schema* part : *list) visit(part);
  }
  for (const DependentProperties& dependent : schema.dependents) visit(dependent.schema);
  settle_types(schema);
  Settled& again = settled_[&schema];  // the map may have grown
  again.open = false;
  again.depth = below + 1;
  if (again.depth > kInPlaceDepthMax)
    document_.error(positions_[&schema], "too many schemas apply one another to the same value");
  return again.depth;
}

void SchemaReader::settle_types(Schema& schema) {
  Types possible = schema.types;
  if (schema.reference != nullptr) possible &= schema.reference->possible;
  for (const Schema* part : schema.all_of) possible &= part->possible;
  for (const auto* list : {&schema.any_of, &schema.one_of}) {
    Types any = 0;
    for (const Schema* part : *list) any |= part->possible;
    if (!list->empty()) possible &= any;
  }
  if (schema.has_enumeration) {
    Types any = 0;
    for (const Json& value : schema.enumeration) {
      switch (value.kind()) {
        case Json::Kind::null: any |= kNull; break;
        case Json::Kind::boolean: any |= kBoolean; break;
        case Json::Kind::integer:
        case Json::Kind::number: any |= kNumber; break;
        case Json::Kind::string: any |= kString; break;
        case Json::Kind::array: any |= kArray; break;
        case Json::Kind::object: any |= kObject; break;
      }
    }
    possible &= any;
  }
  schema.possible = possible;
}

bool SchemaReader::is_read_only(const Schema& schema, int& fuel) const {
  if (fuel-- <= 0) return false;
  if (schema.read_only) return true;
  if (schema.reference != nullptr && is_read_only(*schema.reference, fuel)) return true;
  return std::any_of(schema.all_of.begin(), schema.all_of.end(),
                     [&](const Schema* part) { return is_read_only(*part, fuel); });
}

// OpenAPI 3.0.3, `readOnly`: if such a property is required, "the required will take effect on the response only".
void SchemaReader::forget_read_only(Schema& schema) {
  if (document_.has_errors()) return;
  for (Property& property : schema.properties) {
    if (!property.required) continue;
    const Schema* described = property.schema != nullptr ? property.schema : find_property(schema, property.name);
    int fuel = 1000;
    if (described == nullptr || !is_read_only(*described, fuel)) continue;
    property.required = false;
    --schema.required_count;
  }
}

}  // namespace gatehouse::schema
