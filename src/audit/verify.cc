#include "audit/verify.h"

#include "audit/journal.h"
#include "audit/tiles.h"
#include "codec/json.h"

namespace gatehouse::audit {
namespace {

constexpr int kAttempts = 5;  // while somebody publishes

tl::unexpected<Error> wrong(std::string what) { return fail(ErrorCode::denied, std::move(what)); }

class Verification {
 public:
  Verification(const Files& files, const std::string& folder, const NoteVerifier& verifier)
      : files_(files), folder_(folder), verifier_(verifier) {}

  // ErrorCode::conflict: the log went on meanwhile.
  Status run(std::optional<std::string_view> since, VerifyReport& report);

 private:
  Status entries(TileReader& reader);
  Status tiles(TileReader& reader, unsigned level);
  Status against(const SubtreeReader& reader, std::string_view since, VerifyReport& report);
  Status journal(VerifyReport& report);
  Status segment(std::string_view bytes, VerifyReport& report);

  const Files& files_;
  const std::string& folder_;
  const NoteVerifier& verifier_;
  Frontier tree_;
  std::optional<Checkpoint> since_;  // ahead of the checkpoint: to be met in the journal
};

// A file that is not there, or not as it must be, is what somebody did.
tl::unexpected<Error> judged(Error error) {
  if (error.code == ErrorCode::not_found || error.code == ErrorCode::invalid || error.code == ErrorCode::exhausted) {
    error.code = ErrorCode::denied;
  }
  return tl::unexpected(std::move(error));
}

Status Verification::run(std::optional<std::string_view> since, VerifyReport& report) {
  const auto note = files_.read(folder_ + "/checkpoint", kNoteBytesMax);
  if (!note) return tl::unexpected(note.error());
  auto checkpoint = verifier_.open(*note);
  if (!checkpoint) return judged(std::move(checkpoint.error()).while_("checkpoint"));
  if (checkpoint->origin != verifier_.name()) return wrong("checkpoint: it is of " + checkpoint->origin);
  report.checkpoint = *checkpoint;

  TileReader reader(files_, folder_, checkpoint->size);
  if (Status good = entries(reader); !good) return good;
  for (unsigned level = 1; level < kTileLevels; ++level) {
    if (Status good = tiles(reader, level); !good) return good;
  }
  if (tree_.root() != checkpoint->root) return wrong("the tree's root is not the one that was signed");
  if (since) {
    if (Status good = against(reader.reader(), *since, report); !good) return good;
  }
  if (Status good = journal(report); !good) return good;
  if (since_) {
    return wrong(
        fmt::format("there are {} entries, and there were {}: the log was rolled back", tree_.size(), since_->size));
  }
  return {};
}

Status Verification::entries(TileReader& reader) {
  for (std::uint64_t index = 0; index * kTileWidth < reader.size(); ++index) {
    std::uint64_t count = 0;
    auto bundle = reader.bundle(index, &count);
    if (!bundle) return judged(std::move(bundle.error()));
    const auto items = split_bundle(*bundle, count);
    if (!items) return judged(Error(items.error()).while_(tile_path("entries", index, count)));
    auto hashes = reader.tile(0, index);
    if (!hashes) return judged(std::move(hashes.error()));
    for (std::size_t i = 0; i < items->size(); ++i) {
      const std::uint64_t place = index * kTileWidth + i;
      const Hash hash = leaf_hash((*items)[i]);
      if (hash != (*hashes)[i]) return wrong(fmt::format("entry {} is not the one in the tree", place));
      if (sequence_of((*items)[i]) != place)
        return wrong(fmt::format("entry {} is not of this place, or of its form", place));
      tree_.append(hash);
    }
  }
  return {};
}

// Each hash is the root of the tile below it.
Status Verification::tiles(TileReader& reader, unsigned level) {
  const std::uint64_t hashes = reader.size() >> (8 * level);
  for (std::uint64_t index = 0; index * kTileWidth < hashes; ++index) {
    auto tile = reader.tile(level, index);
    if (!tile) return judged(std::move(tile.error()));
    for (std::size_t i = 0; i < tile->size(); ++i) {
      const auto below = reader.tile(level - 1, index * kTileWidth + i);
      if (!below) return judged(Error(below.error()));
      Frontier root;
      for (const Hash& hash : *below) root.append(hash);
      if (root.root() == (*tile)[i]) continue;
      return wrong(
          fmt::format("{}: hash {} is not that of its tile", tile_path(std::to_string(level), index, tile->size()), i));
    }
  }
  return {};
}

Status Verification::against(const SubtreeReader& reader, std::string_view since, VerifyReport& report) {
  auto older = verifier_.open(since);
  if (!older) {
    // Not the log's fault: the operator named a file that is not one of its checkpoints.
    return fail(ErrorCode::invalid, "the checkpoint to compare with: " + older.error().message);
  }
  report.since = *older;
  if (older->size > report.checkpoint.size) {
    since_ = *older;
    return {};
  }
  auto root = root_at(older->size, reader);
  if (!root) return judged(std::move(root.error()));
  if (*root == older->root) return {};
  return wrong(
      fmt::format("the first {} entries are not those that were signed before: it is another log", older->size));
}

Status Verification::journal(VerifyReport& report) {
  const auto names = files_.list(folder_ + "/journal");
  if (!names) return tl::unexpected(names.error());
  std::vector<std::pair<std::uint64_t, std::string>> segments;
  for (const std::string& name : *names) {
    if (const auto first = first_of_segment(name)) segments.emplace_back(*first, name);
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i + 1 < segments.size() && segments[i + 1].first <= report.checkpoint.size) continue;
    const auto bytes = files_.read(folder_ + "/journal/" + segments[i].second, kSegmentBytesMax + 2 * kBatchBytesMax);
    if (!bytes && bytes.error().code == ErrorCode::not_found) return fail(ErrorCode::conflict, "it was published");
    if (!bytes) return judged(Error(bytes.error()));
    if (Status good = segment(*bytes, report); !good) return good;
  }
  return {};
}

Status Verification::segment(std::string_view rest, VerifyReport& report) {
  for (;;) {
    auto batch = take_batch(rest);
    if (!batch) return judged(std::move(batch.error()));
    if (!*batch) {
      report.unfinished = rest.size();
      return {};
    }
    const std::uint64_t first = (*batch)->first;
    if (first + (*batch)->entries.size() <= report.checkpoint.size) continue;
    if (first != tree_.size()) {
      return fail(first > tree_.size() ? ErrorCode::conflict : ErrorCode::denied,
                  fmt::format("the journal goes on with entry {} instead of {}", first, tree_.size()));
    }
    for (const std::string_view leaf : (*batch)->entries) {
      if (sequence_of(leaf) != tree_.size()) {
        return wrong(fmt::format("entry {} is not of this place, or of its form", tree_.size()));
      }
      tree_.append(leaf_hash(leaf));
      ++report.journal;
      if (!since_ || since_->size != tree_.size()) continue;
      if (since_->root != tree_.root()) {
        return wrong(
            fmt::format("the first {} entries are not those that were signed before: it is another log", since_->size));
      }
      since_.reset();
    }
    const auto checkpoint = verifier_.open((*batch)->note);
    if (!checkpoint) return judged(Error(checkpoint.error()).while_("journal"));
    if (*checkpoint != Checkpoint{verifier_.name(), tree_.size(), tree_.root()}) {
      return wrong(fmt::format("the batch from entry {} on is not what was signed", first));
    }
  }
}

}  // namespace

std::string_view name_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::verified: return "verified";
    case Verdict::tampered: return "tampered";
    case Verdict::unusable: return "unusable";
  }
  return "unusable";
}

namespace {

bool names_in_order(const codec::Json& object) {
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (i > 0 && object.name(i - 1) >= object.name(i)) return false;
    if (object.value(i).is_object() && !names_in_order(object.value(i))) return false;
  }
  return true;
}

}  // namespace

std::optional<std::uint64_t> sequence_of(std::string_view leaf) {
  const auto json = codec::Json::parse(leaf, {.bytes_max = kEntryBytesMax, .depth_max = 2, .values_max = 256});
  if (!json || !json->is_object() || !names_in_order(*json)) return std::nullopt;
  const codec::Json* sequence = json->find("sequence");
  const auto number = sequence ? sequence->integer() : std::nullopt;
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

VerifyReport verify_log(const Files& files, const std::string& folder, const NoteVerifier& verifier,
                        std::optional<std::string_view> since) {
  VerifyReport report;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    report = {};
    Status good = Verification(files, folder, verifier).run(since, report);
    if (good) return report;
    report.reason = good.error().message;
    report.verdict = good.error().code == ErrorCode::denied || good.error().code == ErrorCode::conflict
                         ? Verdict::tampered
                         : Verdict::unusable;
    if (good.error().code != ErrorCode::conflict) return report;
  }
  return report;
}

}  // namespace gatehouse::audit
