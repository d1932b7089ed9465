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

}  // namespace

VerdictCache::VerdictCache(std::size_t sets) : sets_(sets) {
  GH_CHECK((sets & (sets - 1)) == 0 && sets > 0);
  crypto::random_bytes({reinterpret_cast<std::uint8_t*>(seed_), sizeof seed_});
}

VerdictCache::Set& VerdictCache::set_of(std::uint32_t domain, std::string_view value) noexcept {
  const std::uint64_t hash = hash_of(domain, value, seed_);
  tag_ = static_cast<std::uint16_t>(hash >> 48);
  return sets_[hash & (sets_.size() - 1)];
}

std::optional<std::span<const std::uint32_t>> VerdictCache::find(std::uint32_t domain,
                                                                 std::string_view value) noexcept {
  for (Entry& entry : set_of(domain, value)) {
    if (!entry.used || entry.tag != tag_ || entry.domain != domain || entry.size != value.size() ||
        std::memcmp(entry.bytes.data(), value.data(), value.size()) != 0) {
      continue;
    }
    entry.asked = true;
    ++found_;
    return std::span<const std::uint32_t>(entry.rules.data(), entry.rules_count);
  }
  ++missed_;
  return std::nullopt;
}

void VerdictCache::store(std::uint32_t domain, std::string_view value, std::span<const std::uint32_t> rules) noexcept {
  if (!takes(value) || rules.size() > kRulesMax) return;
  Set& set = set_of(domain, value);
  Entry* place = nullptr;
  for (Entry& entry : set) {
    if (!entry.asked && (place == nullptr || !entry.used)) place = &entry;
  }
  if (place == nullptr) {  // both are wanted; the next newcomer finds a place unless they are asked for again
    for (Entry& entry : set) entry.asked = false;
    return;
  }
  place->used = true;
  place->asked = false;
  place->domain = domain;
  place->tag = tag_;
  place->size = static_cast<std::uint8_t>(value.size());
  place->rules_count = static_cast<std::uint8_t>(rules.size());
  std::copy(rules.begin(), rules.end(), place->rules.begin());
  if (!value.empty()) std::memcpy(place->bytes.data(), value.data(), value.size());
}

}  // namespace gatehouse::waf
