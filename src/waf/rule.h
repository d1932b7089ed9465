#pragma once
// A rule set as its authors wrote it: what the SecLang parser makes and the plan compiler reads.
//
// Values only; no state of a request. Invariants, held by the parser: (1) rules stand in the order of the files; (2) a
// chain's rules follow its head, and only the head has id, phase and a disruptive action; (3) `block` is resolved by
// the default action of its phase; (4) updates and removals of the configuration (SecRuleUpdateTargetById,
// SecRuleRemoveById, …) are applied. Source: ModSecurity Reference Manual v3.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "waf/variable.h"

namespace gatehouse::waf {

struct Position {
  std::uint32_t file = 0;  // index into RuleSet::files
  std::uint32_t line = 0;  // from 1
  std::uint32_t column = 0;
};

// Text with `%{TX.name}` inside. A text without macros has one literal part, or none when empty.
struct MacroPart {
  std::string literal;               // when there is no variable
  std::optional<Variable> variable;  // `%{tx.critical_anomaly_score}`
  std::string key;                   // lower case; empty: the variable's only value
};
struct MacroText {
  std::vector<MacroPart> parts;
  bool is_literal() const noexcept { return parts.empty() || (parts.size() == 1 && !parts.front().variable); }
  std::string_view literal() const noexcept { return parts.empty() ? std::string_view{} : parts.front().literal; }
};

struct Target {
  enum class Select : std::uint8_t { all, key, regex };
  Variable variable{};
  Select select = Select::all;
  bool count = false;    // `&ARGS`: how many
  bool exclude = false;  // `!ARGS:comment`
  std::string key;  // lower case for collections whose keys have no case; a pattern without its slashes for `regex`;
                    // for Variable::xml: `/*` or `//@*`
};

enum class OperatorKind : std::uint8_t {
  begins_with,
  contains,
  contains_word,
  detect_sqli,
  detect_xss,
  ends_with,
  eq,
  ge,
  geo_lookup,
  gt,
  ip_match,
  le,
  lt,
  no_match,
  pm,
  pm_from_file,
  rbl,
  rx,
  str_eq,
  str_match,
  unconditional,
  validate_byte_range,
  validate_url_encoding,
  validate_utf8_encoding,
  within,
};
constexpr bool is_numeric(OperatorKind kind) noexcept {
  return kind == OperatorKind::eq || kind == OperatorKind::ge || kind == OperatorKind::gt || kind == OperatorKind::le ||
         kind == OperatorKind::lt;
}

struct Operator {
  OperatorKind kind = OperatorKind::unconditional;
  bool negated = false;
  MacroText argument;
  std::vector<std::string> phrases;  // of pm and pm_from_file, lower case, in the file's order
};

enum class Transformation : std::uint8_t {
  base64_decode,
  base64_decode_ext,
  cmd_line,
  compress_whitespace,
  css_decode,
  escape_seq_decode,
  hex_decode,
  hex_encode,
  html_entity_decode,
  js_decode,
  length,
  lowercase,
  md5,
  normalize_path,
  normalize_path_win,
  remove_comments,
  remove_comments_char,
  remove_nulls,
  remove_whitespace,
  replace_comments,
  replace_nulls,
  sha1,
  trim,
  trim_left,
  trim_right,
  uppercase,
  url_decode,
  url_decode_uni,
  url_encode,
  utf8_to_unicode,
  count_,
};

enum class Disruptive : std::uint8_t { none, pass, allow, allow_phase, allow_request, deny, drop, redirect };
enum class Severity : std::uint8_t { emergency, alert, critical, error, warning, notice, info, debug, unset };

struct SetVar {
  enum class Kind : std::uint8_t { set, add, subtract, unset };
  Kind kind = Kind::set;
  Variable collection = Variable::tx;  // tx or ip
  MacroText key;                       // lower case where literal
  MacroText value;
};

struct ExpireVar {
  Variable collection = Variable::ip;
  MacroText key;
  MacroText seconds;
};

struct IdRange {
  std::uint64_t first = 0, last = 0;  // inclusive
};

// What a rule changes for the rest of this transaction.
struct Ctl {
  enum class Kind : std::uint8_t {
    audit_engine,
    audit_log_parts,
    force_request_body_variable,
    request_body_access,
    request_body_processor,
    rule_engine,
    rule_remove_by_id,
    rule_remove_by_tag,
    rule_remove_target_by_id,
    rule_remove_target_by_tag,
  };
  Kind kind{};
  std::string value;             // `On`, `JSON`, a tag …
  std::vector<IdRange> ids;      // of the two by id
  std::optional<Target> target;  // of the two that remove a target
};

struct Actions {
  std::uint64_t id = 0;  // 0: a chain's further rule
  std::uint8_t phase = 2;
  Disruptive disruptive = Disruptive::pass;
  std::uint16_t status = 403;
  MacroText redirect, msg, logdata;
  std::vector<std::string> tags;
  std::string version, revision;
  std::uint8_t maturity = 0, accuracy = 0;
  Severity severity = Severity::unset;
  bool capture = false, multi_match = false;
  bool log = true, audit_log = true;
  std::vector<Transformation> transformations;  // after the last t:none, the phase's defaults included
  std::vector<SetVar> setvars;                  // in the order written
  std::vector<ExpireVar> expirevars;
  std::optional<MacroText> initcol_ip;  // `initcol:ip=…`
  std::vector<Ctl> ctls;
  std::uint32_t skip = 0;
  std::string skip_after;  // a marker's name
};

struct Rule {
  Position position;
  bool is_action = false;       // SecAction: no targets, always matches
  std::vector<Target> targets;  // in the order written, exclusions among them
  Operator op;
  Actions actions;
  bool chained = false;  // continues the chain of the rule before
};

struct Marker {
  std::string name;
  std::size_t before = 0;  // stands in front of rules[before]
};

enum class EngineMode : std::uint8_t { on, detection_only, off };
enum class LimitAction : std::uint8_t { reject, process_partial };

// Settings that stand among the rules of ordinary set-ups. The gateway's own configuration decides over them; `waf try`
// and `waf test` follow them.
struct RuleSettings {
  std::optional<EngineMode> engine;
  std::optional<bool> request_body_access, response_body_access;
  std::optional<std::uint64_t> request_body_limit, request_body_no_files_limit, response_body_limit;
  std::optional<LimitAction> request_body_limit_action, response_body_limit_action;
  std::optional<std::uint64_t> request_body_json_depth_limit, arguments_limit;
  std::vector<std::string> response_body_mime_types;
  std::optional<std::uint64_t> collection_timeout_seconds;
  struct GeoFile {
    std::string path;
    Position position;
  };
  std::optional<GeoFile> geo;  // SecGeoLookupDb
  std::string component_signature;
};

struct RuleSet {
  std::vector<std::string> files;
  std::vector<Rule> rules;
  std::vector<Marker> markers;
  RuleSettings settings;
};

}  // namespace gatehouse::waf
