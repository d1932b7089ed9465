#include <algorithm>
#include <charconv>

#include "app/curl_handle.h"
#include "app/jwks_fetcher.h"
#include "crypto/jwk.h"
#include "http/message.h"

namespace gatehouse::app {
namespace {

std::size_t on_body(char* data, std::size_t, std::size_t size, void* document) {
  std::string& text = static_cast<FetchedDocument*>(document)->text;
  if (text.size() + size > crypto::KeySet::kBytesMax) return 0;  // ends the transfer
  text.append(data, size);
  return size;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

void read_cache_control(std::string_view value, FetchedDocument& document) {
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view directive = trimmed(value.substr(0, comma));
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    if (http::equals_ignoring_case(directive, "no-store") || http::equals_ignoring_case(directive, "no-cache")) {
      document.max_age = std::chrono::seconds(0);
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
      document.max_age = std::chrono::seconds(seconds);
    }
  }
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* document) {
  const std::string_view line(data, size);
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos && http::equals_ignoring_case(line.substr(0, colon), "cache-control")) {
    read_cache_control(line.substr(colon + 1), *static_cast<FetchedDocument*>(document));
  }
  return size;
}

}  // namespace

Result<FetchedDocument> fetch_document(const std::string& url) {
  const CurlPtr curl = new_curl();
  const CurlListPtr fields(curl_slist_append(nullptr, "Accept: application/json"));
  if (!curl) return fail(ErrorCode::unavailable, "libcurl does not start");
  FetchedDocument document;
  char reason[CURL_ERROR_SIZE] = "";
  CURL* c = curl.get();
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  // http is for the loopback address only: the configuration has seen to that, and a redirect never leads there.
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, url.starts_with("https://") ? "https" : "http");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, 3L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 10'000L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 5'000L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields.get());
  curl_easy_setopt(c, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &document);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &document);
  const CURLcode code = curl_easy_perform(c);
  if (code == CURLE_OK) return document;
  const ErrorCode kind = code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timeout : ErrorCode::unavailable;
  return fail(kind, reason[0] != '\0' ? reason : curl_easy_strerror(code), ErrorSource::upstream);
}

}  // namespace gatehouse::app
