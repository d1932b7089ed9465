#pragma once
// What a route changes on the way to its service: which of several services is taken, and the path it sees.
//
// Thread safety: pure functions.

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "gateway/config.h"
#include "http/canonical.h"

namespace gatehouse::gateway {

// One of the route's services, by weight; an index into Config::services. The same `hash` gives the same service as
// long as the weights stay; give a random one to split without memory. A weight of zero gets nothing.
std::uint32_t choose_service(const RouteConfig& route, std::uint64_t hash) noexcept;

// The path for the upstream, in canonical form again: `path` replaces it whole; otherwise `strip_prefix` is taken off
// where it ends at a segment's end, and `add_prefix` put in front. `out` is `path` itself when nothing changes, else in
// the arena. Fails only when the configured prefix breaks the canonical form.
http::Reason rewrite_path(const RewriteConfig& rewrite, std::string_view path, Arena& arena, std::string_view& out);

}  // namespace gatehouse::gateway
