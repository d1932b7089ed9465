#pragma once
// What scans of recent values found: header fields, cookies and paths repeat from request to request.
//
// A verdict is a pure function of field and bytes, and an entry keeps the bytes, so that a hit cannot be wrong.
// Bounded: a set has four ways; a new value takes the place of one that was not asked for since the last newcomer, so
// that values which come once (an attacker's) do not push out those which repeat. Most values are short: they have
// entries of one cache line, in a table of their own. Who defeats the cache costs a scan each, nothing else; the hash
// is keyed, so that nobody can choose who is pushed out. Thread safety: one owner, a shard's workspace.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gatehouse::waf {

class VerdictCache {
 public:
  static constexpr std::size_t kBytesMax = 228;  // longer values are scanned each time
  static constexpr std::size_t kRulesMax = 5;    // so are those that more rules may match

  // `sets`: of short values, a power of two and at least 8; 264 bytes each, and an eighth of as many for long ones, of
  // 1 KiB.
  explicit VerdictCache(std::size_t sets = 2048);

  static bool takes(std::string_view value) noexcept { return value.size() <= kBytesMax; }

  // The rules that may match. `domain` tells apart what the same bytes are looked at for. The view lives until the next
  // call.
  std::optional<std::span<const std::uint32_t>> find(std::uint32_t domain, std::string_view value) noexcept;
  // What `find` did not find.
  void store(std::uint32_t domain, std::string_view value, std::span<const std::uint32_t> rules) noexcept;

  std::uint64_t found() const noexcept { return found_; }
  std::uint64_t missed() const noexcept { return missed_; }

 private:
  template <std::size_t Bytes>
  struct Entry {
    std::uint32_t domain = 0;
    std::uint16_t size = 0;
    std::uint16_t rules_count = 0;
    std::array<std::uint32_t, kRulesMax> rules{};
    std::array<char, Bytes> bytes{};
  };
  // Ways are told apart by their tags, so that a look touches no entry in vain.
  template <std::size_t Bytes>
  struct Table {
    static constexpr std::size_t kWays = 4;
    static constexpr std::uint16_t kAsked = 1;
    using Tags = std::array<std::uint16_t, kWays>;  // 0: free; the lowest bit: asked for since the last newcomer
    std::vector<Tags> tags;
    std::vector<Entry<Bytes>> entries;
    std::size_t turn = 0;

    explicit Table(std::size_t sets) : tags(sets), entries(sets * kWays) {}
    const Entry<Bytes>* find(std::uint64_t hash, std::uint32_t domain, std::string_view value) noexcept;
    void store(std::uint64_t hash, std::uint32_t domain, std::string_view value,
               std::span<const std::uint32_t> rules) noexcept;
  };
  static constexpr std::size_t kShortBytes = 36;

  Table<kShortBytes> short_;
  Table<kBytesMax> long_;
  std::uint64_t seed_[2];
  std::uint64_t found_ = 0, missed_ = 0;
};

}  // namespace gatehouse::waf
