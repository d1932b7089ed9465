#pragma once
// What is asked of the event store, and whether an event answers it.
//
// All that is given must hold. Names are those of the access log's line (docs/configuration.md) for requests, and
// actor, action, target, outcome for acts; `rule` is the number of an inspection rule that matched; `reason` is the
// decision's or that of any layer. Thread safety: pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "events/event_block.h"
#include "events/terms.h"

namespace gatehouse::events {

// By which names events are found.
bool is_field(std::string_view name) noexcept;

struct EventQuery {
  std::optional<WallTime> from, to;  // from <= time < to
  std::optional<EventKind> kind;
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<Network> client;
  std::string text;  // words that must all be in the event, wherever
  std::size_t limit = 100;
  std::string after;  // where the page before ended (EventPage::next)
};

// Values as they stand in a line, and the terms by which a block is left alone.
class EventMatcher {
 public:
  // ErrorCode::invalid: no such field, or a value that it cannot have.
  static Result<EventMatcher> make(const EventQuery& query, const Terms& terms);

  // May a block with this filter hold an event that matches?
  bool may_match(std::string_view filter) const noexcept;
  bool matches(const Event& event) const;

 private:
  struct Pattern {
    std::string text;
    bool anywhere = false;   // not only before the list of layers
    bool is_number = false;  // what follows must end it
  };
  EventQuery query_;
  std::vector<Pattern> patterns_;
  std::vector<std::string> words_;  // in lower case
  std::vector<Term> needed_;
};

// The terms of an event's line: its fields, and the words of its texts.
void add_terms(std::string_view line, const Terms& terms, std::vector<Term>& out);

}  // namespace gatehouse::events
