#include "gateway/routing/rewrite.h"

#include <cstring>

namespace gatehouse::gateway {

std::uint32_t choose_service(const RouteConfig& route, std::uint64_t hash) noexcept {
  if (route.services.size() == 1) [[likely]]
    return route.services.front().service;
  std::uint64_t total = 0;
  for (const WeightedService& service : route.services) total += service.weight;
  if (total == 0) return route.services.front().service;
  // The high half of hash × total: even for totals that are no power of two, and without a division.
  auto at = static_cast<std::uint64_t>((static_cast<unsigned __int128>(hash) * total) >> 64);
  for (const WeightedService& service : route.services) {
    if (at < service.weight) return service.service;
    at -= service.weight;
  }
  return route.services.back().service;
}

http::Reason rewrite_path(const RewriteConfig& rewrite, std::string_view path, Arena& arena, std::string_view& out) {
  // The request has been judged: what it brought in stays as encoded as it was.
  static constexpr http::CanonicalOptions kKeep{.allow_encoded_slash = true, .allow_encoded_backslash = true};
  if (!rewrite.path.empty()) return http::canonicalize_path(rewrite.path, kKeep, arena, out);
  std::string_view tail = path;
  std::string_view prefix = rewrite.strip_prefix;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!prefix.empty() && tail.starts_with(prefix) && (tail.size() == prefix.size() || tail[prefix.size()] == '/')) {
    tail.remove_prefix(prefix.size());
  }
  if (rewrite.add_prefix.empty() && !tail.empty()) {
    out = tail;
    return http::Reason::none;
  }
  const bool slash = !rewrite.add_prefix.starts_with('/');
  const std::size_t size = rewrite.add_prefix.size() + tail.size() + (slash ? 1 : 0);
  char* const joined = arena.allocate(size);
  char* at = joined;
  if (slash) *at++ = '/';
  if (!rewrite.add_prefix.empty()) std::memcpy(at, rewrite.add_prefix.data(), rewrite.add_prefix.size());
  at += rewrite.add_prefix.size();
  if (!tail.empty()) std::memcpy(at, tail.data(), tail.size());
  return http::canonicalize_path({joined, size}, kKeep, arena, out);
}

}  // namespace gatehouse::gateway
