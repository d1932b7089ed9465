#pragma once
// The rules as they are being collected, and what the configuration changes on them afterwards.
//
// Changes are kept and applied when everything is read, so that it does not matter whether they stand before or behind
// the rules that they are about.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "waf/seclang/actions.h"

namespace gatehouse::waf {

// A change names its rules by one of the three.
struct Selector {
  enum class By : std::uint8_t { ids, tag, msg };
  By by = By::ids;
  std::vector<IdRange> ids;
  std::string text;
};

class RuleList {
 public:
  struct Draft {
    Rule rule;
    ActionDraft actions;
    ActionPlaces places;
  };

  // Both must outlive the list. `rules` gets everything in `finish`; until then its files are looked at for messages.
  RuleList(RuleSet& rules, Findings& findings) noexcept : rules_(rules), findings_(findings) {}

  // Says what is wrong with it. `is_whole`: it is known where the rule began, so that a missing id is one.
  void add(Draft draft, bool is_whole);
  void add_marker(std::string name) { markers_.push_back({std::move(name), drafts_.size()}); }
  void set_defaults(ActionDraft defaults, Position position);

  void remove(Selector selector, Position position);
  void add_targets(Selector selector, Position position, std::vector<Target> targets);
  void add_actions(Selector selector, Position position, const Span& actions, std::shared_ptr<const Source> source);

  void finish();  // once

 private:
  struct Change {
    enum class Kind : std::uint8_t { remove, targets, actions };
    Kind kind = Kind::remove;
    Selector selector;
    Position position;
    std::vector<Target> targets;
    std::string actions;  // their text, and where in `source` its bytes stood
    std::vector<std::uint32_t> offsets;
    std::shared_ptr<const Source> source;
  };
  struct Defaults {
    ActionDraft draft;
    Position position;
  };

  void keep(Change change);
  std::vector<std::size_t> selected(const Selector& selector) const;
  std::size_t chain_end(std::size_t head) const;
  void continue_chain(Draft& draft);
  void apply(const Change& change);
  void apply_to(std::size_t head, const Change& change);
  void check_skip(const Draft& draft, std::size_t index) const;

  RuleSet& rules_;
  Findings& findings_;
  std::vector<Draft> drafts_;
  std::vector<Marker> markers_;
  std::vector<Change> changes_;
  std::vector<bool> removed_;
  std::size_t work_ = 0;                                          // of the changes so far
  std::map<std::string, std::size_t, std::less<>> last_markers_;  // by name, the rule that its last one stands before
  // To the index in drafts_, of the rules as written: an update does not change who is meant by the others.
  std::map<std::uint64_t, std::size_t> ids_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> tags_, msgs_;
  std::map<unsigned, Defaults> defaults_;  // by phase
};

}  // namespace gatehouse::waf
