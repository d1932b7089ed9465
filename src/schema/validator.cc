#include "schema/validator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "schema/schema_reader.h"

namespace gatehouse::schema {

using codec::Json;

namespace {

constexpr std::size_t kPointerMax = 120;  // bytes
constexpr std::size_t kNameMax = 40;

Types type_of(const Json& value) noexcept {
  switch (value.kind()) {
    case Json::Kind::null: return kNull;
    case Json::Kind::boolean: return kBoolean;
    case Json::Kind::integer: return kInteger;
    case Json::Kind::number: {
      // 1.0 is an integer to JSON Schema (draft 2020-12 §4.2.3); what a double cannot tell from one is one as well.
      const double number = *value.number();
      return number == std::trunc(number) ? kInteger : kFraction;
    }
    case Json::Kind::string: return kString;
    case Json::Kind::array: return kArray;
    case Json::Kind::object: return kObject;
  }
  return kNull;
}

std::string types_text(Types types) {
  std::string out;
  const auto add = [&](std::string_view name) { out += out.empty() ? "" : " or ", out += name; };
  if ((types & kNumber) == kNumber) {
    add("number");
  } else if ((types & kInteger) != 0) {
    add("integer");
  }
  for (const auto& [type, name] : {std::pair{kString, "string"}, std::pair{kBoolean, "boolean"},
                                   std::pair{kArray, "array"}, std::pair{kObject, "object"}, std::pair{kNull, "null"}})
    if ((types & type) != 0) add(name);
  return out.empty() ? "nothing" : out;
}

std::string number_text(const Json& value) {
  return value.integer() ? fmt::format("{}", *value.integer()) : fmt::format("{}", *value.number());
}

std::size_t code_points(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_multiple(const Json& value, const Json& of) noexcept {
  if (value.integer() && of.integer()) return *value.integer() % *of.integer() == 0;
  // 19.99 is a multiple of 0.01 to everybody but binary fractions: what they cannot tell apart is let pass.
  const double number = *value.number(), divisor = *of.number();
  const double rest = std::fabs(std::remainder(number, divisor));
  return rest <= std::max(divisor * 1e-9, std::fabs(number) * 0x1p-52);
}

}  // namespace

void Validator::Marks::merge(const Marks& other) {
  few |= other.few;
  for (std::size_t i = 0; i < more.size(); ++i) more[i] = more[i] || other.more[i];
  names = names || other.names;
}

Validator::Verdict Validator::validate(const Schema& schema, const Json& value) {
  failed_ = exhausted_ = false;
  unknown_.clear();
  const bool good = apply_to(schema, value, Step{});
  return exhausted_ ? Verdict::exhausted : good ? Verdict::valid : Verdict::invalid;
}

Validator::Verdict Validator::probe(const Schema& schema, const Json& value) {
  ++quiet_;
  const Verdict verdict = validate(schema, value);
  --quiet_;
  return verdict;
}

bool Validator::spend(std::uint64_t units) noexcept {
  if (work_left_ < units) {
    exhausted_ = true;
    work_left_ = 0;
    return false;
  }
  work_left_ -= units;
  return true;
}

// Always false, so that a check can end with it. The first failure is told: what follows it may be its consequence.
bool Validator::fail(std::string_view keyword, const Step& step, std::string expected) {
  if (quiet_ == 0 && !failed_) failure_ = {keyword, pointer(step), std::move(expected)}, failed_ = true;
  return false;
}

std::string Validator::pointer(const Step& step) {
  std::vector<const Step*> way;
  for (const Step* at = &step; at->parent != nullptr; at = at->parent) way.push_back(at);
  std::string out;
  for (auto at = way.rbegin(); at != way.rend(); ++at) {
    if (out.size() > kPointerMax) return out + "/…";
    out += (*at)->is_name ? pointer_step((*at)->name.substr(0, kNameMax)) : fmt::format("/{}", (*at)->index);
  }
  return out;
}

// A value by its own: what its parts are described by starts anew.
bool Validator::apply_to(const Schema& schema, const Json& value, const Step& step) {
  if (!value.is_object() || !collects_) return apply(schema, value, step, nullptr);
  if (!spend(value.size() / 64)) return false;
  Marks marks(value.size());
  if (!apply(schema, value, step, &marks)) return false;
  if (marks.names) collect(value, step, marks);
  return true;
}

void Validator::collect(const Json& value, const Step& step, const Marks& marks) {
  for (std::size_t i = 0; i < value.size() && unknown_.size() < kUnknownMax; ++i) {
    if (!marks.has(i)) unknown_.push_back(pointer(Step{&step, value.name(i), 0, true}));
  }
}

bool Validator::apply(const Schema& schema, const Json& value, const Step& step, Marks* marks) {
  if (!spend(1)) return false;
  if (schema.refuses_all) return fail("false", step, "nothing here");
  if (schema.read_only && step.parent != nullptr) return fail("readOnly", step, "not to be sent");
  if (schema.reference != nullptr && !apply(*schema.reference, value, step, marks)) return false;
  const Types type = type_of(value);
  if ((schema.types & type) == 0) return fail("type", step, types_text(schema.types));
  if (schema.has_enumeration) {
    // Comparing with one of them looks at no more than the value's own size, and there are log n of them to look at.
    const auto at = std::lower_bound(schema.enumeration.begin(), schema.enumeration.end(), value,
                                     [](const Json& known, const Json& wanted) { return compare(known, wanted) < 0; });
    if (at == schema.enumeration.end() || compare(*at, value) != 0)
      return fail("enum", step, fmt::format("one of {} values", schema.enumeration.size()));
  }
  bool good = true;
  switch (type) {
    case kInteger:
    case kFraction: good = check_number(schema, value, step); break;
    case kString: good = check_string(schema, *value.string(), step); break;
    case kArray: good = check_array(schema, value, step); break;
    default: break;
  }
  if (!good) return false;
  if (type != kObject || schema.unevaluated_properties == nullptr)
    return (type != kObject || check_object(schema, value, step, marks)) && apply_combined(schema, value, step, marks);
  // What counts as evaluated is what this schema and its own parts describe, not what stands around it.
  Marks own(value.size());
  if (!check_object(schema, value, step, &own) || !apply_combined(schema, value, step, &own)) return false;
  if (!check_unevaluated(schema, value, step, own)) return false;
  if (marks != nullptr) marks->merge(own);
  return true;
}

bool Validator::apply_combined(const Schema& schema, const Json& value, const Step& step, Marks* marks) {
  for (const Schema* part : schema.all_of) {
    if (!apply(*part, value, step, marks)) return false;
  }
  if (!schema.any_of.empty() && !apply_alternatives(schema.any_of, false, value, step, marks)) return false;
  if (!schema.one_of.empty() && !apply_alternatives(schema.one_of, true, value, step, marks)) return false;
  if (schema.negated != nullptr && holds(*schema.negated, value, step, nullptr, Says::truth))
    return fail("not", step, "another value");
  return schema.condition == nullptr || apply_condition(schema, value, step, marks);
}

// The marks of an alternative count only when it holds, and so do the names that it found unknown.
bool Validator::holds(const Schema& schema, const Json& value, const Step& step, Marks* marks, Says says) {
  const std::size_t unknown_before = unknown_.size();
  ++quiet_;
  bool good = false;
  if (marks == nullptr) {
    good = apply(schema, value, step, nullptr);
  } else {
    Marks own(value.size());
    if (!spend(value.size() / 64)) return --quiet_, false;
    good = apply(schema, value, step, &own);
    if (good) marks->merge(own);
  }
  --quiet_;
  if (!good || says == Says::truth) unknown_.resize(unknown_before);
  return good && !exhausted_;
}

bool Validator::apply_alternatives(const std::vector<const Schema*>& parts, bool exactly_one, const Json& value,
                                   const Step& step, Marks* marks) {
  const std::size_t unknown_before = unknown_.size();
  std::size_t holding = 0;
  std::vector<std::string> fewest;
  for (const Schema* part : parts) {
    if (!holds(*part, value, step, marks, Says::description)) {
      if (exhausted_) return false;
      continue;
    }
    ++holding;
    // What one of the alternatives that hold knows is known.
    if (collects_ && (holding == 1 || unknown_.size() - unknown_before < fewest.size()))
      fewest.assign(unknown_.begin() + static_cast<std::ptrdiff_t>(unknown_before), unknown_.end());
    unknown_.resize(unknown_before);
    if (exactly_one ? holding > 1 : (marks == nullptr && fewest.empty())) break;
  }
  unknown_.insert(unknown_.end(), fewest.begin(), fewest.end());
  if (holding == 0)
    return fail(exactly_one ? "oneOf" : "anyOf", step, fmt::format("one of {} alternatives", parts.size()));
  if (exactly_one && holding > 1) return fail("oneOf", step, "one alternative only; several hold");
  return true;
}

bool Validator::apply_condition(const Schema& schema, const Json& value, const Step& step, Marks* marks) {
  const bool met = holds(*schema.condition, value, step, marks, Says::description);
  if (exhausted_) return false;
  const Schema* next = met ? schema.consequence : schema.alternative;
  return next == nullptr || apply(*next, value, step, marks);
}

bool Validator::check_number(const Schema& schema, const Json& value, const Step& step) {
  if (schema.minimum) {
    const int order = compare(value, schema.minimum->value);
    if (order < 0 || (order == 0 && schema.minimum->exclusive))
      return fail("minimum", step,
                  (schema.minimum->exclusive ? "more than " : "at least ") + number_text(schema.minimum->value));
  }
  if (schema.maximum) {
    const int order = compare(value, schema.maximum->value);
    if (order > 0 || (order == 0 && schema.maximum->exclusive))
      return fail("maximum", step,
                  (schema.maximum->exclusive ? "less than " : "at most ") + number_text(schema.maximum->value));
  }
  if (schema.multiple_of && !is_multiple(value, *schema.multiple_of))
    return fail("multipleOf", step, "a multiple of " + number_text(*schema.multiple_of));
  const double number = *value.number();
  const bool fits = schema.format == Format::int32   ? std::fabs(number + 0.5) <= 2147483647.5
                    : schema.format == Format::int64 ? value.integer().has_value() || std::fabs(number) < 0x1p63
                    : schema.format == Format::single_precision ? std::fabs(number) <= std::numeric_limits<float>::max()
                                                                : true;
  return fits || fail("format", step, std::string(name_of(schema.format)));
}

bool Validator::check_string(const Schema& schema, std::string_view text, const Step& step) {
  if (schema.format == Format::binary) return true;  // a file, of which only its being there is known
  if (schema.length_min || schema.length_max) {
    if (!spend(text.size() / 256)) return false;
    const std::size_t length = code_points(text);
    if (schema.length_min && length < *schema.length_min)
      return fail("minLength", step, fmt::format("at least {} characters", *schema.length_min));
    if (schema.length_max && length > *schema.length_max)
      return fail("maxLength", step, fmt::format("at most {} characters", *schema.length_max));
  }
  if (schema.format != Format::none) {
    if (!spend(text.size() / 256)) return false;
    if (!has_format(schema.format, text)) return fail("format", step, std::string(name_of(schema.format)));
  }
  if (!schema.pattern) return true;
  const auto outcome = match(*schema.pattern, text);
  if (exhausted_) return false;
  return outcome == waf::Regex::Outcome::match || fail("pattern", step, "the pattern of the schema");
}

// What a match costs is known only by its limit. Nearly all are done within few steps and pay for these; the others pay
// for all that they are then allowed. No verdict within the limit is none at all.
waf::Regex::Outcome Validator::match(const waf::Regex& pattern, std::string_view text) {
  constexpr std::uint32_t kFewSteps = 500;
  constexpr std::uint64_t kFewPrice = 4, kManyPrice = 4000;
  if (!spend(kFewPrice + text.size() / 8)) return waf::Regex::Outcome::limit_reached;
  const auto few =
      static_cast<std::uint32_t>(std::min<std::size_t>(kFewSteps + 8 * text.size(), waf::Regex::kMatchLimit));
  auto outcome = pattern.match(text, nullptr, few);
  if (outcome != waf::Regex::Outcome::limit_reached || !spend(kManyPrice)) return outcome;
  outcome = pattern.match(text);
  if (outcome == waf::Regex::Outcome::limit_reached) exhausted_ = true;
  return outcome;
}

bool Validator::check_array(const Schema& schema, const Json& value, const Step& step) {
  const std::size_t size = value.size();
  if (schema.items_min && size < *schema.items_min)
    return fail("minItems", step, fmt::format("at least {} elements", *schema.items_min));
  if (schema.items_max && size > *schema.items_max)
    return fail("maxItems", step, fmt::format("at most {} elements", *schema.items_max));
  const std::size_t prefix = std::min(size, schema.prefix_items.size());
  for (std::size_t i = 0; i < prefix; ++i) {
    if (!apply_to(*schema.prefix_items[i], value.value(i), Step{&step, {}, i, false})) return false;
  }
  if (schema.items != nullptr) {
    for (std::size_t i = prefix; i < size; ++i) {
      if (!apply_to(*schema.items, value.value(i), Step{&step, {}, i, false})) return false;
    }
  }
  if (schema.unique_items && !check_unique(value, step)) return false;
  return schema.contains == nullptr || check_contains(schema, value, step);
}

bool Validator::check_contains(const Schema& schema, const Json& value, const Step& step) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    count += holds(*schema.contains, value.value(i), Step{&step, {}, i, false}, nullptr, Says::truth) ? 1 : 0;
    if (exhausted_) return false;
  }
  if (count < schema.contains_min)
    return fail("contains", step, fmt::format("at least {} elements of a kind", schema.contains_min));
  if (schema.contains_max && count > *schema.contains_max)
    return fail("maxContains", step, fmt::format("at most {} elements of a kind", *schema.contains_max));
  return true;
}

bool Validator::check_unique(const Json& value, const Step& step) {
  if (!spend(value.size())) return false;
  std::vector<std::uint32_t> order(value.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto less = [&](std::uint32_t a, std::uint32_t b) { return compare(value.value(a), value.value(b)) < 0; };
  std::sort(order.begin(), order.end(), less);
  const auto twice = std::adjacent_find(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return compare(value.value(a), value.value(b)) == 0;
  });
  return twice == order.end() || fail("uniqueItems", step, "no element twice");
}

bool Validator::check_object(const Schema& schema, const Json& value, const Step& step, Marks* marks) {
  const std::size_t size = value.size();
  if (schema.properties_min && size < *schema.properties_min)
    return fail("minProperties", step, fmt::format("at least {} members", *schema.properties_min));
  if (schema.properties_max && size > *schema.properties_max)
    return fail("maxProperties", step, fmt::format("at most {} members", *schema.properties_max));
  if (marks != nullptr && schema.names_properties) marks->names = true;
  const bool looks = !schema.properties.empty() || !schema.pattern_properties.empty() ||
                     schema.additional_properties != nullptr || schema.property_names != nullptr;
  std::size_t required = 0;
  if (looks) {
    for (std::size_t i = 0; i < size; ++i) {
      if (!check_member(schema, value, i, step, marks, required)) return false;
    }
  }
  if (required < schema.required_count) {
    for (const Property& property : schema.properties) {
      if (property.required && value.find(property.name) == nullptr)
        return fail("required", step, fmt::format("the member \"{}\"", property.name.substr(0, kNameMax)));
    }
  }
  return schema.dependents.empty() || check_dependents(schema, value, step, marks);
}

bool Validator::check_member(const Schema& schema, const Json& value, std::size_t i, const Step& step, Marks* marks,
                             std::size_t& required) {
  if (!spend(1)) return false;
  const std::string_view name = value.name(i);
  const Step below{&step, name, 0, true};
  if (schema.property_names != nullptr) {
    if (!apply_to(*schema.property_names, Json::of(std::string(name)), below)) return false;
  }
  bool described = false;
  if (const Property* property = schema.find(name)) {
    required += property->required;
    if (property->schema != nullptr) {
      described = true;
      if (!apply_to(*property->schema, value.value(i), below)) return false;
    }
  }
  for (const PatternProperty& property : schema.pattern_properties) {
    const auto outcome = match(property.pattern, name);
    if (exhausted_) return false;
    if (outcome != waf::Regex::Outcome::match) continue;
    described = true;
    if (!apply_to(*property.schema, value.value(i), below)) return false;
  }
  if (!described && schema.additional_properties != nullptr) {
    described = true;
    if (schema.additional_properties->refuses_all) return fail("additionalProperties", below, "no such member");
    if (!apply_to(*schema.additional_properties, value.value(i), below)) return false;
  }
  if (described && marks != nullptr) marks->set(i);
  return true;
}

bool Validator::check_dependents(const Schema& schema, const Json& value, const Step& step, Marks* marks) {
  for (const DependentProperties& dependent : schema.dependents) {
    if (!spend(1 + value.size() / 8)) return false;
    if (value.find(dependent.name) == nullptr) continue;
    for (const std::string& name : dependent.required) {
      if (!spend(1 + value.size() / 8)) return false;
      if (value.find(name) == nullptr)
        return fail("dependentRequired", step, fmt::format("the member \"{}\"", name.substr(0, kNameMax)));
    }
    if (dependent.schema != nullptr && !apply(*dependent.schema, value, step, marks)) return false;
  }
  return true;
}

bool Validator::check_unevaluated(const Schema& schema, const Json& value, const Step& step, Marks& marks) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (marks.has(i)) continue;
    const Step below{&step, value.name(i), 0, true};
    if (schema.unevaluated_properties->refuses_all) return fail("unevaluatedProperties", below, "no such member");
    if (!apply_to(*schema.unevaluated_properties, value.value(i), below)) return false;
    marks.set(i);
  }
  return true;
}

}  // namespace gatehouse::schema
