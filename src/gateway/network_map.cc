#include "gateway/network_map.h"

#include <algorithm>

namespace gatehouse::gateway {
namespace {

using Bits = unsigned __int128;
constexpr Bits kMapped = Bits{0xffff} << 32;  // ::ffff:0:0

Bits bits_of(const IpAddress& address) noexcept {
  Bits bits = 0;
  for (const std::uint8_t byte : address.bytes) bits = bits << 8 | byte;
  return bits;
}

std::uint32_t v4_of(const IpAddress& address) noexcept {
  return std::uint32_t{address.bytes[12]} << 24 | std::uint32_t{address.bytes[13]} << 16 |
         std::uint32_t{address.bytes[14]} << 8 | address.bytes[15];
}

}  // namespace

NetworkMap::NetworkMap(std::span<const Entry> entries) { build({entries.begin(), entries.end()}); }

NetworkMap::NetworkMap(std::span<const Network> networks) {
  std::vector<Entry> entries;
  entries.reserve(networks.size());
  for (const Network& network : networks) entries.push_back({network, static_cast<std::uint32_t>(entries.size())});
  build(std::move(entries));
}

void NetworkMap::build(std::vector<Entry> entries) {
  if (entries.empty()) return;
  struct Interval {
    Bits first, last;
    std::uint32_t value;
  };
  std::vector<Interval> intervals;
  intervals.reserve(entries.size());
  for (const Entry& entry : entries) {
    const Bits host = entry.network.prefix == 0 ? ~Bits{0} : (Bits{1} << (128 - entry.network.prefix)) - 1;
    const Bits first = bits_of(entry.network.base) & ~host;
    intervals.push_back({first, first | host, entry.value});
  }
  // Outer networks before the inner ones that begin at the same address; equal ones in the order given.
  std::stable_sort(intervals.begin(), intervals.end(), [](const Interval& a, const Interval& b) {
    return a.first != b.first ? a.first < b.first : a.last > b.last;
  });

  const auto begin_range = [this](Bits first, std::uint32_t value) {
    if (!ranges_.empty() && ranges_.back().first == first) {
      ranges_.back().value = value;
    } else if (ranges_.empty() || ranges_.back().value != value) {
      ranges_.push_back({first, value});
    }
  };
  ranges_.push_back({0, kNone});
  std::vector<const Interval*> open;  // the networks around the current address, innermost last
  const auto close_until = [&](Bits address, bool all) {
    while (!open.empty() && (all || open.back()->last < address)) {
      const Bits end = open.back()->last;
      open.pop_back();
      if (end != ~Bits{0}) begin_range(end + 1, open.empty() ? kNone : open.back()->value);
    }
  };
  for (const Interval& interval : intervals) {
    close_until(interval.first, false);
    if (!open.empty() && open.back()->first == interval.first && open.back()->last == interval.last) continue;
    open.push_back(&interval);
    begin_range(interval.first, interval.value);
  }
  close_until(0, true);
  ranges_.shrink_to_fit();
  build_v4();
}

void NetworkMap::build_v4() {
  auto at = std::upper_bound(ranges_.begin(), ranges_.end(), kMapped,
                             [](Bits address, const Range& range) { return address < range.first; });
  ranges4_.push_back({0, (at - 1)->value});
  for (; at != ranges_.end() && at->first <= (kMapped | 0xffffffff); ++at) {
    ranges4_.push_back({static_cast<std::uint32_t>(at->first), at->value});
  }
  ranges4_.shrink_to_fit();
  if (ranges4_.size() < kIndexed) return;
  index4_.resize(65537);
  std::uint32_t place = 0;
  for (std::uint32_t high = 0; high < 65536; ++high) {
    while (place + 1 < ranges4_.size() && ranges4_[place + 1].first <= high << 16) ++place;
    index4_[high] = place;
  }
  index4_[65536] = static_cast<std::uint32_t>(ranges4_.size() - 1);
}

std::optional<std::uint32_t> NetworkMap::find(const IpAddress& address) const noexcept {
  if (ranges_.empty()) return std::nullopt;
  std::uint32_t value;
  if (address.is_v4()) {
    const std::uint32_t v4 = v4_of(address);
    auto from = ranges4_.begin(), to = ranges4_.end();
    if (!index4_.empty()) {
      from = ranges4_.begin() + index4_[v4 >> 16];
      to = ranges4_.begin() + index4_[(v4 >> 16) + 1] + 1;
    }
    value = (std::upper_bound(from, to, v4, [](std::uint32_t a, const Range4& range) { return a < range.first; }) - 1)
                ->value;
  } else {
    value = (std::upper_bound(ranges_.begin(), ranges_.end(), bits_of(address),
                              [](Bits a, const Range& range) { return a < range.first; }) -
             1)
                ->value;
  }
  if (value == kNone) return std::nullopt;
  return value;
}

}  // namespace gatehouse::gateway
