#include "app/config/diagnostic.h"

#include <gtest/gtest.h>

#include "app/config/load.h"

#include <nlohmann/json.hpp>

namespace gatehouse::app {
namespace {

std::vector<Diagnostic> two() {
  return {{Severity::error,
           "config.unknown_key",
           "a b.yaml",
           {2, 3},
           "unknown key \"adress\"",
           "",
           "did you mean \"address\"?"},
          {Severity::warning, "cors.any_origin", "a b.yaml", {0, 0}, "any site", "it can read", "list them"}};
}

TEST(Diagnostic, TextWithCaret) {
  EXPECT_EQ(to_text(two(), "x:\n- adress: 1\n", false),
            "a b.yaml:2:3: error: unknown key \"adress\" [config.unknown_key]\n"
            "    2 | - adress: 1\n"
            "      |   ^~~~~~\n"
            "      = did you mean \"address\"?\n"
            "a b.yaml: warning: any site [cors.any_origin]\n"
            "      = why: it can read\n"
            "      = fix: list them\n");
}

TEST(Diagnostic, ASecretIsNotQuoted) {
  const LoadOutcome outcome = load_config_text("admin: { address: 127.0.0.1:1, token: not-for-the-log }\n", "g.yaml");
  const std::string text = to_text(outcome.diagnostics, outcome.source, false);
  EXPECT_NE(text.find("g.yaml:1:39: warning: a secret is written"), std::string::npos) << text;
  EXPECT_EQ(text.find("not-for-the-log"), std::string::npos) << text;
}

TEST(Diagnostic, TheCaretsPlace) {
  struct Case {
    const char *name, *line;
    std::uint32_t column;
    const char* shown;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"first column", "abc: d", 1, "    1 | abc: d\n      | ^~~\n"},
           {"a value", "abc: def # x", 6, "    1 | abc: def # x\n      |      ^~~\n"},
           {"a quoted value", "a: \"b c\", d", 4, "    1 | a: \"b c\", d\n      |    ^~~~~\n"},
           {"code points", "ключ: имя", 7, "    1 | ключ: имя\n      |       ^~~\n"},
           {"the end of the line", "abc:", 5, "    1 | abc:\n      |     ^\n"},
           {"past the end of the line", "abc", 9, "    1 | abc\n      |    ^\n"},
           {"tab", "a:\tb", 4, "    1 | a: b\n      |    ^\n"},
           {"escape sequences", "a: \x1b[31mb", 4, "    1 | a: ?[31mb\n      |    ^~~~~~\n"},
           {"text that turns around",
            "a: \xE2\x80\xAE"
            "b",
            4, "    1 | a: ?b\n      |    ^~\n"},
           {"not UTF-8", "a: \xA5\xA5 b", 4, "    1 | a: ?? b\n      |    ^~\n"},
           {"bracket", "a: [b]", 4, "    1 | a: [b]\n      |    ^\n"},
       }) {
    const std::vector<Diagnostic> one{{Severity::info, "", "f", {1, c.column}, "m", "", ""}};
    EXPECT_EQ(to_text(one, c.line, false), std::string("f:1:") + std::to_string(c.column) + ": info: m\n" + c.shown)
        << c.name;
  }
}

TEST(Diagnostic, LongLinesAreShownAroundThePlace) {
  const std::string line = std::string(1000, 'a') + " HERE " + std::string(1000, 'b');
  const std::vector<Diagnostic> one{{Severity::error, "", "f", {1, 1002}, "m", "", ""}};
  const std::string text = to_text(one, line, false);
  EXPECT_LT(text.size(), 400u);
  EXPECT_NE(text.find("HERE"), std::string::npos);
}

// Found by fuzzing: bytes that only continue a character, without the character.
TEST(Diagnostic, LongLinesThatAreNotUtf8) {
  const std::vector<Diagnostic> one{{Severity::error, "", "f", {1, 300}, "m", "", ""}};
  EXPECT_LT(to_text(one, std::string(1000, '\xA5'), false).size(), 400u);
}

TEST(Diagnostic, WhatIsQuotedInMessagesIsPrintable) {
  const std::vector<Diagnostic> one{{Severity::error, "", "f", {0, 0}, "unknown key \"\x1b[2J\"", "", ""}};
  EXPECT_EQ(to_text(one, "", false), "f: error: unknown key \"\\x1b[2J\"\n");
}

TEST(Diagnostic, Json) {
  const auto value = nlohmann::json::parse(to_json(two(), "a b.yaml"));
  EXPECT_EQ(value["valid"], false);
  EXPECT_EQ(value["diagnostics"][0]["line"], 2);
  EXPECT_EQ(value["diagnostics"][1]["why"], "it can read");
  EXPECT_EQ(nlohmann::json::parse(to_json({}, "x"))["valid"], true);
}

// What SARIF 2.1.0 (OASIS) requires of the parts that we write: §3.13, §3.27, §3.30, §3.49.
TEST(Diagnostic, Sarif) {
  const auto log = nlohmann::json::parse(to_sarif(two(), "a b.yaml"));
  EXPECT_EQ(log["version"], "2.1.0");
  ASSERT_EQ(log["runs"].size(), 1u);
  const auto& run = log["runs"][0];
  const auto& rules = run["tool"]["driver"]["rules"];
  EXPECT_FALSE(run["tool"]["driver"]["name"].get<std::string>().empty());
  ASSERT_EQ(run["results"].size(), 2u);
  for (const auto& result : run["results"]) {
    EXPECT_EQ(rules.at(result["ruleIndex"].get<std::size_t>())["id"], result["ruleId"]);
    EXPECT_FALSE(result["message"]["text"].get<std::string>().empty());
    EXPECT_EQ(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b.yaml");
  }
  EXPECT_EQ(run["results"][0]["level"], "error");
  EXPECT_EQ(run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
  EXPECT_FALSE(run["results"][1]["locations"][0]["physicalLocation"].contains("region"));
}

}  // namespace
}  // namespace gatehouse::app
