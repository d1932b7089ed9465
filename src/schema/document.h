#pragma once
// What is wrong in a document, and where.

#include <string>
#include <vector>

#include "codec/yaml.h"

namespace gatehouse::schema {

struct Problem {
  enum class Severity : std::uint8_t { error, warning } severity = Severity::error;
  codec::YamlPosition position;
  std::string message;
  std::string hint;  // what to do about it; may be empty
};

enum class OpenApiVersion : std::uint8_t { v30, v31 };

// A document while it is read: where references lead, and what was found wrong so far.
class Document {
 public:
  Document(const codec::YamlNode& root, std::vector<Problem>& problems) : root_(root), problems_(problems) {}

  const codec::YamlNode& root() const noexcept { return root_; }
  OpenApiVersion version() const noexcept { return version_; }
  void set_version(OpenApiVersion version) noexcept { version_ = version; }

  void error(codec::YamlPosition position, std::string message, std::string hint = {});
  void warning(codec::YamlPosition position, std::string message, std::string hint = {});
  bool has_errors() const noexcept { return errors_ > 0; }
  std::size_t error_count() const noexcept { return errors_; }

  // What `#/components/…` (RFC 6901 in a fragment) points at, references to references followed. Null: it was reported.
  const codec::YamlNode* resolve(const codec::YamlNode& reference);
  // The node itself, or what it refers to when it is a map with `$ref`. Keys beside `$ref` are reported.
  const codec::YamlNode* follow(const codec::YamlNode& node);

  // Whether the node is a map; reported when it is not.
  bool expect_map(const codec::YamlNode& node, std::string_view what);
  bool expect_list(const codec::YamlNode& node, std::string_view what);
  // Reports the keys of a map that are none of `known`; `x-…` is for everybody.
  void report_unknown(const codec::YamlNode& map, std::string_view what, std::span<const std::string_view> known);
  // A key's text, number or truth; reported and empty when it is something else or not there.
  std::optional<std::string_view> text(const codec::YamlNode& map, std::string_view key);
  bool flag(const codec::YamlNode& map, std::string_view key, bool otherwise);

 private:
  const codec::YamlNode* find(std::string_view pointer) const;

  const codec::YamlNode& root_;
  std::vector<Problem>& problems_;
  OpenApiVersion version_ = OpenApiVersion::v30;
  std::size_t errors_ = 0;
};

}  // namespace gatehouse::schema
