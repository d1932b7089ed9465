#pragma once
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace gatehouse::gateway {

// Adds a name to the Vary field, once; `*` says it all already. Several lines become one.
void add_vary(Arena& arena, http::Fields& fields, std::string_view name);

}  // namespace gatehouse::gateway
