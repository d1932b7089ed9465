#pragma once
// What the parts of the admin API have in common: reading calls, writing answers.
//
// Thread safety: pure functions. Errors are for whoever called.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "admin/service_sink.h"
#include "base/result.h"
#include "codec/json.h"
#include "telemetry/record_ring.h"

namespace gatehouse::admin {

std::optional<std::string> percent_decoded(std::string_view text);

// Calls `read` with each name and value of a query.
template <class Read>
Status read_query(std::string_view query, Read read) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return fail(ErrorCode::invalid, "The query has a broken escape.", ErrorSource::downstream);
    if (Status done = read(pair.substr(0, equals), *value); !done) return done;
  }
  return {};
}

Answer json_answer(std::string body, int status = 200);

// The object in a call's body; an empty body is an empty object.
std::optional<codec::Json> object_in(const Call& call);
// A name that is not among `known` is a mistake; the sentence that tells of it.
std::optional<std::string> unknown_member(const codec::Json& object, std::initializer_list<std::string_view> known);

Status bad_value(std::string_view name, std::string_view value);
// A whole number from 1 on, with nothing behind it.
Status read_count(std::string_view name, std::string_view value, std::size_t max, std::size_t& count);
// `verdict`, `layer` and `client`. `known` is false when the parameter is another one.
Status read_filter(std::string_view name, const std::string& value, telemetry::RecordFilter& filter, bool& known);

}  // namespace gatehouse::admin
