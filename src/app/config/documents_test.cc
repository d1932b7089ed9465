#include "app/config/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/config/load.h"
#include "app/config/table.h"
#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

using testing::HasSubstr;
using testing::Not;

LoadOutcome load(std::string_view text) {
  LoadOptions options;
  options.check_files = false;
  options.base_dir = "/etc/gatehouse";
  options.environment = [](const std::string&) { return std::optional<std::string>("very-secret"); };
  return load_config_text(text, "gatehouse.yaml", options);
}

std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string contract() { return read(GATEHOUSE_SOURCE_DIR "/tests/data/config/contract.yaml"); }

TEST(Documents, AnnotatedDefaultsLoad) {
  const LoadOutcome outcome = load(annotated_defaults());
  ASSERT_TRUE(outcome.ok()) << to_text(outcome.diagnostics, outcome.source, false);
  EXPECT_TRUE(outcome.diagnostics.empty()) << to_text(outcome.diagnostics, outcome.source, false);
  // What it says are defaults are the defaults: the same file with only the required keys means the same.
  const LoadOutcome bare = load(
      "version: 1\nlisteners: [{ name: public, address: 127.0.0.1:8080 }]\n"
      "services: { app: { endpoints: http://127.0.0.1:9001 } }\nroutes: [{ name: all, service: app }]\n");
  ASSERT_TRUE(bare.ok());
  EXPECT_EQ(effective_yaml(*outcome.config), effective_yaml(*bare.config));
}

// Every key is in the annotated defaults, as a setting or as a comment.
void expect_all_keys(const Object& object, const std::string& text) {
  for (const Key& key : object.keys()) {
    EXPECT_THAT(text, HasSubstr(std::string(key.name) + ":")) << object.name();
    EXPECT_FALSE(key.doc.empty()) << object.name() << " " << key.name;
    if (const Object* nested = key.kind->nested(); nested != nullptr && key.notes.example.empty())
      expect_all_keys(*nested, text);
  }
}
TEST(Documents, AnnotatedDefaultsAreComplete) { expect_all_keys(root_object(), annotated_defaults()); }

TEST(Documents, WhatIsShownReadsBackTheSame) {
  for (const std::string& text : {annotated_defaults(), contract()}) {
    const LoadOutcome first = load(text);
    ASSERT_TRUE(first.ok()) << to_text(first.diagnostics, first.source, false);
    const std::string shown = effective_yaml(*first.config, false);
    const LoadOutcome second = load(shown);
    ASSERT_TRUE(second.ok()) << to_text(second.diagnostics, second.source, false);
    EXPECT_EQ(effective_yaml(*second.config, false), shown);
    const LoadOutcome json = load(effective_json(*first.config, false));
    ASSERT_TRUE(json.ok()) << to_text(json.diagnostics, json.source, false);
    EXPECT_EQ(effective_yaml(*json.config, false), shown);
  }
}

TEST(Documents, SecretsAreMasked) {
  const LoadOutcome outcome = load(
      "version: 1\nlisteners: [{ name: public, address: 127.0.0.1:8080 }]\n"
      "services: { app: { endpoints: http://127.0.0.1:9001 } }\n"
      "routes: [{ name: all, service: app, headers: { request: { set: { x-token: \"${env:A}\", x-plain: shown } } } "
      "}]\n"
      "admin: { address: 127.0.0.1:9900, token: \"${env:B}\" }\n");
  ASSERT_TRUE(outcome.ok()) << to_text(outcome.diagnostics, outcome.source, false);
  for (const std::string& shown : {effective_yaml(*outcome.config), effective_json(*outcome.config)}) {
    EXPECT_THAT(shown, Not(HasSubstr("very-secret")));
    EXPECT_THAT(shown, HasSubstr("********"));
    EXPECT_THAT(shown, HasSubstr("shown"));
  }
  EXPECT_THAT(effective_yaml(*outcome.config, false), HasSubstr("very-secret"));
}

TEST(Documents, ReferenceIsCurrent) {
  EXPECT_EQ(read(GATEHOUSE_SOURCE_DIR "/docs/configuration.md"), reference_page())
      << "run: gatehouse config reference > docs/configuration.md";
}

TEST(Documents, ToYaml) {
  struct Case {
    const char* name;
    Json value;
    const char* text;
  };
  for (const Case& c : std::vector<Case>{
           {"plain", {{"a", "b"}}, "a: b\n"},
           {"quoted where it must be",
            {{"a", "true"},
             {"b", "12"},
             {"c", ""},
             {"d", "x: y"},
             {"e", "#x"},
             {"f", "*"},
             {"g", "x\ny"},
             {"h", "null"}},
            "a: \"true\"\nb: \"12\"\nc: \"\"\nd: \"x: y\"\ne: \"#x\"\nf: \"*\"\ng: \"x\\ny\"\nh: \"null\"\n"},
           {"numbers and lists",
            {{"a", 1}, {"b", Json::array({1, "x"})}, {"c", Json::array()}},
            "a: 1\nb: [1, x]\nc: []\n"},
           {"nested",
            {{"a", {{"b", Json::array({{{"c", 1}, {"d", 2}}, {{"c", 3}}})}}}},
            "a:\n  b:\n    - c: 1\n      d: 2\n    - c: 3\n"},
       }) {
    EXPECT_EQ(to_yaml(c.value), c.text) << c.name;
    const codec::YamlDocument read_back = codec::parse_yaml(to_yaml(c.value));
    EXPECT_TRUE(read_back.errors.empty()) << c.name;
  }
}

// A second opinion on the schema, where python3-jsonschema is installed: it is a schema, it accepts what we accept, and
// it refuses slips.
TEST(Documents, SchemaAcceptsWhatWeAccept) {
  static constexpr const char* kPython = "/usr/bin/python3";
  if (std::system((std::string(kPython) + " -c 'import jsonschema' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "python3-jsonschema is not installed";
  }
  const TempDir folder;
  std::ofstream(folder / "schema.json") << json_schema();
  const LoadOutcome first = load(contract());
  const LoadOutcome second = load(annotated_defaults());
  std::ofstream(folder / "good1.json") << effective_json(*first.config);
  std::ofstream(folder / "good2.json") << effective_json(*second.config);
  std::ofstream(folder / "bad1.json") << R"({"version": 1, "listeners": [{"name": "a", "adress": "127.0.0.1:1"}]})";
  std::ofstream(folder / "bad2.json")
      << R"({"version": 1, "listeners": [{"name": "a", "address": "127.0.0.1:1", "limits": {"headers": 0}}]})";
  std::ofstream(folder / "bad3.json")
      << R"({"version": 1, "listeners": [], "routes": [{"name": "a", "service": "x", "timeout": "10 s"}]})";
  std::ofstream(folder / "check.py") << R"(
import json, sys, jsonschema
read = lambda name: json.load(open(sys.argv[1] + "/" + name))
schema = read("schema.json")
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for name in ("good1.json", "good2.json"):
    for error in validator.iter_errors(read(name)):
        sys.exit(f"{name}: {list(error.absolute_path)}: {error.message}")
for name in ("bad1.json", "bad2.json", "bad3.json"):
    if validator.is_valid(read(name)): sys.exit(f"{name}: accepted")
)";
  EXPECT_EQ(std::system((std::string(kPython) + " " + folder / "check.py " + folder.path()).c_str()), 0);
}

}  // namespace
}  // namespace gatehouse::app
