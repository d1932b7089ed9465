#include "events/event_store.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "events/schema.h"
#include "store/database_testing.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::events {
namespace {

using store::BackEnd;
using telemetry::DecisionRecord;
using telemetry::Verdict;

std::string id_of(std::uint64_t number) {
  std::string id = std::to_string(number);
  return "01" + std::string(24 - id.size(), '0') + id;
}

class EventStoreTest : public testing::TestWithParam<BackEnd> {
 protected:
  void SetUp() override {
    site_ = store::make_site(GetParam());
    if (!site_) GTEST_SKIP() << "PostgreSQL is not installed here";
    database_ = store::value_of(store::open_database(site_->options()));
    keyring_ = store::value_of(secrets::Keyring::open(
        *database_, {secrets::RootKeySource::Kind::environment, {}, SecretBytes(std::string(42, 'k') + "g=")}, clock_));
    open();
  }
  void open(EventStoreOptions options = {}) {
    events_ = store::value_of(EventStore::open(*database_, *database_, *keyring_, options, clock_));
  }

  // A request at so many seconds, with what `change` makes of it.
  template <class Change>
  void add(int seconds, std::uint64_t number, Change change) {
    const std::string id = id_of(number);
    DecisionRecord record = telemetry::sample_record();
    record.request_id = id;
    record.time = clock_.wall() + std::chrono::seconds(seconds);
    change(record);
    std::string line;
    telemetry::append_json(record, line);
    ASSERT_TRUE(events_->add({record.time, EventKind::request, line}));
  }
  void add(int seconds, std::uint64_t number) {
    add(seconds, number, [](DecisionRecord&) {});
  }

  std::vector<std::string> found(const EventQuery& query) {
    const auto page = events_->search(query);
    EXPECT_TRUE(page) << page.error().message;
    std::vector<std::string> ids;
    for (const FoundEvent& event : page ? page->events : std::vector<FoundEvent>{}) {
      const std::size_t at = event.line.find("\"request_id\":\"");
      ids.push_back(at == std::string::npos ? event.line : event.line.substr(at + 14, 26));
    }
    return ids;
  }
  static EventQuery with(std::string name, std::string value) {
    EventQuery query;
    query.fields.emplace_back(std::move(name), std::move(value));
    return query;
  }
  static std::vector<std::string> ids(std::initializer_list<std::uint64_t> numbers) {
    std::vector<std::string> out;
    for (const std::uint64_t number : numbers) out.push_back(id_of(number));
    return out;
  }

  FakeClock clock_;
  std::unique_ptr<store::Site> site_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<secrets::Keyring> keyring_;
  std::unique_ptr<EventStore> events_;
};

TEST_P(EventStoreTest, WhatWasAddedIsFoundTheNewestFirst) {
  EXPECT_EQ(found({}), ids({}));
  add(2, 1);
  add(1, 2);
  add(3, 3);
  EXPECT_EQ(found({}), ids({})) << "it is not written yet";
  ASSERT_TRUE(events_->write_pending());
  EXPECT_EQ(found({}), ids({3, 1, 2}));
  add(0, 4);
  ASSERT_TRUE(events_->write_pending());
  EXPECT_EQ(found({}), ids({3, 1, 2, 4})) << "the block has grown";
  EXPECT_EQ(database_->run("SELECT id FROM event_blocks")->rows.size(), 1u);
  const auto one = events_->find(id_of(2));
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->time, clock_.wall() + std::chrono::seconds(1));
  EXPECT_FALSE(*events_->find(id_of(99)));
  EXPECT_EQ(events_->counters().requests, 4u);
}

TEST_P(EventStoreTest, AnotherProcessFindsThemAfterARestart) {
  add(1, 1);
  ASSERT_TRUE(events_->write_pending());
  events_.reset();
  open();
  EXPECT_EQ(found({}), ids({1}));
  add(2, 2);
  ASSERT_TRUE(events_->write_pending());
  EXPECT_EQ(found({}), ids({2, 1}));
  EXPECT_EQ(database_->run("SELECT id FROM event_keys")->rows.size(), 1u) << "of the same day";
  clock_.advance(EventKeys::kAgeMax);
  add(3, 3);
  ASSERT_TRUE(events_->write_pending());
  EXPECT_EQ(database_->run("SELECT id FROM event_keys")->rows.size(), 2u);
  EXPECT_EQ(found({}), ids({3, 2, 1}));
}

TEST_P(EventStoreTest, EveryFilter) {
  const auto waf = std::make_unique<telemetry::WafRecord>(telemetry::sample_waf());
  add(1, 1);
  add(2, 2, [](DecisionRecord& r) { r.user = "bob", r.route = "orders"; });
  add(3, 3, [&](DecisionRecord& r) {
    r.verdict = Verdict::deny, r.layer = telemetry::Layer::waf, r.reason = "waf.score", r.status = 403;
    r.waf = waf.get();
    r.client_ip = *IpAddress::parse("198.51.100.7");
  });
  add(4, 4, [](DecisionRecord& r) {
    r.status = 429, r.verdict = Verdict::deny, r.layer = telemetry::Layer::rate, r.reason = "rate.exceeded";
    r.client_ip = *IpAddress::parse("2001:db8::7");
    r.user = "a\"b\\c\n";
    r.path = "/search/UNION-select";
  });
  ASSERT_TRUE(
      events_->add({clock_.wall() + std::chrono::seconds(5), EventKind::act,
                    R"({"time":"","actor":"user:1","action":"login.password","target":"","outcome":"refused"})"}));
  ASSERT_TRUE(events_->write_pending());

  EXPECT_EQ(found(with("user", "bob")), ids({2}));
  EXPECT_EQ(found(with("user", "a\"b\\c\n")), ids({4}));
  EXPECT_EQ(found(with("user", "b")), ids({}));
  EXPECT_EQ(found(with("route", "orders")), ids({2}));
  EXPECT_EQ(found(with("service", "orders")), ids({4, 3, 2, 1}));
  EXPECT_EQ(found(with("verdict", "deny")), ids({4, 3}));
  EXPECT_EQ(found(with("layer", "waf")), ids({3})) << "that decided; others were only passed";
  EXPECT_EQ(found(with("layer", "rate")), ids({4}));
  EXPECT_EQ(found(with("reason", "waf.score")), ids({3}));
  EXPECT_EQ(found(with("status", "403")), ids({3}));
  EXPECT_EQ(found(with("status", "40")), ids({}));
  EXPECT_EQ(found(with("rule", "942100")), ids({3}));
  EXPECT_EQ(found(with("rule", "94210")), ids({}));
  EXPECT_EQ(found(with("client_ip", "198.51.100.7")), ids({3}));
  EXPECT_EQ(found(with("request_id", id_of(2))), ids({2}));
  EXPECT_EQ(found(with("action", "login.password")).size(), 1u);
  EXPECT_EQ(found(with("outcome", "ok")), ids({}));

  EventQuery query;
  query.client = Network::parse("198.51.100.0/24");
  EXPECT_EQ(found(query), ids({3}));
  query.client = Network::parse("2001:db8::7");
  EXPECT_EQ(found(query), ids({4}));
  query = {};
  query.text = "union SELECT";
  EXPECT_EQ(found(query), ids({4}));
  query.text = "unio";
  EXPECT_EQ(found(query), ids({})) << "words are whole";
  query = {};
  query.kind = EventKind::act;
  EXPECT_EQ(found(query).size(), 1u);
  query = with("verdict", "deny");
  query.from = clock_.wall() + std::chrono::seconds(4);
  EXPECT_EQ(found(query), ids({4}));
  query.from.reset();
  query.to = clock_.wall() + std::chrono::seconds(4);
  EXPECT_EQ(found(query), ids({3})) << "`to` itself is outside";
  query.fields.emplace_back("status", "403");
  EXPECT_EQ(found(query), ids({3}));

  EXPECT_FALSE(events_->search(with("password", "x")));
  EXPECT_FALSE(events_->search(with("status", "4xx")));
  EXPECT_FALSE(events_->search(with("status", "")));
  query = {};
  query.after = "nonsense";
  EXPECT_FALSE(events_->search(query));
}

// Times out of order, over several blocks, many in the same nanosecond: pages together are all events, once, in order.
TEST_P(EventStoreTest, PagesAreAllOfThemOnce) {
  std::multimap<std::int64_t, std::string, std::greater<>> expected;
  std::uint64_t seed = 7;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const int seconds = static_cast<int>(i / 10) + static_cast<int>(seed >> 60);
    add(seconds, i);
    expected.emplace(seconds, id_of(i));
    if (i % 700 == 0) {
      ASSERT_TRUE(events_->write_pending());
    }
  }
  ASSERT_TRUE(events_->write_pending());
  EXPECT_GT(database_->run("SELECT id FROM event_blocks")->rows.size(), 5u);
  for (const std::size_t limit : {7, 100, 1000}) {
    EventQuery query;
    query.limit = limit;
    std::vector<FoundEvent> all;
    std::set<std::string> lines;
    for (int pages = 0; pages < 1000; ++pages) {
      const auto page = events_->search(query);
      ASSERT_TRUE(page);
      EXPECT_LE(page->events.size(), limit);
      for (const FoundEvent& event : page->events) {
        if (!all.empty()) {
          EXPECT_LE(event.time, all.back().time);
        }
        all.push_back(event);
        EXPECT_TRUE(lines.insert(event.line).second) << event.line;
      }
      if (page->next.empty()) break;
      query.after = page->next;
    }
    EXPECT_EQ(all.size(), expected.size()) << limit;
  }
}

TEST_P(EventStoreTest, NothingIsReadableInTheStore) {
  add(1, 1, [](DecisionRecord& r) { r.user = "alice@shop.example", r.path = "/very/secret/path"; });
  ASSERT_TRUE(events_->write_pending());
  const auto rows = database_->run("SELECT id, key_id, filter, data FROM event_blocks");
  ASSERT_TRUE(rows);
  for (const auto& row : rows->rows) {
    for (const std::size_t column : {2, 3}) {
      EXPECT_EQ(row[column].bytes().find("alice"), std::string::npos);
      EXPECT_EQ(row[column].bytes().find("secret"), std::string::npos);
    }
  }
}

TEST_P(EventStoreTest, ABlockInAnothersPlaceDoesNotOpen) {
  for (std::uint64_t i = 0; i < 600; ++i) add(static_cast<int>(i), i);
  ASSERT_TRUE(events_->write_pending());
  const auto rows = database_->run("SELECT id, data, events FROM event_blocks ORDER BY since_ms");
  ASSERT_TRUE(rows && rows->rows.size() >= 2);
  ASSERT_TRUE(database_->run("UPDATE event_blocks SET data = $1 WHERE id = $2",
                             {store::Bytes{rows->rows[0][1].bytes()}, rows->rows[1][0].text()}));
  EventQuery query;
  query.limit = EventStore::kLimitMax;
  const auto page = events_->search(query);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->unreadable, 1u);
  EXPECT_EQ(page->events.size(), 600u - static_cast<std::size_t>(rows->rows[1][2].integer()));
}

TEST_P(EventStoreTest, OldOnesGo) {
  open({.age_max = std::chrono::hours(24), .bytes_max = 1 << 30});
  add(0, 1);
  ASSERT_TRUE(events_->write_pending());
  clock_.advance(std::chrono::hours(20));
  open({.age_max = std::chrono::hours(24), .bytes_max = 1 << 30});
  add(0, 2);
  ASSERT_TRUE(events_->write_pending());
  ASSERT_TRUE(events_->keep_bounds());
  EXPECT_EQ(found({}), ids({2, 1}));
  clock_.advance(std::chrono::hours(5));
  ASSERT_TRUE(events_->keep_bounds());
  EXPECT_EQ(found({}), ids({2}));
  clock_.advance(std::chrono::hours(24 * 4));
  ASSERT_TRUE(events_->keep_bounds());
  EXPECT_EQ(found({}), ids({}));
  EXPECT_TRUE(database_->run("SELECT id FROM event_keys")->rows.empty());
}

TEST_P(EventStoreTest, TheOldestGoWhereThereAreTooMany) {
  for (std::uint64_t i = 0; i < 5000; ++i)
    add(static_cast<int>(i / 10), i, [&](DecisionRecord& r) { r.bytes_in = i * 7919; });
  ASSERT_TRUE(events_->write_pending());
  const auto size = [&] {
    const auto sum = database_->run("SELECT CAST(SUM(size) AS BIGINT) FROM event_blocks");
    return static_cast<std::uint64_t>(sum->rows[0][0].integer());
  };
  const std::uint64_t before = size();
  open({.age_max = std::chrono::hours(24), .bytes_max = before / 2});
  ASSERT_TRUE(events_->keep_bounds());
  EXPECT_LE(size(), before / 2);
  EXPECT_GT(size(), before / 3);
  EXPECT_EQ(events_->counters().bytes, size());
  EventQuery query;
  query.limit = 1;
  EXPECT_EQ(found(query), ids({4999}));
  EXPECT_FALSE(*events_->find(id_of(0)));
}

// More blocks than one statement takes: all that is too much goes at once, and not a bounded number a minute.
TEST_P(EventStoreTest, HoweverManyAreTooMany) {
  constexpr int kBlocks = 1300;
  for (int i = 0; i < kBlocks; ++i) {
    ASSERT_TRUE(
        database_->run("INSERT INTO event_blocks (id, key_id, since_ms, until_ms, events, size, version, filter, data) "
                       "VALUES ($1, 'k', $2, $2, 1, 1000, 1, $3, $3)",
                       {"block" + std::to_string(i), milliseconds_of(clock_.wall()) + i, store::Bytes{"x"}}));
  }
  open({.age_max = std::chrono::hours(24), .bytes_max = 100'500});
  ASSERT_TRUE(events_->keep_bounds());
  const auto left = database_->run("SELECT id FROM event_blocks ORDER BY until_ms");
  ASSERT_EQ(left->rows.size(), 100u);
  EXPECT_EQ(left->rows[0][0].text(), "block1200") << "the newest are left";
  EXPECT_EQ(events_->counters().bytes, 100'000u);
}

// A clock of which every look is two seconds: a search comes to its end after one block, says how far it came, and
// the next page goes on from there. Together they are all events, once, in order.
TEST_P(EventStoreTest, ASearchThatRunsOutOfTimeGoesOn) {
  class HurriedClock final : public Clock {
   public:
    MonotonicTime now() const noexcept override { return MonotonicTime(std::chrono::seconds(2) * ++looks_); }
    WallTime wall() const noexcept override { return WallTime(std::chrono::seconds(1'750'000'000)); }

   private:
    mutable std::atomic<int> looks_{0};
  };
  constexpr std::uint64_t kCount = 4000;
  for (std::uint64_t i = 0; i < kCount; ++i) add(static_cast<int>(i), i);
  ASSERT_TRUE(events_->write_pending());
  const HurriedClock hurried;
  events_ = store::value_of(EventStore::open(*database_, *database_, *keyring_, {}, hurried));
  EventQuery query;
  query.limit = EventStore::kLimitMax;
  std::vector<FoundEvent> all;
  int partial = 0, pages = 0;
  for (;;) {
    const auto page = events_->search(query);
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_LT(++pages, 1000) << "it does not get on";
    for (const FoundEvent& event : page->events) {
      ASSERT_TRUE(all.empty() || event.time < all.back().time);
      if (page->searched_to) {
        EXPECT_GT(event.time, *page->searched_to) << "what is older was not looked at";
      }
      all.push_back(event);
    }
    partial += page->searched_to.has_value();
    if (page->next.empty()) break;
    query.after = page->next;
  }
  EXPECT_EQ(all.size(), kCount);
  EXPECT_GT(partial, 5);
}

TEST_P(EventStoreTest, WhatFindsNoRoomIsCounted) {
  std::string line = R"({"request_id":"x","path":")" + std::string(60'000, 'x') + "\"}";
  std::size_t taken = 0;
  while (events_->add({clock_.wall(), EventKind::request, line})) ++taken;
  EXPECT_GT(taken, 200u);
  EXPECT_LT(taken, 300u);
  EXPECT_EQ(events_->counters().dropped_full, 1u);
  ASSERT_TRUE(events_->write_pending());
  EXPECT_TRUE(events_->add({clock_.wall(), EventKind::request, line}));
  EXPECT_FALSE(events_->add({clock_.wall(), EventKind::request, std::string(200'000, 'x')}));
  EXPECT_EQ(events_->counters().dropped_long, 1u);
}

TEST_P(EventStoreTest, ItsThreadWritesAndAnothersSearch) {
  events_->start();
  std::thread searching([&] {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(events_->search({}));
  });
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    add(static_cast<int>(i / 100), i);
    if (i % 2000 == 0) std::this_thread::yield();
  }
  searching.join();
  events_->stop();
  EXPECT_EQ(events_->counters().requests, 20'000u);
  EXPECT_TRUE(*events_->find(id_of(0)));
  EXPECT_TRUE(*events_->find(id_of(19'999)));
}

INSTANTIATE_TEST_SUITE_P(BackEnds, EventStoreTest, testing::Values(BackEnd::sqlite, BackEnd::postgresql),
                         [](const auto& one) { return name_of(one.param); });

}  // namespace
}  // namespace gatehouse::events
