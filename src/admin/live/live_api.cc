// GET /v1/live and GET /v1/traffic (admin_api.h).

#include <fmt/format.h>

#include "admin/admin_api.h"
#include "admin/calls.h"

namespace gatehouse::admin {

Answer AdminApi::traffic(const Call& call) {
  if (live_ == nullptr) return problem(404, "Traffic is not followed here.");
  std::size_t seconds = Traffic::kSecondsMax;
  const Status read = read_query(call.query, [&](std::string_view name, const std::string& value) {
    if (name == "seconds") return read_count(name, value, Traffic::kSecondsMax, seconds);
    return Status(fail(ErrorCode::invalid, fmt::format("'{}' is no parameter: seconds is.", name)));
  });
  if (!read) return problem(400, read.error().message);
  return json_answer(to_json(live_->traffic(), seconds));
}

Answer AdminApi::live(const Call& call) {
  if (live_ == nullptr) return problem(404, "Traffic is not followed here.");
  LiveFilter filter;
  const Status read = read_query(call.query, [&](std::string_view name, const std::string& value) -> Status {
    bool known = false;
    if (Status done = read_filter(name, value, filter.record, known); !done || known) return done;
    if (name != "remarkable")
      return fail(ErrorCode::invalid,
                  fmt::format("'{}' is no parameter: verdict, layer, client and remarkable are.", name));
    if (value != "true" && value != "false") return bad_value(name, value);
    filter.remarkable = value == "true";
    return {};
  });
  if (!read) return problem(400, read.error().message);
  if (live_->is_full()) return problem(503, "So many are watching already.");
  Answer answer;
  answer.content_type = "text/event-stream";
  answer.goes_on = [live = live_, filter, last = call.last_event_id](std::shared_ptr<EventStream> stream) {
    live->watch(std::move(stream), filter, last);
  };
  return answer;
}

}  // namespace gatehouse::admin
