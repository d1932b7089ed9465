#pragma once
// What a service may compress its answer with, where the answer must be read on its way.
//
// Functions without state.

#include "base/arena.h"
#include "http/message.h"

namespace gatehouse::gateway {

// Takes out of Accept-Encoding what we do not decode (waf/body/content_coding.h), `*` included: zstd, compress, what is
// yet to be invented. Weights stay. With nothing left of it, `identity` is asked for; a request without the field stays
// without.
void keep_read_codings(Arena& arena, http::Fields& fields);

}  // namespace gatehouse::gateway
