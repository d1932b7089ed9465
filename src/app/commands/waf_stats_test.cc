#include "app/commands/waf_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatehouse::app {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kAnswer = R"({"since":"2025-06-15T15:06:40.123456Z","requests":12345,"timed":205,"one_in":64,
"interrupted":3,"mean_ns":31200,"parts":[{"part":"reading","mean_ns":2100,"worst_ns":9000,"share":0.067},
{"part":"scanning","mean_ns":9000,"worst_ns":20000,"share":0.288},{"part":"rest","mean_ns":5900,"worst_ns":8000,"share":0.189},
{"part":"rules","mean_ns":14200,"share":0.455}],"in_force":700,"log":245,"never_matched":231,"rules":[
{"rule":942100,"message":"SQL Injection Attack Detected via libinjection, and \u001b[2J much more of what it has to say",
"since":"2025-06-15T15:06:40.0Z","in_force":true,"file":"/x/942.conf","line":7,"phase":2,"paranoia":1,"logs":true,
"hits":1200,"evaluations":31,"mean_ns":4100,"worst_ns":10200,"share":0.102},
{"rule":7,"message":"","since":"2025-06-15T15:06:40.0Z","in_force":true,"file":"/etc/rules/own.conf","line":3,"phase":1,
"paranoia":2,"logs":true,"hits":3,"evaluations":0,"mean_ns":0,"worst_ns":0,"share":0.0},
{"rule":8,"message":"gone","since":"2025-06-15T15:06:40.0Z","in_force":false,"hits":2,"evaluations":0,"mean_ns":0,
"worst_ns":0,"share":0.0}]})";

TEST(WafStatsText, ByHits) {
  EXPECT_EQ(*waf_stats_text(kAnswer, {}, 80, false),
            R"(12,345 requests inspected since 2025-06-15 15:06:40 UTC, 700 rules in force

  rule   hits  evaluated    mean    worst  share  message
942100  1,200         31  4.1 µs  10.2 µs  10.2%  SQL Injection Attack Detected…
     7      3          -       -        -      -  (own.conf:3)
     8      2          -       -        -      -  (no longer in force) gone

231 of the 245 rules that log have never matched: gatehouse waf stats --never
Time is taken in a sample, about one request in 64 at random: 205 of 12,345 requests so far. evaluated, mean, worst and share are of these.
Left out: 3 evaluations in whose course the processor was taken away.
)");
}

TEST(WafStatsText, ByCostTellsWhereTheTimeGoes) {
  EXPECT_THAT(*waf_stats_text(kAnswer, {.by = "cost"}, 80, false), HasSubstr(R"(A request takes 31.2 µs on average:
     2.1 µs    6.7%  reading what rules look at
       9 µs   28.8%  scanning for the patterns of all rules
     5.9 µs   18.9%  the rest
    14.2 µs   45.5%  evaluating rules one by one

  rule )"));
}

TEST(WafStatsText, Never) {
  const std::string text = *waf_stats_text(kAnswer, {.never = true}, 80, false);
  EXPECT_THAT(text, HasSubstr("  rule  paranoia  evaluated"));
  EXPECT_THAT(text, Not(HasSubstr("--never")));
}

TEST(WafStatsText, WidthsAndTerminals) {
  const std::string whole = *waf_stats_text(kAnswer, {}, 0, false);
  EXPECT_THAT(whole, HasSubstr("and \\x1b[2J much more of what it has to say\n"));
  EXPECT_THAT(*waf_stats_text(kAnswer, {}, 10, false), HasSubstr("  SQL Injection Attac…\n")) << "never less than 20";
  EXPECT_THAT(*waf_stats_text(kAnswer, {}, 80, true), HasSubstr("\x1b[1m  rule"));
}

TEST(WafStatsText, NothingYetAndNoAnswer) {
  constexpr const char* kEmpty =
      R"({"since":"2025-06-15T15:06:40.0Z","requests":0,"timed":0,"one_in":64,"interrupted":0,"mean_ns":0,"parts":[],
          "in_force":0,"log":0,"never_matched":0,"rules":[]})";
  const std::string text = *waf_stats_text(kEmpty, {}, 80, false);
  EXPECT_THAT(text, HasSubstr("0 requests inspected"));
  EXPECT_THAT(text, HasSubstr("No route is inspected"));
  EXPECT_THAT(text, HasSubstr("No rule that logs has matched yet."));
  EXPECT_THAT(*waf_stats_text(kEmpty, {.by = "cost"}, 80, false), HasSubstr("No request has been timed yet."));
  for (const char* bad : {"", "[]", "{}", R"({"rules":[]})", "x"})
    EXPECT_FALSE(waf_stats_text(bad, {}, 80, false)) << bad;
}

}  // namespace
}  // namespace gatehouse::app
