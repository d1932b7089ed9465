#include "app/identity/logout_sender.h"

#include <fmt/format.h>

#include <cstdlib>

#include "app/curl_handle.h"
#include "codec/form.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

constexpr long kSecondsMax = 10;

// What the client says is not for us: it may say as much as it likes.
std::size_t ignore(char*, std::size_t, std::size_t size, void*) { return size; }

Status post(const std::string& uri, const std::string& body) {
  const CurlPtr curl = new_curl();
  if (!curl) return fail(ErrorCode::internal, "libcurl does not start");
  CURL* c = curl.get();
  curl_easy_setopt(c, CURLOPT_URL, uri.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, uri.starts_with("https://") ? "https" : "http");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) curl_easy_setopt(c, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(c, CURLOPT_TIMEOUT, kSecondsMax);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.c_str());
  const auto again = [&](std::string why, Retry retry) -> Status {
    return tl::unexpected(
        Error{ErrorCode::unavailable, ErrorSource::upstream, retry, fmt::format("logout at {}: {}", uri, why)});
  };
  if (const CURLcode code = curl_easy_perform(c); code != CURLE_OK) return again(curl_easy_strerror(code), Retry::safe);
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return {};
  return again(fmt::format("answered {}", status), status >= 500 || status == 429 ? Retry::safe : Retry::no);
}

}  // namespace

void LogoutSender::send(const std::string& uri, const std::string& logout_token) {
  const std::string body = codec::FormWriter().add("logout_token", logout_token).text();
  if (auto queued = queue_.push([uri, body] { return post(uri, body); }); !queued)
    GH_LOG(warn, "a client is not told of a logout", {"uri", uri}, {"why", queued.error().message});
}

}  // namespace gatehouse::app
