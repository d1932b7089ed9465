#pragma once
// A copy of a request to a shadow service, whose answer nobody waits for. The copy never slows down or changes the
// original: it has its own connections, its failures are only counted, and it is not made when the shadow is saturated.
//
// One shard; owns itself until the shadow has answered or the service's timeout has passed.

#include <memory>
#include <string>

#include "crypto/tls.h"
#include "gateway/upstream/cluster.h"
#include "http/stream.h"

namespace gatehouse::gateway {

class Shard;

// `head`'s views and `body` are copied. Requests with a body larger than this are not mirrored.
inline constexpr std::size_t kMirrorBodyMax = 64 * 1024;
void send_mirror(Shard& shard, const std::shared_ptr<Cluster>& cluster, crypto::TlsClientContext* tls,
                 Endpoint& endpoint, const http::RequestHead& head, std::string_view body);

}  // namespace gatehouse::gateway
