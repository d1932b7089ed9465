#pragma once
// A decision record in the words of others: the Elastic Common Schema, the Open Cybersecurity Schema Framework, and
// ArcSight's Common Event Format. Pure functions from a record to one line, beside append_json and append_common
// (render.h) and with the same bounds: texts are cut at kTextBytesMax, paths at kPathBytesMax. A line never holds a
// line break or another control byte; bytes that are not UTF-8 become U+FFFD. Of the layers only those are listed that
// did more than let the request pass.
//
// Thread safety: any thread.

#include <string>

#include "telemetry/decision_record.h"

namespace gatehouse::telemetry {

enum class AccessLogFormat : std::uint8_t;

// ECS 8.11 (https://www.elastic.co/guide/en/ecs/8.11/). event.kind is `alert` when an inspection rule matched; what ECS
// has no field for is under `gatehouse`.
void append_ecs(const DecisionRecord& record, std::string& out);

// OCSF 1.3.0 (https://schema.ocsf.io/1.3.0/). The class of a record is the first of these that fits:
//   Detection Finding 2004  an inspection rule matched
//   Authentication 3002     the authentication layer refused what the client showed (not: showed nothing)
//   API Activity 6003       a known caller's request was let through
//   HTTP Activity 4002      any other
// What OCSF has no field for is under `unmapped`.
void append_ocsf(const DecisionRecord& record, std::string& out);

// CEF:0 ("Micro Focus ArcSight CEF Implementation Standard", version 26). In values `\`, `=` and line breaks are
// escaped as it says, in the header `\` and `|`; any other control byte b is written as \\xHH, which readers show as
// \xHH.
void append_cef(const DecisionRecord& record, std::string& out);

// In whichever format.
void append_record(AccessLogFormat format, const DecisionRecord& record, std::string& out);

}  // namespace gatehouse::telemetry
