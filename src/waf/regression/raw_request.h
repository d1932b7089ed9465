#pragma once
// A request as it stands in a file, for tools that look at requests offline. It is read as leniently as can be: hostile
// requests are what such files hold. The gateway's own parser (http/http1_parser.h) is another matter.
//
// Thread safety: values. Invariant: views point into the text given.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waf/engine/transaction.h"

namespace gatehouse::waf {

struct RawRequest {
  std::string method, uri, protocol;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  const std::string* header(std::string_view name) const noexcept;  // the first of this name, case aside
  std::string text() const;                                         // as it would stand on the wire
};

// Line ends may be LF. Null without a request line of at least a method and a target.
std::optional<RawRequest> parse_raw_request(std::string_view text);

// What an upstream answered.
struct RawResponse {
  std::uint16_t status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// Runs all phases: the request through 1 and 2, the response, when there is one, through 3 and 4, and the log's 5.
void inspect(Transaction& transaction, const RawRequest& request, const RawResponse* response,
             std::string_view remote_address = "127.0.0.1");

}  // namespace gatehouse::waf
