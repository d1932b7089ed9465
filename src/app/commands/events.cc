#include "app/commands/events.h"

#include "app/commands/admin_output.h"
#include "app/commands/printed_table.h"
#include "codec/form.h"

namespace gatehouse::app {
namespace {

using codec::Json;

constexpr std::uint32_t kPageMax = 1000;

// "deny waf.score 403", "pass 200".
std::string outcome_of(const Json& event) {
  std::string text(text_of(event, "verdict"));
  if (const std::string_view reason = text_of(event, "reason"); !reason.empty()) {
    text += ' ';
    text += reason;
  }
  return text + " " + std::to_string(number_of(event, "status"));
}

void add_row(const Json& found, PrintedTable& table) {
  const Json* event = found.find("event");
  if (event == nullptr) return;
  if (text_of(found, "kind") == "act") {
    table.add({short_time(*event, "time"), std::string(text_of(*event, "actor")),
               std::string(text_of(*event, "action")) + " " + std::string(text_of(*event, "outcome")),
               std::string(text_of(*event, "target")), std::string(text_of(*event, "request_id"))});
    return;
  }
  const std::string_view user = text_of(*event, "user");
  std::string who(text_of(*event, "client_ip"));
  if (!user.empty()) who += " " + std::string(user);
  table.add({short_time(*event, "time"), who, outcome_of(*event),
             std::string(text_of(*event, "method")) + " " + std::string(text_of(*event, "path")),
             std::string(text_of(*event, "request_id"))});
}

std::string path_of(const EventsOptions& options, std::uint32_t limit, std::string_view after) {
  codec::FormWriter query;
  for (const auto& [name, value] : options.query) query.add(name, value);
  query.add("limit", std::to_string(limit));
  if (!after.empty()) query.add("after", after);
  return "/v1/events?" + query.text();
}

}  // namespace

int run_events(const AdminTarget& target, const EventsOptions& options) {
  PrintedTable table({"time", "who", "outcome", "what", "request"});
  std::string after, searched_to;
  std::int64_t unreadable = 0;
  for (std::uint32_t left = options.limit; left > 0;) {
    int code = kDone;
    const auto reply = admin_call(target, "GET", path_of(options, std::min(left, kPageMax), after));
    const auto page = expect_json(target, reply, code);
    if (!page) return code;
    const auto events = list_of(*page, "events");
    for (const Json& found : events) {
      if (!options.json) add_row(found, table);
    }
    if (options.json) print_raw(*reply);
    left -= std::min(left, static_cast<std::uint32_t>(events.size()));
    unreadable += number_of(*page, "unreadable_blocks");
    after = text_of(*page, "next");
    searched_to = text_of(*page, "searched_to");
    if (after.empty()) break;
    // A search that ran out of time goes on from where it came to; others have no more to give.
    if (events.empty() && searched_to.empty()) break;
  }
  if (!options.json) table.print_out("nothing was found");
  if (unreadable > 0)
    complain(fmt::format("{} blocks of events could not be read: they were damaged or changed", unreadable));
  return kDone;
}

}  // namespace gatehouse::app
