#pragma once
// HTTP/1.1 heads and chunk lines as bytes. Framing and `connection` are written here and nowhere else; the same names
// in the caller's fields are skipped.

#include <cstdint>
#include <optional>
#include <string>

#include "http/message.h"

namespace gatehouse::http {

enum class WriteFraming : std::uint8_t {
  none,    // no framing field
  length,  // content-length: `length`
  chunked,
  until_close,  // none either; the connection's end is the message's end
};

struct FramingChoice {
  WriteFraming framing = WriteFraming::none;
  std::uint64_t length = 0;
  std::string_view connection;  // "close", "keep-alive", "upgrade", or empty: no Connection field
};

void append_request_head(std::string& out, const RequestHead& head, const FramingChoice& choice);
void append_response_head(std::string& out, const ResponseHead& head, const FramingChoice& choice);
void append_chunk_size(std::string& out, std::size_t bytes);     // "1a\r\n"
void append_trailers(std::string& out, const Fields& trailers);  // "0\r\n", fields, "\r\n"

// A complete answer of our own for what never became a request: problem+json, `connection: close`.
std::string refusal_response(int status, std::string_view request_id);

}  // namespace gatehouse::http
