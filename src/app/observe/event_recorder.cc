#include "app/observe/event_recorder.h"

#include <utility>

#include "codec/json_writer.h"
#include "telemetry/render.h"

namespace gatehouse::app {

void EventRecorder::take(const telemetry::DecisionRecord& record) {
  line_.clear();
  telemetry::append_json(record, line_);
  (void)events_.add({record.time, events::EventKind::request, line_});  // what finds no room is counted there
}

void record_act(events::EventStore& events, const audit::Entry& act) {
  std::string line;
  codec::JsonWriter json(line);
  char time[telemetry::kTimeBytes];
  json.raw("{\"time\":"), json.string(telemetry::format_time(act.time, time));
  const std::pair<std::string_view, std::string_view> texts[] = {
      {",\"actor\":", act.actor},     {",\"action\":", act.action},         {",\"target\":", act.target},
      {",\"outcome\":", act.outcome}, {",\"request_id\":", act.request_id},
  };
  for (const auto& [name, value] : texts) json.raw(name), json.string(value);
  json.raw(",\"details\":{");
  bool first = true;
  for (const audit::NamedValues* values : {&act.details, &act.personal}) {
    for (const auto& [name, value] : *values) {
      json.raw(first ? "" : ",");
      first = false;
      json.string(name), json.raw(":"), json.string(value);
    }
  }
  json.raw("}}");
  json.flush();
  (void)events.add({act.time, events::EventKind::act, line});
}

}  // namespace gatehouse::app
