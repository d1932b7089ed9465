#include "base/check.h"
#include "store/database.h"

namespace gatehouse::store {

std::int64_t Value::integer() const {
  if (is_null()) return 0;
  const auto* number = std::get_if<std::int64_t>(&value_);
  GH_CHECK(number != nullptr);
  return *number;
}

const std::string& Value::text() const {
  static const std::string nothing;
  if (is_null()) return nothing;
  const auto* text = std::get_if<std::string>(&value_);
  GH_CHECK(text != nullptr);
  return *text;
}

const std::string& Value::bytes() const {
  static const std::string nothing;
  if (is_null()) return nothing;
  const auto* bytes = std::get_if<Bytes>(&value_);
  GH_CHECK(bytes != nullptr);
  return bytes->data;
}

}  // namespace gatehouse::store
