#include "app/outside_call.h"

#include <charconv>
#include <cstdlib>

#include "app/curl_handle.h"
#include "http/message.h"

namespace gatehouse::app {
namespace {

struct Reading {
  OutsideAnswer answer;
  std::size_t bytes_max;
  bool too_large = false;
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* reading) {
  auto& r = *static_cast<Reading*>(reading);
  r.too_large = size > r.bytes_max - r.answer.body.size();
  if (r.too_large) return 0;  // ends the transfer
  r.answer.body.append(data, size);
  return size;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

void read_cache_control(std::string_view value, OutsideAnswer& answer) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view directive = trimmed(value.substr(0, comma));
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    if (http::equals_ignoring_case(directive, "no-store") || http::equals_ignoring_case(directive, "no-cache")) {
      answer.max_age = std::chrono::seconds(0);
      return;
    }
    constexpr std::string_view kMaxAge = "max-age=";
    if (directive.size() <= kMaxAge.size() ||
        !http::equals_ignoring_case(directive.substr(0, kMaxAge.size()), kMaxAge)) {
      continue;
    }
    std::uint32_t seconds = 0;
    const char* end = directive.data() + directive.size();
    if (std::from_chars(directive.data() + kMaxAge.size(), end, seconds).ptr == end) {
      answer.max_age = std::chrono::seconds(seconds);
    }
  }
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* reading) {
  OutsideAnswer& answer = static_cast<Reading*>(reading)->answer;
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) answer.max_age.reset(), answer.content_type.clear();  // what a redirect said is past
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (http::equals_ignoring_case(name, "cache-control")) read_cache_control(value, answer);
  if (http::equals_ignoring_case(name, "content-type")) answer.content_type = value.substr(0, 256);
  return size;
}

void set_bounds(CURL* c, const OutsideCall& call) {
  const bool plain = call.plain_http && call.url.starts_with("http://");
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, call.redirects_max > 0 ? 1L : 0L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, static_cast<long>(call.redirects_max));
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 10'000L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 5'000L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const char* system = std::getenv("SSL_CERT_FILE");
  if (!call.ca.empty()) {
    curl_easy_setopt(c, CURLOPT_CAINFO, call.ca.c_str());
    curl_easy_setopt(c, CURLOPT_CAPATH, nullptr);  // these authorities, not the system's beside them
  } else if (system != nullptr) {
    curl_easy_setopt(c, CURLOPT_CAINFO, system);
  }
}

}  // namespace

Result<OutsideAnswer> call_outside(const OutsideCall& call) {
  const CurlPtr curl = new_curl();
  CurlListPtr fields(curl_slist_append(nullptr, "Accept: application/json"));
  if (!curl || !fields) return fail(ErrorCode::unavailable, "libcurl does not start");
  if (!call.authorization.empty()) curl_slist_append(fields.get(), ("Authorization: " + call.authorization).c_str());
  if (!call.content_type.empty()) curl_slist_append(fields.get(), ("Content-Type: " + call.content_type).c_str());
  Reading reading{.bytes_max = call.bytes_max};
  char reason[CURL_ERROR_SIZE] = "";
  CURL* c = curl.get();
  set_bounds(c, call);
  curl_easy_setopt(c, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields.get());
  curl_easy_setopt(c, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &reading);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &reading);
  if (call.form) {
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, static_cast<long>(call.form->size()));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, call.form->c_str());
  }
  const CURLcode code = curl_easy_perform(c);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    reading.answer.status = static_cast<int>(status);
    return std::move(reading.answer);
  }
  if (reading.too_large) return fail(ErrorCode::unavailable, "the answer is too large", ErrorSource::upstream);
  const ErrorCode kind = code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timeout : ErrorCode::unavailable;
  return fail(kind, reason[0] != '\0' ? reason : curl_easy_strerror(code), ErrorSource::upstream);
}

}  // namespace gatehouse::app
