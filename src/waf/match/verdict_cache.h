#pragma once
// What scans of recent values found: header fields, cookies and paths repeat from request to request.
//
// A verdict is a pure function of field and bytes, and an entry keeps the bytes, so that a hit cannot be wrong.
// Bounded: a set has two ways; a new value takes the place of one that was not asked for since the last newcomer, so
// that values which come once (an attacker's) do not push out those which repeat. Who defeats the cache costs a scan
// each, nothing else; the hash is keyed, so that nobody can choose who is pushed out. Thread safety: one owner, a
// shard's workspace.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gatehouse::waf {

class VerdictCache {
 public:
  static constexpr std::size_t kBytesMax = 224;  // longer values are scanned each time
  static constexpr std::size_t kRulesMax = 7;    // so are those that more rules may match

  explicit VerdictCache(std::size_t sets = 1024);  // a power of two; 512 bytes each

  static bool takes(std::string_view value) noexcept { return value.size() <= kBytesMax; }

  // The rules that may match. `domain` tells apart what the same bytes are looked at for. The view lives until the next
  // call.
  std::optional<std::span<const std::uint32_t>> find(std::uint32_t domain, std::string_view value) noexcept;
  // After a `find` of the same that found nothing.
  void store(std::uint32_t domain, std::string_view value, std::span<const std::uint32_t> rules) noexcept;

  std::uint64_t found() const noexcept { return found_; }
  std::uint64_t missed() const noexcept { return missed_; }

 private:
  struct Entry {
    std::uint32_t domain = 0;
    std::uint16_t tag = 0;
    std::uint8_t size = 0;
    std::uint8_t rules_count = 0;
    bool used = false, asked = false;
    std::array<std::uint32_t, kRulesMax> rules{};
    std::array<char, kBytesMax> bytes{};
  };
  using Set = std::array<Entry, 2>;

  Set& set_of(std::uint32_t domain, std::string_view value) noexcept;

  std::vector<Set> sets_;
  std::uint64_t seed_[2];
  std::uint16_t tag_ = 0;  // of the value last looked for
  std::uint64_t found_ = 0, missed_ = 0;
};

}  // namespace gatehouse::waf
