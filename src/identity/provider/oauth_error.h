#pragma once
// The protocol's own errors (RFC 6749 §4.1.2.1 and §5.2 and its extensions).

#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/form.h"
#include "identity/web.h"

namespace gatehouse::identity {

struct OAuthError {
  std::string_view code;    // static: "invalid_grant"
  std::string description;  // for the client's developer; nothing that the client doesn't know
  int status = 400;
  std::string challenge = {};  // WWW-Authenticate of a 401
};

template <class T>
using OAuthResult = tl::expected<T, OAuthError>;

inline tl::unexpected<OAuthError> oauth_error(std::string_view code, std::string description, int status = 400) {
  return tl::unexpected(OAuthError{code, std::move(description), status});
}
// What the store's failure looks like from outside: 503 and nothing else.
tl::unexpected<OAuthError> temporarily_unavailable(const Error& error);

// {"error":…,"error_description":…}, no-store; WWW-Authenticate when there is a challenge.
WebResponse to_response(const OAuthError& error);

// The parameters of a POST (RFC 6749 §3.2): form-encoded, none twice apart from those that may, each bounded.
OAuthResult<codec::Form> read_form_body(const WebRequest& request,
                                        std::initializer_list<std::string_view> may_repeat = {});

inline constexpr std::size_t kParameterBytesMax = 8192;  // of one value: an assertion, a token

}  // namespace gatehouse::identity
