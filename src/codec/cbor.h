#pragma once
// CBOR (RFC 8949) as immutable values: what WebAuthn's attestation objects, COSE keys and extensions need of it.
//
// Strict and bounded, in the spirit of CTAP2's canonical form (CTAP 2.1 §8): definite lengths, integers and lengths in
// their shortest form, keys that are integers or text and none twice, text in UTF-8, no tags, no floating point, no
// other simple values than false, true and null. The one thing not demanded is the order of a map's keys: older
// browsers wrote attestation objects in another, and without duplicates an order carries no second meaning.
// Thread safety: values are immutable once parsed. docs/decisions/0013-own-cbor-reader.md says why this is no library.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::codec {

struct CborLimits {
  std::size_t bytes_max = 64 * 1024;
  std::size_t depth_max = 6;  // arrays and maps open at once
  std::size_t values_max = 1024;
};

class Cbor {
 public:
  enum class Kind : std::uint8_t { integer, bytes, text, array, map, boolean, null };

  // Null when `encoded` is not one value within the limits, with nothing behind it.
  static std::optional<Cbor> parse(std::string_view encoded, const CborLimits& limits = {});
  // The value at the front of `encoded`; `used` is how long it is.
  static std::optional<Cbor> parse_front(std::string_view encoded, std::size_t& used, const CborLimits& limits = {});

  Kind kind() const noexcept { return kind_; }
  bool is_map() const noexcept { return kind_ == Kind::map; }
  bool is_array() const noexcept { return kind_ == Kind::array; }
  // Empty when the value is of another kind.
  std::optional<std::int64_t> integer() const noexcept;
  std::optional<std::string_view> bytes() const noexcept;
  std::optional<std::string_view> text() const noexcept;
  std::optional<bool> boolean() const noexcept;
  std::span<const Cbor> items() const noexcept { return items_; }  // of an array; a map's values
  std::size_t size() const noexcept { return items_.size(); }

  // A map's member, null when there is none or this is no map.
  const Cbor* find(std::int64_t key) const noexcept;
  const Cbor* find(std::string_view key) const noexcept;

 private:
  friend class CborReader;
  Kind kind_ = Kind::null;
  std::int64_t integer_ = 0;  // of an integer; 0 and 1 of a boolean
  std::string string_;        // of bytes and text
  std::vector<Cbor> items_;
  std::vector<Cbor> keys_;  // beside items_ when this is a map
};

}  // namespace gatehouse::codec
