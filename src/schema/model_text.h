#pragma once
// What the parts of the model share: evidence as text, content types, forms as objects.
//
// Thread safety: functions without state.

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "schema/validator.h"
#include "waf/body/body.h"

namespace gatehouse::schema {

inline constexpr std::size_t kEvidenceMax = 240;  // bytes

// A name that a peer chose: not longer than needed to find it.
std::string_view shown(std::string_view name) noexcept;
std::string_view keep(Arena& arena, std::string_view text);  // at most kEvidenceMax of it
std::string failure_text(const Failure& failure);            // "maximum: at most 100"

struct ContentType {
  std::string_view type;     // lower case, without parameters
  std::string_view charset;  // lower case; empty: not given
};
ContentType parse_content_type(std::string_view field, Arena& arena);

// The fields of a form as one object, each of the type that the schema gives it. Repeated fields are an array where
// the schema says so, and a problem otherwise.
struct FormValue {
  const char* problem = nullptr;  // static
  std::string_view field;         // which one has it
  codec::Json value;
};
FormValue value_of_form(const Schema& schema, std::span<const waf::NameValue> fields, std::span<const waf::File> files,
                        Validator& validator);

}  // namespace gatehouse::schema
