#pragma once
// The Merkle tree of an append-only log, SHA-256: RFC 6962 §2.1, RFC 9162 §2.1.
//
// A leaf's hash is SHA-256(0x00 ‖ entry), a node's SHA-256(0x01 ‖ left ‖ right): no entry can pass for a node. The tree
// over n leaves splits at the largest power of two below n. A *subtree* (level, index) is complete: it covers the
// leaves from index·2^level, 2^level of them; its hash never changes once they are there.
// Thread safety: pure functions; `Frontier` has one owner.

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/digest.h"

namespace gatehouse::audit {

using Hash = crypto::Sha256;

Hash leaf_hash(std::string_view entry) noexcept;
Hash node_hash(const Hash& left, const Hash& right) noexcept;

struct Subtree {
  unsigned level = 0;
  std::uint64_t index = 0;
  bool operator==(const Subtree&) const = default;
};
// The hash of a complete subtree, from wherever they are kept.
using SubtreeReader = std::function<Result<Hash>(const Subtree&)>;

// The complete subtrees that cover [0, size), from left to right: at most 64.
std::vector<Subtree> cover(std::uint64_t size);

// The root of the tree over the first `size` leaves. Of no leaves: SHA-256 of nothing.
Result<Hash> root_at(std::uint64_t size, const SubtreeReader& read);

// RFC 9162 §2.1.3.1 and §2.1.4.1. invalid: there is no such leaf, or no such older tree (0 has an empty proof).
Result<std::vector<Hash>> inclusion_proof(std::uint64_t index, std::uint64_t size, const SubtreeReader& read);
Result<std::vector<Hash>> consistency_proof(std::uint64_t older, std::uint64_t newer, const SubtreeReader& read);

enum class Proof : std::uint8_t { holds, fails };
// RFC 9162 §2.1.3.2 and §2.1.4.2. A proof that is too short or too long fails.
Proof check_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, std::span<const Hash> proof,
                      const Hash& root) noexcept;
Proof check_consistency(std::uint64_t older, const Hash& older_root, std::uint64_t newer, const Hash& newer_root,
                        std::span<const Hash> proof) noexcept;

// What of a tree is needed to go on with it: the hashes of cover(size).
class Frontier {
 public:
  Frontier() = default;
  // `peaks` belong to cover(size).
  Frontier(std::uint64_t size, std::vector<Hash> peaks) : size_(size), peaks_(std::move(peaks)) {}

  void append(const Hash& leaf);
  std::uint64_t size() const noexcept { return size_; }
  Hash root() const noexcept;

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> peaks_;
};

}  // namespace gatehouse::audit
