#pragma once
// A rule set made ready to run: patterns compiled, names of TX variables numbered, jumps resolved.
//
// Thread safety: immutable once compiled; all shards share it. Invariant: a rule's `next` is the chain's further rule,
// or none.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waf/operator/geo_database.h"
#include "waf/operator/operator.h"
#include "waf/operator/phrases.h"
#include "waf/operator/regex.h"
#include "waf/rule.h"
#include "waf/seclang/parser.h"

namespace gatehouse::waf {

// A TX variable that some rule names, as an index into a transaction's slots.
using TxSlot = std::uint32_t;
constexpr TxSlot kNoSlot = UINT32_MAX;

struct TextPart {
  std::string literal;
  std::optional<Variable> variable;
  std::string key;
  TxSlot slot = kNoSlot;  // of `%{tx.key}`
};
struct Text {
  std::vector<TextPart> parts;
  bool is_literal() const noexcept { return parts.empty() || (parts.size() == 1 && !parts.front().variable); }
  // What is nothing but `%{tx.key}`.
  TxSlot slot() const noexcept { return parts.size() == 1 ? parts.front().slot : kNoSlot; }
  std::string_view literal() const noexcept { return parts.empty() ? std::string_view{} : parts.front().literal; }
};

struct CompiledTarget {
  Variable variable{};
  Target::Select select = Target::Select::all;
  bool count = false;
  std::string key;
  std::shared_ptr<const Regex> pattern;  // of a key by pattern
  TxSlot slot = kNoSlot;                 // of TX:key
  std::vector<TxSlot> slots;             // that a pattern of TX names, ascending
  // Is a value of this name meant? Only for names that no client chose: nothing bounds the pattern's work here.
  bool names(std::string_view name) const noexcept;
};

struct CompiledOperator {
  OperatorKind kind = OperatorKind::unconditional;
  bool negated = false;
  Text argument;
  std::int64_t number = 0;  // of a literal argument
  std::optional<Regex> regex;
  std::optional<PhraseSet> phrases;
  std::optional<ByteSet> bytes;
  std::optional<IpList> addresses;
};

struct CompiledSetVar {
  SetVar::Kind kind = SetVar::Kind::set;
  Variable collection = Variable::tx;
  Text key, value;
  std::int64_t number = 0;  // of a literal value
  TxSlot slot = kNoSlot;    // of a TX variable with a literal name
  std::uint8_t level = 0;   // adds to the anomaly score of this paranoia level; 0: to none
  bool outbound = false;    // to that of the answer
};

struct CompiledExpireVar {  // of IP; what lives in TX ends with the request
  Text key, seconds;
};

// Rules that do not look at a target.
struct RemovedTarget {
  std::vector<std::uint32_t> rules;  // chain heads, ascending
  CompiledTarget target;
};

struct CompiledCtl {
  const Ctl* source = nullptr;
  RemovedTarget removed;  // the rules that are meant by id or tag; the target of the two that remove one
};

struct CompiledRule {
  const Rule* source = nullptr;
  std::vector<CompiledTarget> targets, exclusions;
  CompiledOperator op;
  std::vector<Transformation> transformations;
  std::vector<CompiledSetVar> setvars;
  std::vector<CompiledExpireVar> expirevars;
  std::optional<Text> initcol;  // of IP
  std::vector<CompiledCtl> ctls;
  Text msg, logdata, redirect;
  // MATCHED_VARS of this one are read by the chain's next rule.
  bool is_read_behind = false;
  bool opens = false;            // of a chain's head: when it matches, less is inspected
  std::uint32_t next = 0;        // index of the chain's next rule; 0: none
  std::uint32_t skip_until = 0;  // a position in its phase; 0: no jump
};

class Program {
 public:
  static constexpr std::size_t kPhases = 5;

  // What a walk over a phase has to know of a chain's head. Most rules that run for every request compare one TX
  // variable by its name, as it stands, or whether it is set, with a number; of those, no more is looked at.
  struct Step {
    std::int64_t number = 0;
    std::uint64_t id = 0;
    std::uint32_t head = 0;
    std::uint32_t skip_until = 0;  // as of the rule
    TxSlot slot = kNoSlot;         // none: it compares no TX variable
    OperatorKind kind{};
    bool negated : 1 = false, count : 1 = false;
    bool whole : 1 = false;  // besides, it only sets variables and jumps, unlogged
    bool sets : 1 = false;   // it does set variables
  };

  struct Compiled;
  // Takes the rules over. Errors name the rule's place: a pattern that is none, a list of addresses that is none.
  static Compiled compile(RuleSet rules);

  const RuleSet& source() const noexcept { return source_; }
  std::span<const CompiledRule> rules() const noexcept { return rules_; }
  const CompiledRule& rule(std::uint32_t index) const noexcept { return rules_[index]; }
  std::span<const std::uint32_t> phase(std::size_t number) const noexcept {
    return phases_[number - 1];
  }                                                                                            // chain heads
  std::span<const Step> steps(std::size_t phase) const noexcept { return steps_[phase - 1]; }  // of the chain heads
  // Of the last phase what outlasts the request: places in it of the rules that change IP, and of those in front of
  // them that bear on whether and how they do. The others only log.
  struct Counting {
    std::vector<std::uint32_t> places;
    bool opens = false;  // a record, too
  };
  const Counting& counting() const noexcept { return counting_; }
  std::span<const std::string> tx_names() const noexcept { return tx_names_; }
  TxSlot slot_of(std::string_view lower_name) const noexcept;
  const GeoDatabase* geo() const noexcept { return geo_.get(); }  // null: none is named

 private:
  friend class ProgramCompiler;
  RuleSet source_;
  std::vector<CompiledRule> rules_;
  std::array<std::vector<std::uint32_t>, kPhases> phases_;
  std::array<std::vector<Step>, kPhases> steps_;
  Counting counting_;
  std::vector<std::string> tx_names_;
  std::map<std::string, TxSlot, std::less<>> tx_slots_;
  std::shared_ptr<const GeoDatabase> geo_;
};

struct Program::Compiled {
  std::unique_ptr<const Program> program;  // null with errors
  std::vector<Finding> errors;
  RuleSet rules;  // with errors: to print them with
};

}  // namespace gatehouse::waf
