#include <algorithm>
#include <charconv>
#include <limits>
#include <tuple>

#include "events/event_store.h"
#include "events/schema.h"
#include "telemetry/log.h"

namespace gatehouse::events {
namespace {

constexpr std::size_t kHeadsAtOnce = 64;

// Where an event stands in the order of a search: the newest first, and where two are of the same nanosecond, by their
// place in the store.
struct Position {
  std::int64_t time_ns = 0;
  std::string block;
  std::uint32_t index = 0;

  bool operator<(const Position& other) const noexcept {
    return std::tie(time_ns, block, index) < std::tie(other.time_ns, other.block, other.index);
  }
  std::string text() const { return std::to_string(time_ns) + "." + block + "." + std::to_string(index); }
};

Result<Position> read_position(std::string_view text) {
  const auto bad = [] { return fail(ErrorCode::invalid, "this is no 'after' of a page", ErrorSource::downstream); };
  const std::size_t first = text.find('.'), last = text.rfind('.');
  if (first == std::string_view::npos || last == first || text.size() > 128) return bad();
  Position position;
  position.block = text.substr(first + 1, last - first - 1);
  const auto read = [](std::string_view part, auto& number) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    return error == std::errc() && end == part.data() + part.size();
  };
  if (!read(text.substr(0, first), position.time_ns) || !read(text.substr(last + 1), position.index)) return bad();
  return position;
}

// Before every event of this millisecond.
Position position_at(std::int64_t ms) { return {(ms + 1) * 1'000'000, "", 0}; }

// One search: which blocks were looked at, and what was found so far.
class EventSearch {
 public:
  EventSearch(store::Database& blocks, EventKeys& keys, const EventQuery& query, EventMatcher matcher,
              std::optional<Position> after)
      : blocks_(blocks),
        keys_(keys),
        limit_(std::clamp<std::size_t>(query.limit, 1, EventStore::kLimitMax)),
        from_ms_(query.from ? milliseconds_of(*query.from) : std::numeric_limits<std::int64_t>::min()),
        to_ms_(query.to ? milliseconds_of(*query.to) : std::numeric_limits<std::int64_t>::max()),
        matcher_(std::move(matcher)),
        after_(std::move(after)) {
    if (after_) to_ms_ = std::min(to_ms_, after_->time_ns / 1'000'000);
  }

  Result<EventPage> run(const Clock& clock) {
    const MonotonicTime deadline = clock.now() + EventStore::kSearchMax;
    for (;;) {
      auto heads = next_heads();
      if (!heads) return tl::unexpected(std::move(heads.error()));
      if (heads->empty()) return page({});
      for (const store::Row& head : heads->rows) {
        const std::int64_t until_ms = head[1].integer();
        if (is_enough(until_ms)) return page(until_ms);
        if (looked_ && clock.now() >= deadline) return partial_page(until_ms);
        looked_ = true;
        seen_until_ = until_ms;
        seen_id_ = head[0].text();
        if (!matcher_.may_match(head[2].bytes())) continue;
        if (auto looked = look_into(head[0].text()); !looked) return tl::unexpected(std::move(looked.error()));
      }
    }
  }

 private:
  struct Match {
    Position position;
    FoundEvent event;
    bool operator<(const Match& other) const noexcept { return other.position < position; }  // the newest first
  };

  Result<store::Rows> next_heads() {
    return blocks_.run(
        "SELECT id, until_ms, filter FROM event_blocks WHERE until_ms >= $1 AND since_ms <= $2 AND "
        "(until_ms < $3 OR (until_ms = $3 AND id < $4)) ORDER BY until_ms DESC, id DESC LIMIT $5",
        {from_ms_, to_ms_, seen_until_, seen_id_, kHeadsAtOnce});
  }

  // Are there enough that no block which ends at `until_ms` or before can have anything newer?
  bool is_enough(std::int64_t until_ms) {
    const Position bound = position_at(until_ms);
    return std::count_if(matches_.begin(), matches_.end(), [&](const Match& m) { return bound < m.position; }) >=
           static_cast<std::ptrdiff_t>(limit_);
  }

  Result<Block> opened(const std::string& id, const store::Row& row) {
    auto key = keys_.find(row[0].text());
    if (!key) return tl::unexpected(std::move(key.error()));
    const auto plain = (*key)->open(row[2].bytes(), bound_to(id, static_cast<std::uint64_t>(row[1].integer())));
    if (!plain) return fail(ErrorCode::invalid, "it was changed");
    return Block::read(plain->expose());
  }

  Status look_into(const std::string& id) {
    auto rows = blocks_.run("SELECT key_id, version, data FROM event_blocks WHERE id = $1", {id});
    if (!rows) return tl::unexpected(std::move(rows.error()));
    const store::Row* row = rows->first();
    if (row == nullptr) return {};  // it was past its time meanwhile
    const auto block = opened(id, *row);
    if (!block) {
      // What one cannot read must not hide the rest.
      if (block.error().code == ErrorCode::unavailable) return tl::unexpected(block.error());
      GH_LOG(warn, "a block of events is not readable", {"block", id}, {"reason", block.error().message});
      ++unreadable_;
      return {};
    }
    for (std::size_t i = 0; i < block->count(); ++i) {
      const Event event = block->event(i);
      Position position{event.time.time_since_epoch().count(), id, static_cast<std::uint32_t>(i)};
      if (after_ && !(position < *after_)) continue;
      if (!matcher_.matches(event)) continue;
      matches_.push_back({std::move(position), {event.time, event.kind, std::string(event.line)}});
    }
    if (matches_.size() > 4 * limit_ + BlockBuilder::kEventsMax) {
      std::sort(matches_.begin(), matches_.end());
      matches_.resize(limit_ + 1);  // one more tells that there are more
    }
    return {};
  }

  // `rest_ms`: blocks that end then, and older ones, were not looked at.
  EventPage page(std::optional<std::int64_t> rest_ms) {
    std::sort(matches_.begin(), matches_.end());
    EventPage page;
    page.unreadable = unreadable_;
    const bool more = rest_ms || matches_.size() > limit_;
    if (matches_.size() > limit_) matches_.resize(limit_);
    if (more && !matches_.empty()) page.next = matches_.back().position.text();
    for (Match& match : matches_) page.events.push_back(std::move(match.event));
    return page;
  }

  // What was found is in the order of all only where everything was looked at; the rest comes again with the next page.
  EventPage partial_page(std::int64_t rest_ms) {
    const Position bound = position_at(rest_ms);
    std::erase_if(matches_, [&](const Match& match) { return match.position < bound; });
    EventPage found = page(rest_ms);
    found.next = bound.text();
    found.searched_to = WallTime(std::chrono::milliseconds(rest_ms));
    return found;
  }

  store::Database& blocks_;
  EventKeys& keys_;
  const std::size_t limit_;
  const std::int64_t from_ms_;
  std::int64_t to_ms_;
  const EventMatcher matcher_;
  const std::optional<Position> after_;
  std::int64_t seen_until_ = std::numeric_limits<std::int64_t>::max();
  std::string seen_id_;
  std::vector<Match> matches_;
  std::uint64_t unreadable_ = 0;
  bool looked_ = false;  // at one block at least: a page gets further than the one before
};

}  // namespace

Result<EventPage> EventStore::search(const EventQuery& query) {
  auto matcher = EventMatcher::make(query, terms_);
  if (!matcher) return tl::unexpected(std::move(matcher.error()));
  std::optional<Position> after;
  if (!query.after.empty()) {
    auto read = read_position(query.after);
    if (!read) return tl::unexpected(std::move(read.error()));
    after = std::move(*read);
  }
  return EventSearch(blocks_, keys_, query, std::move(*matcher), std::move(after)).run(clock_);
}

Result<std::optional<FoundEvent>> EventStore::find(std::string_view request_id) {
  EventQuery query;
  query.kind = EventKind::request;
  query.fields.emplace_back("request_id", request_id);
  query.limit = 1;
  auto found = search(query);
  if (!found) return tl::unexpected(std::move(found.error()));
  if (found->events.empty()) return std::optional<FoundEvent>{};
  return std::optional(std::move(found->events.front()));
}

}  // namespace gatehouse::events
