#include "waf/regression/raw_request.h"

#include <fmt/format.h>

#include "waf/names.h"

namespace gatehouse::waf {
namespace {

std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

const std::string* RawRequest::header(std::string_view name) const noexcept {
  for (const auto& [known, value] : headers) {
    if (same_name(known, name)) return &value;
  }
  return nullptr;
}

std::string RawRequest::text() const {
  std::string out = fmt::format("{} {} {}\r\n", method, uri, protocol);
  for (const auto& [name, value] : headers) out += fmt::format("{}: {}\r\n", name, value);
  return out + "\r\n" + body;
}

std::optional<RawRequest> parse_raw_request(std::string_view text) {
  RawRequest request;
  std::string_view line = take_line(text);
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  request.method = line.substr(0, first);
  const std::size_t last = line.rfind(' ');
  request.uri = trim(last > first ? line.substr(first + 1, last - first - 1) : line.substr(first + 1));
  request.protocol = last > first ? line.substr(last + 1) : std::string_view("HTTP/1.1");
  if (request.uri.empty()) return std::nullopt;
  while (!text.empty()) {
    line = take_line(text);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    request.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
  request.body = text;
  return request;
}

void inspect(Transaction& transaction, const RawRequest& request, const RawResponse* response,
             std::string_view remote_address) {
  transaction.connection(remote_address, "offline");
  transaction.request_line(request.method, request.uri, request.protocol);
  for (const auto& [name, value] : request.headers) transaction.request_header(name, value);
  const auto stopped = [&] { return transaction.interruption() && transaction.interruption()->acts; };
  transaction.run(1);
  if (!stopped()) {
    transaction.request_body(request.body);
    transaction.run(2);
  }
  if (response && !stopped()) {
    transaction.response_head(request.protocol, response->status);
    for (const auto& [name, value] : response->headers) transaction.response_header(name, value);
    transaction.run(3);
    if (!stopped()) {
      transaction.response_body(response->body);
      transaction.run(4);
    }
  }
  transaction.run(5);
}

}  // namespace gatehouse::waf
