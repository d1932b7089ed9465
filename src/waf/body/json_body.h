#pragma once
// JSON bodies as arguments: each scalar by the path to it, `json.user.array_0.name`.
//
// A strict reader of RFC 8259 of its own: the rules shall see the values in front of an error, both of two members
// with one name, and numbers as they were written, which a tree or a library's typed values do not keep; and it needs
// neither a padded copy nor an index of the body. Iterative: depth costs no stack.
// Names as libmodsecurity makes them: a member without a name is `empty-key`, a scalar alone is `json`, null is an
// empty value, empty containers give nothing. There these arguments belong to ARGS, but not to ARGS_POST.
// Differences to libmodsecurity 3.0.9, each with its test: (1) a surrogate without its partner is `?` and what follows
// it is read; it merges the two escapes, which hides the second; (2) overlong and surrogate UTF-8 sequences are
// errors; (3) half a string behind the value is one too.
// Thread safety: functions without state. Linear in the body; what the names cost together is bounded by
// decoded_bytes_max.

#include "waf/body/body.h"

namespace gatehouse::waf {

void read_json_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body);

// The characters of a string as it is written between its quotes. What is no escape stays as it is. Never longer.
std::string_view unescape_json(std::string_view raw, Arena& arena);

}  // namespace gatehouse::waf
