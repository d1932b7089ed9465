#pragma once
// YAML 1.2 core schema, strict, with the position of every key and value. For configuration files: what is convenient
// but ambiguous is refused, so that a file means what it seems to mean.
//
// Errors: duplicate keys, anchors, aliases, tags, keys that are not text, several documents, control characters, bytes
// that are not UTF-8, and anything past the limits. `no`, `yes`, `on` and `off` are strings (YAML 1.2.2 §10.3.2). JSON
// is a subset and accepted.
//
// Thread safety: values; no shared state. Invariants: (1) every node of a document has a position; (2) a node that was
// refused is there with kind `invalid`, so that a reader can skip it without reporting it twice.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::codec {

struct YamlPosition {
  std::uint32_t line = 0;    // from 1; 0: unknown
  std::uint32_t column = 0;  // from 1, in code points
  auto operator<=>(const YamlPosition&) const = default;
};

struct YamlEntry;

class YamlNode {
 public:
  enum class Kind : std::uint8_t { invalid, null, boolean, integer, real, string, list, map };

  Kind kind() const noexcept { return kind_; }
  YamlPosition position() const noexcept { return position_; }
  bool is(Kind kind) const noexcept { return kind_ == kind; }
  bool is_scalar() const noexcept { return kind_ >= Kind::null && kind_ <= Kind::string; }

  // A scalar's text, escapes resolved: "0x1F" and "true" as written.
  const std::string& text() const noexcept { return text_; }
  bool boolean() const noexcept { return boolean_; }
  // Only for Kind::integer; empty when it doesn't fit. Decimal, 0o and 0x forms.
  std::optional<std::int64_t> integer() const noexcept;
  std::optional<double> real() const noexcept;  // Kind::real and Kind::integer

  std::span<const YamlNode> items() const noexcept { return items_; }  // of a list
  std::span<const YamlEntry> entries() const noexcept;                 // of a map, in the file's order
  const YamlEntry* find(std::string_view key) const noexcept;

 private:
  friend class YamlBuilder;
  Kind kind_ = Kind::null;
  bool boolean_ = false;
  YamlPosition position_;
  std::string text_;
  std::vector<YamlNode> items_;
  std::vector<YamlEntry> entries_;
};

struct YamlEntry {
  std::string key;
  YamlPosition position;  // of the key
  YamlNode value;
};

// Here, because a span wants to know the size of what it spans.
inline std::span<const YamlEntry> YamlNode::entries() const noexcept { return entries_; }

std::string_view name_of(YamlNode::Kind kind) noexcept;  // "a list", for messages

struct YamlError {
  YamlPosition position;
  std::string message;
  std::string hint;  // what to do about it; may be empty
};

struct YamlLimits {
  std::size_t bytes = 4 * 1024 * 1024;
  std::size_t depth = 64;
  std::size_t nodes = 500'000;
};

struct YamlDocument {
  YamlNode root;                  // null for an empty document
  std::vector<YamlError> errors;  // in the order of the file
  bool complete = false;          // false: a syntax error ended the reading, and `root` is empty
};

YamlDocument parse_yaml(std::string_view text, const YamlLimits& limits = {});

}  // namespace gatehouse::codec
