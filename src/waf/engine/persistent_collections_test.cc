#include "waf/engine/persistent_collections.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace gatehouse::waf {
namespace {

using std::chrono::seconds;
using Kind = SetVar::Kind;
using Record = PersistentCollections::Record;

constexpr seconds kHour{3600};

struct Table {
  explicit Table(const MemoryCollections::Limits& limits = {}) : kept(clock, limits) {}
  Record read(std::string_view key) {
    Record record;
    kept.read(key, record);
    return record;
  }
  Record change(std::string_view key, Kind kind, std::string_view name, std::string_view by, seconds timeout = kHour,
                NamedBy named_by = NamedBy::rule) {
    Record record;
    kept.change(key, kind, name, named_by, by, timeout, record);
    return record;
  }
  Record expire(std::string_view key, std::string_view name, seconds after) {
    Record record;
    kept.expire(key, name, after, record);
    return record;
  }
  FakeClock clock;
  MemoryCollections kept;
};

TEST(PersistentCollections, AChangeTellsWhatTheRecordIsThen) {
  Table table;
  EXPECT_EQ(table.read("a"), Record{});
  EXPECT_EQ(table.change("a", Kind::add, "n", "1"), (Record{{"n", "1"}}));
  EXPECT_EQ(table.change("a", Kind::add, "n", "41"), (Record{{"n", "42"}}));
  EXPECT_EQ(table.change("a", Kind::subtract, "n", "50"), (Record{{"n", "-8"}}));
  EXPECT_EQ(table.change("a", Kind::set, "text", "x"), (Record{{"n", "-8"}, {"text", "x"}}));
  EXPECT_EQ(table.change("b", Kind::add, "n", "7"), (Record{{"n", "7"}}));
  EXPECT_EQ(table.read("a"), (Record{{"n", "-8"}, {"text", "x"}}));
  EXPECT_EQ(table.change("a", Kind::unset, "n", ""), (Record{{"text", "x"}}));
  EXPECT_EQ(table.change("a", Kind::unset, "nothing", ""), (Record{{"text", "x"}}));
  EXPECT_EQ(table.change("a", Kind::unset, "text", ""), Record{});
  EXPECT_EQ(table.change("c", Kind::unset, "nothing", ""), Record{});
  EXPECT_EQ(table.kept.statistics().records, 1u);  // b: what is empty is not kept
  EXPECT_EQ(table.change("b", Kind::add, "n", "9223372036854775807"), (Record{{"n", "9223372036854775807"}}));
}

TEST(PersistentCollections, AVariableEndsByItself) {
  Table table;
  table.change("a", Kind::set, "flag", "1");
  table.change("a", Kind::set, "rest", "1");
  EXPECT_EQ(table.expire("a", "flag", seconds(60)).size(), 2u);
  EXPECT_EQ(table.expire("a", "nothing", seconds(1)).size(), 2u);
  EXPECT_EQ(table.expire("nobody", "flag", seconds(1)).size(), 0u);
  table.clock.advance(seconds(59));
  EXPECT_EQ(table.change("a", Kind::set, "flag", "2"),
            (Record{{"flag", "2"}, {"rest", "1"}}));  // does not move the end
  table.clock.advance(seconds(1));
  EXPECT_EQ(table.read("a"), (Record{{"rest", "1"}}));
  EXPECT_EQ(table.change("a", Kind::add, "flag", "1"), (Record{{"rest", "1"}, {"flag", "1"}}));  // a new one, no end
  table.clock.advance(seconds(3599));
  EXPECT_EQ(table.read("a").size(), 2u);
  EXPECT_EQ(table.expire("a", "flag", seconds(0)), (Record{{"rest", "1"}}));
  EXPECT_EQ(table.expire("a", "rest", seconds(-5)), Record{});
  EXPECT_EQ(table.kept.statistics().records, 0u);
  EXPECT_EQ(table.kept.statistics().bytes, 0u);
  table.change("a", Kind::set, "flag", "1");
  EXPECT_EQ(table.expire("a", "flag", seconds(INT64_MAX)).size(), 1u);  // no overflow into the past
}

TEST(PersistentCollections, ARecordEndsWhenNothingChangesInIt) {
  Table table;
  table.change("a", Kind::add, "n", "1", seconds(100));
  table.clock.advance(seconds(99));
  EXPECT_EQ(table.read("a").size(), 1u);  // reading keeps nothing alive
  table.clock.advance(seconds(1));
  EXPECT_EQ(table.read("a").size(), 0u);
  EXPECT_EQ(table.change("a", Kind::add, "n", "1", seconds(100)), (Record{{"n", "1"}}));
  table.clock.advance(seconds(99));
  EXPECT_EQ(table.change("a", Kind::add, "n", "1", seconds(100)), (Record{{"n", "2"}}));
  table.clock.advance(seconds(99));
  EXPECT_EQ(table.read("a").size(), 1u);
}

TEST(PersistentCollections, EndedRecordsGoWithChangesToOthers) {
  Table table;
  for (int i = 0; i < 20'000; ++i) table.change(std::to_string(i), Kind::add, "n", "1", seconds(10));
  EXPECT_EQ(table.kept.statistics().records, 20'000u);
  table.clock.advance(seconds(10));
  for (int i = 0; i < 20'000; ++i) table.change("x" + std::to_string(i), Kind::add, "n", "1", seconds(10));
  EXPECT_LT(table.kept.statistics().records, 20'100u);
  EXPECT_EQ(table.kept.statistics().evicted, 0u);
}

TEST(PersistentCollections, AFloodOfKeysPushesOutTheOldest) {
  Table table({.records_max = 64 * 16, .bytes_max = 1 << 30});
  table.change("watched", Kind::set, "blocked", "1");
  for (int i = 0; i < 100'000; ++i) {
    table.change("flood" + std::to_string(i), Kind::add, "n", "1");
    if (i % 50 == 0) table.change("busy", Kind::add, "n", "1");  // what is used stays
    if (i % 50 == 1) table.read("watched");
  }
  const MemoryCollections::Statistics statistics = table.kept.statistics();
  EXPECT_LE(statistics.records, 64u * 16);
  EXPECT_GE(statistics.records, 64u * 15);
  EXPECT_EQ(statistics.evicted, 100'002 - statistics.records);
  EXPECT_EQ(table.read("busy"), (Record{{"n", "2000"}}));
  EXPECT_EQ(table.read("watched"), (Record{{"blocked", "1"}}));
  EXPECT_EQ(table.read("flood0"), Record{});
  EXPECT_EQ(table.read("flood99999").size(), 1u);
}

TEST(PersistentCollections, ARecordAndTheWholeAreBoundedInBytes) {
  Table table({.records_max = 1 << 20, .bytes_max = 1 << 20});
  const std::string large(4096, 'v');
  for (int i = 0; i < 5000; ++i) table.change("k" + std::to_string(i), Kind::set, "v", large);
  EXPECT_LE(table.kept.statistics().bytes, 1u << 20);
  EXPECT_GT(table.kept.statistics().records, 100u);
  for (int i = 0; i < 10; ++i) table.change("one", Kind::set, "v" + std::to_string(i), large);
  EXPECT_EQ(table.read("one"), (Record{{"v7", large}, {"v8", large}, {"v9", large}}));
  EXPECT_EQ(table.kept.statistics().variables_evicted, 7u);
  EXPECT_EQ(table.change("one", Kind::set, "v7", "small")[0].value, "small");
  EXPECT_EQ(table.kept.statistics().refused, 0u);
  EXPECT_EQ(table.change("one", Kind::set, "v7", std::string(20'000, 'v'))[0].value, "small");  // as it was
  EXPECT_EQ(table.kept.statistics().refused, 1u);
  EXPECT_EQ(table.change("new", Kind::set, "v", std::string(20'000, 'v')), Record{});
}

// A client that chooses the names of variables does not thereby keep the rules from setting theirs.
TEST(PersistentCollections, AFullRecordTakesWhatIsNew) {
  Table table;
  table.change("ip", Kind::add, "attempts", "1");
  for (int i = 0; i < 200; ++i) {
    table.change("ip", Kind::set, "argument" + std::to_string(i), "1");
    if (i % 50 == 0) table.change("ip", Kind::add, "attempts", "1");  // what is set time and again stays
  }
  const Record full = table.change("ip", Kind::set, "blocked", "1");
  EXPECT_EQ(full.size(), MemoryCollections::kVariablesMax);
  EXPECT_EQ(full.back(), (KeptVariable{"blocked", "1"}));
  EXPECT_EQ(full.front(), (KeptVariable{"attempts", "5"}));
  EXPECT_EQ(full[1].name, "argument138");
  EXPECT_EQ(table.kept.statistics().variables_evicted, 202 - MemoryCollections::kVariablesMax);
}

// What a request named goes before what a rule did, however long ago the latter was set.
TEST(PersistentCollections, NoClientPushesOutWhatRulesName) {
  Table table;
  const auto by_request = [&](const std::string& name, std::string_view value) {
    return table.change("ip", Kind::set, name, value, kHour, NamedBy::request);
  };
  table.change("ip", Kind::add, "attempts", "1");
  by_request("was", "1");
  table.change("ip", Kind::set, "was", "2");  // now a rule's
  for (int i = 0; i < 200; ++i) by_request("argument" + std::to_string(i), "1");
  for (int i = 0; i < 20; ++i) by_request("large" + std::to_string(i), std::string(4000, 'v'));
  Record record = by_request("attempts", "7");  // as the rules' authors would have it: it stays a rule's
  ASSERT_EQ(record.size(), 5u);
  EXPECT_EQ(record[0], (KeptVariable{"attempts", "7"}));
  EXPECT_EQ(record[1], (KeptVariable{"was", "2"}));
  EXPECT_EQ(record.back().name, "large19");
  for (std::size_t i = 0; i < MemoryCollections::kVariablesMax; ++i)
    record = table.change("ip", Kind::set, "rule" + std::to_string(i), "1");
  EXPECT_EQ(record.front().name, "rule0") << "of rules' own the oldest";
  EXPECT_EQ(by_request("one_more", "1"), record) << "they fill the record";
}

// Those that have ended go before any that has not.
TEST(PersistentCollections, AFullRecordForgetsWhatHasEndedFirst) {
  Table table;
  for (std::size_t i = 0; i < MemoryCollections::kVariablesMax; ++i)
    table.change("ip", Kind::set, "v" + std::to_string(i), "1");
  Record record;
  table.kept.expire("ip", "v9", seconds(10), record);
  table.clock.advance(seconds(11));
  EXPECT_EQ(table.change("ip", Kind::set, "new", "1").front().name, "v0");
  EXPECT_EQ(table.kept.statistics().variables_evicted, 0u);
  EXPECT_EQ(table.change("ip", Kind::set, "newer", "1").front().name, "v1");
}

TEST(PersistentCollections, AddsFromManyThreadsAreAllCounted) {
  Table table;
  constexpr int kThreads = 4, kAdds = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Record record;
      std::minstd_rand random(static_cast<unsigned>(t) + 1);
      for (int i = 0; i < kAdds; ++i) {
        table.kept.change("shared", Kind::add, "n", NamedBy::rule, "1", kHour, record);
        table.kept.change(std::to_string(random() % 5000), Kind::add, "n", NamedBy::rule, "1", seconds(1), record);
        if (i % 100 == 0) table.clock.advance(std::chrono::milliseconds(1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.read("shared"), (Record{{"n", std::to_string(kThreads * kAdds)}}));
}

// What is counted agrees with what is there, whatever happens in which order.
TEST(PersistentCollections, TheAccountsAreRight) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Table table({.records_max = 640, .bytes_max = 1 << 20});
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = std::to_string(random() % 2000), name = "v" + std::to_string(random() % 5);
    const auto kind = static_cast<Kind>(random() % 4);
    if (random() % 4 == 0) {
      table.expire(key, name, seconds(random() % 5));
    } else {
      table.change(key, kind, name, std::string(random() % 3000, '1'), seconds(random() % 8));
    }
    if (random() % 16 == 0) table.clock.advance(seconds(1));
  }
  EXPECT_LE(table.kept.statistics().records, 640u);
  std::uint64_t records = 0, texts = 0;
  for (int i = 0; i < 2000; ++i) {
    const Record record = table.read(std::to_string(i));
    records += !record.empty();
    for (const KeptVariable& variable : record) texts += variable.name.size() + variable.value.size();
  }
  EXPECT_EQ(table.kept.statistics().records, records);  // reading took away those that had ended
  EXPECT_GE(table.kept.statistics().bytes, texts);
  table.clock.advance(kHour);
  for (int i = 0; i < 2000; ++i) table.read(std::to_string(i));
  EXPECT_EQ(table.kept.statistics().records, 0u);
  EXPECT_EQ(table.kept.statistics().bytes, 0u);
}

}  // namespace
}  // namespace gatehouse::waf
