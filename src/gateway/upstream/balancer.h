#pragma once
// Which endpoint takes a request.
//
//   round_robin     in turn, weights spread evenly (smooth weighted round robin); one counter for all shards
//   least_requests  the fewest attempts in flight per weight; beyond kScanMax endpoints the best of kSamples
//   random_two      the less busy of two drawn by weight
//   hash            consistent hashing on a ring: an endpoint that comes or goes moves only its own share of the keys,
//                   and all gateways agree, because the ring depends on nothing but names and weights. With bounded
//                   load: an endpoint that has kLoadFactor times its share of the attempts in flight (and more than
//                   kLoadFree) passes what comes on to the next of the ring, so that one hot key overloads nobody.
//                   Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016).
//
// Members have ranks (DNS: SRV priorities, address families): those of a higher number are taken only while none of a
// lower is available.
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
  std::uint32_t active = 0;  // for Balance::hash: attempts in flight at all endpoints
};

// A stable hash: the same in every process and version.
std::uint64_t hash_key(std::string_view key) noexcept;

struct EndpointSet {
  struct Member {
    Endpoint* endpoint = nullptr;
    std::uint32_t weight = 1;
    std::uint32_t rank = 0;
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

// A set for each rank, the best first.
struct RankedEndpoints {
  std::vector<EndpointSet> ranks;        // none is empty
  std::vector<EndpointSet::Member> all;  // of all ranks

  static RankedEndpoints build(std::vector<EndpointSet::Member> members, Balance balance);
};

class Balancer {
 public:
  static constexpr std::size_t kScanMax = 64, kSamples = 8;
  static constexpr std::size_t kScheduleMax = 4096;  // weights are scaled down to fit
  static constexpr std::size_t kPointsPerMember = 160, kPointsMax = 1 << 16;

  static constexpr double kLoadFactor = 1.25;
  static constexpr std::uint32_t kLoadFree = 8;  // attempts in flight that never count as too many

  explicit Balancer(Balance balance) noexcept : balance_(balance) {}

  // Null when no member is available. `context.tried` are taken only when no other is, of whatever rank.
  Endpoint* pick(const RankedEndpoints& endpoints, const PickContext& context) noexcept;

 private:
  Endpoint* pick_untried(const EndpointSet& set, const PickContext& context) noexcept;
  Endpoint* round_robin(const EndpointSet& set, const PickContext& context) noexcept;

  const Balance balance_;
  alignas(64) std::atomic<std::uint64_t> turn_{0};
};

}  // namespace gatehouse::gateway
