#pragma once
// One request to somebody else's server over libcurl, and its answer.
//
// What it holds to: TLS of at least 1.2, verified with the given authorities or the system's (SSL_CERT_FILE names
// others, as everywhere with OpenSSL); https only, unless the caller has seen that the address is the loopback's; no
// more redirects than allowed, to https alone; ten seconds, five of them to connect; a bound on what is read. Addresses
// are not judged unless asked for: what the operator configures may well be in a private network.
//
// Thread safety: any thread; it blocks.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace gatehouse::app {

struct OutsideCall {
  std::string url;
  std::optional<std::string> form;  // POSTed as application/x-www-form-urlencoded; absent: GET
  std::string authorization;        // the field's value; empty: none. It goes to no other host, whatever redirects
  std::string ca;                   // a file of authorities; empty: the system's
  std::size_t bytes_max = 256 * 1024;
  std::uint32_t redirects_max = 0;
  std::string content_type;  // of `form`, when it is something else
  bool plain_http = false;   // http is allowed: whoever says so has seen that it leads to the loopback address
};

struct OutsideAnswer {
  int status = 0;
  std::string body;
  std::string content_type;
  std::optional<std::chrono::seconds> max_age;  // of Cache-Control; zero for no-cache and no-store
};

// Any status is an answer. ErrorCode::timeout, unavailable: there is none.
Result<OutsideAnswer> call_outside(const OutsideCall& call);

}  // namespace gatehouse::app
