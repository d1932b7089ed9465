// What a log's folder says is read and judged: at start, after a failure, and after another process has written.

#include <algorithm>

#include "audit/journal.h"
#include "audit/log_writer.h"

namespace gatehouse::audit {
namespace {

tl::unexpected<Error> tampered(std::string message) {
  return fail(ErrorCode::denied, "the audit log has been changed: " + std::move(message));
}

// What is missing or malformed has been made so; what cannot be read for now has not.
tl::unexpected<Error> judged(const Error& error) {
  if (error.code == ErrorCode::not_found || error.code == ErrorCode::invalid || error.code == ErrorCode::denied) {
    return tampered(error.message);
  }
  return tl::unexpected(error);
}

}  // namespace

Status LogWriter::reload() {
  segment_.reset();
  known_.clear();
  pending_.clear();
  unpublished_bytes_ = 0;
  for (const std::string_view name : {"tile", "journal", "personal"}) {
    if (Status made = files_.make_folder(path_of(name)); !made) return made;
  }
  if (Status synced = files_.sync_folder(options_.folder); !synced) return synced;
  auto note = read_checkpoint();
  if (!note) return tl::unexpected(std::move(note.error()));
  Checkpoint checkpoint{signer_.name(), 0, Frontier().root()};
  if (!note->empty()) {
    auto opened = verifier_.open(*note);
    if (!opened) return judged(opened.error());
    checkpoint = std::move(*opened);
    if (checkpoint.origin != signer_.name()) return tampered("its checkpoint is that of " + checkpoint.origin);
  }
  published_ = checkpoint.size;
  if (Status loaded = load_edge(checkpoint.size); !loaded) return loaded;
  if (tree_.root() != checkpoint.root) return tampered("its tiles do not give the root of its checkpoint");
  if (Status loaded = load_sealed(checkpoint.size); !loaded) return loaded;
  if (Status expecting = expect_seen(); !expecting) return expecting;
  if (Status replayed = replay_journal(); !replayed) return replayed;
  if (Status held = check_expected(); !held) return held;
  auto published = write_out();
  if (!published) return tl::unexpected(std::move(published.error()));
  return {};
}

// Empty: a log without entries, whose first checkpoint was not written yet.
Result<std::string> LogWriter::read_checkpoint() {
  auto note = files_.read(path_of("checkpoint"), kNoteBytesMax);
  if (note || note.error().code != ErrorCode::not_found) return note;
  for (const std::string_view name : {"tile", "journal"}) {
    const auto names = files_.list(path_of(name));
    if (!names) return tl::unexpected(names.error());
    if (names->empty()) continue;
    return tampered(fmt::format("there is no checkpoint, but {} has files", path_of(name)));
  }
  return std::string();
}

Status LogWriter::load_edge(std::uint64_t size) {
  TileReader reader(files_, options_.folder, size);
  std::vector<Hash> peaks;
  for (const Subtree& subtree : cover(size)) {
    auto hash = reader.subtree(subtree);
    if (!hash) return judged(hash.error());
    peaks.push_back(*hash);
  }
  tree_ = Frontier(size, std::move(peaks));
  edge_ = {};
  for (unsigned level = 0; level < kTileLevels; ++level) {
    const std::uint64_t hashes = size >> (8 * level);
    if (hashes % kTileWidth == 0) continue;
    auto tile = reader.tile(level, hashes / kTileWidth);
    if (!tile) return judged(tile.error());
    edge_.hashes[level] = std::move(*tile);
  }
  if (size % kTileWidth == 0) return {};
  std::uint64_t count = 0;
  const auto bundle = reader.bundle(size / kTileWidth, &count);
  if (!bundle) return judged(bundle.error());
  const auto entries = split_bundle(*bundle, count);
  if (!entries) return judged(entries.error());
  for (std::size_t i = 0; i < entries->size(); ++i) {
    if (leaf_hash((*entries)[i]) != edge_.hashes[0][i]) {
      return tampered(fmt::format("entry {} is not the one in the tree", size - count + i));
    }
    edge_.entries.emplace_back((*entries)[i]);
  }
  return {};
}

Status LogWriter::load_sealed(std::uint64_t size) {
  edge_.sealed.assign(size % kTileWidth, {});
  if (edge_.sealed.empty()) return {};
  const auto bytes = files_.read(path_of(personal_path(size / kTileWidth)), kTileWidth * (kEntryBytesMax + 2));
  if (!bytes && bytes.error().code != ErrorCode::not_found) return tl::unexpected(bytes.error());
  if (bytes) edge_.sealed = split_sealed(*bytes, size % kTileWidth);
  return {};
}

Status LogWriter::replay_journal() {
  const auto names = files_.list(path_of("journal"));
  if (!names) return tl::unexpected(names.error());
  std::vector<std::string> segments;
  for (const std::string& name : *names) {
    if (first_of_segment(name)) segments.push_back(name);
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    // All of it is published when the next begins there or before.
    if (i + 1 < segments.size() && *first_of_segment(segments[i + 1]) <= published_) continue;
    if (Status replayed = replay_segment(segments[i]); !replayed) return replayed;
  }
  return {};
}

Status LogWriter::replay_segment(const std::string& name) {
  const auto bytes = files_.read(path_of("journal/" + name), kSegmentBytesMax + 2 * kBatchBytesMax);
  if (!bytes) return judged(bytes.error());
  std::string_view rest = *bytes;
  for (;;) {
    auto batch = take_batch(rest);
    if (!batch) return judged(batch.error());
    if (!*batch) return {};
    const std::uint64_t first = (*batch)->first, end = first + (*batch)->entries.size();
    if (end <= published_) continue;
    if (first != tree_.size()) {
      return tampered(fmt::format("its journal goes on with entry {} instead of {}", first, tree_.size()));
    }
    for (std::size_t i = 0; i < (*batch)->entries.size(); ++i) {
      const std::string_view leaf = (*batch)->entries[i];
      pending_.push_back({std::string(leaf), std::string((*batch)->sealed[i]), leaf_hash(leaf)});
      tree_.append(pending_.back().hash);
      for (const Expected& expected : expected_) {
        if (expected.size != tree_.size() || expected.root == tree_.root()) continue;
        return tampered(fmt::format("it is another log than the one whose checkpoint of {} entries is kept at {}",
                                    expected.size, expected.where));
      }
    }
    const auto signed_ = verifier_.open((*batch)->note);
    if (!signed_) return judged(signed_.error());
    if (*signed_ != Checkpoint{signer_.name(), tree_.size(), tree_.root()}) {
      return tampered(fmt::format("the batch from entry {} on is not what was signed", first));
    }
  }
}

// Those of before the checkpoint are judged by its tiles, the others as the journal is read.
Status LogWriter::expect_seen() {
  expected_.clear();
  TileReader reader(files_, options_.folder, published_);
  for (const SeenCheckpoint& seen : options_.seen) {
    auto checkpoint = verifier_.open(seen.note);
    if (!checkpoint) {
      return fail(ErrorCode::denied,
                  fmt::format("{} holds no checkpoint of this audit log: {}", seen.where, checkpoint.error().message));
    }
    if (checkpoint->size <= published_) {
      const auto root = root_at(checkpoint->size, reader.reader());
      if (!root) return judged(root.error());
      if (*root != checkpoint->root) {
        return tampered(fmt::format("it is another log than the one whose checkpoint of {} entries is kept at {}",
                                    checkpoint->size, seen.where));
      }
    }
    expected_.push_back({checkpoint->size, checkpoint->root, seen.where});
  }
  return {};
}

Status LogWriter::check_expected() {
  for (const Expected& expected : expected_) {
    if (expected.size <= tree_.size()) continue;
    return tampered(
        fmt::format("it has {} entries, and the checkpoint kept at {} says that it had {}: it was rolled back",
                    tree_.size(), expected.where, expected.size));
  }
  return {};
}

}  // namespace gatehouse::audit
