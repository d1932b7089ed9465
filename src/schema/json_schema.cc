#include "schema/json_schema.h"

#include <algorithm>
#include <numeric>

namespace gatehouse::schema {

using codec::Json;

namespace {

constexpr int kSearchMax = 1000;

// The kinds in order; integers and other numbers are one.
int rank(Json::Kind kind) noexcept { return kind == Json::Kind::integer ? int(Json::Kind::number) : int(kind); }

int compare_numbers(const Json& a, const Json& b) noexcept {
  const auto whole_a = a.integer(), whole_b = b.integer();
  if (whole_a && whole_b) return *whole_a < *whole_b ? -1 : *whole_a > *whole_b;
  // 64 bits of mantissa hold both an int64 and a double without loss.
  const auto exact = [](const Json& value) {
    return value.integer() ? static_cast<long double>(*value.integer()) : static_cast<long double>(*value.number());
  };
  const long double x = exact(a), y = exact(b);
  return x < y ? -1 : x > y;
}

std::vector<std::uint32_t> members_by_name(const Json& object) {
  std::vector<std::uint32_t> order(object.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto i, auto j) { return object.name(i) < object.name(j); });
  return order;
}

int compare_objects(const Json& a, const Json& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  const std::vector<std::uint32_t> order_a = members_by_name(a), order_b = members_by_name(b);
  for (std::size_t i = 0; i < order_a.size(); ++i) {
    if (const int names = a.name(order_a[i]).compare(b.name(order_b[i])); names != 0) return names;
    if (const int values = compare(a.value(order_a[i]), b.value(order_b[i])); values != 0) return values;
  }
  return 0;
}

// The combinations of a schema that describe the same value, depth first. `fuel` bounds the steps: a schema can be
// reached on many ways.
template <class Found>
const Schema* search(const Schema& schema, int& fuel, const Found& found) noexcept {
  if (fuel-- <= 0) return nullptr;
  if (const Schema* here = found(schema); here != nullptr) return here;
  if (schema.reference != nullptr) {
    if (const Schema* there = search(*schema.reference, fuel, found); there != nullptr) return there;
  }
  for (const auto* list : {&schema.all_of, &schema.any_of, &schema.one_of}) {
    for (const Schema* part : *list) {
      if (const Schema* there = search(*part, fuel, found); there != nullptr) return there;
    }
  }
  return nullptr;
}

}  // namespace

int compare(const Json& a, const Json& b) {
  if (const int ranks = rank(a.kind()) - rank(b.kind()); ranks != 0) return ranks;
  switch (a.kind()) {
    case Json::Kind::null: return 0;
    case Json::Kind::boolean: return int(*a.boolean()) - int(*b.boolean());
    case Json::Kind::integer:
    case Json::Kind::number: return compare_numbers(a, b);
    case Json::Kind::string: return a.string()->compare(*b.string());
    case Json::Kind::array:
      if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (const int items = compare(a.value(i), b.value(i)); items != 0) return items;
      }
      return 0;
    case Json::Kind::object: return compare_objects(a, b);
  }
  return 0;
}

void Schema::sort_enumeration() {
  std::sort(enumeration.begin(), enumeration.end(), [](const Json& a, const Json& b) { return compare(a, b) < 0; });
}

const Property* Schema::find(std::string_view name) const noexcept {
  const auto at =
      std::lower_bound(properties.begin(), properties.end(), name,
                       [](const Property& property, std::string_view wanted) { return property.name < wanted; });
  return at != properties.end() && at->name == name ? &*at : nullptr;
}

const Schema* find_property(const Schema& schema, std::string_view name) noexcept {
  int fuel = kSearchMax;
  return search(schema, fuel, [&](const Schema& part) -> const Schema* {
    if (const Property* property = part.find(name); property != nullptr && property->schema != nullptr)
      return property->schema;
    for (const PatternProperty& property : part.pattern_properties) {
      if (property.pattern.match(name) == waf::Regex::Outcome::match) return property.schema;
    }
    return part.additional_properties;
  });
}

const Schema* find_items(const Schema& schema) noexcept {
  int fuel = kSearchMax;
  return search(schema, fuel, [](const Schema& part) { return part.items; });
}

std::vector<std::string> property_names(const Schema& schema) {
  std::vector<std::string> names;
  int fuel = kSearchMax;
  search(schema, fuel, [&](const Schema& part) -> const Schema* {
    for (const Property& property : part.properties) names.push_back(property.name);
    return nullptr;
  });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace gatehouse::schema
