#pragma once
// Reads Schema Objects of an OpenAPI document. Every keyword of the two dialects is either applied, an annotation that
// has no say in requests, or an error that names it.
//
// Thread safety: one owner. Iterative over references, so that their number costs no stack.

#include <deque>
#include <string>
#include <unordered_map>

#include "schema/document.h"
#include "schema/json_schema.h"

namespace gatehouse::schema {

// The value of `default`, `enum` and the like. Reported and null when it cannot be said in JSON.
codec::Json json_of(Document& document, const codec::YamlNode& node);
std::string pointer_step(std::string_view name);  // "/" and the name, escaped (RFC 6901 §3)

class SchemaReader {
 public:
  explicit SchemaReader(Document& document);

  // The schema at `node`, `place` its JSON pointer. Good to keep at once, filled by `finish`.
  const Schema* at(const codec::YamlNode& node, const std::string& place);

  // Reads everything that `at` was asked for and what that refers to, then works out what needs the whole. False when
  // the document has errors.
  bool finish();
  SchemaSet take() { return std::move(set_); }

 private:
  struct Keyword;
  static const Keyword* find_keyword(std::string_view name) noexcept;

  void fill(Schema& schema, const codec::YamlNode& node);
  void read_type(Schema& schema, const codec::YamlEntry& entry);
  void read_nullable(Schema& schema, const codec::YamlNode& node);
  void read_reference(Schema& schema, const codec::YamlEntry& entry);
  void read_enumeration(Schema& schema, const codec::YamlEntry& entry);
  void read_constant(Schema& schema, const codec::YamlEntry& entry);
  void read_bound(Schema& schema, const codec::YamlEntry& entry);
  void read_exclusive(Schema& schema, const codec::YamlEntry& entry);
  void read_multiple(Schema& schema, const codec::YamlEntry& entry);
  void read_count(Schema& schema, const codec::YamlEntry& entry);
  void read_flag(Schema& schema, const codec::YamlEntry& entry);
  void read_pattern(Schema& schema, const codec::YamlEntry& entry);
  void read_format(Schema& schema, const codec::YamlEntry& entry);
  void read_part(Schema& schema, const codec::YamlEntry& entry);
  void read_parts(Schema& schema, const codec::YamlEntry& entry);
  void read_properties(Schema& schema, const codec::YamlEntry& entry);
  void read_required(Schema& schema, const codec::YamlEntry& entry);
  void read_pattern_properties(Schema& schema, const codec::YamlEntry& entry);
  void read_additional(Schema& schema, const codec::YamlEntry& entry);
  void read_dependents(Schema& schema, const codec::YamlEntry& entry);
  void read_boolean_exclusive(Schema& schema, const codec::YamlNode& node);

  std::optional<std::vector<std::string>> names(const codec::YamlNode& node, std::string_view what);
  std::optional<codec::Json> number(const codec::YamlEntry& entry);
  std::optional<waf::Regex> regex(std::string_view pattern, codec::YamlPosition position);
  Schema& enumerating(Schema& schema);
  static Property& property(Schema& schema, std::string_view name);

  struct Settled {
    bool open = false;  // being settled further up
    int depth = 0;      // of the in-place steps below; 0: not known yet
  };
  int settle(Schema& schema, int depth);
  void settle_types(Schema& schema);
  void forget_read_only(Schema& schema);
  bool is_read_only(const Schema& schema, int& fuel) const;

  struct Pending {
    Schema* schema;
    const codec::YamlNode* node;
  };
  Document& document_;
  SchemaSet set_;
  std::unordered_map<const codec::YamlNode*, Schema*> known_;
  std::deque<Pending> pending_;
  std::unordered_map<const Schema*, codec::YamlPosition> positions_;
  std::unordered_map<const Schema*, Settled> settled_;
  std::size_t pattern_bytes_ = 0;
};

}  // namespace gatehouse::schema
