#include "telemetry/record_ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

std::string id_of(std::uint64_t number) {
  std::string id = std::to_string(number);
  return std::string(26 - id.size(), '0') + id;
}

// A line whose every byte follows from its number, so that a torn one shows.
std::string line_of(std::uint64_t number, std::size_t size) {
  const std::string id = id_of(number);
  std::string line;
  while (line.size() < size) line += id;
  line.resize(size);
  return line;
}

// The same behind the key that the ring reads.
std::string packed_line(const std::string& id, const std::string& line) {
  PackedKey key{};
  key.request_id = packed_id(id);
  key.bytes = static_cast<std::uint32_t>(sizeof key + line.size());
  return std::string(reinterpret_cast<const char*>(&key), sizeof key) + line;
}
std::string packed_line(std::uint64_t number, std::size_t size) {
  return packed_line(id_of(number), line_of(number, size));
}

DecisionRecord record_of(const std::string& id, Verdict verdict = Verdict::pass) {
  DecisionRecord record;
  record.request_id = id;
  record.verdict = verdict;
  return record;
}

TEST(RecordRing, FindsTheLatestAndForgetsTheOldest) {
  RecordRing ring(64 * 1024);
  constexpr int kCount = 1000;  // of 564 bytes: nine times the ring
  for (int i = 0; i < kCount; ++i) {
    const std::string id = id_of(i);
    ASSERT_TRUE(ring.add(packed_line(i, 500)));
    ASSERT_EQ(ring.find(id), packed_line(i, 500));
  }
  EXPECT_EQ(ring.find(id_of(0)), std::nullopt);
  EXPECT_EQ(ring.find("no such id"), std::nullopt);
  EXPECT_EQ(ring.find(""), std::nullopt);
  const auto recent = ring.recent(kCount, {});
  EXPECT_GT(recent.size(), 100u);
  EXPECT_LT(recent.size(), 120u);
  for (std::size_t i = 0; i < recent.size(); ++i) EXPECT_EQ(recent[i].bytes, packed_line(kCount - 1 - i, 500));
}

TEST(RecordRing, EverySizeOfLineComesBackWhole) {
  RecordRing ring(64 * 1024);
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string id = id_of(size);
    ASSERT_TRUE(ring.add(packed_line(size, size)));
    ASSERT_EQ(ring.find(id), packed_line(size, size));
  }
}

TEST(RecordRing, ALineTooLongIsNotKept) {
  RecordRing ring(64 * 1024);
  EXPECT_FALSE(ring.add(packed_line("big", std::string(17 * 1024, 'x'))));
  EXPECT_TRUE(ring.add(packed_line("ok", std::string(15 * 1024, 'x'))));
  EXPECT_EQ(ring.find("big"), std::nullopt);
  EXPECT_TRUE(ring.find("ok"));
}

TEST(RecordStore, AFloodOfOneKindKeepsTheOther) {
  RecordStore store(2, 128 * 1024);
  const std::string denied = id_of(1), passed = id_of(2);
  store.add(0, record_of(denied, Verdict::deny));
  for (int i = 10; i < 5000; ++i) store.add(0, record_of(id_of(i)));
  EXPECT_TRUE(store.find(denied));
  EXPECT_FALSE(store.find(id_of(10)));
  store.add(1, record_of(passed));
  for (int i = 5000; i < 10000; ++i) store.add(1, record_of(id_of(i), Verdict::deny));
  EXPECT_TRUE(store.find(passed));
}

TEST(RecordStore, WhatWasKeptIsTheAccessLogsLine) {
  RecordStore store(1);
  DecisionRecord record = sample_record();
  std::string line;
  append_json(record, line);
  store.add(0, record);
  EXPECT_EQ(store.find(record.request_id), line);
  EXPECT_EQ(store.recent(1, {}).at(0).json, line);
}

TEST(RecordStore, RecentMergesShardsAndFilters) {
  RecordStore store(2, 128 * 1024);
  const auto add = [&](std::size_t shard, int number, Verdict verdict, Layer layer, const char* client) {
    const std::string id = id_of(number);
    DecisionRecord record = record_of(id, verdict);
    record.layer = layer;
    record.client_ip = *IpAddress::parse(client);
    record.time = WallTime(std::chrono::seconds(number));
    store.add(shard, record);
  };
  add(0, 1, Verdict::pass, Layer::upstream, "192.0.2.1");
  add(1, 2, Verdict::deny, Layer::rate, "192.0.2.2");
  add(0, 3, Verdict::deny, Layer::waf, "192.0.2.1");
  add(1, 4, Verdict::pass, Layer::upstream, "2001:db8::1");
  const auto numbers = [&](std::size_t limit, const RecordFilter& filter) {
    std::string out;
    for (const auto& record : store.recent(limit, filter)) out += record.json[record.json.find("trace_id") - 4];
    return out;
  };
  EXPECT_EQ(numbers(10, {}), "4321");
  EXPECT_EQ(numbers(2, {}), "43");
  EXPECT_EQ(numbers(0, {}), "");
  EXPECT_EQ(numbers(10, {.verdict = Verdict::deny}), "32");
  EXPECT_EQ(numbers(10, {.layer = Layer::waf}), "3");
  EXPECT_EQ(numbers(10, {.client = Network::parse("192.0.2.1")}), "31");
  EXPECT_EQ(numbers(10, {.verdict = Verdict::pass, .client = Network::parse("2001:db8::/32")}), "4");
}

// Readers run while the ring turns over many times: what they get is always whole, or nothing.
TEST(RecordRing, ReadersNeverSeeATornLine) {
  RecordRing ring(64 * 1024);
  std::atomic<std::uint64_t> written{0};
  std::atomic<bool> done{false};
  std::atomic<std::size_t> seen{0};
  const auto read = [&] {
    std::uint64_t turn = 0;
    do {
      if (const std::uint64_t newest = written.load(); newest > 0) {
        const std::uint64_t number = newest - 1 - (++turn % std::min<std::uint64_t>(newest, 50));
        if (const auto line = ring.find(id_of(number))) {
          ASSERT_EQ(*line, packed_line(number, 100 + number % 700));
          ++seen;
        }
      }
      for (const auto& record : ring.recent(20, {})) {
        ASSERT_GE(record.bytes.size(), sizeof(PackedKey) + 26);
        const std::uint64_t number = std::stoull(record.bytes.substr(sizeof(PackedKey), 26));
        ASSERT_EQ(record.bytes, packed_line(number, 100 + number % 700));
        ++seen;
      }
    } while (!done.load());
  };
  std::thread first(read), second(read);
  for (std::uint64_t i = 0; i < 30000; ++i) {
    ring.add(packed_line(i, 100 + i % 700));
    written.store(i + 1);
  }
  done.store(true);
  first.join();
  second.join();
  EXPECT_GT(seen.load(), 0u);
}

}  // namespace
}  // namespace gatehouse::telemetry
