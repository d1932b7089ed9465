#include "admin/live/live_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "crypto/random.h"
#include "telemetry/render.h"

namespace gatehouse::admin {

bool LiveFilter::takes(const telemetry::PackedKey& key) const noexcept {
  if (remarkable && !telemetry::is_remarkable(key)) return false;
  if (record.verdict && key.verdict != *record.verdict) return false;
  if (record.layer && key.layer != *record.layer) return false;
  return !record.client || record.client->contains(IpAddress{key.client_ip});
}

LiveFeed::LiveFeed(const telemetry::RecordStore& records, const Clock& clock)
    : clock_(clock), traffic_(clock), epoch_(crypto::random_token().substr(0, 8)), follower_(records, {this}) {}

bool LiveFeed::wants(const telemetry::PackedKey& key) noexcept {
  traffic_.count(key);
  bool wanted = false;
  for (Watcher& watcher : watchers_) {
    if (!watcher.filter.takes(key)) continue;
    if (watcher.room == 0) {
      ++watcher.skipped;
    } else {
      --watcher.room;
      wanted = true;
    }
  }
  if (wanted) key_ = key;
  return wanted;
}

void LiveFeed::take(const telemetry::DecisionRecord& record) {
  Kept& kept = kept_.emplace_back();
  kept.key = key_;
  telemetry::append_json(record, kept.json);
  ++taken_;
  if (kept_.size() > kKeptMax) kept_.pop_front();
}

void LiveFeed::watch(std::shared_ptr<EventStream> stream, LiveFilter filter, std::string_view last_event_id) {
  Watcher watcher;
  watcher.stream = std::move(stream);
  watcher.filter = std::move(filter);
  watcher.next = taken_;
  watcher.seen = clock_.now();
  const std::size_t dash = last_event_id.rfind('-');
  if (dash != std::string_view::npos && last_event_id.substr(0, dash) == epoch_) {
    std::uint64_t next = 0;
    std::from_chars(last_event_id.data() + dash + 1, last_event_id.data() + last_event_id.size(), next);
    if (next <= taken_) watcher.next = next;
    // Whoever is back takes the place of the one that is gone, which has kept records coming for them.
    const auto gone = std::find_if(watchers_.begin(), watchers_.end(), [&](const Watcher& one) {
      return !one.stream->is_open() && one.filter.same_as(watcher.filter);
    });
    if (gone != watchers_.end()) {
      watcher.skipped = gone->skipped;
      watchers_.erase(gone);
    }
  }
  watcher.stream->send("retry: 1000\n\n");
  send_records(watcher);  // with an id, from which on it can go on
  watchers_.push_back(std::move(watcher));
}

void LiveFeed::send_records(Watcher& watcher) {
  if (watcher.next < first_kept()) {
    watcher.skipped += first_kept() - watcher.next;
    watcher.next = first_kept();
  }
  std::string list;
  std::size_t count = 0;
  for (; watcher.next < taken_ && count < 2 * kRecordsPerTick; ++watcher.next) {
    const Kept& kept = kept_[watcher.next - first_kept()];
    if (!watcher.filter.takes(kept.key)) continue;
    if (count++ > 0) list += ',';
    list += kept.json;
  }
  watcher.stream->send(fmt::format("id: {}-{}\nevent: records\ndata: {{\"records\":[{}],\"skipped\":{}}}\n\n", epoch_,
                                   watcher.next, list, std::exchange(watcher.skipped, 0)));
}

void LiveFeed::tick() {
  for (Watcher& watcher : watchers_) watcher.room = kRecordsPerTick;
  follower_.poll();
  std::string second;
  if (traffic_.tick()) {
    second = "event: traffic\ndata: ";
    append_json(traffic_.last(), second);
    second += "\n\n";
  }
  const MonotonicTime now = clock_.now();
  std::erase_if(watchers_,
                [&](const Watcher& watcher) { return !watcher.stream->is_open() && now - watcher.seen > kGrace; });
  for (Watcher& watcher : watchers_) {
    if (!watcher.stream->is_open()) continue;
    watcher.seen = now;
    if (watcher.stream->buffered() > kBufferedMax) continue;
    if (watcher.next < taken_ || watcher.skipped > 0) send_records(watcher);
    if (!second.empty()) watcher.stream->send(second);
  }
}

}  // namespace gatehouse::admin
