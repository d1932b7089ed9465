#pragma once
// The admin API's part about events (docs/admin-api.yaml, /v1/events): what was kept, searched.
//
// Thread safety: any thread; it blocks for the store, so it belongs on a worker.

#include <optional>
#include <string_view>

#include "admin/service_sink.h"
#include "events/event_store.h"

namespace gatehouse::admin {

class EventsApi {
 public:
  EventsApi(events::EventStore& events, const Clock& clock) noexcept : events_(events), clock_(clock) {}

  // Is this path ours? /v1/requests/ID is when nothing newer holds it.
  static bool serves(std::string_view path) noexcept { return path == "/v1/events"; }
  Answer answer(const Call& call);  // of a GET

 private:
  Answer search(const Call& call);
  Answer find(std::string_view request_id);

  events::EventStore& events_;
  const Clock& clock_;
};

// "2025-06-15T15:06:40Z", with or without a fraction (RFC 3339, in UTC), or how long ago: "15m", "24h", "7d".
std::optional<WallTime> parse_time(std::string_view text, WallTime now) noexcept;

}  // namespace gatehouse::admin
