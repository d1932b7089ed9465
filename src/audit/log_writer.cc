#include "audit/log_writer.h"

#include <algorithm>

#include "audit/journal.h"
#include "base/check.h"
#include "crypto/random.h"

namespace gatehouse::audit {
namespace {

constexpr std::string_view kCheckpoint = "checkpoint", kJournal = "journal/", kNew = ".new";
constexpr std::size_t kFoldersMax = 4096;
constexpr std::size_t kSyncEachMax = 8;  // files: beyond it, syncing all of the file system takes less time

NoteVerifier verifier_of(const NoteSigner& signer) {
  auto verifier = NoteVerifier::parse(signer.vkey());
  GH_CHECK(verifier.has_value());
  return std::move(*verifier);
}

}  // namespace

std::string personal_path(std::uint64_t bundle) {
  return "personal" + tile_path({}, bundle, kTileWidth).substr(std::string_view("tile/").size());
}

// The lock between processes, for as long as it lives.
class LogWriter::Turn {
 public:
  explicit Turn(LogWriter& writer) noexcept : writer_(writer), status_(writer.take_turn()) {}
  Turn(const Turn&) = delete;
  ~Turn() {
    if (writer_.lock_) writer_.lock_->unlock();
  }
  const Status& status() const noexcept { return status_; }

 private:
  LogWriter& writer_;
  const Status status_;
};

LogWriter::LogWriter(Files& files, Options options, NoteSigner signer, SecretBytes personal_key)
    : files_(files),
      options_(std::move(options)),
      signer_(std::move(signer)),
      verifier_(verifier_of(signer_)),
      personal_(std::move(personal_key), signer_.name()),
      mark_(crypto::random_token()) {}
LogWriter::~LogWriter() = default;

Result<std::unique_ptr<LogWriter>> LogWriter::open(Files& files, Options options, NoteSigner signer,
                                                   SecretBytes personal_key) {
  std::unique_ptr<LogWriter> writer(
      new LogWriter(files, std::move(options), std::move(signer), std::move(personal_key)));
  if (Status made = files.make_folder(writer->options_.folder); !made) return tl::unexpected(std::move(made.error()));
  const Turn turn(*writer);
  if (!turn.status()) return tl::unexpected(turn.status().error());
  return writer;
}

Status LogWriter::take_turn() {
  if (!lock_) {
    auto lock = files_.open_lock(path_of("lock"));
    if (!lock) return tl::unexpected(std::move(lock.error()));
    lock_ = std::move(*lock);
  }
  if (Status locked = lock_->lock(); !locked) return locked;
  const auto token = lock_->token();
  if (!token) return tl::unexpected(token.error());
  if (!broken_ && *token == mark_) return {};
  broken_ = true;
  if (Status loaded = reload(); !loaded) return loaded;
  if (Status marked = lock_->set_token(mark_); !marked) return marked;
  broken_ = false;
  return {};
}

Result<std::uint64_t> LogWriter::commit(std::span<const Entry> entries) {
  const Turn turn(*this);
  if (!turn.status()) return tl::unexpected(turn.status().error());
  if (segment_bytes_ >= kSegmentBytesMax) {
    if (auto published = write_out(); !published) return tl::unexpected(std::move(published.error()));
  }
  const std::uint64_t first = tree_.size();
  if (entries.empty()) return first;
  Frontier tree = tree_;
  std::vector<Pending> batch;
  batch.reserve(entries.size());
  std::string leaves, sealed;
  for (const Entry& entry : entries) {
    Recorded recorded = record_of(entry, tree.size(), personal_);
    const Hash hash = leaf_hash(recorded.leaf);
    tree.append(hash);
    append_item(leaves, recorded.leaf);
    append_item(sealed, recorded.sealed);
    batch.push_back({std::move(recorded.leaf), std::move(recorded.sealed), hash});
  }
  if (leaves.size() + sealed.size() > kBatchBytesMax) return fail(ErrorCode::exhausted, "a batch is too large");
  const std::string frame = frame_of(first, static_cast<std::uint32_t>(entries.size()), leaves, sealed,
                                     signer_.sign({signer_.name(), tree.size(), tree.root()}));
  Status durable = segment_->append(frame);
  if (durable) durable = segment_->sync();
  if (!durable) {
    broken_ = true;
    return tl::unexpected(std::move(durable.error()));
  }
  tree_ = std::move(tree);
  segment_bytes_ += frame.size();
  unpublished_bytes_ += frame.size();
  std::move(batch.begin(), batch.end(), std::back_inserter(pending_));
  return first;
}

Result<std::string> LogWriter::publish() {
  const Turn turn(*this);
  if (!turn.status()) return tl::unexpected(turn.status().error());
  if (pending_.empty()) return note_;
  return write_out();
}

// Everything pending into tiles, then the checkpoint, then a segment for what comes. Needs the turn.
Result<std::string> LogWriter::write_out() {
  broken_ = true;  // until it has gone well
  const std::uint64_t before = published_;
  written_.clear();
  touched_.clear();
  Status done;
  for (Pending& entry : pending_) {
    edge_.hashes[0].push_back(entry.hash);
    edge_.entries.push_back(std::move(entry.leaf));
    edge_.sealed.push_back(std::move(entry.sealed));
    ++published_;
    if (edge_.hashes[0].size() == kTileWidth) done = write_full_tiles(0);
    if (!done) return tl::unexpected(std::move(done.error()));
  }
  pending_.clear();
  done = write_edge(before);
  if (done) done = sync_written();
  if (!done) return tl::unexpected(std::move(done.error()));
  std::string note = signer_.sign({signer_.name(), tree_.size(), tree_.root()});
  // Also when it is what was read: it may have been renamed and never synced.
  done = replace_file(path_of(kCheckpoint), note);
  if (done) done = start_segment();
  for (unsigned level = 0; done && level < kTileLevels; ++level) {
    // A tile that was not full before has files for its widths.
    const std::uint64_t hashes = before >> (8 * level), index = hashes / kTileWidth;
    if (hashes % kTileWidth == 0 || tile_width(level, index, published_) < kTileWidth) continue;
    done = remove_partial(std::to_string(level), index);
    if (done && level == 0) done = remove_partial("entries", index);
  }
  if (!done) return tl::unexpected(std::move(done.error()));
  note_ = std::move(note);
  unpublished_bytes_ = 0;
  broken_ = false;
  return note_;
}

// The tile of `level` at the edge, and the next level's if that is full by it.
Status LogWriter::write_full_tiles(unsigned level) {
  if (level + 1 == kTileLevels) return fail(ErrorCode::exhausted, "the log is full");
  const std::uint64_t index = (published_ >> (8 * level)) / kTileWidth - 1;
  std::vector<Hash>& hashes = edge_.hashes[level];
  if (Status wrote = write_file(tile_path(std::to_string(level), index, kTileWidth), join_tile(hashes)); !wrote) {
    return wrote;
  }
  if (level == 0) {
    std::string bundle;
    for (const std::string& entry : edge_.entries) append_item(bundle, entry);
    if (Status wrote = write_file(tile_path("entries", index, kTileWidth), bundle); !wrote) return wrote;
    if (Status wrote = write_sealed(index, edge_.sealed); !wrote) return wrote;
    edge_.entries.clear();
    edge_.sealed.clear();
  }
  Frontier tile;
  for (const Hash& hash : hashes) tile.append(hash);
  hashes.clear();
  edge_.hashes[level + 1].push_back(tile.root());
  if (edge_.hashes[level + 1].size() < kTileWidth) return {};
  return write_full_tiles(level + 1);
}

// Tiles that are not full, where `before` had others.
Status LogWriter::write_edge(std::uint64_t before) {
  for (unsigned level = 0; level < kTileLevels; ++level) {
    const std::uint64_t hashes = published_ >> (8 * level), width = hashes % kTileWidth, index = hashes / kTileWidth;
    if (width == 0 || hashes == before >> (8 * level)) continue;
    Status wrote = write_file(tile_path(std::to_string(level), index, width), join_tile(edge_.hashes[level]));
    if (wrote && level == 0) {
      std::string bundle;
      for (const std::string& entry : edge_.entries) append_item(bundle, entry);
      wrote = write_file(tile_path("entries", index, width), bundle);
      if (wrote) wrote = write_sealed(index, edge_.sealed);
    }
    if (!wrote) return wrote;
  }
  return {};
}

// One file for a bundle, whatever its width: what is erased from it is to be nowhere else. It may hold more than the
// checkpoint says, after a crash. Renamed by sync_written, since what was there before must not be lost.
Status LogWriter::write_sealed(std::uint64_t index, const std::vector<std::string>& sealed) {
  if (std::all_of(sealed.begin(), sealed.end(), [](const std::string& item) { return item.empty(); })) return {};
  std::string bytes;
  for (const std::string& item : sealed) append_item(bytes, item);
  return write_file(personal_path(index) + std::string(kNew), bytes);
}

Status LogWriter::write_file(const std::string& path, std::string_view bytes) {
  if (Status made = make_folders_of(path); !made) return made;
  written_.push_back(path_of(path));
  return files_.write(written_.back(), bytes);
}

Status LogWriter::make_folders_of(const std::string& path) {
  if (known_.size() > kFoldersMax) known_.clear();
  std::size_t slash = 0;
  std::string above = options_.folder;
  while ((slash = path.find('/', slash)) != std::string::npos) {
    std::string folder = path_of(path.substr(0, slash));
    if (known_.insert(folder).second) {
      if (Status made = files_.make_folder(folder); !made) {
        known_.erase(folder);
        return made;
      }
      touched_.insert(above);
    }
    above = std::move(folder);
    ++slash;
  }
  touched_.insert(above);
  return {};
}

Status LogWriter::sync_written() {
  const bool many = written_.size() > kSyncEachMax;
  const auto sync = [this, many](const auto& paths, auto each) -> Status {
    if (many) return lock_->sync_all();
    for (const std::string& path : paths) {
      if (Status synced = (files_.*each)(path); !synced) return synced;
    }
    return {};
  };
  if (Status synced = sync(written_, &Files::sync); !synced) return synced;
  for (const std::string& path : written_) {
    if (!path.ends_with(kNew)) continue;
    if (Status renamed = files_.rename(path, path.substr(0, path.size() - kNew.size())); !renamed) return renamed;
  }
  return sync(touched_, &Files::sync_folder);
}

Status LogWriter::replace_file(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + std::string(kNew);
  Status done = files_.write(temporary, bytes);
  if (done) done = files_.sync(temporary);
  if (done) done = files_.rename(temporary, path);
  if (done) done = files_.sync_folder(path.substr(0, path.rfind('/')));
  return done;
}

Status LogWriter::start_segment() {
  const std::string name = segment_name(tree_.size()), folder = path_of("journal");
  auto segment = files_.create(path_of(kJournal) + name);
  if (!segment) return tl::unexpected(std::move(segment.error()));
  if (Status synced = files_.sync_folder(folder); !synced) return synced;
  segment_ = std::move(*segment);
  segment_bytes_ = 0;
  const auto names = files_.list(folder);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& other : *names) {
    if (other == name || !first_of_segment(other)) continue;
    if (Status removed = files_.remove(path_of(kJournal) + other); !removed) return removed;
  }
  return {};
}

Status LogWriter::remove_partial(std::string_view kind, std::uint64_t index) {
  const std::string folder = path_of(partial_folder(kind, index));
  const auto names = files_.list(folder);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) {
    if (Status removed = files_.remove(folder + "/" + name); !removed) return removed;
  }
  known_.erase(folder);
  return files_.remove(folder);
}

Status LogWriter::erase_personal(std::uint64_t index) {
  const Turn turn(*this);
  if (!turn.status()) return turn.status();
  if (index >= tree_.size()) return fail(ErrorCode::not_found, fmt::format("there is no entry {}", index));
  if (!pending_.empty()) {  // its journal goes by it
    if (auto published = write_out(); !published) return tl::unexpected(std::move(published.error()));
  }
  const std::uint64_t bundle = index / kTileWidth, count = tile_width(0, bundle, published_);
  const std::string path = path_of(personal_path(bundle));
  const auto bytes = files_.read(path, kTileWidth * (kEntryBytesMax + 2));
  if (!bytes && bytes.error().code == ErrorCode::not_found) return {};
  if (!bytes) return tl::unexpected(bytes.error());
  std::vector<std::string> items = split_sealed(*bytes, count);
  items[index % kTileWidth].clear();
  std::string left;
  for (const std::string& item : items) append_item(left, item);
  if (bundle == published_ / kTileWidth) edge_.sealed[index % kTileWidth].clear();
  Status done = replace_file(path, left);
  if (!done) broken_ = true;
  return done;
}

}  // namespace gatehouse::audit
