#include "app/observe/event_recorder.h"

#include "telemetry/render.h"

namespace gatehouse::app {

void EventRecorder::take(const telemetry::DecisionRecord& record) {
  line_.clear();
  telemetry::append_json(record, line_);
  (void)events_.add({record.time, events::EventKind::request, line_});  // what finds no room is counted there
}

}  // namespace gatehouse::app
