#include "app/verify/drill_request.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::app {
namespace {

constexpr std::string_view kSegment = "drill";

// The pattern with every free segment filled in.
std::string path_of(std::string_view pattern) {
  std::string path;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);  // the slash
    const std::string_view segment = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(segment.size());
    const bool free = segment.starts_with('*') || segment.starts_with('{');
    path += '/';
    path += free ? kSegment : segment;
  }
  return path.empty() ? "/" : path;
}

std::string host_of(const gateway::MatchConfig& match) {
  if (match.hosts.empty()) return "drill.invalid";
  const std::string& host = match.hosts.front();
  return host.starts_with("*.") ? "drill" + host.substr(1) : host;
}

}  // namespace

bool can_be_drilled(const gateway::ListenerConfig& listener) noexcept {
  return listener.proxy_protocol == gateway::ProxyProtocol::off &&
         !(listener.tls && listener.tls->client_auth == gateway::ClientAuthMode::required);
}

bool changes_nothing(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

std::string DrillRequest::bytes() const {
  std::string out =
      fmt::format("{} {}{}{} HTTP/1.1\r\nHost: {}\r\n", method, path, query.empty() ? "" : "?", query, host);
  for (const auto& [name, value] : fields) out += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty()) out += fmt::format("Content-Length: {}\r\n", body.size());
  out += "User-Agent: gatehouse-verify\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  return out + body;
}

DrillRequest request_for(const gateway::RouteConfig& route) {
  DrillRequest request;
  const gateway::MatchConfig& match = route.match;
  const auto safe = std::find_if(match.methods.begin(), match.methods.end(), changes_nothing);
  if (!match.methods.empty()) request.method = safe != match.methods.end() ? *safe : match.methods.front();
  request.path = path_of(match.path);
  request.host = host_of(match);
  for (const auto& [name, value] : match.query)
    request.query += (request.query.empty() ? "" : "&") + name + "=" + value;
  for (const gateway::HeaderMatch& header : match.headers)
    request.fields.emplace_back(header.name, header.value.empty() ? "1" : header.value);
  return request;
}

}  // namespace gatehouse::app
