#pragma once
// Text of parameters and form fields as the JSON values that schemas are about.
//
// Thread safety: functions without state. Linear in the text; what a schema is probed for is paid from the validator's
// budget.

#include <span>
#include <string_view>

#include "schema/openapi_model.h"
#include "schema/validator.h"

namespace gatehouse::schema {

bool is_utf8(std::string_view text) noexcept;

// `12` is a number where the schema may be one, and text otherwise. Where both are possible, what the schema takes.
codec::Json value_of_text(const Schema& schema, std::string_view text, Validator& validator);

// Why the values of one parameter cannot be one value; static, null: they can.
struct ParameterValue {
  const char* problem = nullptr;
  codec::Json value;
};
// `values` as they came, decoded; at least one.
ParameterValue value_of_parameter(const Parameter& parameter, std::span<const std::string_view> values,
                                  Validator& validator);

bool is_array(const Schema& schema) noexcept;  // and nothing that one text could be
bool is_object(const Schema& schema) noexcept;

}  // namespace gatehouse::schema
