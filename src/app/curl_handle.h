#pragma once
// Ownership of libcurl's objects, for this module's .cc files.

#include <curl/curl.h>

#include <memory>

namespace gatehouse::app {

struct CurlFree {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using CurlPtr = std::unique_ptr<CURL, CurlFree>;
using CurlListPtr = std::unique_ptr<curl_slist, CurlFree>;

// Null when libcurl does not start.
inline CurlPtr new_curl() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return CurlPtr(ready ? curl_easy_init() : nullptr);
}

}  // namespace gatehouse::app
