#include "gateway/layers/waf/route_tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "waf/regression/raw_request.h"

namespace gatehouse::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<std::uint64_t>;

constexpr const char* kRules = R"(
SecRule &TX:blocking_paranoia_level "@eq 0" "id:1,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=1"
SecRule TX:blocking_paranoia_level "@gt 1" "id:2,phase:1,pass"
SecRule ARGS|ARGS_NAMES "@rx evil" "id:10,phase:2,pass,tag:'attack'"
SecRule ARGS "@rx evil" "id:11,phase:2,pass,tag:'attack'"
SecRule REQUEST_HEADERS "@rx evil" "id:12,phase:2,pass")";

class RouteTuningTest : public testing::Test {
 protected:
  RouteTuningTest() {
    waf::ParseResult parsed = waf::parse_rules(std::vector<waf::RuleSource>{{"test.conf", kRules}});
    program_ = std::move(waf::Program::compile(std::move(parsed.rules)).program);
    workspace_ = std::make_unique<waf::Workspace>(*program_, nullptr);
    transaction_ = std::make_unique<waf::Transaction>(*workspace_, clock_);
  }

  // The rules that fire for `/path?query`.
  Ids fired(const RouteTuning& tuning, const std::string& target, const std::string& header = "x") {
    waf::Transaction::Settings settings;
    std::vector<const waf::Tuning*> list;
    tuning.choose(target.substr(0, target.find('?')), clock_.wall(), list, settings);
    transaction_->begin(settings);
    waf::inspect(*transaction_,
                 *waf::parse_raw_request("GET " + target + " HTTP/1.1\r\nHost: a\r\nX: " + header + "\r\n\r\n"),
                 nullptr);
    Ids ids;
    for (const waf::FiredRule& rule : transaction_->fired()) ids.push_back(rule.id);
    return ids;
  }
  Ids fired(const RouteWafConfig& route, const std::string& target, const std::string& header = "x") {
    return fired(RouteTuning(all_, route, *program_), target, header);
  }

  FakeClock clock_;
  WafConfig all_;
  std::unique_ptr<const waf::Program> program_;
  std::unique_ptr<waf::Workspace> workspace_;
  std::unique_ptr<waf::Transaction> transaction_;
};

TEST_F(RouteTuningTest, NothingExcluded) {
  EXPECT_THAT(fired(RouteWafConfig{}, "/?q=evil", "evil"), ElementsAre(10, 11, 12));
}

TEST_F(RouteTuningTest, TheRoutesLevelsComeBeforeTheOthers) {
  all_.paranoia = 1;
  EXPECT_THAT(fired({.paranoia = 2}, "/"), ElementsAre(2));
  all_.paranoia = 3;
  EXPECT_THAT(fired(RouteWafConfig{}, "/"), ElementsAre(2));
  EXPECT_THAT(fired({.paranoia = 1}, "/"), IsEmpty());
}

TEST_F(RouteTuningTest, ExclusionsOfAllRoutesAndOfThisOneAddUp) {
  all_.exclude = {{.rules = {{10, 10}}}};
  EXPECT_THAT(fired({.exclude = {{.rules = {{12, 20}}}}}, "/?q=evil", "evil"), ElementsAre(11));
}

TEST_F(RouteTuningTest, ByWhatIsExcluded) {
  EXPECT_THAT(fired({.exclude = {{.tags = {"attack"}}}}, "/?q=evil", "evil"), ElementsAre(12));
  EXPECT_THAT(fired({.exclude = {{.rules = {{10, 10}}, .targets = {"ARGS:q"}}}}, "/?q=evil"), ElementsAre(11));
  EXPECT_THAT(fired({.exclude = {{.rules = {{10, 10}}, .targets = {"ARGS:q"}}}}, "/?p=evil"), ElementsAre(10, 11));
  EXPECT_THAT(fired({.exclude = {{.targets = {"REQUEST_HEADERS:/^x$/"}}}}, "/", "evil"), IsEmpty());
  EXPECT_THAT(fired({.exclude = {{.parameters = {"q"}}}}, "/?q=evil"), IsEmpty());
  // The name is excluded with the value; another's is not.
  EXPECT_THAT(fired({.exclude = {{.parameters = {"evil"}}}}, "/?evil=1"), IsEmpty());
  EXPECT_THAT(fired({.exclude = {{.parameters = {"q"}}}}, "/?evil=1"), ElementsAre(10));
}

TEST_F(RouteTuningTest, APathIsAConditionOfEachRequest) {
  const RouteTuning tuning(all_, {.exclude = {{.rules = {{10, 10}}, .paths = {"/a/*", "/b/**"}}}}, *program_);
  for (const char* path : {"/a/1", "/a/1/", "/a/1;v=2", "/b", "/b/c/d"}) {
    EXPECT_THAT(fired(tuning, std::string(path) + "?q=evil"), ElementsAre(11)) << path;
  }
  for (const char* path : {"/", "/a", "/a/1/2", "/ab/1", "/x/a/1"}) {
    EXPECT_THAT(fired(tuning, std::string(path) + "?q=evil"), ElementsAre(10, 11)) << path;
  }
}

TEST_F(RouteTuningTest, EndsByItselfBehindItsLastDay) {
  using namespace std::chrono;
  const sys_days last = sys_days(year(2027) / 1 / 31);
  const RouteTuning tuning(all_, {.exclude = {{.rules = {{10, 10}}, .until = last}}}, *program_);
  clock_.set_wall(last + 24h - 1ns);
  EXPECT_THAT(fired(tuning, "/?q=evil"), ElementsAre(11));
  clock_.advance(1ns);
  EXPECT_THAT(fired(tuning, "/?q=evil"), ElementsAre(10, 11));
}

TEST_F(RouteTuningTest, WhatIsForSomeRequestsAddsUp) {
  using namespace std::chrono;
  const sys_days today = floor<days>(clock_.wall());
  const RouteTuning tuning(all_,
                           {.exclude = {{.rules = {{10, 10}}, .paths = {"/a/**"}},
                                        {.rules = {{11, 11}}, .paths = {"/a/b"}, .until = today},
                                        {.rules = {{12, 12}}, .until = today},
                                        {.rules = {{12, 12}}, .until = today - days(1)}}},
                           *program_);
  EXPECT_THAT(fired(tuning, "/?q=evil", "evil"), ElementsAre(10, 11));
  EXPECT_THAT(fired(tuning, "/a?q=evil", "evil"), ElementsAre(11));
  EXPECT_THAT(fired(tuning, "/a/b?q=evil", "evil"), IsEmpty());
  clock_.advance(days(1));
  EXPECT_THAT(fired(tuning, "/a/b?q=evil", "evil"), ElementsAre(11, 12));
}

TEST(PathPattern, MatchesAsTheRouterDoes) {
  struct Case {
    const char* pattern;
    const char* path;
    bool matches;
  };
  for (const Case& c : {Case{"/", "/", true}, Case{"/", "/a", false}, Case{"/**", "/", true}, Case{"/**", "/a/b", true},
                        Case{"/a", "/a", true}, Case{"/a", "/a/", true}, Case{"/a", "/a;x=1", true},
                        Case{"/a", "/ab", false}, Case{"/a/*", "/a", false}, Case{"/a/{id}", "/a/1", true},
                        Case{"/a/*/c", "/a/1/c", true}, Case{"/a/*/c", "/a/1/d", false}, Case{"/a/**", "/a", true},
                        Case{"/a/**", "/ab/c", false}, Case{"/a/b", "/a/;x/b", true}}) {
    EXPECT_EQ(PathPattern::parse(c.pattern)->matches(c.path), c.matches) << c.pattern << " " << c.path;
  }
}

}  // namespace
}  // namespace gatehouse::gateway
