#include "waf/engine/blind_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "waf/engine/rule_engine.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> blind(std::vector<RuleSource> sources) {
  const ParseResult parsed = parse_rules(sources);
  for (const Finding& error : parsed.errors) ADD_FAILURE() << to_string(error, parsed.rules);
  std::vector<std::string> lines;
  for (const Finding& finding : blind_rules(parsed.rules)) lines.push_back(to_string(finding, parsed.rules));
  return lines;
}
std::vector<std::string> blind(const std::string& rules) {
  return blind(std::vector<RuleSource>{{"test.conf", rules}});
}

const std::string kRbl = "SecRule REMOTE_ADDR \"@rbl list.example\" \"id:7,phase:1,deny\"\n";
const std::string kGeo = "SecRule REMOTE_ADDR \"@geoLookup\" \"id:8,phase:1,deny\"\n";

TEST(BlindRules, AreNamedWithTheirPlace) {
  EXPECT_THAT(blind("\n" + kRbl + kGeo),
              ElementsAre(StartsWith("test.conf:2:1: rule 7: @rbl finds nothing, for block lists are not asked; "),
                          StartsWith("test.conf:3:1: rule 8: @geoLookup finds nothing, for there is no database; ")));
  EXPECT_THAT(blind("SecRule ARGS \"@rx .\" \"id:1,phase:2,deny,chain\"\n  SecRule REMOTE_ADDR \"!@rbl a.example\"\n"),
              ElementsAre(StartsWith("test.conf:2:3: rule 1: @rbl ")));
  EXPECT_THAT(blind("SecGeoLookupDb places.mmdb\n" + kGeo), IsEmpty());
  EXPECT_THAT(blind(kRbl + "SecRuleRemoveById 7\n"), IsEmpty());
  const std::string counts = "SecRule IP:n \"@gt 5\" \"id:9,phase:1,deny\"\n";
  EXPECT_THAT(blind(counts),
              ElementsAre(StartsWith("test.conf:1:1: rule 9: IP is empty, for no rule opens a record; ")));
  EXPECT_THAT(blind(counts + "SecAction \"id:1,phase:1,pass,initcol:ip=%{REMOTE_ADDR}\"\n"), IsEmpty());
}

TEST(BlindRules, ThoseBehindWhatNobodySetsAreNot) {
  const std::string jump =
      "SecRule &TX:a \"@eq 0\" \"id:1,phase:1,pass,chain,skipAfter:END\"\n  SecRule &TX:b \"@eq 0\"\n";
  const std::string chain = "SecRule TX:a \"!@rx ^$\" \"id:2,phase:1,deny,chain\"\n  SecRule TX:IP \"@geoLookup\"\n";
  const std::string end = "SecMarker END\n";
  EXPECT_THAT(blind(jump + kRbl + end), IsEmpty());
  EXPECT_THAT(blind(chain), IsEmpty());
  for (const char* set : {"setvar:tx.B=1", "setvar:'tx.%{REQUEST_METHOD}=1'", "setvar:'tx.b%{ARGS.x}=+1'"}) {
    const std::string action = std::string("SecAction \"id:3,phase:1,pass,") + set + "\"\n";
    EXPECT_EQ(blind(action + jump + kRbl + end).size(), 1u) << set;
  }
  EXPECT_EQ(blind("SecAction \"id:3,phase:1,pass,setvar:tx.a=DE,setvar:tx.ip=%{REMOTE_ADDR}\"\n" + chain).size(), 1u);
  EXPECT_EQ(blind(jump + end + kRbl).size(), 1u) << "behind the marker";
  EXPECT_EQ(blind("SecAction \"id:3,phase:2,pass,skipAfter:END\"\n" + kRbl + end).size(), 1u) << "another phase";
  EXPECT_EQ(blind("SecRule &TX:a \"@gt 0\" \"id:1,phase:1,pass,skipAfter:END\"\n" + kRbl + end).size(), 1u);
  EXPECT_EQ(
      blind("SecRule TX:1 \"@eq 1\" \"id:1,phase:1,deny,chain\"\n  SecRule REMOTE_ADDR \"@rbl a.example\"\n").size(),
      1u)
      << "captures are set";
}

// 910140 asks a block list, 910100 where the client is: both for whoever sets them up.
TEST(BlindRules, OfTheCoreRuleSet) {
  if (!std::filesystem::exists("/usr/share/modsecurity-crs/rules")) GTEST_SKIP() << "no Core Rule Set is installed";
  std::vector<RuleSource> sources = rule_sources({"crs"});
  EXPECT_THAT(blind(sources), IsEmpty());
  sources.insert(sources.begin(), {"set-up.conf",
                                   "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.block_spammer_ip=1,"
                                   "setvar:'tx.high_risk_country_codes=XX'\"\n"});
  EXPECT_THAT(blind(sources), ElementsAre(testing::HasSubstr("rule 910100: @geoLookup finds nothing"),
                                          testing::HasSubstr("rule 910140: @rbl finds nothing")));
}

}  // namespace
}  // namespace gatehouse::waf
