// What rules keep between requests, against libmodsecurity 3.0.9 with its collections in memory: the same requests, one
// after the other, and after each the same rules have matched.

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "waf/differential/engine_under_test.h"
#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using Ids = std::set<std::uint64_t>;

class Pair {
 public:
  explicit Pair(const std::string& rules) {
    EXPECT_TRUE(theirs_.load(rules, "test.conf")) << theirs_.error();
    ours_ = compile_rules({{"test.conf", rules}});
    workspace_ = std::make_unique<Workspace>(*ours_, nullptr);
    transaction_ = std::make_unique<Transaction>(*workspace_, clock_);
  }

  Ids ours(const std::string& target) {
    transaction_->begin({.collections = &kept_});
    inspect(*transaction_, request(target), nullptr);
    Ids ids;
    for (const FiredRule& fired : transaction_->fired()) ids.insert(fired.id);
    return ids;
  }
  Ids theirs(const std::string& target) {
    const auto transaction = theirs_.run(request(target), nullptr);
    Ids ids;
    for (const auto& message : transaction->m_rulesMessages) ids.insert(static_cast<std::uint64_t>(message.m_ruleId));
    return ids;
  }
  FakeClock& clock() { return clock_; }

 private:
  static RawRequest request(const std::string& target) {
    return *parse_raw_request("GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  }

  FakeClock clock_;
  MemoryCollections kept_{clock_};
  ModSecurityRules theirs_;
  std::unique_ptr<const Program> ours_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Transaction> transaction_;
};

struct Case {
  const char* name;
  const char* rules;
  std::vector<std::string> targets;  // of the requests, in order
};

TEST(CollectionsAgainstModSecurity, TheSameRulesMatchInTheSameOrderOfRequests) {
  const Case cases[] = {
      {"a counter by key",
       R"(SecRule ARGS:u "@rx ." "id:1,phase:1,pass,log,initcol:ip=%{REMOTE_ADDR}_%{MATCHED_VAR}"
SecRule ARGS:u "@rx ." "id:2,phase:1,pass,log,setvar:ip.n=+1"
SecRule IP:n "@gt 2" "id:3,phase:1,pass,log"
SecRule &IP:n "@eq 1" "id:4,phase:2,pass,log"
SecRule &IP:n "@eq 0" "id:5,phase:2,pass,log")",
       {"/", "/?u=a", "/?u=a", "/?u=b", "/?u=a", "/", "/?u=b", "/?u=a", "/?u=c", "/?u=b"}},
      {"sums, unset, macros",
       R"(SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=%{REMOTE_ADDR}"
SecRule ARGS:op "@streq add" "id:2,phase:1,pass,log,setvar:ip.n=+%{ARGS.by}"
SecRule ARGS:op "@streq take" "id:3,phase:1,pass,log,setvar:ip.n=-3"
SecRule ARGS:op "@streq set" "id:4,phase:1,pass,log,setvar:ip.n=%{ARGS.by}"
SecRule ARGS:op "@streq drop" "id:5,phase:1,pass,log,setvar:!ip.n"
SecRule IP:n "@lt 0" "id:6,phase:2,pass,log"
SecRule IP:N "@gt 10" "id:7,phase:2,pass,log"
SecRule REQUEST_METHOD "@streq GET" "id:8,phase:2,pass,log,setvar:tx.copy=%{ip.n}"
SecRule TX:copy "@eq 12" "id:9,phase:2,pass,log"
SecRule IP:n "@streq text" "id:10,phase:2,pass,log")",
       {"/", "/?op=add&by=12", "/?op=add&by=5", "/?op=take", "/?op=set&by=1", "/?op=take", "/?op=set&by=text",
        "/?op=add&by=12", "/?op=drop", "/", "/?op=take", "/?op=drop", "/?op=drop"}},
      {"opened late",
       R"(SecRule ARGS:late "@rx ." "id:4,phase:2,pass,log,initcol:ip=x"
SecRule ARGS:late "@rx ." "id:5,phase:2,pass,log,setvar:ip.n=+1"
SecRule IP:n "@ge 2" "id:6,phase:2,pass,log")",
       {"/", "/?late=1", "/", "/?late=1&u=1", "/?late=1"}},
      {"a record that is opened anew",
       R"(SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=first"
SecRule ARGS:x "@rx ." "id:2,phase:1,pass,log,setvar:ip.n=+1"
SecRule ARGS:other "@rx ." "id:3,phase:2,pass,log,initcol:ip=%{ARGS.other}"
SecRule IP:n "@ge 1" "id:4,phase:2,pass,log"
SecRule ARGS:y "@rx ." "id:5,phase:2,pass,log,setvar:ip.n=+1"
SecRule IP:n "@ge 2" "id:6,phase:5,pass,log")",
       {"/?x=1", "/?other=second", "/?other=second&y=1", "/?other=second&y=1", "/?x=1", "/?other=first", "/?other="}},
      {"names made of values, in chains",
       R"(SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=k"
SecRule ARGS:name "@rx ." "id:2,phase:1,pass,log,setvar:ip.seen_%{MATCHED_VAR}=%{REQUEST_URI}"
SecRule IP:seen_a "@contains name=a" "id:3,phase:2,pass,log"
SecRule IP:SEEN_b "@contains name=b" "id:4,phase:2,pass,log"
SecRule &IP:seen_c "@ge 1" "id:5,phase:2,pass,log"
SecRule REQUEST_METHOD "@streq GET" "id:6,phase:2,pass,log,chain"
  SecRule &IP:seen_a "@eq 1" "chain"
    SecRule IP:seen_a "@contains x=1" "setvar:ip.both=+1"
SecRule IP:both "@ge 1" "id:7,phase:2,pass,log")",
       {"/?name=a", "/?name=b", "/?x=1", "/?name=a&x=1", "/?name=c", "/"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    Pair pair(each.rules);
    for (std::size_t i = 0; i < each.targets.size(); ++i)
      EXPECT_EQ(pair.ours(each.targets[i]), pair.theirs(each.targets[i])) << i << ": " << each.targets[i];
  }
}

// Generated sequences over a few keys and names.
TEST(CollectionsAgainstModSecurity, RandomSequences) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Pair pair(R"(SecRule ARGS:k "@rx ." "id:1,phase:1,pass,log,initcol:ip=%{MATCHED_VAR}"
SecRule ARGS:add "@rx ." "id:2,phase:1,pass,log,setvar:ip.%{MATCHED_VAR}=+1"
SecRule ARGS:take "@rx ." "id:3,phase:2,pass,log,setvar:ip.%{MATCHED_VAR}=-2"
SecRule ARGS:copy "@rx ." "id:4,phase:2,pass,log,setvar:ip.a=%{ip.b}"
SecRule ARGS:drop "@rx ." "id:5,phase:2,pass,log,setvar:!ip.b"
SecRule IP:a "@gt 1" "id:6,phase:2,pass,log"
SecRule IP:b "@lt 0" "id:7,phase:2,pass,log"
SecRule &IP:b "@eq 0" "id:8,phase:5,pass,log"
SecRule &IP:c "@eq 1" "id:9,phase:5,pass,log")");
  for (int i = 0; i < 3000; ++i) {
    std::string target = fmt::format("/?k={}&", random() % 4);
    for (const char* name : {"add", "take", "copy", "drop"}) {
      if (random() % 3 == 0) target += fmt::format("{}={}&", name, std::array{"a", "b", "C"}[random() % 3]);
    }
    ASSERT_EQ(pair.ours(target), pair.theirs(target)) << i << ": " << target;
  }
}

// Where the two differ, and why.
TEST(CollectionsAgainstModSecurity, Differences) {
  {
    // Without initcol the library counts all clients in one record, whose key is empty: what one does would be held
    // against the others. As the manual has it, there is no collection.
    Pair pair(R"(SecRule ARGS:u "@rx ." "id:1,phase:1,pass,log,setvar:ip.n=+1"
SecRule &IP:n "@gt 0" "id:2,phase:2,pass,log")");
    EXPECT_EQ(pair.ours("/?u=1"), (Ids{1}));
    EXPECT_EQ(pair.theirs("/?u=1"), (Ids{1, 2}));
    EXPECT_EQ(pair.theirs("/"), (Ids{2}));
  }
  {
    // It finds variables of a record by their whole names only.
    Pair pair(R"(SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=k"
SecRule ARGS:u "@rx ." "id:2,phase:1,pass,log,setvar:ip.seen=yes"
SecRule IP "@streq yes" "id:3,phase:2,pass,log"
SecRule IP:/^se/ "@streq yes" "id:4,phase:2,pass,log"
SecRule &IP:/^se/ "@eq 1" "id:5,phase:2,pass,log")");
    EXPECT_EQ(pair.ours("/?u=1"), (Ids{1, 2, 3, 4, 5}));
    EXPECT_EQ(pair.theirs("/?u=1"), (Ids{1, 2}));
  }
  {
    // The library opens a record only behind the rule's own setvar, whose count then is lost the first time.
    Pair pair(R"(SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=k,setvar:ip.n=+1"
SecRule IP:n "@ge 1" "id:2,phase:1,pass,log")");
    EXPECT_EQ(pair.ours("/"), (Ids{1, 2}));
    EXPECT_EQ(pair.theirs("/"), (Ids{1}));
  }
  {
    // 3.0.9 reads expirevar and does nothing about it; as the manual has it, the variable ends.
    Pair pair(R"(SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=k"
SecRule ARGS:flag "@rx ." "id:2,phase:1,pass,log,setvar:ip.flag=1,expirevar:ip.flag=0"
SecRule IP:flag "@eq 1" "id:3,phase:2,pass,log")");
    EXPECT_EQ(pair.ours("/?flag=1"), (Ids{1, 2}));
    EXPECT_EQ(pair.theirs("/?flag=1"), (Ids{1, 2, 3}));
  }
  {
    // Nor does it end records: SecCollectionTimeout is without effect there.
    Pair pair(R"(SecCollectionTimeout 60
SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,pass,log,initcol:ip=k"
SecRule ARGS:set "@rx ." "id:2,phase:1,pass,log,setvar:ip.flag=1"
SecRule IP:flag "@eq 1" "id:3,phase:2,pass,log")");
    EXPECT_EQ(pair.ours("/?set=1"), pair.theirs("/?set=1"));
    pair.clock().advance(std::chrono::seconds(60));
    EXPECT_EQ(pair.ours("/"), (Ids{1}));
    EXPECT_EQ(pair.theirs("/"), (Ids{1, 3}));
  }
}

}  // namespace
}  // namespace gatehouse::waf
