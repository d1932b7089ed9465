#pragma once
// How long a drain leaves clients that cannot know of it yet.

#include "base/clock.h"

namespace gatehouse::http {

// What a client may have sent before it could know gets this long to arrive: a first request, which may be one that
// must not be sent twice (RFC 9112 §9.3.1), or another stream (RFC 9113 §6.8).
inline constexpr Duration kDrainNotice = std::chrono::seconds(1);

}  // namespace gatehouse::http
