#include "http/http1_writer.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace gatehouse::http {
namespace {

void append_number(std::string& out, std::uint64_t number, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

bool is_framing(std::string_view name) noexcept {
  switch (name.size()) {
    case 10: return name == "connection" || name == "keep-alive";
    case 14: return name == "content-length";
    case 17: return name == "transfer-encoding";
    default: return false;
  }
}

// `host` is written from the authority: a second one must not slip through (HTTP/2 knows both).
bool is_ours(std::string_view name) noexcept { return is_framing(name) || name == "host"; }

// One reservation and plain copies: this runs twice for every request.
void append_fields(std::string& out, const Fields& fields) {
  std::size_t bytes = 0;
  for (const Field& field : fields) bytes += field.name.size() + field.value.size() + 4;
  const std::size_t at = out.size();
  out.resize(at + bytes);
  char* to = out.data() + at;
  const auto put = [&to](std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    to += text.size();
  };
  for (const Field& field : fields) {
    if (is_ours(field.name)) continue;
    put(field.name), put(": "), put(field.value), put("\r\n");
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
}

void append_framing(std::string& out, const FramingChoice& choice) {
  switch (choice.framing) {
    case WriteFraming::length:
      out.append("content-length: ");
      append_number(out, choice.length);
      out.append("\r\n");
      break;
    case WriteFraming::chunked: out.append("transfer-encoding: chunked\r\n"); break;
    case WriteFraming::none:
    case WriteFraming::until_close: break;
  }
  if (!choice.connection.empty()) out.append("connection: ").append(choice.connection).append("\r\n");
  out.append("\r\n");
}

}  // namespace

void append_request_head(std::string& out, const RequestHead& head, const FramingChoice& choice) {
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\nhost: ");
  out.append(head.authority).append("\r\n");
  append_fields(out, head.fields);
  append_framing(out, choice);
}

void append_response_head(std::string& out, const ResponseHead& head, const FramingChoice& choice) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(head.status));
  out.append(" ").append(status_text(head.status)).append("\r\n");
  append_fields(out, head.fields);
  append_framing(out, choice);
}

void append_chunk_size(std::string& out, std::size_t bytes) {
  append_number(out, bytes, 16);
  out.append("\r\n");
}

void append_trailers(std::string& out, const Fields& trailers) {
  out.append("0\r\n");
  append_fields(out, trailers);
  out.append("\r\n");
}

std::string refusal_response(int status, std::string_view request_id) {
  const std::string body = fmt::format(R"({{"type":"about:blank","title":"{}","status":{},"request_id":"{}"}})"
                                       "\n",
                                       status_text(status), status, request_id);
  return fmt::format(
      "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\nx-request-id: {}\r\ncontent-length: {}\r\n"
      "cache-control: no-store\r\nconnection: close\r\n\r\n{}",
      status, status_text(status), request_id, body.size(), body);
}

}  // namespace gatehouse::http
