#include "app/verify/drill_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include "app/curl_handle.h"
#include "http/http1_parser.h"

namespace gatehouse::app {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kHeadBytesMax = 64 * 1024;

bool wait_for(CURL* curl, short events, Clock::time_point deadline) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd one{socket, events, 0};
  return left > 0 && ::poll(&one, 1, static_cast<int>(left)) == 1;
}

// As much as the other side takes: one that has heard enough answers and closes.
void send_all(CURL* curl, std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    std::size_t sent = 0;
    const CURLcode code = curl_easy_send(curl, bytes.data(), bytes.size(), &sent);
    bytes.remove_prefix(sent);
    if (code == CURLE_AGAIN) {
      if (!wait_for(curl, POLLOUT, deadline)) return;
    } else if (code != CURLE_OK) {
      return;
    }
  }
}

DrillReply reply_of(const http::Http1Response& response) {
  DrillReply reply;
  reply.status = response.head.status;
  const http::Fields& fields = response.head.fields;
  reply.request_id = fields.get("x-request-id").value_or("");
  reply.location = fields.get("location").value_or("");
  reply.nosniff = fields.get("x-content-type-options").value_or("");
  reply.hsts = fields.get("strict-transport-security").value_or("");
  return reply;
}

// The head of the final answer.
DrillReply read_reply(CURL* curl, Clock::time_point deadline) {
  std::string bytes;
  for (;;) {
    Arena arena;
    http::Http1Response response;
    const auto parsed = http::parse_response_head(bytes, {.header_bytes = kHeadBytesMax}, false, arena, response);
    if (parsed.status == http::ParseStatus::complete) {
      if (response.head.status >= 200) return reply_of(response);
      bytes.erase(0, parsed.consumed);
      continue;
    }
    if (parsed.status == http::ParseStatus::refused || bytes.size() > kHeadBytesMax) return {};
    char buffer[4096];
    std::size_t got = 0;
    const CURLcode code = curl_easy_recv(curl, buffer, sizeof buffer, &got);
    if (code == CURLE_AGAIN) {
      if (!wait_for(curl, POLLIN, deadline)) return {};
    } else if (code != CURLE_OK || got == 0) {
      return {};
    } else {
      bytes.append(buffer, got);
    }
  }
}

// Ready to connect to the listener and to leave the talking to us.
CurlPtr prepared(const gateway::Address& at, const std::string& source, bool tls) {
  CurlPtr curl = new_curl();
  if (!curl) return curl;
  const std::string url = (tls ? "https://" : "http://") + (at.unix_path.empty() ? at.to_string() : "localhost");
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  if (!at.unix_path.empty()) curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, at.unix_path.c_str());
  if (at.unix_path.empty() && !source.empty() && at.host.starts_with("127."))
    curl_easy_setopt(curl.get(), CURLOPT_INTERFACE, ("host!" + source).c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, 3'000L);
  return curl;
}

tl::unexpected<Error> nobody(const std::string& listener, const gateway::Address& at, CURLcode code) {
  return fail(ErrorCode::unavailable,
              fmt::format("listener {} at {}: {}", listener, at.to_string(), curl_easy_strerror(code)),
              ErrorSource::upstream);
}

}  // namespace

gateway::Address reachable_address(const gateway::Address& address) {
  gateway::Address at = address;
  if (at.host == "0.0.0.0" || at.host == "*") at.host = "127.0.0.1";
  if (at.host == "::") at.host = "::1";
  return at;
}

Result<DrillReply> DrillConnection::exchange(std::string_view bytes, bool tls) const {
  const CurlPtr curl = prepared(address_, source_, tls);
  if (!curl) return fail(ErrorCode::internal, "libcurl does not start");
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK)
    return nobody(listener_.name, address_, code);
  const auto deadline = Clock::now() + kAnswerMax;
  send_all(curl.get(), bytes, deadline);
  return read_reply(curl.get(), deadline);
}

Result<DrillReply> DrillConnection::send(std::string_view bytes) const {
  return exchange(bytes, listener_.tls.has_value());
}

Result<DrillReply> DrillConnection::send_plain(std::string_view bytes) const { return exchange(bytes, false); }

Result<bool> DrillConnection::agrees_on_tls(std::string_view version) const {
  const CurlPtr curl = prepared(address_, source_, true);
  if (!curl) return fail(ErrorCode::internal, "libcurl does not start");
  const bool oldest = version == "1.0";
  const long from = oldest ? CURL_SSLVERSION_TLSv1_0 : CURL_SSLVERSION_TLSv1_1;
  const long to = oldest ? CURL_SSLVERSION_MAX_TLSv1_0 : CURL_SSLVERSION_MAX_TLSv1_1;
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, from | to);
  // Otherwise OpenSSL would not even offer it, and every listener would pass.
  curl_easy_setopt(curl.get(), CURLOPT_SSL_CIPHER_LIST, "ALL:@SECLEVEL=0");
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_COULDNT_CONNECT) return nobody(listener_.name, address_, code);
  return code == CURLE_OK;
}

}  // namespace gatehouse::app
