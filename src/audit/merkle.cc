#include "audit/merkle.h"

#include <bit>
#include <cstring>

namespace gatehouse::audit {
namespace {

unsigned level_of(std::uint64_t width) noexcept { return static_cast<unsigned>(std::countr_zero(width)); }

// The largest power of two below `n`, which is at least 2.
std::uint64_t split_of(std::uint64_t n) noexcept { return std::bit_floor(n - 1); }

// The root over the leaves [begin, begin + count) of a larger tree, where `begin` is where such a tree may begin.
Result<Hash> range_root(std::uint64_t begin, std::uint64_t count, const SubtreeReader& read) {
  if (std::has_single_bit(count)) return read({level_of(count), begin >> level_of(count)});
  const std::uint64_t left = split_of(count);
  auto left_root = read({level_of(left), begin >> level_of(left)});
  if (!left_root) return left_root;
  auto right_root = range_root(begin + left, count - left, read);
  if (!right_root) return right_root;
  return node_hash(*left_root, *right_root);
}

// One step of a proof: the range [begin, begin + count) whose root belongs into it.
struct Range {
  std::uint64_t begin, count;
};

Result<std::vector<Hash>> roots_of(std::vector<Range>& from_the_top, const SubtreeReader& read) {
  std::vector<Hash> proof;
  proof.reserve(from_the_top.size());
  for (auto range = from_the_top.rbegin(); range != from_the_top.rend(); ++range) {
    auto root = range_root(range->begin, range->count, read);
    if (!root) return tl::unexpected(std::move(root.error()));
    proof.push_back(*root);
  }
  return proof;
}

}  // namespace

Hash leaf_hash(std::string_view entry) noexcept {
  thread_local std::string bytes;
  bytes.assign(1, '\0');
  bytes.append(entry);
  return crypto::sha256(bytes);
}

Hash node_hash(const Hash& left, const Hash& right) noexcept {
  char bytes[1 + 2 * sizeof(Hash)];
  bytes[0] = 1;
  std::memcpy(bytes + 1, left.data(), left.size());
  std::memcpy(bytes + 1 + left.size(), right.data(), right.size());
  return crypto::sha256({bytes, sizeof bytes});
}

std::vector<Subtree> cover(std::uint64_t size) {
  std::vector<Subtree> subtrees;
  std::uint64_t begin = 0;
  while (begin < size) {
    const std::uint64_t width = std::bit_floor(size - begin);
    subtrees.push_back({level_of(width), begin >> level_of(width)});
    begin += width;
  }
  return subtrees;
}

Result<Hash> root_at(std::uint64_t size, const SubtreeReader& read) {
  if (size == 0) return crypto::sha256({});
  return range_root(0, size, read);
}

Result<std::vector<Hash>> inclusion_proof(std::uint64_t index, std::uint64_t size, const SubtreeReader& read) {
  if (index >= size) return fail(ErrorCode::invalid, fmt::format("there is no entry {} among {}", index, size));
  std::vector<Range> siblings;
  std::uint64_t begin = 0, count = size;
  while (count > 1) {
    const std::uint64_t left = split_of(count);
    if (index - begin < left) {
      siblings.push_back({begin + left, count - left});
      count = left;
    } else {
      siblings.push_back({begin, left});
      begin += left;
      count -= left;
    }
  }
  return roots_of(siblings, read);
}

Result<std::vector<Hash>> consistency_proof(std::uint64_t older, std::uint64_t newer, const SubtreeReader& read) {
  if (older > newer) return fail(ErrorCode::invalid, fmt::format("{} entries come after {}", older, newer));
  std::vector<Range> ranges;
  if (older == 0 || older == newer) return std::vector<Hash>{};
  std::uint64_t begin = 0, count = newer, wanted = older;
  bool whole = true;  // the older tree is a complete one of the newer, whose root the verifier has
  while (wanted != count) {
    const std::uint64_t left = split_of(count);
    if (wanted <= left) {
      ranges.push_back({begin + left, count - left});
      count = left;
    } else {
      ranges.push_back({begin, left});
      begin += left;
      count -= left;
      wanted -= left;
      whole = false;
    }
  }
  if (!whole) ranges.push_back({begin, count});
  return roots_of(ranges, read);
}

Proof check_inclusion(std::uint64_t index, std::uint64_t size, const Hash& leaf, std::span<const Hash> proof,
                      const Hash& root) noexcept {
  if (index >= size) return Proof::fails;
  std::uint64_t node = index, last = size - 1;
  Hash hash = leaf;
  for (const Hash& sibling : proof) {
    if (last == 0) return Proof::fails;
    if ((node & 1) != 0 || node == last) {
      hash = node_hash(sibling, hash);
      while ((node & 1) == 0 && node != 0) node >>= 1, last >>= 1;
    } else {
      hash = node_hash(hash, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root ? Proof::holds : Proof::fails;
}

Proof check_consistency(std::uint64_t older, const Hash& older_root, std::uint64_t newer, const Hash& newer_root,
                        std::span<const Hash> proof) noexcept {
  if (older > newer) return Proof::fails;
  if (older == newer) return proof.empty() && older_root == newer_root ? Proof::holds : Proof::fails;
  if (older == 0) return proof.empty() && older_root == crypto::sha256({}) ? Proof::holds : Proof::fails;
  std::uint64_t node = older - 1, last = newer - 1;
  while ((node & 1) != 0) node >>= 1, last >>= 1;
  // The proof leaves out a root that the verifier has: an older tree that is complete.
  const bool given = !std::has_single_bit(older);
  if (given && proof.empty()) return Proof::fails;
  Hash from_old = given ? proof.front() : older_root;
  Hash from_new = from_old;
  for (const Hash& sibling : proof.subspan(given ? 1 : 0)) {
    if (last == 0) return Proof::fails;
    if ((node & 1) != 0 || node == last) {
      from_old = node_hash(sibling, from_old);
      from_new = node_hash(sibling, from_new);
      while ((node & 1) == 0 && node != 0) node >>= 1, last >>= 1;
    } else {
      from_new = node_hash(from_new, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  return last == 0 && from_old == older_root && from_new == newer_root ? Proof::holds : Proof::fails;
}

void Frontier::append(const Hash& leaf) {
  Hash hash = leaf;
  for (std::uint64_t carry = size_; (carry & 1) != 0; carry >>= 1) {
    hash = node_hash(peaks_.back(), hash);
    peaks_.pop_back();
  }
  peaks_.push_back(hash);
  ++size_;
}

Hash Frontier::root() const noexcept {
  if (peaks_.empty()) return crypto::sha256({});
  Hash hash = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i > 0; --i) hash = node_hash(peaks_[i - 1], hash);
  return hash;
}

}  // namespace gatehouse::audit
