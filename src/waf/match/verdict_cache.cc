#include "waf/match/verdict_cache.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "crypto/random.h"

namespace gatehouse::waf {
namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t word_at(const char* at, std::size_t bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

// Keyed and quick; no promise against somebody who can watch it, which nobody can.
std::uint64_t hash_of(std::uint32_t domain, std::string_view value, const std::uint64_t (&seed)[2]) noexcept {
  std::uint64_t hash = mix(seed[0] ^ domain, seed[1] ^ value.size());
  std::size_t at = 0;
  for (; at + 8 <= value.size(); at += 8) hash = mix(hash ^ word_at(value.data() + at, 8), seed[1]);
  if (at < value.size()) hash = mix(hash ^ word_at(value.data() + at, value.size() - at), seed[1]);
  return mix(hash, seed[0]);
}

// Never that of a free way.
std::uint16_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint16_t>(hash >> 48 | 2) & 0xfffe; }

}  // namespace

template <std::size_t Bytes>
auto VerdictCache::Table<Bytes>::find(std::uint64_t hash, std::uint32_t domain, std::string_view value) noexcept
    -> const Entry<Bytes>* {
  const std::size_t set = hash & (tags.size() - 1);
  for (std::size_t way = 0; way < kWays; ++way) {
    std::uint16_t& tag = tags[set][way];
    if ((tag & ~kAsked) != tag_of(hash)) continue;
    const Entry<Bytes>& entry = entries[set * kWays + way];
    if (entry.domain != domain || entry.size != value.size() ||
        std::string_view(entry.bytes.data(), entry.size) != value) {
      continue;
    }
    tag |= kAsked;
    return &entry;
  }
  return nullptr;
}

template <std::size_t Bytes>
void VerdictCache::Table<Bytes>::store(std::uint64_t hash, std::uint32_t domain, std::string_view value,
                                       std::span<const std::uint32_t> rules) noexcept {
  const std::size_t set = hash & (tags.size() - 1);
  Tags& ways = tags[set];
  // Not always the same one of several: newcomers that repeat in turn would push out each other for ever.
  std::size_t place = kWays;
  for (std::size_t i = 0; i < kWays && (place == kWays || ways[place] != 0); ++i) {
    const std::size_t way = (turn + i) % kWays;
    if ((ways[way] & kAsked) == 0 && (place == kWays || ways[way] == 0)) place = way;
  }
  ++turn;
  if (place == kWays) {  // all are wanted; the next newcomer finds a place unless they are asked for again
    for (std::uint16_t& tag : ways) tag &= static_cast<std::uint16_t>(~kAsked);
    return;
  }
  ways[place] = tag_of(hash);
  Entry<Bytes>& entry = entries[set * kWays + place];
  entry.domain = domain;
  entry.size = static_cast<std::uint16_t>(value.size());
  entry.rules_count = static_cast<std::uint16_t>(rules.size());
  std::copy(rules.begin(), rules.end(), entry.rules.begin());
  if (!value.empty()) std::memcpy(entry.bytes.data(), value.data(), value.size());
}

VerdictCache::VerdictCache(std::size_t sets) : short_(sets), long_(sets / 8) {
  GH_CHECK((sets & (sets - 1)) == 0 && sets >= 8);
  crypto::random_bytes({reinterpret_cast<std::uint8_t*>(seed_), sizeof seed_});
}

std::optional<std::span<const std::uint32_t>> VerdictCache::find(std::uint32_t domain,
                                                                 std::string_view value) noexcept {
  const std::uint64_t hash = hash_of(domain, value, seed_);
  const auto found_in = [&](auto& table) -> std::optional<std::span<const std::uint32_t>> {
    const auto* const entry = table.find(hash, domain, value);
    if (entry == nullptr) {
      ++missed_;
      return std::nullopt;
    }
    ++found_;
    return std::span(entry->rules.data(), entry->rules_count);
  };
  return value.size() <= kShortBytes ? found_in(short_) : found_in(long_);
}

void VerdictCache::store(std::uint32_t domain, std::string_view value, std::span<const std::uint32_t> rules) noexcept {
  if (!takes(value) || rules.size() > kRulesMax) return;
  const std::uint64_t hash = hash_of(domain, value, seed_);
  value.size() <= kShortBytes ? short_.store(hash, domain, value, rules) : long_.store(hash, domain, value, rules);
}

}  // namespace gatehouse::waf
