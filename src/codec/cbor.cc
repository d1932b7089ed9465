#include "codec/cbor.h"

#include <algorithm>
#include <limits>

#include "codec/json_writer.h"

namespace gatehouse::codec {
namespace {

constexpr std::uint64_t kIntegerMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

bool is_utf8(std::string_view text) {
  const char *at = text.data(), *end = at + text.size();
  std::size_t bad_bytes = 0;
  while (at != end) {
    const std::size_t size = utf8_sequence(at, end, &bad_bytes);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

}  // namespace

class CborReader {
 public:
  CborReader(std::string_view encoded, const CborLimits& limits) : rest_(encoded), limits_(limits) {}

  std::size_t left() const noexcept { return rest_.size(); }

  bool read(Cbor& out, std::size_t depth) {
    if (++values_ > limits_.values_max) return false;
    std::uint8_t major = 0;
    std::uint64_t argument = 0;
    if (!read_head(major, argument)) return false;
    switch (major) {
      case 0:
      case 1:
        if (argument > kIntegerMax) return false;
        out.kind_ = Cbor::Kind::integer;
        out.integer_ = major == 0 ? static_cast<std::int64_t>(argument) : -1 - static_cast<std::int64_t>(argument);
        return true;
      case 2: out.kind_ = Cbor::Kind::bytes; return read_string(out, argument);
      case 3: out.kind_ = Cbor::Kind::text; return read_string(out, argument) && is_utf8(out.string_);
      case 4: out.kind_ = Cbor::Kind::array; return read_array(out, argument, depth);
      case 5: out.kind_ = Cbor::Kind::map; return read_map(out, argument, depth);
      case 7: return read_simple(out, argument);
      default: return false;  // 6, a tag
    }
  }

 private:
  // The first byte and what belongs to it, in its shortest form only. A simple value's argument is the value.
  bool read_head(std::uint8_t& major, std::uint64_t& argument) {
    if (rest_.empty()) return false;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    major = first >> 5;
    const std::uint8_t additional = first & 31;
    argument = additional;
    if (additional < 24) return true;
    if (additional > 27 || major == 7) return false;  // reserved, indefinite; floating point
    const std::size_t size = std::size_t{1} << (additional - 24);
    if (rest_.size() < size) return false;
    argument = 0;
    for (std::size_t i = 0; i < size; ++i) argument = argument << 8 | static_cast<std::uint8_t>(rest_[i]);
    rest_.remove_prefix(size);
    return size == 1 ? argument >= 24 : argument >> (size * 4) != 0;
  }

  bool read_string(Cbor& out, std::uint64_t size) {
    if (size > rest_.size()) return false;
    out.string_ = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return true;
  }

  // A value takes a byte at least: what announces more than is there takes no memory.
  bool read_array(Cbor& out, std::uint64_t size, std::size_t depth) {
    if (depth >= limits_.depth_max || size > rest_.size()) return false;
    for (std::uint64_t i = 0; i < size; ++i) {
      if (!read(out.items_.emplace_back(), depth + 1)) return false;
    }
    return true;
  }

  bool read_map(Cbor& out, std::uint64_t size, std::size_t depth) {
    if (depth >= limits_.depth_max || size > rest_.size() / 2) return false;
    for (std::uint64_t i = 0; i < size; ++i) {
      Cbor key;
      if (!read(key, depth + 1)) return false;
      const bool known = key.kind_ == Cbor::Kind::integer ? out.find(key.integer_) != nullptr
                         : key.kind_ == Cbor::Kind::text  ? out.find(std::string_view(key.string_)) != nullptr
                                                          : true;  // of another kind
      if (known) return false;
      Cbor value;
      if (!read(value, depth + 1)) return false;
      out.keys_.push_back(std::move(key));
      out.items_.push_back(std::move(value));
    }
    return true;
  }

  static bool read_simple(Cbor& out, std::uint64_t value) {
    constexpr std::uint64_t kFalse = 20, kTrue = 21, kNull = 22;
    if (value < kFalse || value > kNull) return false;
    out.kind_ = value == kNull ? Cbor::Kind::null : Cbor::Kind::boolean;
    out.integer_ = value == kTrue ? 1 : 0;
    return true;
  }

  std::string_view rest_;
  const CborLimits& limits_;
  std::size_t values_ = 0;
};

std::optional<Cbor> Cbor::parse_front(std::string_view encoded, std::size_t& used, const CborLimits& limits) {
  if (encoded.size() > limits.bytes_max) return std::nullopt;
  CborReader reader(encoded, limits);
  Cbor value;
  if (!reader.read(value, 0)) return std::nullopt;
  used = encoded.size() - reader.left();
  return value;
}

std::optional<Cbor> Cbor::parse(std::string_view encoded, const CborLimits& limits) {
  std::size_t used = 0;
  auto value = parse_front(encoded, used, limits);
  if (used != encoded.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> Cbor::integer() const noexcept {
  return kind_ == Kind::integer ? std::optional(integer_) : std::nullopt;
}
std::optional<std::string_view> Cbor::bytes() const noexcept {
  return kind_ == Kind::bytes ? std::optional<std::string_view>(string_) : std::nullopt;
}
std::optional<std::string_view> Cbor::text() const noexcept {
  return kind_ == Kind::text ? std::optional<std::string_view>(string_) : std::nullopt;
}
std::optional<bool> Cbor::boolean() const noexcept {
  return kind_ == Kind::boolean ? std::optional(integer_ != 0) : std::nullopt;
}

const Cbor* Cbor::find(std::int64_t key) const noexcept {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i].kind_ == Kind::integer && keys_[i].integer_ == key) return &items_[i];
  }
  return nullptr;
}
const Cbor* Cbor::find(std::string_view key) const noexcept {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i].kind_ == Kind::text && keys_[i].string_ == key) return &items_[i];
  }
  return nullptr;
}

}  // namespace gatehouse::codec
