#pragma once
// The lexical level of HTTP/1.1 (RFC 9112 §2, §5): byte scanners and field lines, shared by heads and trailers. What a
// message means is decided in http1_parser.cc.
//
// Invariant, for every function that returns a ParseResult: when a prefix of the input is refused or complete, so is
// every longer input, with the same result. That is what makes a head independent of how it was split into packets.

#include "base/arena.h"
#include "http/http1_parser.h"
#include "http/message.h"

namespace gatehouse::http {

// The first byte that cannot be inside a field value: a control byte other than HTAB, or DEL. `end` when there is none.
const char* find_control(const char* at, const char* end) noexcept;
// The first byte that cannot be inside a request target: a control byte, space or DEL.
const char* find_target_end(const char* at, const char* end) noexcept;
// The first byte that cannot be in a token (RFC 9110 §5.6.2).
const char* find_token_end(const char* at, const char* end) noexcept;

inline constexpr ParseResult kIncomplete{ParseStatus::incomplete, Reason::none, 0};
inline constexpr ParseResult kGood{ParseStatus::complete, Reason::none, 0};
inline ParseResult refused(Reason reason) noexcept { return {ParseStatus::refused, reason, 0}; }

// What a control byte is where none may be. A CR counts as bare: the caller has looked for CRLF.
Reason control_reason(char c) noexcept;
// At `at` a line must end. Moves behind CRLF.
ParseResult line_end(const char*& at, const char* end) noexcept;

struct FieldRules {
  std::size_t fields_max;
  bool underscores;  // names with '_' are taken, unless they look like a framing field
};

// All field lines and the empty line behind them; moves `at` behind it. Names in lower case: those that were not are
// copied into `arena`.
ParseResult parse_field_lines(const char*& at, const char* end, const FieldRules& rules, Arena& arena, Fields& out);

}  // namespace gatehouse::http
