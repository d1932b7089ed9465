// Exclusions of the WAF, held against a small rule set and against the installed Core Rule Set.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/config/posture.h"
#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kRules = R"(
SecAction "id:900,phase:1,pass,nolog,setvar:tx.score=0"
SecRule ARGS|REQUEST_HEADERS:Referer "@rx evil" "id:100,phase:2,pass,tag:'attack-sqli',setvar:tx.score=+5"
SecRule ARGS "@rx bad" "id:101,phase:2,pass,tag:'attack-sqli',setvar:tx.score=+5"
SecRule REQUEST_COOKIES:/^x_/ "@rx evil" "id:102,phase:2,pass,tag:'attack-xss'"
SecRule TX:score "@ge 5" "id:949,phase:2,deny")";

class PostureWaf : public testing::Test {
 protected:
  PostureWaf() {
    std::ofstream(folder_ / "rules.conf") << kRules;
    clock_.set_wall(std::chrono::sys_days(std::chrono::year(2026) / 6 / 15) + std::chrono::hours(12));
  }

  // The findings about the WAF's exclusions: "line severity id: message | fix".
  std::vector<std::string> judge(const std::string& all, const std::string& route, const std::string& rules = "") {
    const std::string text = fmt::format(
        "version: 1\nlisteners:\n  - {{ name: l, address: 127.0.0.1:8080 }}\nservices:\n"
        "  app: {{ endpoints: http://127.0.0.1:9001, health: /h }}\nwaf:\n  rules: {}\n  exclude: [{}]\nroutes:\n"
        "  - name: r\n    service: app\n    access: {{ roles: [a] }}\n    waf: {{ exclude: [{}] }}\n",
        rules.empty() ? folder_ / "rules.conf" : rules, all, route);
    const LoadOutcome outcome = load_config_text(text, folder_ / "gatehouse.yaml", {});
    EXPECT_TRUE(outcome.ok()) << to_text(outcome.diagnostics, outcome.source, false);
    std::vector<std::string> found;
    if (!outcome.ok()) return found;
    for (const Diagnostic& d : judge_posture(outcome, {.look_at_files = true, .clock = clock_})) {
      if (!d.id.starts_with("waf.exclusion") && d.id != "waf.set_up_overrides") continue;
      EXPECT_FALSE(d.why.empty()) << d.id;
      found.push_back(
          fmt::format("{} {} {}: {} | {}", d.position.line, name_of(d.severity), d.id.substr(4), d.message, d.hint));
    }
    return found;
  }

  TempDir folder_;
  FakeClock clock_;
};

TEST_F(PostureWaf, NarrowExclusionsAreFine) {
  EXPECT_THAT(judge("{ rule: 100, parameter: comment }",
                    "{ rule: 101, target: \"ARGS:a\", path: /a/**, until: 2026-12-31 }, "
                    "{ tag: attack-xss, target: \"REQUEST_COOKIES:x_session\" }"),
              ElementsAre());
}

TEST_F(PostureWaf, Findings) {
  const std::string suggest =
      "name what is not looked at, by parameter or target; gatehouse waf suggest ID tells which";
  struct Case {
    const char* name;
    std::string exclusion;
    std::string finding;
  };
  for (const Case& c : std::vector<Case>{
           {"ended", "{ rule: 100, parameter: a, until: 2026-06-14 }",
            "13 warning exclusion_expired: the exclusion of rule 100 ended 1 days ago | remove it; or give it a new "
            "end, "
            "if what it was for is still there"},
           {"its last day", "{ rule: 100, parameter: a, until: 2026-06-15 }",
            "13 info exclusion_ends_soon: the exclusion of rule 100 ends in 0 days | correct what makes the rules "
            "match, "
            "or move the date"},
           {"ends soon", "{ rule: 100, parameter: a, until: 2026-06-29 }",
            "13 info exclusion_ends_soon: the exclusion of rule 100 ends in 14 days | correct what makes the rules "
            "match, or move the date"},
           {"a rule off", "{ rule: 100 }",
            "13 warning exclusion_wide: rule 100 is off for the route \"r\" | " + suggest},
           {"a rule off on a path", "{ rule: 100, path: /a }",
            "13 info exclusion_wide: rule 100 is off for the route \"r\", on /a | " + suggest},
           {"a tag off", "{ tag: attack-sqli, path: /a }",
            "13 warning exclusion_wide: the rules tagged attack-sqli are off for the route \"r\", on /a | " + suggest},
           {"a whole collection", "{ rule: 100, target: ARGS }",
            "13 info exclusion_wide: rule 100 looks at no ARGS for the route \"r\" | name the one that is meant: "
            "\"ARGS:NAME\""},
           {"a whole collection, all rules", "{ target: ARGS }",
            "13 warning exclusion_wide: all rules look at no ARGS for the route \"r\" | name the one that is meant: "
            "\"ARGS:NAME\""},
           {"a parameter, all rules", "{ parameter: comment }",
            "13 info exclusion_wide: no rule looks at comment for the route \"r\" | name the rules that are in the "
            "way: "
            "rule: [942100, 942200]"},
           {"no such rule", "{ rule: [100, 103], parameter: a }",
            "13 warning exclusion_no_rule: no rule has the id 103 | correct the id, or remove it"},
           {"no such range", "{ rule: 200-299, parameter: a }",
            "13 warning exclusion_no_rule: no rule has an id of 200-299 | correct the id, or remove it"},
           {"no such tag", "{ tag: attack-sqly, parameter: a }",
            "13 warning exclusion_no_rule: no rule has the tag attack-sqly | did you mean attack-sqli?"},
           {"a header that it doesn't look at", "{ rule: 100, target: \"REQUEST_HEADERS:host\" }",
            "13 warning exclusion_no_target: rule 100 never looks at REQUEST_HEADERS:host | it looks at ARGS, "
            "REQUEST_HEADERS:referer"},
           {"a cookie that it doesn't look at", "{ rule: 102, target: \"REQUEST_COOKIES:y\" }",
            "13 warning exclusion_no_target: rule 102 never looks at REQUEST_COOKIES:y | it looks at "
            "REQUEST_COOKIES:/^x_/"},
           {"a parameter of a rule about cookies", "{ rule: 102, parameter: a }",
            "13 warning exclusion_no_target: rule 102 never looks at arguments, of which a is one | it looks at "
            "REQUEST_COOKIES:/^x_/"},
       }) {
    EXPECT_THAT(judge("", c.exclusion), ElementsAre(c.finding)) << c.name;
  }
}

TEST_F(PostureWaf, TheRulesThatAllRestOn) {
  EXPECT_THAT(
      judge("", "{ rule: 949, path: /a }"),
      Contains("13 error exclusion_disarms: rule 949 is off, which decides on the score | leave it on, and raise "
               "inbound_threshold where that is what is wanted"));
  EXPECT_THAT(judge("", "{ rule: 900-999, path: /a }"),
              Contains(HasSubstr("exclusion_disarms: rule 900 is off, which sets up what others need")));
}

TEST_F(PostureWaf, CoveredByAWiderOne) {
  struct Case {
    std::string wide, narrow;
    bool covered;
  };
  for (const Case& c : std::vector<Case>{
           {"rule: 100-101, parameter: a", "rule: 100, parameter: a", true},
           {"tag: attack-sqli, parameter: a", "rule: 101, parameter: a, path: /b", true},
           {"rule: 101, target: ARGS", "rule: 101, parameter: a", true},
           {"rule: 100, target: ARGS", "rule: 100, target: \"ARGS:a\", until: 2026-12-31", true},
           {"rule: 100, parameter: [a, b]", "rule: 100, parameter: b", true},
           {"parameter: a", "rule: 100, parameter: a", true},
           {"rule: 100, parameter: a", "rule: 100, parameter: a", true},
           {"rule: 100, parameter: a", "rule: 100, parameter: b", false},
           {"rule: 100, parameter: a", "rule: 100-101, parameter: a", false},
           {"rule: 100, parameter: a, path: /a", "rule: 100, parameter: a", false},
           {"rule: 100, parameter: a, until: 2026-12-31", "rule: 100, parameter: a", false},
           {"rule: 100, parameter: a", "rule: 100, target: ARGS", false},
       }) {
    std::size_t found = 0;
    for (const std::string& finding : judge("{ " + c.wide + " }", "{ " + c.narrow + " }")) {
      if (finding.find("exclusion_covered") == std::string::npos) continue;
      ++found;
      EXPECT_TRUE(finding.starts_with("13 ")) << finding;
    }
    EXPECT_EQ(found, c.covered ? 1u : 0u) << c.wide << " over " << c.narrow;
  }
}

TEST_F(PostureWaf, RulesThatCannotBeRead) {
  std::ofstream(folder_ / "broken.conf") << "SecRuul ARGS";
  EXPECT_THAT(
      judge("", "{ rule: 100, parameter: a }", folder_ / "broken.conf"),
      ElementsAre(HasSubstr("6 warning exclusions_unchecked: the exclusions are not held against the rules: ")));
}

TEST_F(PostureWaf, ASetUpThatSpeaksLast) {
  std::ofstream(folder_ / "setup.conf") << "\nSecAction \"id:900000,phase:1,pass,nolog,setvar:tx.paranoia_level=2\"\n"
                                           "SecRule ARGS \"@rx x\" \"id:1,phase:2,pass\"";
  EXPECT_THAT(judge("", "{ rule: 1, parameter: a }", folder_ / "setup.conf"),
              ElementsAre(HasSubstr("setup.conf:2 sets tx.paranoia_level for every request | remove rule 900000")));
}

TEST_F(PostureWaf, TheInstalledRuleSet) {
  if (!std::filesystem::exists("/etc/modsecurity/crs/crs-setup.conf")) GTEST_SKIP() << "modsecurity-crs is not here";
  EXPECT_THAT(judge("", "{ rule: 942100, parameter: comment }", "crs"), ElementsAre());
  EXPECT_THAT(judge("", "{ rule: 949110, path: /a }", "crs"), Contains(HasSubstr("exclusion_disarms")));
  EXPECT_THAT(judge("", "{ tag: OWASP_CRS, parameter: a }, { rule: 942100, parameter: a }", "crs"),
              ElementsAre(HasSubstr("exclusion_covered")));
}

}  // namespace
}  // namespace gatehouse::app
