#pragma once
// JSON (RFC 8259) as immutable values, for documents that a peer may have made: tokens, key sets, tool output.
//
// Strict and bounded: depth, size and number of values are limits of the caller; duplicate member names, bytes after
// the value, comments, invalid UTF-8 and numbers that don't fit are refused. Two readers of one document must not
// disagree about what it says.
// Thread safety: values are immutable once parsed. Views returned live as long as the value.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::codec {

struct JsonLimits {
  std::size_t bytes_max = 64 * 1024;
  std::size_t depth_max = 16;     // containers open at once
  std::size_t values_max = 4096;  // values and member names in all
};

class Json {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

  // Null when `text` is not one JSON value within the limits.
  static std::optional<Json> parse(std::string_view text, const JsonLimits& limits = {});

  Json() = default;
  // Values made of other things than JSON text: a form's fields, a parameter.
  static Json of(bool value);
  static Json of(std::int64_t value);
  static Json of(double value);
  static Json of(std::string value);
  static Json array(std::vector<Json> items);
  static Json object(std::vector<std::string> names, std::vector<Json> values);  // as many, no name twice
  Kind kind() const noexcept { return kind_; }
  bool is_object() const noexcept { return kind_ == Kind::object; }
  bool is_array() const noexcept { return kind_ == Kind::array; }
  bool is_string() const noexcept { return kind_ == Kind::string; }

  // Empty when the value is of another kind.
  std::optional<std::string_view> string() const noexcept;
  std::optional<std::int64_t> integer() const noexcept;  // written without fraction and exponent
  std::optional<double> number() const noexcept;         // integers too
  std::optional<bool> boolean() const noexcept;
  std::span<const Json> items() const noexcept { return items_; }  // of an array
  std::size_t size() const noexcept { return items_.size(); }      // of an array or object

  // A member of an object, null when there is none or this is not an object.
  const Json* find(std::string_view name) const noexcept;
  std::optional<std::string_view> find_string(std::string_view name) const noexcept;
  std::string_view name(std::size_t i) const noexcept { return names_[i]; }  // of the i-th member, in document order
  const Json& value(std::size_t i) const noexcept { return items_[i]; }

 private:
  friend class JsonBuilder;
  Kind kind_ = Kind::null;
  union {
    bool boolean_;
    std::int64_t integer_ = 0;
    double number_;
  };
  std::string string_;
  std::vector<Json> items_;
  std::vector<std::string> names_;  // beside items_ when this is an object
};

}  // namespace gatehouse::codec
