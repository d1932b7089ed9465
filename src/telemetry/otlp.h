#pragma once
// OpenTelemetry's protocol in its JSON mapping (https://opentelemetry.io/docs/specs/otlp/, opentelemetry-proto 1.x):
// names in lowerCamelCase, ids in hexadecimal, 64-bit integers as text. Attributes are named by the semantic
// conventions 1.30 where these have a name, and begin with `gatehouse.` otherwise.
//
// Bounds as in record_formats.h. Thread safety: any thread.

#include <string>

#include "base/clock.h"
#include "telemetry/decision_record.h"
#include "telemetry/metrics.h"

namespace gatehouse::telemetry {

enum class OtlpSignal : std::uint8_t { traces, logs, metrics };

// What a request to the collector begins and ends with; spans, log records or metrics stand between, parted by commas.
void append_otlp_head(OtlpSignal signal, std::string& out);
void append_otlp_tail(OtlpSignal signal, std::string& out);

// A span of kind server. Its id is the one that the service got as its parent (span_of_request in trace.h).
void append_otlp_span(const DecisionRecord& record, std::string& out);
void append_otlp_log(const DecisionRecord& record, std::string& out);

// Every series, cumulative since `start`. How many data points that were.
std::size_t append_otlp_metrics(const Metrics& metrics, WallTime start, WallTime now, std::string& out);

}  // namespace gatehouse::telemetry
