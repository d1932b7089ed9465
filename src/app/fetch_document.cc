#include <fmt/format.h>

#include "app/jwks_fetcher.h"
#include "app/outside_call.h"
#include "crypto/jwk.h"

namespace gatehouse::app {

Result<FetchedDocument> fetch_document(const std::string& url) {
  // http is for the loopback address only: the configuration has seen to that.
  auto answer =
      call_outside({.url = url, .bytes_max = crypto::KeySet::kBytesMax, .redirects_max = 3, .plain_http = true});
  if (!answer) return tl::unexpected(std::move(answer.error()));
  if (answer->status >= 400)
    return fail(ErrorCode::unavailable, fmt::format("the server answers {}", answer->status), ErrorSource::upstream);
  return FetchedDocument{std::move(answer->body), answer->max_age};
}

}  // namespace gatehouse::app
