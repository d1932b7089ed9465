#pragma once
// What Balance::hash hashes: the part of a request that `hash_on` names.

#include <cstdint>

#include "gateway/config.h"
#include "gateway/request.h"

namespace gatehouse::gateway {

// `fields` are those that go upstream, so that `header:x-user` means what we say of the user, not what a client says. A
// request that lacks the named part is hashed by its client address.
std::uint64_t hash_of_request(const HashOn& hash_on, const Request& request, const http::Fields& fields) noexcept;

}  // namespace gatehouse::gateway
