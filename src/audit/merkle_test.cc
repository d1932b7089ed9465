#include "audit/merkle.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <memory>

#include "crypto/hex_test_data.h"

namespace gatehouse::audit {
namespace {

// RFC 9162 §2.1.1 to §2.1.4 as it is written there, recursive over lists of entries: what everything else must equal.
Hash defined_root(std::span<const std::string> entries) {
  if (entries.empty()) return crypto::sha256({});
  if (entries.size() == 1) return leaf_hash(entries[0]);
  const std::size_t k = std::bit_floor(entries.size() - 1);
  return node_hash(defined_root(entries.first(k)), defined_root(entries.subspan(k)));
}

std::vector<Hash> defined_path(std::size_t m, std::span<const std::string> entries) {
  if (entries.size() == 1) return {};
  const std::size_t k = std::bit_floor(entries.size() - 1);
  auto path = m < k ? defined_path(m, entries.first(k)) : defined_path(m - k, entries.subspan(k));
  path.push_back(m < k ? defined_root(entries.subspan(k)) : defined_root(entries.first(k)));
  return path;
}

std::vector<Hash> defined_subproof(std::size_t m, std::span<const std::string> entries, bool whole) {
  if (m == entries.size()) return whole ? std::vector<Hash>{} : std::vector<Hash>{defined_root(entries)};
  const std::size_t k = std::bit_floor(entries.size() - 1);
  auto proof =
      m <= k ? defined_subproof(m, entries.first(k), whole) : defined_subproof(m - k, entries.subspan(k), false);
  proof.push_back(m <= k ? defined_root(entries.subspan(k)) : defined_root(entries.first(k)));
  return proof;
}

std::vector<std::string> some_entries(std::size_t count) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back("entry " + std::to_string(i));
  return entries;
}

SubtreeReader reader_of(const std::vector<std::string>& entries) {
  auto known = std::make_shared<std::map<std::pair<unsigned, std::uint64_t>, Hash>>();
  return [&entries, known](const Subtree& subtree) -> Result<Hash> {
    const std::size_t begin = subtree.index << subtree.level, count = std::size_t{1} << subtree.level;
    if (begin + count > entries.size()) return fail(ErrorCode::internal, "a subtree that isn't there was asked for");
    auto [at, added] = known->try_emplace({subtree.level, subtree.index});
    if (added) at->second = defined_root(std::span(entries).subspan(begin, count));
    return at->second;
  };
}

// The tree of the reference implementation of RFC 6962 (certificate-transparency, merkle_tree_test): eight inputs.
const std::string kInputs[] = {"",
                               crypto::from_hex("00"),
                               crypto::from_hex("10"),
                               crypto::from_hex("2021"),
                               crypto::from_hex("3031"),
                               crypto::from_hex("40414243"),
                               crypto::from_hex("5051525354555657"),
                               crypto::from_hex("606162636465666768696a6b6c6d6e6f")};
constexpr std::string_view kRoots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                       "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                       "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                       "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                       "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                       "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                       "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                       "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::string hex(const Hash& hash) { return crypto::to_hex(crypto::as_text(hash)); }

TEST(Merkle, PublishedRoots) {
  EXPECT_EQ(hex(Frontier().root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Frontier tree;
  for (std::size_t i = 0; i < std::size(kInputs); ++i) {
    tree.append(leaf_hash(kInputs[i]));
    EXPECT_EQ(hex(tree.root()), kRoots[i]) << i + 1;
  }
}

TEST(Merkle, PublishedProofs) {
  const std::vector<std::string> entries(std::begin(kInputs), std::end(kInputs));
  const auto read = reader_of(entries);
  const auto text = [](const Result<std::vector<Hash>>& proof) {
    std::string all;
    for (const Hash& hash_ : *proof) all += hex(hash_).substr(0, 8) + " ";
    return all;
  };
  // The first eight digits of the paths in the same source.
  EXPECT_EQ(text(inclusion_proof(0, 8, read)), "96a296d2 5f083f0a 6b47aaf2 ");
  EXPECT_EQ(text(inclusion_proof(5, 8, read)), "bc1a0643 ca854ea1 d37ee418 ");
  EXPECT_EQ(text(inclusion_proof(2, 3, read)), "fac54203 ");
  EXPECT_EQ(text(inclusion_proof(1, 5, read)), "6e340b9c 5f083f0a bc1a0643 ");
  EXPECT_EQ(text(consistency_proof(1, 8, read)), "96a296d2 5f083f0a 6b47aaf2 ");
  EXPECT_EQ(text(consistency_proof(6, 8, read)), "0ebc5d34 ca854ea1 d37ee418 ");
  EXPECT_EQ(text(consistency_proof(2, 5, read)), "5f083f0a bc1a0643 ");
}

// All trees up to 260 leaves (past a tile's 256), every leaf, every older tree, against the definition.
TEST(Merkle, EverySmallTreeIsAsDefined) {
  const auto entries = some_entries(260);
  const auto read = reader_of(entries);
  Frontier tree;
  std::vector<Hash> roots{tree.root()};
  for (std::size_t size = 1; size <= entries.size(); ++size) {
    tree.append(leaf_hash(entries[size - 1]));
    const auto part = std::span(entries).first(size);
    ASSERT_EQ(tree.root(), defined_root(part)) << size;
    ASSERT_EQ(*root_at(size, read), tree.root()) << size;
    roots.push_back(tree.root());
    const bool against_definition = size <= 70 || size >= 255;  // quadratic: the rest is checked by the verifier alone
    for (std::size_t i = 0; i < size; ++i) {
      const auto proof = inclusion_proof(i, size, read);
      ASSERT_TRUE(proof) << proof.error().message;
      if (against_definition && i % 7 == size % 7) {
        ASSERT_EQ(*proof, defined_path(i, part)) << i << " of " << size;
      }
      ASSERT_EQ(check_inclusion(i, size, leaf_hash(entries[i]), *proof, roots[size]), Proof::holds);
    }
    for (std::size_t older = 0; older <= size; ++older) {
      const auto proof = consistency_proof(older, size, read);
      ASSERT_TRUE(proof) << proof.error().message;
      if (against_definition && older > 0 && older % 7 == size % 7) {
        ASSERT_EQ(*proof, defined_subproof(older, part, true)) << older << " of " << size;
      }
      ASSERT_EQ(check_consistency(older, roots[older], size, roots[size], *proof), Proof::holds)
          << older << ' ' << size;
    }
  }
}

TEST(Merkle, WhatIsNotSoIsNotProved) {
  const auto entries = some_entries(40);
  const auto read = reader_of(entries);
  for (std::size_t size = 1; size <= 40; ++size) {
    const Hash root = *root_at(size, read);
    for (std::size_t i = 0; i < size; ++i) {
      auto proof = *inclusion_proof(i, size, read);
      const Hash leaf = leaf_hash(entries[i]);
      EXPECT_EQ(check_inclusion(i, size, leaf_hash("another"), proof, root), Proof::fails);
      EXPECT_EQ(check_inclusion(size, size, leaf, proof, root), Proof::fails);
      for (std::size_t other = 0; other < size; ++other) {
        if (other == i) continue;
        ASSERT_EQ(check_inclusion(other, size, leaf, proof, root), Proof::fails);
      }
      for (std::size_t at = 0; at < proof.size(); ++at) {
        auto changed = proof;
        changed[at][31] ^= 1;
        ASSERT_EQ(check_inclusion(i, size, leaf, changed, root), Proof::fails);
      }
      proof.push_back(root);
      EXPECT_EQ(check_inclusion(i, size, leaf, proof, root), Proof::fails);
      proof.pop_back();
      if (!proof.empty()) {
        proof.pop_back();
        EXPECT_EQ(check_inclusion(i, size, leaf, proof, root), Proof::fails);
      }
    }
    for (std::size_t older = 1; older <= size; ++older) {
      const Hash older_root = *root_at(older, read);
      auto proof = *consistency_proof(older, size, read);
      Hash forked = older_root;
      forked[0] ^= 0x80;
      EXPECT_EQ(check_consistency(older, forked, size, root, proof), Proof::fails);
      EXPECT_EQ(check_consistency(older, older_root, size, forked, proof), Proof::fails);
      if (older < size) {
        EXPECT_EQ(check_consistency(size, root, older, older_root, proof), Proof::fails);
      }
      for (std::size_t at = 0; at < proof.size(); ++at) {
        auto changed = proof;
        changed[at][0] ^= 1;
        ASSERT_EQ(check_consistency(older, older_root, size, root, changed), Proof::fails) << older << ' ' << size;
      }
      proof.push_back(root);
      EXPECT_EQ(check_consistency(older, older_root, size, root, proof), Proof::fails);
    }
  }
  EXPECT_EQ(check_inclusion(0, 0, Hash{}, {}, Hash{}), Proof::fails);
  EXPECT_FALSE(inclusion_proof(3, 3, read));
  EXPECT_FALSE(consistency_proof(4, 3, read));
}

TEST(Merkle, ATreeGoesOnFromItsCover) {
  const auto entries = some_entries(100);
  const auto read = reader_of(entries);
  for (std::size_t from = 0; from < 100; from += 9) {
    std::vector<Hash> peaks;
    for (const Subtree& subtree : cover(from)) peaks.push_back(*read(subtree));
    Frontier tree(from, std::move(peaks));
    for (std::size_t i = from; i < 100; ++i) tree.append(leaf_hash(entries[i]));
    EXPECT_EQ(tree.root(), defined_root(entries)) << from;
  }
}

}  // namespace
}  // namespace gatehouse::audit
