#include "audit/audit_log.h"

#include <gtest/gtest.h>

#include <future>

#include "audit/files_testing.h"
#include "audit/log_reader.h"
#include "audit/verify.h"
#include "base/temp_dir.h"

namespace gatehouse::audit {
namespace {

using namespace std::chrono_literals;

const NoteSigner& key() {
  static const NoteSigner signer = NoteSigner::generate();
  return signer;
}

Entry some(std::string_view action) {
  Entry entry;
  entry.actor = "system";
  entry.action = action;
  return entry;
}

Result<std::unique_ptr<AuditLog>> start(Files& files, const std::string& folder, AuditLog::Options options = {}) {
  options.log.folder = folder;
  auto log =
      AuditLog::open(files, std::move(options), key(), SecretBytes(std::string(32, 'p')), SystemClock::instance());
  if (log) (*log)->start();
  return log;
}

VerifyReport report_of(const Files& files, const std::string& folder) {
  return verify_log(files, folder, *NoteVerifier::parse(key().vkey()));
}

TEST(AuditLog, ManyThreadsAndEveryAnswerIsKept) {
  TempDir dir;
  auto log = start(system_files(), dir / "log");
  ASSERT_TRUE(log) << log.error().message;
  constexpr int kThreads = 8, kEach = 200;
  std::vector<std::thread> threads;
  std::atomic<int> durable{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        if (i % 10 == 0) {
          durable += (*log)->append_and_wait(some("waited")).has_value() ? 1 : 0;
        } else {
          (*log)->tell(some("told"));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(durable, kThreads * kEach / 10);
  (*log)->stop();
  const auto report = report_of(system_files(), dir / "log");
  EXPECT_EQ(report.verdict, Verdict::verified) << report.reason;
  EXPECT_EQ(report.checkpoint.size, static_cast<std::uint64_t>(kThreads * kEach));
  EXPECT_EQ(report.journal, 0u) << "what is there is published at the end";
  EXPECT_FALSE((*log)->append_and_wait(some("too late")));
}

TEST(AuditLog, CheckpointsArePublishedInTime) {
  TempDir dir;
  std::promise<std::string> published;
  auto log = start(system_files(), dir / "log",
                   {.log = {},
                    .checkpoint_interval = 20ms,
                    .published = [&published, once = false](const std::string& note) mutable {
                      if (!std::exchange(once, true)) published.set_value(note);
                    }});
  ASSERT_TRUE((*log)->append_and_wait(some("act")));
  auto note = published.get_future();
  ASSERT_EQ(note.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(parse_checkpoint(note.get())->size, 1u);
}

// Nothing can be written: who waits is refused, who tells is counted; and the count is an entry once it goes on.
TEST(AuditLog, AFullDiskIsToldAndThenTheCountIsAnEntry) {
  MemoryFiles files;
  auto log = start(files, "log", {.log = {}, .checkpoint_interval = 10ms});
  ASSERT_TRUE((*log)->append_and_wait(some("before")));
  files.set_full(true);
  EXPECT_FALSE((*log)->append_and_wait(some("refused")));
  for (int i = 0; i < 4; ++i) (*log)->tell(some("lost"));
  EXPECT_FALSE((*log)->append_and_wait(some("refused")));
  EXPECT_FALSE((*log)->state().trouble.empty());
  files.set_full(false);
  ASSERT_TRUE((*log)->append_and_wait(some("after")));
  (*log)->stop();
  EXPECT_TRUE((*log)->state().trouble.empty());
  const auto report = report_of(files, "log");
  EXPECT_EQ(report.verdict, Verdict::verified) << report.reason;
  const auto all = read_entries(files, "log", 0, 100);
  ASSERT_TRUE(all);
  std::string text;
  for (const std::string& entry : all->entries) text += entry + "\n";
  EXPECT_NE(text.find("\"action\":\"after\""), std::string::npos);
  EXPECT_NE(text.find(R"("action":"audit.dropped","actor":"system","details":{"entries":"6"})"), std::string::npos)
      << text;
}

TEST(AuditLog, ALogThatWasChangedIsNotOpenedAndABusyDiskIsWaitedFor) {
  MemoryFiles files;
  {
    auto log = start(files, "log");
    ASSERT_TRUE((*log)->append_and_wait(some("act")));
  }
  const auto good = files.snapshot();
  auto bad = good;
  bad["log/tile/entries/000.p/1"][5] ^= 1;
  files.restore(bad);
  auto refused = start(files, "log");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the audit log has been changed: entry 0 is not the one in the tree");
  files.restore(good);
  files.set_full(true);
  auto later = start(files, "log");
  ASSERT_TRUE(later) << "requests go on, whatever the disk says";
  EXPECT_FALSE((*later)->append_and_wait(some("refused")));
  files.set_full(false);
  EXPECT_TRUE((*later)->append_and_wait(some("act")));
}

// What only tells fills half of the queue; who must be recorded finds the other half.
TEST(AuditLog, AFloodLeavesRoomForActs) {
  MemoryFiles files;
  AuditLog::Options options;
  options.log.folder = "log";
  auto log =
      AuditLog::open(files, std::move(options), key(), SecretBytes(std::string(32, 'p')), SystemClock::instance());
  ASSERT_TRUE(log);
  for (std::size_t i = 0; i < AuditLog::kQueueMax; ++i) (*log)->tell(some("flood"));
  EXPECT_EQ((*log)->state().dropped, AuditLog::kQueueMax / 2);
  std::promise<bool> durable;
  ASSERT_TRUE((*log)->append(some("act"), [&durable](const Status& status) { durable.set_value(status.has_value()); }));
  (*log)->start();
  EXPECT_TRUE(durable.get_future().get());
}

}  // namespace
}  // namespace gatehouse::audit
