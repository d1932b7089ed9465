#pragma once
// A JSON Schema, read and ready to be applied.
//
// Thread safety: immutable once its SchemaReader has finished. Invariants: (1) pointers lead to schemas of the same
// SchemaSet and live as long; (2) no schema applies itself to the same value again, however many steps it takes, and
// no chain of such steps is longer than kInPlaceDepthMax.
// Source: JSON Schema draft 2020-12 (OpenAPI 3.1) and Wright-00 as OpenAPI 3.0.3 "Schema Object" changes it.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/json.h"
#include "schema/format.h"
#include "waf/operator/regex.h"

namespace gatehouse::schema {

inline constexpr int kInPlaceDepthMax = 48;

// A set of JSON types, one bit each.
using Types = std::uint8_t;
inline constexpr Types kNull = 1, kBoolean = 2, kInteger = 4, kFraction = 8, kString = 16, kArray = 32, kObject = 64;
inline constexpr Types kNumber = kInteger | kFraction, kAnyType = 127;

struct Bound {
  codec::Json value;  // a number
  bool exclusive = false;
};

struct Schema;

struct Property {
  std::string name;
  const Schema* schema = nullptr;  // null: only `required` names it
  bool required = false;
};
struct PatternProperty {
  waf::Regex pattern;
  const Schema* schema;
};
struct DependentProperties {
  std::string name;
  std::vector<std::string> required;  // when `name` is there
  const Schema* schema = nullptr;     // for the object, when `name` is there
};

struct Schema {
  std::string place;  // a JSON pointer into the document
  Types types = kAnyType;
  Types possible = kAnyType;  // what `types`, `$ref`, `allOf`, `anyOf` and `oneOf` leave together
  bool refuses_all = false;   // `false`
  bool read_only = false;
  const Schema* reference = nullptr;

  std::vector<codec::Json> enumeration;  // sorted by `compare`; `const` is one of one
  bool has_enumeration = false;

  std::optional<Bound> minimum, maximum;
  std::optional<codec::Json> multiple_of;
  std::optional<std::uint64_t> length_min, length_max;  // in code points
  std::optional<waf::Regex> pattern;
  Format format = Format::none;

  const Schema* items = nullptr;  // behind the prefix
  std::vector<const Schema*> prefix_items;
  std::optional<std::uint64_t> items_min, items_max;
  bool unique_items = false;
  const Schema* contains = nullptr;
  std::uint64_t contains_min = 1;
  std::optional<std::uint64_t> contains_max;

  std::vector<Property> properties;  // sorted by name
  bool names_properties = false;     // `properties` or `patternProperties` is there
  std::size_t required_count = 0;
  std::vector<PatternProperty> pattern_properties;
  enum class Additional : std::uint8_t { unsaid, described } additional = Additional::unsaid;
  const Schema* additional_properties = nullptr;  // set when described
  const Schema* unevaluated_properties = nullptr;
  const Schema* property_names = nullptr;
  std::optional<std::uint64_t> properties_min, properties_max;
  std::vector<DependentProperties> dependents;

  std::vector<const Schema*> all_of, any_of, one_of;
  const Schema* negated = nullptr;
  const Schema *condition = nullptr, *consequence = nullptr, *alternative = nullptr;

  // Null when there is none of that name, here; not through `$ref` and `allOf`.
  const Property* find(std::string_view name) const noexcept;
  void sort_enumeration();
};

using SchemaSet = std::deque<Schema>;  // they don't move

// A total order over JSON values in which members have no order and 1 equals 1.0. Time n·log n in the values' size.
int compare(const codec::Json& a, const codec::Json& b);

// What the schema, through references and combinations, says about a member, or about an array's elements; the first
// that it says. Null when it says nothing.
const Schema* find_property(const Schema& schema, std::string_view name) noexcept;
const Schema* find_items(const Schema& schema) noexcept;
// All names that it says something about.
std::vector<std::string> property_names(const Schema& schema);

}  // namespace gatehouse::schema
