#include "app/identity/web_call.h"

namespace gatehouse::app {

using identity::WebRequest;

WebRequest web_request(const gateway::LocalRequest& from, std::string_view path) {
  const http::Fields& fields = *from.fields;
  const auto field = [&](std::string_view name) { return fields.get(name).value_or(""); };
  WebRequest request;
  request.method = from.method;
  request.path = path;
  request.query = from.query;
  request.body = from.body;
  request.content_type = field("content-type");
  request.authorization = field("authorization");
  request.cookie = field("cookie");
  request.accept = field("accept");
  request.accept_language = field("accept-language");
  request.origin = field("origin");
  request.user_agent = field("user-agent");
  request.sec_fetch_site = field("sec-fetch-site");
  request.dpop = field("dpop");
  request.dpop_count = static_cast<std::uint32_t>(fields.count("dpop"));
  request.client_ip = from.client_ip;
  request.certificate_sha256 = from.certificate_sha256;
  request.certificate_subject = from.certificate_subject;
  request.certificate_sans = from.certificate_sans;
  request.request_id = from.request_id;
  request.now = from.now;
  return request;
}

gateway::LocalAnswer local_answer(identity::WebResponse response) {
  gateway::LocalAnswer answer;
  answer.status = response.status;
  answer.fields = std::move(response.fields);
  answer.body = std::move(response.body);
  answer.user = std::move(response.user);
  answer.reason = std::move(response.reason);
  answer.credentials = static_cast<gateway::LocalAnswer::Credentials>(response.credentials);
  return answer;
}

}  // namespace gatehouse::app
