#include "identity/provider/oauth_error.h"

#include <fmt/format.h>

#include "codec/json_writer.h"

namespace gatehouse::identity {

tl::unexpected<OAuthError> temporarily_unavailable(const Error&) {
  return oauth_error("temporarily_unavailable", "try again in a moment", 503);
}

WebResponse to_response(const OAuthError& error) {
  std::string body;
  {
    codec::JsonWriter out(body);
    out.raw(R"({"error":)");
    out.string(error.code);
    if (!error.description.empty()) {
      out.raw(R"(,"error_description":)");
      out.string(error.description);
    }
    out.raw("}");
  }
  WebResponse response = json(error.status, std::move(body));
  if (!error.challenge.empty()) response.add("www-authenticate", error.challenge);
  if (error.status == 503) response.add("retry-after", "5");
  response.reason = fmt::format("oauth.{}", error.code);
  if (error.code == "invalid_client") response.credentials = WebResponse::Credentials::failed;
  return response;
}

OAuthResult<codec::Form> read_form_body(const WebRequest& request, std::initializer_list<std::string_view> may_repeat) {
  const std::string_view type = request.content_type.substr(0, request.content_type.find(';'));
  if (type != "application/x-www-form-urlencoded")
    return oauth_error("invalid_request", "the body must be application/x-www-form-urlencoded");
  auto form = codec::Form::parse(request.body);
  if (!form) return oauth_error("invalid_request", "the body is malformed");
  if (form->repeated(may_repeat)) return oauth_error("invalid_request", "a parameter came more than once");
  for (const auto& [name, value] : form->entries()) {
    if (value.size() > kParameterBytesMax) return oauth_error("invalid_request", "a parameter is too long");
  }
  return std::move(*form);
}

}  // namespace gatehouse::identity
