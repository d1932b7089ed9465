// Rules that count what a client does from one request to the next.

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
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

TEST(IpCollection, AClientDoesNotPushOutItsOwnCounter) {
  const auto program = compile_rules({{"test.conf", R"(
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}"
SecRule REQUEST_FILENAME "@streq /login" "id:2,phase:1,pass,nolog,setvar:ip.logins=+1"
SecRule IP:logins "@ge 2" "id:3,phase:1,deny"
SecRule ARGS "@unconditionalMatch" "id:4,phase:2,pass,nolog,setvar:ip.sent_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}")"}});
  FakeClock clock;
  MemoryCollections kept(clock);
  Client client(*program, clock, &kept);
  client.ask("/login");
  std::string many = "/?", large = "/?";
  for (int i = 0; i < 100; ++i) many += "n" + std::to_string(i) + "=1&";
  for (int i = 0; i < 10; ++i) large += "l" + std::to_string(i) + "=" + std::string(4000, 'v') + "&";
  client.ask(many);
  client.ask(large);
  EXPECT_EQ(client.ask("/login"), (Ids{1, 2, 3}));
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

TEST(IpCollection, TimesBeyondAllMeasure) {
  const auto program = compile_rules({{"test.conf", R"(
SecCollectionTimeout 18446744073709551615
SecAction "id:1,phase:1,pass,nolog,initcol:ip=k"
SecRule ARGS:for "@rx ." "id:2,phase:1,pass,nolog,setvar:ip.flag=1,expirevar:ip.flag=%{MATCHED_VAR}"
SecRule IP:flag "@eq 1" "id:3,phase:2,pass,log")"}});
  FakeClock clock;
  MemoryCollections kept(clock);
  Client client(*program, clock, &kept);
  EXPECT_EQ(client.ask("/?for=99999999999999999999"), (Ids{1, 2, 3}));
  clock.advance(std::chrono::hours(24 * 365));
  EXPECT_EQ(client.ask("/"), (Ids{1, 3}));
  EXPECT_EQ(client.ask("/?for=-99999999999999999999"), (Ids{1, 2}));
  EXPECT_EQ(client.ask("/?for=soon"), (Ids{1, 2}));
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

// As the gateway runs it: the last phase for what it counts alone. `program` with its plan, both engines with their own
// stores; whatever comes, the same rules match before the last phase, and the same is kept.
void expect_counting_alone_keeps_the_same(const Program& program, std::string_view key) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto plan = MatchPlan::build(program, {});
  ASSERT_TRUE(plan);
  FakeClock clock;
  MemoryCollections whole_kept(clock), counted_kept(clock);
  Workspace whole_work(program, nullptr), counted_work(program, plan->get());
  Transaction whole(whole_work, clock), counted(counted_work, clock);
  const auto before_the_last = [](const Transaction& transaction) {
    Ids ids;
    for (const FiredRule& fired : transaction.fired()) {
      if (fired.phase < 5) ids.push_back(fired.id);
    }
    return ids;
  };
  std::size_t kept = 0;
  for (int i = 0; i < 2000; ++i) {
    const char* const targets[] = {"/orders", "/logo.png", "/login?u=a", "/login?u=b&v=1", "/"};
    const auto request =
        *parse_raw_request(std::string("GET ") + targets[random() % 5] + " HTTP/1.1\r\nHost: a\r\n\r\n");
    whole.begin({.collections = &whole_kept});
    inspect(whole, request, nullptr, "192.0.2.1");
    counted.begin({.collections = &counted_kept});
    counted.connection("192.0.2.1", "offline");
    counted.request_line(request.method, request.uri, request.protocol);
    for (const auto& [name, value] : request.headers) counted.request_header(name, value);
    if (counted.run(1) == nullptr) counted.run(2);
    counted.run_counting();
    ASSERT_EQ(before_the_last(whole), before_the_last(counted)) << i;
    PersistentCollections::Record a, b;
    whole_kept.read(key, a);
    counted_kept.read(key, b);
    ASSERT_EQ(a, b) << i;
    kept += a.size();
    if (random() % 8 == 0) clock.advance(seconds(random() % 40));
  }
  EXPECT_GT(kept, 1000u);
}

TEST(IpCollection, CountingAloneKeepsTheSame) {
  const auto program = compile_rules({{"test.conf", R"x(
SecAction "id:1,phase:1,pass,nolog,initcol:ip=k"
SecRule IP:blocked "@eq 1" "id:2,phase:1,deny,log"
SecAction "id:3,phase:5,pass,log,msg:'only told'"
SecRule REQUEST_FILENAME "@rx ^/log(in)" "id:4,phase:5,pass,nolog,capture"
SecRule TX:1 "@streq in" "id:5,phase:5,pass,nolog,setvar:ip.logins=+1,expirevar:ip.logins=30"
SecRule ARGS:v "@rx ." "id:6,phase:5,pass,nolog,skipAfter:END"
SecRule ARGS "@rx a" "id:7,phase:5,pass,nolog,setvar:tx.seen=1"
SecRule TX:seen "@eq 1" "id:8,phase:5,pass,nolog,setvar:ip.seen=+1"
SecMarker END
SecRule ARGS:u "@streq b" "id:9,phase:5,allow:phase,nolog"
SecRule IP:logins "@gt 5" "id:10,phase:5,pass,nolog,setvar:ip.blocked=1,expirevar:ip.blocked=10,setvar:!ip.logins"
SecAction "id:11,phase:5,pass,nolog,setvar:tx.sum=+1"
SecRule TX:sum "@gt 0" "id:12,phase:5,pass,log,msg:'only told'")x"}});
  EXPECT_EQ(program->counting().places, (std::vector<std::uint32_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_FALSE(program->counting().opens);
  expect_counting_alone_keeps_the_same(*program, "k");
}

TEST(IpCollection, NothingToCount) {
  const auto told = compile_rules({{"test.conf", "SecRule TX:a \"@eq 1\" \"id:1,phase:5,pass,log,setvar:tx.b=1\""}});
  EXPECT_TRUE(told->counting().places.empty());
  const auto opens = compile_rules({{"test.conf", R"(
SecAction "id:1,phase:5,pass,nolog,initcol:ip=k"
SecAction "id:2,phase:5,pass,nolog,setvar:ip.n=+1")"}});
  FakeClock clock;
  MemoryCollections kept(clock);
  Workspace workspace(*opens, nullptr);
  Transaction transaction(workspace, clock);
  transaction.begin({.collections = &kept});
  transaction.run_counting();
  PersistentCollections::Record record;
  kept.read("k", record);
  EXPECT_EQ(record, (PersistentCollections::Record{{"n", "1"}}));
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

TEST_F(CoreDosRules, CountingAloneKeepsTheSame) { expect_counting_alone_keeps_the_same(*program_, "192.0.2.1_"); }

TEST_F(CoreDosRules, SlowClientsAndStaticFilesPass) {
  for (int burst = 0; burst < 10; ++burst) {
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(is_dropped());
    clock_.advance(seconds(60));
  }
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(is_dropped("/logo.png", "192.0.2.3"));
}

}  // namespace
}  // namespace gatehouse::waf
