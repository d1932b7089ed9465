#include "telemetry/record_follower.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

std::string id_of(std::uint64_t number) {
  std::string id = std::to_string(number);
  return std::string(26 - id.size(), '0') + id;
}

DecisionRecord record_of(const std::string& id, Verdict verdict = Verdict::pass) {
  DecisionRecord record;
  record.request_id = id;
  record.verdict = verdict;
  record.status = verdict == Verdict::pass ? 200 : 403;
  return record;
}

struct Kept : RecordSink {
  bool all = true;
  std::vector<std::string> ids, lines;
  std::size_t flushes = 0;
  std::uint64_t lost = 0;
  bool wants(const PackedKey& key) noexcept override { return all || is_remarkable(key); }
  void take(const DecisionRecord& record) override {
    ids.emplace_back(record.request_id);
    std::string line;
    append_json(record, line);
    lines.push_back(std::move(line));
  }
  void flush() override { ++flushes; }
  void missed(std::uint64_t records) override { lost += records; }
};

TEST(RecordFollower, EverySinkGetsWhatItWantsOnce) {
  RecordStore records(2);
  Kept all, remarkable;
  remarkable.all = false;
  RecordFollower follower(records, {&all, &remarkable});
  EXPECT_EQ(follower.poll(), 0u);
  EXPECT_EQ(all.flushes, 0u);
  records.add(0, record_of(id_of(1)));
  records.add(1, record_of(id_of(2), Verdict::deny));
  records.add(1, record_of(id_of(3)));
  EXPECT_EQ(follower.poll(), 3u);
  EXPECT_EQ(std::set<std::string>(all.ids.begin(), all.ids.end()), (std::set{id_of(1), id_of(2), id_of(3)}));
  EXPECT_EQ(remarkable.ids, (std::vector{id_of(2)}));
  EXPECT_EQ(follower.poll(), 0u);
  records.add(0, record_of(id_of(4), Verdict::delay));
  EXPECT_EQ(follower.poll(), 1u);
  EXPECT_EQ(remarkable.ids, (std::vector{id_of(2), id_of(4)}));
  EXPECT_EQ(all.ids.size(), 4u);
  EXPECT_EQ(all.flushes, 2u);
  EXPECT_EQ(follower.missed(), 0u);
}

TEST(RecordFollower, ARecordArrivesAsItWas) {
  RecordStore records(1);
  Kept sink;
  RecordFollower follower(records, {&sink});
  const DecisionRecord record = sample_record();
  std::string line;
  append_json(record, line);
  records.add(0, record);
  ASSERT_EQ(follower.poll(), 1u);
  EXPECT_EQ(sink.lines, (std::vector{line}));
}

TEST(RecordFollower, WhatWasOverwrittenIsCountedAndTold) {
  RecordStore records(1, 256 * 1024);
  Kept sink;
  RecordFollower follower(records, {&sink});
  constexpr std::uint64_t kCount = 5000;
  for (std::uint64_t i = 0; i < kCount; ++i) records.add(0, record_of(id_of(i)));
  follower.poll();
  ASSERT_FALSE(sink.ids.empty());
  EXPECT_GT(sink.lost, 0u);
  EXPECT_EQ(sink.ids.size() + sink.lost, kCount);
  EXPECT_EQ(follower.missed(), sink.lost);
  for (std::size_t i = 0; i < sink.ids.size(); ++i) EXPECT_EQ(sink.ids[i], id_of(sink.lost + i));
}

TEST(RecordFollower, WhatIsRemarkable) {
  const auto key_of = [](const DecisionRecord& record) {
    std::vector<char> bytes(kPackedBytesMax);
    pack(record, bytes.data());
    PackedKey key;
    std::memcpy(&key, bytes.data(), sizeof key);
    return key;
  };
  EXPECT_FALSE(is_remarkable(key_of(record_of("a"))));
  EXPECT_TRUE(is_remarkable(key_of(record_of("a", Verdict::deny))));
  EXPECT_TRUE(is_remarkable(key_of(record_of("a", Verdict::delay))));
  DecisionRecord record = record_of("a");
  record.status = 503;
  EXPECT_TRUE(is_remarkable(key_of(record)));
  record.status = 0;
  EXPECT_TRUE(is_remarkable(key_of(record))) << "the client went away";
  record.status = 404;
  EXPECT_FALSE(is_remarkable(key_of(record)));
  record.add({.layer = Layer::rate, .verdict = Verdict::deny, .mode = Mode::monitor});
  EXPECT_EQ(record.verdict, Verdict::pass);
  EXPECT_TRUE(is_remarkable(key_of(record)));
  DecisionRecord matched = record_of("a");
  WafRecord waf;
  matched.waf = &waf;
  EXPECT_TRUE(is_remarkable(key_of(matched)));
}

TEST(RecordFollower, ASampleIsAsLargeAsItSays) {
  PackedKey key{};
  for (const std::uint32_t per_million : {0u, 10'000u, 250'000u, 1'000'000u}) {
    int chosen = 0;
    for (int i = 0; i < 100'000; ++i) {
      key.request_id = packed_id("01KB6V5XK2" + id_of(static_cast<std::uint64_t>(i)).substr(10));
      chosen += is_sampled(key, per_million);
    }
    EXPECT_NEAR(chosen, per_million / 10.0, 300) << per_million;
  }
}

// One thread writes as fast as it can, the other follows: each record comes whole, in order, once, or is counted.
TEST(RecordFollower, WhileAShardWrites) {
  RecordStore records(1, 1 << 20);
  Kept sink;
  RecordFollower follower(records, {&sink});
  follower.start();
  constexpr std::uint64_t kCount = 200'000;
  for (std::uint64_t i = 0; i < kCount; ++i) records.add(0, record_of(id_of(i)));
  follower.stop();
  while (follower.poll() > 0) {
  }
  EXPECT_EQ(sink.ids.size() + follower.missed(), kCount);
  for (std::size_t i = 1; i < sink.ids.size(); ++i) ASSERT_LT(sink.ids[i - 1], sink.ids[i]);
}

}  // namespace
}  // namespace gatehouse::telemetry
