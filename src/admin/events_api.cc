#include "admin/events_api.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "admin/admin_api.h"
#include "codec/form.h"
#include "codec/json_writer.h"
#include "telemetry/render.h"
#include "telemetry/trace.h"

namespace gatehouse::admin {
namespace {

constexpr std::string_view kRequestPrefix = "/v1/requests/";

template <class Number>
std::optional<Number> number_in(std::string_view text) noexcept {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status bad(std::string_view name, std::string_view value) {
  return fail(ErrorCode::invalid, fmt::format("'{}' is no value for '{}'.", value, name), ErrorSource::downstream);
}

Status read_parameter(std::string_view name, std::string_view value, WallTime now, events::EventQuery& query) {
  if (name == "from" || name == "to") {
    const auto time = parse_time(value, now);
    if (!time) return bad(name, value);
    (name == "from" ? query.from : query.to) = time;
  } else if (name == "kind") {
    if (value != "request" && value != "act") return bad(name, value);
    query.kind = value == "act" ? events::EventKind::act : events::EventKind::request;
  } else if (name == "client") {
    query.client = Network::parse(value);
    if (!query.client) return bad(name, value);
  } else if (name == "text") {
    query.text = value;
  } else if (name == "after") {
    query.after = value;
  } else if (name == "limit") {
    const auto limit = number_in<std::size_t>(value);
    if (!limit || *limit == 0 || *limit > events::EventStore::kLimitMax) return bad(name, value);
    query.limit = *limit;
  } else if (events::is_field(name)) {
    query.fields.emplace_back(name, value);
  } else {
    return fail(ErrorCode::invalid,
                fmt::format("'{}' is no parameter: from, to, kind, client, text, limit, after and the names of an "
                            "event's fields are.",
                            name),
                ErrorSource::downstream);
  }
  return {};
}

Answer refusal_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid: return problem(400, error.message);
    case ErrorCode::unavailable:
    case ErrorCode::timeout: return problem(503, "The store of events does not answer.");
    default: return problem(500, error.message);
  }
}

}  // namespace

std::optional<WallTime> parse_time(std::string_view text, WallTime now) noexcept {
  if (const auto ago = parse_ban_duration(text)) return now - *ago;
  // 2025-06-15T15:06:40[.fraction]Z
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':' || text.back() != 'Z') {
    return std::nullopt;
  }
  const auto year = number_in<int>(text.substr(0, 4));
  const auto month = number_in<unsigned>(text.substr(5, 2)), day = number_in<unsigned>(text.substr(8, 2));
  const auto hour = number_in<unsigned>(text.substr(11, 2)), minute = number_in<unsigned>(text.substr(14, 2)),
             second = number_in<unsigned>(text.substr(17, 2));
  if (!year || *year < 1970 || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *year > 2200) return std::nullopt;
  Duration fraction{};
  std::string_view rest = text.substr(19, text.size() - 20);
  if (!rest.empty()) {
    if (rest.front() != '.' || rest.size() < 2 || rest.size() > 10) return std::nullopt;
    std::int64_t unit = 100'000'000;
    for (const char c : rest.substr(1)) {
      if (c < '0' || c > '9') return std::nullopt;
      fraction += Duration((c - '0') * unit);
      unit /= 10;
    }
  }
  return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) +
                  std::chrono::minutes(*minute) + std::chrono::seconds(*second) + fraction);
}

Answer EventsApi::answer(const Call& call) {
  if (call.path.starts_with(kRequestPrefix)) return find(std::string_view(call.path).substr(kRequestPrefix.size()));
  return search(call);
}

Answer EventsApi::search(const Call& call) {
  const auto form = codec::Form::parse(call.query);
  if (!form) return problem(400, "The query has a broken escape.");
  events::EventQuery query;
  const WallTime now = clock_.wall();
  for (const auto& [name, value] : form->entries()) {
    if (const Status read = read_parameter(name, value, now, query); !read) return problem(400, read.error().message);
  }
  const auto page = events_.search(query);
  if (!page) return refusal_of(page.error());
  Answer answer;
  codec::JsonWriter json(answer.body);
  json.raw("{\"events\":[");
  for (std::size_t i = 0; i < page->events.size(); ++i) {
    const events::FoundEvent& event = page->events[i];
    json.raw(i == 0 ? "{\"kind\":\"" : ",{\"kind\":\"");
    json.raw(events::name_of(event.kind));
    json.raw("\",\"event\":");
    json.raw(event.line);  // JSON as it was kept
    json.raw("}");
  }
  json.raw("],\"next\":");
  page->next.empty() ? json.raw("null") : json.string(page->next);
  json.raw(",\"searched_to\":");
  char time[telemetry::kTimeBytes];
  page->searched_to ? json.string(telemetry::format_time(*page->searched_to, time)) : json.raw("null");
  json.raw(",\"unreadable_blocks\":");
  json.number(page->unreadable);
  json.raw("}");
  json.flush();
  return answer;
}

Answer EventsApi::find(std::string_view request_id) {
  if (!telemetry::is_request_id(request_id)) return problem(404, "This is no request id.");
  auto found = events_.find(request_id);
  if (!found) return refusal_of(found.error());
  if (!*found) return problem(404, "No record of this request is held any more; the access log may have it.");
  Answer answer;
  answer.body = std::move((*found)->line);
  return answer;
}

}  // namespace gatehouse::admin
