#include "waf/seclang/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "waf/seclang/describe_for_tests.h"

namespace gatehouse::waf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RuleFiles : public testing::Test {
 protected:
  RuleFiles() {
    char name[] = "/tmp/gatehouse-rules-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~RuleFiles() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view text) {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  ParseResult parse(const std::string& path, const ParseLimits& limits = {}) {
    const RuleSource source{path, {}};
    return parse_rules({&source, 1}, limits);
  }
  // The first error without the folder's name.
  std::string error(const ParseResult& result) {
    if (result.errors.empty()) return "";
    std::string text = to_string(result.errors.front(), result.rules);
    for (std::size_t at; (at = text.find(folder_ + "/")) != std::string::npos;) text.erase(at, folder_.size() + 1);
    return text;
  }

  std::string folder_;
};

TEST_F(RuleFiles, IncludesAreRelativeAndSorted) {
  const std::string main =
      write("main.conf", "Include sub/*.conf\nIncludeOptional sub/none-*.conf\nIncludeOptional gone\nSecAction id:9");
  write("sub/b.conf", "SecAction id:2\nInclude \"more/c.conf\"\n");
  write("sub/a.conf", "SecAction id:1");
  write("sub/Z.conf", "SecAction id:7");
  write("sub/ignored.txt", "nonsense");
  write("sub/more/c.conf", "SecAction id:3");
  const ParseResult result = parse(main);
  EXPECT_THAT(result.errors, IsEmpty()) << describe(result);
  std::vector<std::uint64_t> ids;
  for (const Rule& rule : result.rules.rules) ids.push_back(rule.actions.id);
  EXPECT_THAT(ids, ElementsAre(7, 1, 2, 3, 9));
  EXPECT_THAT(result.rules.files, ElementsAre(main, folder_ + "/sub/Z.conf", folder_ + "/sub/a.conf",
                                              folder_ + "/sub/b.conf", folder_ + "/sub/more/c.conf"));
  EXPECT_EQ(result.rules.rules[3].position.file, 4u);
}

TEST_F(RuleFiles, APatternIsASource) {
  write("b.conf", "SecAction id:2");
  write("a.conf", "SecAction id:1");
  EXPECT_EQ(parse(folder_ + "/*.conf").rules.rules.size(), 2u);
  EXPECT_EQ(error(parse(folder_ + "/*.none")), "*.none: no file has such a name");
  EXPECT_EQ(error(parse(folder_ + "/none")), "none: none: No such file or directory");
}

TEST_F(RuleFiles, IncludesAreBounded) {
  const std::string self = write("self.conf", "SecAction id:1\nInclude self.conf");
  EXPECT_EQ(error(parse(self)), "self.conf:2:9: self.conf includes itself");
  write("x/b.conf", "Include ../a.conf");
  EXPECT_EQ(error(parse(write("a.conf", "Include x/b.conf"))), "x/b.conf:1:9: x/../a.conf includes itself");
  std::filesystem::create_symlink("self.conf", folder_ + "/link.conf");
  EXPECT_EQ(error(parse(folder_ + "/link.conf")), "link.conf:2:9: self.conf includes itself");

  for (int i = 0; i < 5; ++i) write(fmt::format("d{}.conf", i), fmt::format("Include d{}.conf", i + 1));
  write("d5.conf", "SecAction id:1");
  EXPECT_EQ(error(parse(folder_ + "/d0.conf", {.include_depth_max = 5})), "");
  EXPECT_EQ(error(parse(folder_ + "/d0.conf", {.include_depth_max = 4})),
            "d4.conf:1:9: files include each other more than 4 deep");
  EXPECT_EQ(error(parse(folder_ + "/d0.conf", {.files_max = 3})), "d2.conf:1:9: more than 3 files");

  const std::string big = write("big.conf", "# " + std::string(100, 'x'));
  EXPECT_EQ(error(parse(big, {.file_bytes_max = 102})), "");
  EXPECT_NE(error(parse(big, {.file_bytes_max = 101})), "");
  EXPECT_EQ(error(parse(big, {.total_bytes_max = 101})), "big.conf: the rules and their lists are more than 101 bytes");
}

TEST_F(RuleFiles, OnlyFilesAreRead) {
  ASSERT_EQ(::mkfifo((folder_ + "/pipe.conf").c_str(), 0600), 0);
  EXPECT_EQ(error(parse(folder_ + "/pipe.conf")), "pipe.conf: pipe.conf: not a file");
  EXPECT_EQ(error(parse(write("a.conf", "Include .\n"))), "a.conf:1:9: .: not a file");
}

TEST_F(RuleFiles, PhrasesStandBesideTheRules) {
  write("lists/p.data", "# comment\nAlpha Beta \r\n\n  # another\n  \n#\ngamma\n d");
  write("lists/q.data", "last");
  const ParseResult result = parse(
      write("a.conf",
            "SecRule ARGS \"@pmFromFile lists/p.data lists/q.data\" id:1\nSecRule ARGS \"!@pmf lists/q.data\" id:2"));
  EXPECT_THAT(result.errors, IsEmpty()) << describe(result);
  ASSERT_EQ(result.rules.rules.size(), 2u);
  EXPECT_THAT(result.rules.rules[0].op.phrases, ElementsAre("alpha beta ", "gamma", " d", "last"));
  EXPECT_EQ(result.rules.rules[0].op.kind, OperatorKind::pm_from_file);
  EXPECT_THAT(result.rules.rules[1].op.phrases, ElementsAre("last"));
  EXPECT_TRUE(result.rules.rules[1].op.negated);
}

TEST_F(RuleFiles, ListsCountAsOftenAsTheyAreNamed) {
  write("p.data", std::string(100, 'x'));
  std::string text;
  for (int i = 1; i <= 4; ++i) text += fmt::format("SecRule ARGS \"@pmFromFile p.data\" id:{}\n", i);
  const std::string path = write("a.conf", text);
  const std::size_t all = text.size() + 400;
  EXPECT_EQ(error(parse(path, {.total_bytes_max = all})), "");
  EXPECT_EQ(error(parse(path, {.total_bytes_max = all - 1})),
            fmt::format("a.conf:4:27: the rules and their lists are more than {} bytes", all - 1));
}

TEST_F(RuleFiles, AddressesFromAFile) {
  write("ips", "# office\n192.0.2.0/24\n 2001:db8::1 \r\n");
  const ParseResult result = parse(write("a.conf", "SecRule REMOTE_ADDR \"@ipMatchFromFile ips\" id:1"));
  EXPECT_THAT(result.errors, IsEmpty()) << describe(result);
  EXPECT_EQ(result.rules.rules.at(0).op.kind, OperatorKind::ip_match);
  EXPECT_EQ(describe(result.rules.rules.at(0).op.argument), "192.0.2.0/24,2001:db8::1");
  write("ips", "192.0.2.0/24\nnonsense\n");
  EXPECT_EQ(error(parse(folder_ + "/a.conf")), "a.conf:1:39: ips: \"nonsense\" is not an address or a network");
}

TEST_F(RuleFiles, RulesFromElsewhereMayNotNameFiles) {
  for (const std::string_view text : {"Include /etc/passwd", "SecRule ARGS \"@pmFromFile /etc/passwd\" id:1",
                                      "SecRule ARGS \"@ipMatchF /etc/passwd\" id:1"}) {
    const ParseResult result = parse_text(text, {.files = false});
    ASSERT_EQ(result.errors.size(), 1u) << text;
    EXPECT_EQ(result.errors[0].message, "these rules must not name files") << text;
  }
}

TEST_F(RuleFiles, TheDigestIsThatOfEverythingRead) {
  write("p.data", "x\n");
  const std::string rules = write("a.conf", "SecRule ARGS \"@pmFromFile p.data\" id:1");
  const std::string before = parse(rules).digest;
  EXPECT_EQ(before.size(), 32u);
  EXPECT_EQ(parse(rules).digest, before);
  write("p.data", "y\n");
  const std::string other_list = parse(rules).digest;
  EXPECT_NE(other_list, before);
  write("a.conf", "SecRule ARGS \"@pmFromFile p.data\" id:2");
  EXPECT_NE(parse(rules).digest, other_list);
  EXPECT_NE(parse_text("SecRuleEngine On").digest, parse_text("SecRuleEngine Off").digest);
}

TEST_F(RuleFiles, ATextsPathsCountFromItsName) {
  write("p.data", "x");
  const RuleSource source{folder_ + "/<inline>", "SecRule ARGS \"@pmFromFile p.data\" id:1"};
  EXPECT_THAT(parse_rules({&source, 1}).errors, IsEmpty());
}

}  // namespace
}  // namespace gatehouse::waf
