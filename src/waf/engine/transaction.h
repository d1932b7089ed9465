#pragma once
// One request, and its response, under a rule set.
//
// The owner feeds what it knows and runs the phases in order: connection and request head, phase 1, body, phase 2;
// response head, phase 3, response body, phase 4; phase 5 for the log. A phase ends early when a rule interrupts.
//
// Semantics: libmodsecurity 3: a rule looks at its targets in the order written; each value that matches runs setvar
// and capture at once, also where the rest of a chain then fails; the disruptive action, skips and the log follow when
// the whole chain matched. MATCHED_VARS holds what the rule before in the chain matched. Thread safety: one owner, one
// shard. A transaction is reused (`begin`): its memory is kept, within bounds. Invariant: bytes handed in outlive the
// transaction's run, or are copied into its arena by the caller.

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/clock.h"
#include "waf/body/body.h"
#include "waf/engine/collections.h"
#include "waf/engine/persistent_collections.h"
#include "waf/engine/program.h"
#include "waf/engine/regex_budget.h"
#include "waf/engine/rule_statistics.h"
#include "waf/engine/tuning.h"
#include "waf/engine/tx_variables.h"
#include "waf/engine/workspace.h"

namespace gatehouse::waf {

// What made a rule match, once per value.
struct RuleMatch {
  std::string variable;    // `ARGS:comment`
  std::string value;       // after the transformations, cut to kEvidenceBytesMax
  std::size_t offset = 0;  // of the matched bytes in it
  std::size_t size = 0;
  bool last = true;  // of its chain's last rule, which says what is wrong; the others say when that matters
};

// A rule that matched, its whole chain included.
struct FiredRule {
  std::uint32_t index = 0;  // of the chain's head in the program
  std::uint64_t id = 0;
  std::uint8_t phase = 0;
  bool logged = false;
  std::int32_t score = 0;        // what its setvars added to the anomaly score
  std::uint8_t score_level = 0;  // of the paranoia level that it counts for; 0: it added nothing
  // A pattern gave up at its limit, which counts as a match: on which bytes, and what it captures, is not known.
  bool limit_reached = false;
  std::string message, data;
  std::vector<RuleMatch> matches;  // bounded by kMatchesMax
};

struct Interruption {
  Disruptive action = Disruptive::none;
  std::uint16_t status = 0;
  std::string redirect;
  std::uint64_t rule_id = 0;
  bool acts = false;  // the engine was on, not only detecting, when the rule matched
};

class Transaction {
 public:
  static constexpr std::size_t kEvidenceBytesMax = 256;
  static constexpr std::size_t kMatchesMax = 16;      // kept of one rule
  static constexpr std::size_t kFiredMax = 1000;      // rules kept
  static constexpr std::size_t kTextBytesMax = 4096;  // of an expanded message or argument

  struct Settings {
    EngineMode engine = EngineMode::on;
    bool request_body_access = true;
    std::size_t arguments_max = 1000;
    std::size_t json_depth_max = 64;
    PersistentCollections* collections = nullptr;  // null: nothing is kept between requests, and IP is empty
    const Tuning* tuning = nullptr;
    // Besides it, what only some requests have; the list itself is looked at by `begin` alone.
    std::span<const Tuning* const> more_tunings{};
    // Null: nothing is counted. `timed`: the evaluation of each rule, and the scans.
    RuleStatistics::Counters* counters = nullptr;
    bool timed = false;
    // For tests alone, which compare with what patterns would find if they could cost anything (regex_budget.h).
    bool each_place_alone_is_bound = false;
  };

  Transaction(Workspace& workspace, const Clock& clock);
  void begin(const Settings& settings);
  // Lets go of what the request and its settings left; `begin` comes next.
  void end() noexcept;

  void connection(std::string_view remote_address, std::string_view unique_id);
  // `uri` as it stands in the request line; `protocol` as `HTTP/1.1`.
  void request_line(std::string_view method, std::string_view uri, std::string_view protocol) {
    request_line(method, uri, uri, protocol);
  }
  // With the form that the upstream will get beside the one that came: REQUEST_URI_RAW and REQUEST_LINE show the
  // latter, everything that is taken apart is the former.
  void request_line(std::string_view method, std::string_view raw_uri, std::string_view uri, std::string_view protocol);
  void request_header(std::string_view name, std::string_view value);
  // Between phases 1 and 2. Not `complete`: more follows, which is not looked at; that it breaks off is then no error.
  void request_body(std::string_view body, bool complete = true);
  // In place of a body: a text message of a WebSocket that the request has opened. JSON is taken apart; anything else
  // is an argument, `message`, and so is what stands between its quotes when that has escapes.
  void websocket_message(std::string_view text, bool complete = true);
  void response_head(std::string_view protocol, std::uint16_t status);
  void response_header(std::string_view name, std::string_view value);
  void response_body(std::string_view body);

  // In the last phase's place, for who does not read what it logs: only what outlasts the request.
  void run_counting();
  // The phase's interruption, which with EngineMode::detection_only is told but not to be acted upon; null: go on.
  const Interruption* run(std::size_t phase);
  // The owner does not act upon the interruption: what the phases that follow find is told as if there were none.
  void disregard_interruption() noexcept { interruption_.reset(); }

  // The memory that it takes, texts of the request included, for who has to keep many waiting.
  std::size_t bytes() const noexcept;

  bool inspects_request_body() const noexcept { return body_access_; }
  EngineMode mode() const noexcept { return mode_; }
  const std::vector<FiredRule>& fired() const noexcept { return fired_; }
  const Interruption* interruption() const noexcept { return interruption_ ? &*interruption_ : nullptr; }
  std::string_view tx(std::string_view lower_name) const noexcept;  // empty when unset
  std::chrono::nanoseconds spent(std::size_t phase) const noexcept { return spent_[phase - 1]; }

 private:
  struct Candidate {  // a value under evaluation
    Variable variable{};
    std::string_view name, value;
    bool has_name = false;
    bool lasts = false;   // the value stays where it is as long as the transaction
    bool proven = false;  // a scan has found the rule's pattern in it
  };
  enum class Next : std::uint8_t { rule, jump, end_phase };

  // evaluation (evaluate.cc)
  static std::string full_name(const Candidate& candidate);  // `ARGS:comment`
  bool holds(const Program::Step& step) const noexcept;
  void compared(const Program::Step& step);
  Next evaluate(const Program::Step& step, std::size_t phase);
  bool matches_chain(std::uint32_t head, FiredRule& fired);
  bool matches(std::uint32_t index, FiredRule& fired);
  bool matches_hits(std::uint32_t index, FiredRule& fired);
  bool may_match(std::uint32_t head);  // counting.cc
  struct Timed;
  struct Untimed;
  template <class Timing>
  void walk(std::size_t phase, Timing timing);
  template <class Timing>
  std::size_t next_rule(std::size_t phase, std::size_t at, Timing timing);
  template <class Visit>
  void each_value(const CompiledTarget& target, Visit visit);
  template <class Visit>
  void each_tx(const CompiledTarget& target, Visit visit);
  bool names(const CompiledTarget& target, std::string_view name, bool unsure);
  bool is_target(const CompiledTarget& target, std::string_view name);
  bool is_excluded(const CompiledRule& rule, const Candidate& candidate);
  bool test_value(const CompiledRule& rule, const Candidate& candidate, FiredRule& fired);
  bool test_count(const CompiledRule& rule, const CompiledTarget& target, std::size_t count, FiredRule& fired);
  bool test_operator(const CompiledRule& rule, const Candidate& candidate, std::string_view value, FiredRule& fired);
  void matched(const CompiledRule& rule, const Candidate& candidate, std::string_view value, Match match,
               FiredRule& fired);
  bool apply_operator(const CompiledRule& rule, const Candidate& candidate, std::string_view value, Match& match,
                      FiredRule& fired);
  bool apply_regex(const CompiledRule& rule, std::string_view argument, std::string_view value, bool proven,
                   Match& match, FiredRule& fired);
  void capture(std::size_t number, std::string_view text);
  bool locate(std::string_view address);

  // actions (actions.cc)
  void set_variables(const CompiledRule& rule);
  void set(const CompiledSetVar& set);
  void note_score(const CompiledSetVar& set, std::int64_t added);
  void control(const CompiledRule& rule);
  Next finish(std::uint32_t head, FiredRule& fired);
  std::string expand(const Text& text);
  void append_macro(const TextPart& part, std::string& out);
  const PersistentCollections::Record& ip();

  // the request (request.cc)
  void tune(const Tuning& tuning);
  BodyProcessor processor() const noexcept;
  void tell_processor();
  BodyLimits body_limits() const noexcept;
  void take_unread(std::string_view json, std::string_view name);
  void take_unread_name();
  void take_body(BodyProcessor processor, bool complete);
  void input_failed(std::string_view message);
  void read_json_records(std::string_view text);  // websocket_message.cc
  void unwrap_strings();
  void take_escaped(std::string_view text, std::string_view name);
  std::string_view keep(std::string_view text) { return arena_.copy(text); }
  void set_number(Variable variable, std::uint64_t number);
  void set_flag(Variable variable, bool on) { values_.set(variable, on ? "1" : "0"); }

  Workspace& work_;
  const Program& program_;
  const Clock& clock_;
  ScanState scans_;
  Arena arena_{16 * 1024};
  Settings settings_;
  RegexBudget regexes_;
  Collections values_;
  Body body_;

  TxVariables tx_;
  TxOthers tx_others_;
  std::string ip_key_;  // by `initcol`; empty: none
  PersistentCollections::Record ip_;
  bool ip_is_read_ = false;                            // in this phase
  std::vector<NameValue> geo_;                         // of the address last looked up
  std::vector<NameValue> matched_vars_, matched_now_;  // of the rule before in the chain; of this one
  Candidate last_match_;                               // its value as it was transformed, in the arena

  EngineMode mode_ = EngineMode::on;
  bool body_access_ = true;
  bool force_body_variable_ = false;
  std::string content_type_;
  std::optional<BodyProcessor> forced_processor_;
  std::vector<bool> removed_;  // by rule
  std::vector<const RemovedTarget*> removed_targets_;
  std::uint8_t allowed_until_ = 0;  // phases up to this one are skipped, by `allow`
  std::vector<FiredRule> fired_;
  std::optional<Interruption> interruption_;
  std::array<std::chrono::nanoseconds, Program::kPhases> spent_{};
  MonotonicTime began_{};
  FiredRule trial_;            // of the chain under evaluation
  std::uint32_t current_ = 0;  // the chain's head under evaluation
  struct {
    std::uint32_t head = UINT32_MAX;
    std::int64_t added = 0;
    std::uint8_t level = 0;
  } score_;  // of the chain under evaluation
};

}  // namespace gatehouse::waf
