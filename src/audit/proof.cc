#include "audit/proof.h"

#include <charconv>

#include "codec/base64.h"

namespace gatehouse::audit {
namespace {

constexpr std::string_view kMagic = "c2sp.org/tlog-proof@v1\n";

bool take_line(std::string_view& rest, std::string_view& line) noexcept {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

tl::unexpected<Error> no_proof(std::string_view why) {
  return fail(ErrorCode::invalid, fmt::format("not a proof of an entry (tlog-proof): {}", why));
}

}  // namespace

Result<EntryProof> prove_entry(TileReader& reader, std::uint64_t index, std::string_view note) {
  auto path = inclusion_proof(index, reader.size(), reader.reader());
  if (!path) return tl::unexpected(std::move(path.error()));
  auto entry = reader.entry(index);
  if (!entry) return tl::unexpected(std::move(entry.error()));
  return EntryProof{std::move(*entry), index, std::move(*path), std::string(note)};
}

std::string write_proof(const EntryProof& proof) {
  std::string text(kMagic);
  text += fmt::format("extra {}\nindex {}\n", codec::base64_encode(proof.entry), proof.index);
  for (const Hash& hash : proof.path) text += base64_of(hash) + '\n';
  return text + '\n' + proof.note;
}

Result<EntryProof> parse_proof(std::string_view text) {
  if (text.size() > kProofBytesMax) return no_proof("it is too large");
  if (!text.starts_with(kMagic)) return no_proof("its first line");
  text.remove_prefix(kMagic.size());
  EntryProof proof;
  std::string_view line;
  if (!take_line(text, line)) return no_proof("it is cut off");
  if (!line.starts_with("extra ")) return no_proof("it does not hold the entry");
  auto entry = codec::base64_decode(line.substr(6));
  if (!entry) return no_proof("its entry is not base64");
  proof.entry = std::move(*entry);
  if (!take_line(text, line) || !line.starts_with("index ")) return no_proof("its index is missing");
  line.remove_prefix(6);
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), proof.index);
  if (error != std::errc() || end != line.data() + line.size() || (line.size() > 1 && line[0] == '0')) {
    return no_proof("its index is no number");
  }
  for (;;) {
    if (!take_line(text, line)) return no_proof("it is cut off");
    if (line.empty()) break;
    auto hash = hash_from_base64(line);
    if (!hash) return no_proof("a hash of its path");
    if (proof.path.size() == 64) return no_proof("its path is too long");
    proof.path.push_back(*hash);
  }
  proof.note = text;
  return proof;
}

Result<Checkpoint> check_proof(const EntryProof& proof, const NoteVerifier& verifier) {
  auto checkpoint = verifier.open(proof.note);
  if (!checkpoint) {
    checkpoint.error().code = ErrorCode::denied;
    return checkpoint;
  }
  if (checkpoint->origin != verifier.name()) return fail(ErrorCode::denied, "the checkpoint is of another log");
  if (check_inclusion(proof.index, checkpoint->size, leaf_hash(proof.entry), proof.path, checkpoint->root) ==
      Proof::fails) {
    return fail(ErrorCode::denied, fmt::format("entry {} is not in the tree of {} entries that was signed", proof.index,
                                               checkpoint->size));
  }
  return checkpoint;
}

}  // namespace gatehouse::audit
