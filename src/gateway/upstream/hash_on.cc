#include "gateway/upstream/hash_on.h"

#include "gateway/upstream/balancer.h"

namespace gatehouse::gateway {
namespace {

// RFC 6265 §5.4: "name=value; name=value". Empty when there is none of that name.
std::string_view cookie_value(std::string_view cookies, std::string_view name) noexcept {
  while (!cookies.empty()) {
    const std::size_t end = cookies.find(';');
    std::string_view pair = cookies.substr(0, end);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace

std::uint64_t hash_of_request(const HashOn& hash_on, const Request& request, const http::Fields& fields) noexcept {
  std::string_view key;
  switch (hash_on.kind) {
    case HashOn::Kind::client_ip: break;
    case HashOn::Kind::header: key = fields.get(hash_on.name).value_or(std::string_view{}); break;
    case HashOn::Kind::cookie:
      key = cookie_value(fields.get("cookie").value_or(std::string_view{}), hash_on.name);
      break;
    case HashOn::Kind::user: key = request.principal.user; break;
  }
  if (!key.empty()) return hash_key(key);
  const auto& ip = request.client_ip.bytes;
  return hash_key({reinterpret_cast<const char*>(ip.data()), ip.size()});
}

}  // namespace gatehouse::gateway
