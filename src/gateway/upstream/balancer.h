#pragma once
// Which endpoint takes a request.
//
//   round_robin     in turn, weights spread evenly (smooth weighted round robin); one counter for all shards
//   least_requests  the fewest attempts in flight per weight; beyond kScanMax endpoints the best of kSamples
//   random_two      the less busy of two drawn by weight
//   hash            consistent hashing on a ring: an endpoint that comes or goes moves only its own share of the keys,
//                   and all gateways agree, because the ring depends on nothing but names and weights
//
// Thread safety: an EndpointSet is immutable; a Balancer may be used from any shard. Neither takes a lock.

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gateway/config.h"
#include "gateway/upstream/endpoint.h"

namespace gatehouse::gateway {

struct PickContext {
  std::uint64_t hash = 0;    // for Balance::hash: `hash_key` of what `hash_on` names
  std::uint64_t random = 0;  // fresh for each pick
  std::span<const Endpoint* const> tried{};
  MonotonicTime now{};
};

// A stable hash: the same in every process and version.
std::uint64_t hash_key(std::string_view key) noexcept;

struct EndpointSet {
  struct Member {
    Endpoint* endpoint = nullptr;
    std::uint32_t weight = 1;
  };
  struct Point {  // of the ring
    std::uint64_t hash = 0;
    std::uint32_t member = 0;
  };
  std::vector<Member> members;
  std::vector<std::uint32_t> schedule;  // members in smooth weighted order; empty when all weigh the same
  std::vector<Point> ring;              // sorted; only for Balance::hash

  // Members of weight zero take no requests and are left out.
  static EndpointSet build(std::vector<Member> members, Balance balance);
};

class Balancer {
 public:
  static constexpr std::size_t kScanMax = 64, kSamples = 8;
  static constexpr std::size_t kScheduleMax = 4096;  // weights are scaled down to fit
  static constexpr std::size_t kPointsPerMember = 160, kPointsMax = 1 << 16;

  explicit Balancer(Balance balance) noexcept : balance_(balance) {}

  // Null when no member is available. `context.tried` are taken only when no other is.
  Endpoint* pick(const EndpointSet& set, const PickContext& context) noexcept;

 private:
  Endpoint* round_robin(const EndpointSet& set, const PickContext& context) noexcept;

  const Balance balance_;
  alignas(64) std::atomic<std::uint64_t> turn_{0};
};

}  // namespace gatehouse::gateway
