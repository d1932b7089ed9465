#pragma once
// multipart/form-data bodies: fields, files and part headers, and every MULTIPART_* flag.
//
// One pass over the lines; values are views into the body. What is malformed sets `error` and the flags, and reading
// goes on, so that the rules see as much as there is; only limits stop it. Where readers of this format disagree (a
// second Content-Disposition, an unclosed quote, a boundary with a comma) ours errs instead of choosing.
// Differences to libmodsecurity 3.0.9, each with its test: (1) line breaks inside a field's value are kept, it drops
// them; (2) it drops all parts of a body with an error; (3) an empty boundary, an unclosed quote, repeated part
// headers and header names that are no tokens are errors, it takes them silently; (4) boundaries are at most 70 bytes
// (RFC 2046 §5.1.1), no commas or spaces; (5) other parameters may stand before the boundary and behind a quoted one
// (RFC 2045 §5.1); (6) a `filename*` beside `filename` is a further entry of FILES; (7) it sees no boundary where the
// closing one is the only one and the body ends with it, without a line end, which RFC 2046 §5.1.1 allows.
// Thread safety: function without state. Linear in the body.
// Source: RFC 7578, RFC 2046 §5.1, ModSecurity Reference Manual v3.

#include <optional>

#include "waf/body/body.h"

namespace gatehouse::waf {

// The boundary that a Content-Type of multipart/form-data names; sets the flags about it. Nothing with body.error set.
std::optional<std::string_view> parse_boundary(std::string_view content_type, Body& body);

// What a Content-Disposition header of a part says.
struct Disposition {
  std::optional<std::string_view> name, filename, extended_filename;  // the last is `filename*`, decoded
  bool invalid_quoting = false;
  const char* error = nullptr;  // null: well-formed
};
Disposition parse_disposition(std::string_view value, Arena& arena);

void read_multipart_body(std::string_view content_type, std::string_view bytes, const BodyLimits& limits, Arena& arena,
                         Body& body);

}  // namespace gatehouse::waf
