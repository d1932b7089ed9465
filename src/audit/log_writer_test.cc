#include "audit/log_writer.h"

#include <gtest/gtest.h>

#include "audit/files_testing.h"
#include "audit/verify.h"
#include "base/temp_dir.h"
#include "codec/json.h"

namespace gatehouse::audit {
namespace {

const NoteSigner& key() {
  static const NoteSigner signer = NoteSigner::generate();
  return signer;
}
NoteSigner same_key() { return *NoteSigner::from_pkcs8(key().pkcs8()); }
NoteVerifier verifier() { return *NoteVerifier::parse(key().vkey()); }
SecretBytes personal_key() { return SecretBytes(std::string(32, 'p')); }

Entry entry_of(std::size_t number) {
  Entry entry;
  entry.kind = Entry::Kind::administration;
  entry.time = WallTime(std::chrono::seconds(1'750'000'000 + number));
  entry.actor = "user:" + std::to_string(number);
  entry.action = "test.act";
  entry.target = "thing:\"quoted\"\n\x1b[31m";
  entry.details = {{"zeta", "last"}, {"alpha", "first"}};
  if (number % 3 == 0) entry.personal = {{"client_ip", "203.0.113." + std::to_string(number % 256)}};
  return entry;
}

Result<std::unique_ptr<LogWriter>> open_log(Files& files, const std::string& folder = "log",
                                            std::vector<SeenCheckpoint> seen = {}) {
  return LogWriter::open(files, {folder, std::move(seen)}, same_key(), personal_key());
}

std::vector<Entry> entries_from(std::size_t first, std::size_t count) {
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < count; ++i) entries.push_back(entry_of(first + i));
  return entries;
}

TEST(LogWriter, WhatIsCommittedIsThereAndVerifies) {
  TempDir dir;
  const std::string folder = dir / "log";
  std::uint64_t size = 0;
  for (const std::size_t count : {1, 2, 252, 1, 1, 5, 65700}) {
    auto log = open_log(system_files(), folder);
    ASSERT_TRUE(log) << log.error().message;
    ASSERT_EQ((*log)->size(), size);
    for (std::size_t done = 0; done < count;) {
      const std::size_t now = std::min<std::size_t>(count - done, 5000);
      const auto first = (*log)->commit(entries_from(size, now));
      ASSERT_TRUE(first) << first.error().message;
      ASSERT_EQ(*first, size);
      size += now, done += now;
    }
    if (count == 5) continue;
    ASSERT_TRUE((*log)->publish());
  }
  const auto report = verify_log(system_files(), folder, verifier());
  ASSERT_EQ(report.verdict, Verdict::verified) << report.reason;
  EXPECT_EQ(report.checkpoint.size, size);
  TileReader reader(system_files(), folder, size);
  const auto leaf = reader.entry(65800);
  ASSERT_TRUE(leaf) << leaf.error().message;
  const auto json = codec::Json::parse(*leaf);
  EXPECT_EQ(json->find_string("actor"), "user:65800");
  EXPECT_EQ(json->find_string("target"), "thing:\"quoted\"  [31m");
  EXPECT_EQ(leaf->find("203.0.113"), std::string::npos);
  EXPECT_FALSE(system_files().read(folder + "/tile/0/000.p/1", 100000)) << "narrower ones go when it is full";
}

TEST(LogWriter, TwoWritersTakeTurns) {
  TempDir dir;
  auto one = open_log(system_files(), dir / "log");
  auto other = open_log(system_files(), dir / "log");
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_EQ(*(*(i % 3 == 0 ? one : other))->commit(entries_from(i, 1)), i);
  }
  const auto report = verify_log(system_files(), dir / "log", verifier());
  EXPECT_EQ(report.verdict, Verdict::verified) << report.reason;
  EXPECT_EQ(report.checkpoint.size + report.journal, 20u);
}

// One life of a log, with whatever fault is planned. How many entries were said to be durable, at the least and most.
struct Life {
  std::uint64_t acknowledged = 0;
  bool opened = false;
};
Life live(MemoryFiles& files) {
  Life life;
  auto log = open_log(files);
  if (!log) log = open_log(files);  // a service that is started again
  if (!log) return life;
  life.opened = true;
  life.acknowledged = (*log)->size();
  const std::size_t counts[] = {1, 254, 2, 1, 520, 2};
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    const auto first = (*log)->commit(entries_from(1000 + i, counts[i]));
    if (first) life.acknowledged = *first + counts[i];
    if (i % 2 == 1) (void)(*log)->publish();
  }
  return life;
}

void expect_whole(MemoryFiles& files, const Life& life, const std::string& what) {
  auto log = open_log(files);
  ASSERT_TRUE(log) << what << ": " << log.error().message;
  ASSERT_GE((*log)->size(), life.acknowledged) << what;
  const auto report = verify_log(files, "log", verifier());
  ASSERT_EQ(report.verdict, Verdict::verified) << what << ": " << report.reason;
  ASSERT_EQ(report.checkpoint.size, (*log)->size()) << what;
  ASSERT_TRUE((*log)->commit(entries_from(1, 3))) << what;
  ASSERT_TRUE((*log)->publish()) << what;
  ASSERT_EQ(verify_log(files, "log", verifier()).verdict, Verdict::verified) << what;
}

TEST(LogWriter, PowerGoesAtEveryCall) {
  MemoryFiles untouched;
  ASSERT_TRUE(live(untouched).opened);
  const std::size_t calls = untouched.calls();
  ASSERT_GT(calls, 100u);
  std::mt19937_64 random(20261129);
  for (std::size_t call = 1; call <= calls; ++call) {
    MemoryFiles files;
    files.plan(MemoryFiles::Fault::power, call);
    const Life life = live(files);
    files.crash(random);
    expect_whole(files, life, fmt::format("power at call {}", call));
    if (HasFatalFailure()) return;
  }
}

TEST(LogWriter, EveryCallFailsOnce) {
  MemoryFiles untouched;
  live(untouched);
  std::mt19937_64 random(20261130);
  for (std::size_t call = 1; call <= untouched.calls(); ++call) {
    MemoryFiles files;
    files.plan(MemoryFiles::Fault::fails, call);
    const Life life = live(files);
    ASSERT_TRUE(files.failed()) << call;
    ASSERT_TRUE(life.opened) << call;
    ASSERT_EQ(verify_log(files, "log", verifier()).verdict, Verdict::verified) << call;
    files.crash(random);
    expect_whole(files, life, fmt::format("a fault at call {}, then power", call));
    if (HasFatalFailure()) return;
  }
}

TEST(LogWriter, AFullDiskRefusesAndSpoilsNothing) {
  MemoryFiles files;
  auto log = open_log(files);
  ASSERT_TRUE((*log)->commit(entries_from(0, 10)));
  files.set_full(true);
  EXPECT_FALSE((*log)->commit(entries_from(10, 1)));
  EXPECT_FALSE((*log)->commit(entries_from(10, 1)));
  EXPECT_FALSE((*log)->publish());
  EXPECT_EQ(verify_log(files, "log", verifier()).verdict, Verdict::verified);
  files.set_full(false);
  ASSERT_EQ(*(*log)->commit(entries_from(10, 1)), 10u);
  ASSERT_TRUE((*log)->publish());
  EXPECT_EQ(verify_log(files, "log", verifier()).checkpoint.size, 11u);
}

TEST(LogWriter, AStartAgainstAnotherPastIsRefused) {
  MemoryFiles files;
  auto log = open_log(files);
  ASSERT_TRUE((*log)->commit(entries_from(0, 300)));
  const std::string early = *(*log)->publish();
  const auto backup = files.snapshot();
  ASSERT_TRUE((*log)->commit(entries_from(300, 300)));
  const std::string late = *(*log)->publish();
  ASSERT_TRUE(open_log(files, "log", {{"/elsewhere/early", early}, {"/elsewhere/late", late}}));

  files.restore(backup);
  auto rolled_back = open_log(files, "log", {{"/elsewhere/late", late}});
  ASSERT_FALSE(rolled_back);
  EXPECT_EQ(rolled_back.error().code, ErrorCode::denied);
  EXPECT_EQ(
      rolled_back.error().message,
      "the audit log has been changed: it has 300 entries, and the checkpoint kept at /elsewhere/late says that it "
      "had 600: it was rolled back");

  // Another history, signed by the same key.
  auto forked = open_log(files);
  ASSERT_TRUE((*forked)->commit(entries_from(7000, 400)));
  ASSERT_TRUE(open_log(files, "log", {{"/elsewhere/early", early}}));
  auto fork = open_log(files, "log", {{"/elsewhere/late", late}});
  ASSERT_FALSE(fork);
  EXPECT_EQ(fork.error().message,
            "the audit log has been changed: it is another log than the one whose checkpoint of 600 entries is kept at "
            "/elsewhere/late");
  EXPECT_EQ(verify_log(files, "log", verifier(), late).verdict, Verdict::tampered);
  EXPECT_EQ(verify_log(files, "log", verifier(), early).verdict, Verdict::verified);

  // A log begun anew beside an old checkpoint.
  MemoryFiles anew;
  EXPECT_EQ(open_log(anew, "log", {{"/elsewhere/early", early}}).error().code, ErrorCode::denied);
  auto other = LogWriter::open(anew, {"other", {{"/elsewhere/early", early}}}, NoteSigner::generate(), personal_key());
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("/elsewhere/early holds no checkpoint of this audit log"), std::string::npos);
}

TEST(LogWriter, PersonalValuesOpenAndAreErased) {
  MemoryFiles files;
  auto log = open_log(files);
  ASSERT_TRUE((*log)->commit(entries_from(0, 600)));
  const PersonalKey key_(personal_key(), key().name());
  const auto opening_of = [&](std::uint64_t index) -> Result<std::vector<Opening>> {
    const auto bytes = files.read("log/" + personal_path(index / kTileWidth), 10'000'000);
    if (!bytes) return tl::unexpected(bytes.error());
    return key_.open(index, split_sealed(*bytes, kTileWidth)[index % kTileWidth]);
  };
  ASSERT_TRUE((*log)->publish());
  for (const std::uint64_t index : {0, 3, 255, 258, 597}) {
    const auto openings = opening_of(index);
    ASSERT_TRUE(openings) << openings.error().message;
    ASSERT_EQ(openings->size(), 1u);
    const Opening& opening = openings->front();
    EXPECT_EQ(opening.value, "203.0.113." + std::to_string(index % 256));
    TileReader reader(files, "log", 600);
    const auto leaf = codec::Json::parse(*reader.entry(index));
    EXPECT_EQ(leaf->find("commitments")->find_string("client_ip"),
              commitment(opening.salt, opening.name, opening.value));
    ASSERT_TRUE((*log)->erase_personal(index));
    EXPECT_FALSE(opening_of(index));
  }
  EXPECT_TRUE(opening_of(6));
  ASSERT_TRUE((*log)->commit(entries_from(600, 2)));
  ASSERT_TRUE((*log)->publish());
  EXPECT_FALSE(opening_of(597)) << "what is erased stays so when its bundle grows";
  EXPECT_TRUE(opening_of(594));
  EXPECT_TRUE(opening_of(600));
  EXPECT_FALSE((*log)->erase_personal(602));
  EXPECT_EQ(verify_log(files, "log", verifier()).verdict, Verdict::verified);
}

// Every bit of small logs flipped in turn, every file cut, taken away, or put back from before.
TEST(LogWriter, WhateverIsChangedIsFound) {
  MemoryFiles files;
  auto log = open_log(files);
  ASSERT_TRUE((*log)->commit(entries_from(0, 3)));
  ASSERT_TRUE((*log)->publish());
  ASSERT_TRUE((*log)->commit(entries_from(3, 2)));
  ASSERT_TRUE((*log)->commit(entries_from(5, 1)));
  const auto good = files.snapshot();
  ASSERT_EQ(verify_log(files, "log", verifier()).verdict, Verdict::verified);
  std::size_t changes = 0;
  for (const auto& [path, bytes] : good) {
    if (path.find("personal") != std::string::npos) continue;
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
      auto changed = good;
      changed[path][at] = static_cast<char>(changed[path][at] ^ (1 << (at % 7)));
      files.restore(changed);
      const auto report = verify_log(files, "log", verifier());
      ++changes;
      if (path.find("journal") != std::string::npos && report.verdict == Verdict::verified) {
        // The last batch: no longer whole, so not there. Everything before it still is.
        ASSERT_EQ(report.journal, 2u) << path << ' ' << at;
        ASSERT_GT(report.unfinished, 0u);
        continue;
      }
      ASSERT_EQ(report.verdict, Verdict::tampered) << path << " at " << at;
      auto opened = open_log(files);
      ASSERT_FALSE(opened) << path << " at " << at;
      ASSERT_EQ(opened.error().code, ErrorCode::denied) << opened.error().message;
    }
    auto without = good;
    without.erase(path);
    files.restore(without);
    const auto report = verify_log(files, "log", verifier());
    if (path.find("journal") != std::string::npos) {
      EXPECT_EQ(report.journal, 0u);  // rolled back: only a checkpoint from elsewhere can tell
    } else {
      EXPECT_NE(report.verdict, Verdict::verified) << path;
    }
  }
  EXPECT_GT(changes, 1000u);
}

}  // namespace
}  // namespace gatehouse::audit
