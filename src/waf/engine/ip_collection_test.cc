// Rules that count what a client does from one request to the next.

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "waf/differential/engine_under_test.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {
namespace {

using std::chrono::seconds;
using Ids = std::vector<std::uint64_t>;

// A shard, as far as rules are concerned.
class Client {
 public:
  Client(const Program& program, const Clock& clock, PersistentCollections* kept)
      : workspace_(program, nullptr), transaction_(workspace_, clock), kept_(kept) {}

  Ids ask(const std::string& target, const std::string& address = "192.0.2.1") {
    transaction_.begin({.collections = kept_});
    inspect(transaction_, *parse_raw_request("GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n\r\n"), nullptr,
            address);
    Ids ids;
    for (const FiredRule& fired : transaction_.fired()) ids.push_back(fired.id);
    return ids;
  }
  bool is_stopped() const { return transaction_.interruption() != nullptr; }
  std::string message_of(std::uint64_t id) const {
    for (const FiredRule& fired : transaction_.fired()) {
      if (fired.id == id) return fired.message;
    }
    return {};
  }

 private:
  Workspace workspace_;
  Transaction transaction_;
  PersistentCollections* kept_;
};

TEST(IpCollection, ARuleBlocksAfterSoManyRequestsAndLetsGoAgain) {
  const auto program = compile_rules({{"test.conf", R"(
SecCollectionTimeout 300
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.count=+1,setvar:tx.block_time=30"
SecRule IP:count "@gt 3" "id:2,phase:1,deny,status:429,log,msg:'%{ip.count} requests',setvar:ip.blocked=1,\
  expirevar:ip.blocked=%{tx.block_time}"
SecRule &IP:blocked "@eq 1" "id:3,phase:2,pass,log")"}});
  FakeClock clock;
  MemoryCollections kept(clock);
  Client one(*program, clock, &kept), other(*program, clock, &kept);
  EXPECT_EQ(one.ask("/"), (Ids{1}));
  EXPECT_EQ(other.ask("/"), (Ids{1}));
  EXPECT_EQ(one.ask("/"), (Ids{1}));
  EXPECT_EQ(one.ask("/", "2001:db8::1"), (Ids{1}));
  EXPECT_EQ(other.ask("/"), (Ids{1, 2}));
  EXPECT_EQ(other.message_of(2), "4 requests");
  EXPECT_TRUE(other.is_stopped());
  EXPECT_EQ(one.ask("/"), (Ids{1, 2}));
  Client reloaded(*program, clock, &kept);  // other rules, the same record
  EXPECT_EQ(reloaded.ask("/"), (Ids{1, 2}));
  PersistentCollections::Record record;
  clock.advance(seconds(29));
  kept.read("192.0.2.1", record);
  EXPECT_EQ(record, (PersistentCollections::Record{{"count", "6"}, {"blocked", "1"}}));
  clock.advance(seconds(1));
  kept.read("192.0.2.1", record);
  EXPECT_EQ(record, (PersistentCollections::Record{{"count", "6"}}));
  EXPECT_EQ(one.ask("/"), (Ids{1, 2}));
  clock.advance(seconds(300));
  EXPECT_EQ(one.ask("/"), (Ids{1}));
}

TEST(IpCollection, RequestsAtTheSameMomentAreAllCounted) {
  const auto program = compile_rules({{"test.conf", R"(
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.count=+1,setvar:tx.block_time=30"
SecRule IP:count "@gt 4000" "id:2,phase:1,deny,log")"}});
  MemoryCollections kept(SystemClock::instance());
  std::atomic<int> denied{0};
  std::vector<std::thread> shards;
  for (int i = 0; i < 4; ++i) {
    shards.emplace_back([&] {
      Client client(*program, SystemClock::instance(), &kept);
      for (int request = 0; request < 1500; ++request) denied += client.ask("/").size() == 2;
    });
  }
  for (std::thread& shard : shards) shard.join();
  EXPECT_EQ(denied, 2000);  // not one more or less
}

TEST(IpCollection, WithoutARecordOrAStoreThereIsNothing) {
  const auto program = compile_rules({{"test.conf", R"(
SecRule ARGS:init "@streq yes" "id:1,phase:1,pass,nolog,initcol:ip=%{ARGS.key}"
SecAction "id:2,phase:1,pass,nolog,setvar:ip.n=+1,expirevar:ip.n=5"
SecRule &IP "@gt 0" "id:3,phase:2,pass,log"
SecRule IP "@rx ." "id:4,phase:2,pass,log,msg:'%{ip.n}',setvar:!ip.n"
SecRule &IP:n "@eq 0" "id:5,phase:2,pass,log")"}});
  FakeClock clock;
  MemoryCollections kept(clock);
  Client client(*program, clock, &kept), without(*program, clock, nullptr);
  EXPECT_EQ(client.ask("/"), (Ids{2, 5}));
  EXPECT_EQ(client.ask("/?init=yes"), (Ids{1, 2, 5})) << "an empty key is none";
  EXPECT_EQ(client.ask("/?init=yes&key=a"), (Ids{1, 2, 3, 4, 5}));
  EXPECT_EQ(without.ask("/?init=yes&key=a"), (Ids{1, 2, 5}));
  EXPECT_EQ(kept.statistics().records, 0u);
}

// Rules 912100 to 912170 of the Core Rule Set 3, which count in phase 5 and drop in phase 1.
class CoreDosRules : public testing::Test {
 protected:
  static constexpr const char* kFolder = "/usr/share/modsecurity-crs/rules/";
  void SetUp() override {
    const std::string rules = std::string(kFolder) + "REQUEST-912-DOS-PROTECTION.conf";
    if (!std::filesystem::exists(rules)) GTEST_SKIP() << rules << " is not here";
    program_ = compile_rules({{"set-up.conf", R"(
SecAction "id:900700,phase:1,nolog,pass,t:none,setvar:'tx.dos_burst_time_slice=60',setvar:'tx.dos_counter_threshold=5',\
  setvar:'tx.dos_block_timeout=600'"
SecAction "id:900990,phase:1,nolog,pass,setvar:tx.crs_setup_version=334")"},
                              {std::string(kFolder) + "REQUEST-901-INITIALIZATION.conf", {}},
                              {rules, {}}});
    client_ = std::make_unique<Client>(*program_, clock_, &kept_);
  }
  bool is_dropped(const std::string& target = "/orders", const std::string& address = "192.0.2.1") {
    client_->ask(target, address);
    return client_->is_stopped();
  }

  FakeClock clock_;
  MemoryCollections kept_{clock_};
  std::unique_ptr<const Program> program_;
  std::unique_ptr<Client> client_;
};

TEST_F(CoreDosRules, TwoBurstsWithinAMinuteAreDroppedForAWhile) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(is_dropped()) << i;
  EXPECT_TRUE(is_dropped());
  EXPECT_EQ(client_->message_of(912120),
            "Denial of Service (DoS) attack identified from 192.0.2.1 (1 hits since last alert)");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_dropped()) << i;
  EXPECT_FALSE(is_dropped("/orders", "192.0.2.2"));
  clock_.advance(seconds(599));
  EXPECT_TRUE(is_dropped());
  clock_.advance(seconds(1));
  EXPECT_FALSE(is_dropped());
}

TEST_F(CoreDosRules, SlowClientsAndStaticFilesPass) {
  for (int burst = 0; burst < 10; ++burst) {
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(is_dropped());
    clock_.advance(seconds(60));
  }
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(is_dropped("/logo.png", "192.0.2.3"));
}

}  // namespace
}  // namespace gatehouse::waf
