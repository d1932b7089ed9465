#include "gateway/upstream/balancer.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace gatehouse::gateway {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// `random` scaled to [0, count) without a division (Lemire, "Fast random integer generation in an interval").
std::size_t draw(std::uint64_t random, std::size_t count) noexcept {
  return static_cast<std::size_t>((static_cast<unsigned __int128>(random) * count) >> 64);
}

// A second draw from the same random word.
std::uint64_t next_random(std::uint64_t random) noexcept {
  return mix(random ^ 0x9e3779b97f4a7c15, 0xd1342543de82ef95);
}

std::uint32_t load_of(const EndpointSet::Member& member) noexcept {
  return member.endpoint->active.load(std::memory_order_relaxed);
}

// Per weight; for choices among all. Where the weight has already decided who is drawn, it must not count again.
bool less_busy(const EndpointSet::Member& a, const EndpointSet::Member& b) noexcept {
  return (load_of(a) + std::uint64_t{1}) * b.weight < (load_of(b) + std::uint64_t{1}) * a.weight;
}

// May this member be taken? First those that were not tried, then any that is available.
struct Eligible {
  const PickContext& context;
  bool tried_too = false;

  bool operator()(const EndpointSet::Member& member) const noexcept {
    if (!member.endpoint->available(context.now)) return false;
    return tried_too || std::find(context.tried.begin(), context.tried.end(), member.endpoint) == context.tried.end();
  }
};

const EndpointSet::Member& by_weight(const EndpointSet& set, std::uint64_t random) noexcept {
  if (set.schedule.empty()) return set.members[draw(random, set.members.size())];
  return set.members[set.schedule[draw(random, set.schedule.size())]];
}

// The first eligible one from a random place: the way out when an algorithm's own choice is not available.
Endpoint* any_eligible(const EndpointSet& set, const PickContext& context, const Eligible& eligible) noexcept {
  const std::size_t count = set.members.size();
  const std::size_t from = draw(next_random(context.random), count);
  for (std::size_t i = 0; i < count; ++i) {
    const EndpointSet::Member& member = set.members[(from + i) % count];
    if (eligible(member)) return member.endpoint;
  }
  return nullptr;
}

Endpoint* least_requests(const EndpointSet& set, const PickContext& context, const Eligible& eligible) noexcept {
  const std::size_t count = set.members.size();
  const EndpointSet::Member* best = nullptr;
  if (count <= Balancer::kScanMax) {
    // From a random place, so that equals share: always from the first, an idle service would use only that one.
    const std::size_t from = draw(context.random, count);
    for (std::size_t i = 0; i < count; ++i) {
      const EndpointSet::Member& member = set.members[from + i < count ? from + i : from + i - count];
      if (eligible(member) && (best == nullptr || less_busy(member, *best))) best = &member;
    }
  } else {
    std::uint64_t random = context.random;
    for (std::size_t i = 0; i < Balancer::kSamples; ++i, random = next_random(random)) {
      const EndpointSet::Member& member = by_weight(set, random);
      if (eligible(member) && (best == nullptr || load_of(member) < load_of(*best))) best = &member;
    }
  }
  return best != nullptr ? best->endpoint : any_eligible(set, context, eligible);
}

Endpoint* random_two(const EndpointSet& set, const PickContext& context, const Eligible& eligible) noexcept {
  const EndpointSet::Member& first = by_weight(set, context.random);
  const EndpointSet::Member& second = by_weight(set, next_random(context.random));
  const bool first_may = eligible(first), second_may = eligible(second);
  if (first_may && second_may) return load_of(second) < load_of(first) ? second.endpoint : first.endpoint;
  if (first_may) return first.endpoint;
  if (second_may) return second.endpoint;
  return any_eligible(set, context, eligible);
}

// How many attempts in flight are too many for a member; shares are of what is available now.
class LoadBound {
 public:
  LoadBound(const EndpointSet& set, const PickContext& context) noexcept : active_(context.active + 1.0) {
    // A large set is taken for available as a whole: asking all of it would cost more than it is worth.
    for (const EndpointSet::Member& member : set.members) {
      if (set.members.size() > Balancer::kScanMax || member.endpoint->available(context.now)) weights_ += member.weight;
    }
  }
  bool reached(const EndpointSet::Member& member) const noexcept {
    const std::uint32_t load = load_of(member);
    return load >= Balancer::kLoadFree && load >= Balancer::kLoadFactor * active_ * member.weight / weights_;
  }

 private:
  double active_, weights_ = 0;
};

// Clockwise from the key to the first eligible member's point. The walk is bounded: when nearly all are gone, scanning
// the members is cheaper.
Endpoint* on_ring(const EndpointSet& set, const PickContext& context, const Eligible& eligible) noexcept {
  constexpr std::size_t kStepsMax = 512;
  const auto at =
      std::lower_bound(set.ring.begin(), set.ring.end(), context.hash,
                       [](const EndpointSet::Point& point, std::uint64_t hash) { return point.hash < hash; });
  std::size_t i = static_cast<std::size_t>(at - set.ring.begin());
  const LoadBound bound(set, context);
  Endpoint* own = nullptr;
  for (std::size_t step = 0; step < std::min(kStepsMax, set.ring.size()); ++step, ++i) {
    if (i == set.ring.size()) i = 0;
    const EndpointSet::Member& member = set.members[set.ring[i].member];
    if (!eligible(member)) continue;
    if (!bound.reached(member)) return member.endpoint;
    if (own == nullptr) own = member.endpoint;
  }
  if (own != nullptr) return own;  // all are full alike
  for (const EndpointSet::Member& member : set.members) {
    if (eligible(member)) return member.endpoint;
  }
  return nullptr;
}

// nginx's smooth weighted round robin, unrolled: a, b, a, c, a instead of a, a, a, b, c for 3, 1, 1.
std::vector<std::uint32_t> smooth_schedule(const std::vector<std::uint64_t>& weights) {
  const auto total = static_cast<std::int64_t>(std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
  std::vector<std::int64_t> current(weights.size(), 0);
  std::vector<std::uint32_t> schedule;
  schedule.reserve(static_cast<std::size_t>(total));
  for (std::int64_t turn = 0; turn < total; ++turn) {
    std::size_t best = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      current[i] += static_cast<std::int64_t>(weights[i]);
      if (current[i] > current[best]) best = i;
    }
    current[best] -= total;
    schedule.push_back(static_cast<std::uint32_t>(best));
  }
  return schedule;
}

// Relatively prime, and scaled down until they add up to at most `max`; at least 1 each.
std::vector<std::uint64_t> normalized_weights(const std::vector<EndpointSet::Member>& members, std::uint64_t max) {
  std::vector<std::uint64_t> weights;
  std::uint64_t divisor = 0, total = 0;
  for (const auto& member : members) divisor = std::gcd(divisor, std::uint64_t{member.weight});
  for (const auto& member : members) weights.push_back(member.weight / divisor), total += weights.back();
  if (total <= max) return weights;
  for (std::uint64_t& weight : weights) weight = std::max<std::uint64_t>(1, weight * max / total);
  return weights;
}

}  // namespace

std::uint64_t hash_key(std::string_view key) noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15 ^ key.size();
  while (!key.empty()) {
    std::uint64_t word = 0;
    const std::size_t bytes = std::min<std::size_t>(8, key.size());
    std::memcpy(&word, key.data(), bytes);
    hash = mix(hash ^ word, 0xa0761d6478bd642f) + 0x2545f4914f6cdd1d;
    key.remove_prefix(bytes);
  }
  return mix(hash, 0xe7037ed1a0b428db);
}

EndpointSet EndpointSet::build(std::vector<Member> members, Balance balance) {
  EndpointSet set;
  std::erase_if(members, [](const Member& member) { return member.weight == 0; });
  set.members = std::move(members);
  if (set.members.empty()) return set;
  const auto differs = [&](const Member& member) { return member.weight != set.members.front().weight; };
  const bool weighted = std::any_of(set.members.begin(), set.members.end(), differs);
  if (balance == Balance::hash) {
    const std::vector<std::uint64_t> weights =
        normalized_weights(set.members, Balancer::kPointsMax / Balancer::kPointsPerMember);
    for (std::uint32_t i = 0; i < set.members.size(); ++i) {
      const std::uint64_t name = hash_key(set.members[i].endpoint->name);
      std::uint64_t points = Balancer::kPointsPerMember * weights[i];
      if (set.members.size() > Balancer::kPointsMax / Balancer::kPointsPerMember) {
        points = std::max<std::uint64_t>(1, Balancer::kPointsMax / set.members.size());
      }
      for (std::uint64_t point = 0; point < points; ++point) {
        set.ring.push_back({mix(name ^ (point * 0x9e3779b97f4a7c15), 0xd6e8feb86659fd93 ^ point), i});
      }
    }
    std::sort(set.ring.begin(), set.ring.end(), [&](const Point& a, const Point& b) {
      if (a.hash != b.hash) return a.hash < b.hash;
      return set.members[a.member].endpoint->name < set.members[b.member].endpoint->name;
    });
  } else if (weighted) {
    set.schedule = smooth_schedule(normalized_weights(set.members, Balancer::kScheduleMax));
  }
  return set;
}

Endpoint* Balancer::round_robin(const EndpointSet& set, const PickContext& context) noexcept {
  // A turn that falls to an endpoint which is away is given up, and the next one taken: so its share is spread over all
  // the others, where "the next available" would give it to its neighbour alone.
  const std::size_t turns = set.schedule.empty() ? set.members.size() : set.schedule.size();
  const Eligible eligible{context};
  for (std::size_t i = 0; i < std::min<std::size_t>(turns, 64); ++i) {
    const std::size_t turn = turn_.fetch_add(1, std::memory_order_relaxed) % turns;
    const EndpointSet::Member& member = set.members[set.schedule.empty() ? turn : set.schedule[turn]];
    if (eligible(member)) return member.endpoint;
  }
  return any_eligible(set, context, eligible);
}

RankedEndpoints RankedEndpoints::build(std::vector<EndpointSet::Member> members, Balance balance) {
  RankedEndpoints endpoints;
  std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
  for (auto at = members.begin(); at != members.end();) {
    const auto end = std::find_if(at, members.end(), [&](const auto& member) { return member.rank != at->rank; });
    EndpointSet set = EndpointSet::build({at, end}, balance);
    endpoints.all.insert(endpoints.all.end(), set.members.begin(), set.members.end());
    if (!set.members.empty()) endpoints.ranks.push_back(std::move(set));
    at = end;
  }
  return endpoints;
}

Endpoint* Balancer::pick_untried(const EndpointSet& set, const PickContext& context) noexcept {
  const Eligible fresh{context};
  switch (balance_) {
    case Balance::round_robin: return round_robin(set, context);
    case Balance::least_requests: return least_requests(set, context, fresh);
    case Balance::random_two: return random_two(set, context, fresh);
    case Balance::hash: return on_ring(set, context, fresh);
  }
  return nullptr;
}

Endpoint* Balancer::pick(const RankedEndpoints& endpoints, const PickContext& context) noexcept {
  for (const EndpointSet& set : endpoints.ranks) {
    if (Endpoint* const endpoint = pick_untried(set, context)) return endpoint;
  }
  if (context.tried.empty()) return nullptr;
  const Eligible any{context, true};
  for (const EndpointSet& set : endpoints.ranks) {
    Endpoint* const endpoint = balance_ == Balance::hash ? on_ring(set, context, any) : any_eligible(set, context, any);
    if (endpoint != nullptr) return endpoint;
  }
  return nullptr;
}

}  // namespace gatehouse::gateway
