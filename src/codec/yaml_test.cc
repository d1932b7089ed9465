#include "codec/yaml.h"

#include <gtest/gtest.h>

namespace gatehouse::codec {
namespace {

using Kind = YamlNode::Kind;

std::string shape(const YamlNode& node) {  // "{a:[i1,s'x']}"
  switch (node.kind()) {
    case Kind::invalid: return "!";
    case Kind::null: return "null";
    case Kind::boolean: return node.boolean() ? "true" : "false";
    case Kind::integer: return "i" + (node.integer() ? std::to_string(*node.integer()) : "?");
    case Kind::real: return "r" + (node.real() ? std::to_string(*node.real()) : "?");
    case Kind::string: return "'" + node.text() + "'";
    case Kind::list: {
      std::string text = "[";
      for (const YamlNode& item : node.items()) text += (text.size() > 1 ? "," : "") + shape(item);
      return text + "]";
    }
    case Kind::map: {
      std::string text = "{";
      for (const YamlEntry& e : node.entries()) text += (text.size() > 1 ? "," : "") + e.key + ":" + shape(e.value);
      return text + "}";
    }
  }
  return "?";
}

TEST(Yaml, CoreSchemaValues) {
  struct Case {
    const char *name, *text, *shape;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"empty file", "", "null"},
           {"comment only", "# nothing\n", "null"},
           {"the Norway problem", "[no, yes, on, off, y, n, NO]", "['no','yes','on','off','y','n','NO']"},
           {"booleans", "[true, True, FALSE, tRUE]", "[true,true,false,'tRUE']"},
           {"nulls", "[~, null, Null, NULL, nULL]", "[null,null,null,null,'nULL']"},
           {"integers", "[0, -1, +7, 0o17, 0x1F, 00012]", "[i0,i-1,i7,i15,i31,i12]"},
           {"not integers", "[1_000, 0b1, 1:30, 0x, 0o8, 0xG]", "['1_000','0b1','1:30','0x','0o8','0xG']"},
           {"integer out of range", "[9223372036854775807, 9223372036854775808]", "[i9223372036854775807,i?]"},
           {"reals", "[1.5, .5, 1., 1e3, -1.25E-2]", "[r1.500000,r0.500000,r1.000000,r1000.000000,r-0.012500]"},
           {"reals nobody can use", "[.inf, -.inf, .nan]", "[r?,r?,r?]"},
           {"not reals", "[., e3, 1.2.3, 1e]", "['.','e3','1.2.3','1e']"},
           {"quoted is text", "['1', \"true\", '', \"null\"]", "['1','true','','null']"},
           {"empty values", "a:\nb: ~\n", "{a:null,b:null}"},
           {"addresses and networks", "[0.0.0.0:8443, 10.0.0.0/8, fd00::/8]",
            "['0.0.0.0:8443','10.0.0.0/8','fd00::/8']"},
           {"JSON", "{\"a\": [1, 2.5, true, null, \"x\\u0041\\n\"], \"b\": {}}",
            "{a:[i1,r2.500000,true,null,'xA\n'],b:{}}"},
           {"block scalar", "a: |\n  one\n  two\n", "{a:'one\ntwo\n'}"},
           {"byte order mark",
            "\xEF\xBB\xBF"
            "a: 1\n",
            "{a:i1}"},
           {"CRLF", "a: 1\r\nb: 2\r\n", "{a:i1,b:i2}"},
           {"document markers", "---\na: 1\n...\n", "{a:i1}"},
           {"numbers as keys are text", "8080: x\n", "{8080:'x'}"},
           {"merge keys are not special", "<<: x\n", "{<<:'x'}"},
       }) {
    const YamlDocument document = parse_yaml(c.text);
    EXPECT_TRUE(document.errors.empty()) << c.name << ": " << document.errors.front().message;
    EXPECT_EQ(shape(document.root), c.shape) << c.name;
  }
}

TEST(Yaml, RefusedWithPosition) {
  struct Case {
    const char* name;
    std::string text;
    YamlPosition position;
    const char* message;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"duplicate key", "a: 1\nb: 2\na: 3\n", {3, 1}, "duplicate key \"a\""},
           {"duplicate key in flow", "x: {a: 1, b: 2, a: 3}\n", {1, 17}, "duplicate key \"a\""},
           {"anchor", "a: &x 1\n", {1, 4}, "anchors are not supported"},
           {"anchor on a map", "a: &x\n  b: 1\n", {1, 4}, "anchors are not supported"},
           {"tag", "a: !!str 1\n", {1, 4}, "tags are not supported: tag:yaml.org,2002:str"},
           {"local tag", "a: !x 1\n", {1, 4}, "tags are not supported: !x"},
           {"second document", "a: 1\n---\nb: 2\n", {2, 1}, "a second document in one file"},
           {"list as key", "[a]: 1\n", {1, 1}, "a key must be text, not a list"},
           {"null as key", "~: 1\n", {1, 1}, "a key must be text, not nothing"},
           {"not UTF-8", "a: \xC0\xAF\n", {1, 4}, "the file is not UTF-8 from here on"},
           {"surrogate in UTF-8", "a: \xED\xA0\x80\n", {1, 4}, "the file is not UTF-8 from here on"},
           {"NUL", std::string("a: \0\n", 5), {1, 4}, "control character 0x00"},
           {"escape character", "a: 1\nb: \x1b[31m\n", {2, 4}, "control character 0x1b"},
           {"lone CR", "a: 1\rb: 2\n", {1, 5}, "control character 0x0d"},
           {"unclosed flow map", "a: {b: 1\n", {2, 1}, "not valid YAML: end of map flow not found"},
           {"bad indentation", "a: 1\n  b: 2\n", {2, 4}, "not valid YAML: illegal map value"},
       }) {
    const YamlDocument document = parse_yaml(c.text);
    ASSERT_FALSE(document.errors.empty()) << c.name;
    EXPECT_EQ(document.errors[0].message, c.message) << c.name;
    EXPECT_EQ(document.errors[0].position.line, c.position.line) << c.name;
    EXPECT_EQ(document.errors[0].position.column, c.position.column) << c.name;
  }
}

TEST(Yaml, CollectsEveryError) {
  const YamlDocument document = parse_yaml("a: &x 1\nb: *x\na: 2\nc: !!int 3\n");
  ASSERT_EQ(document.errors.size(), 4u);
  EXPECT_EQ(document.errors[1].message, "aliases are not supported");
  EXPECT_EQ(document.errors[1].position, (YamlPosition{2, 4}));
  EXPECT_TRUE(document.complete);
  EXPECT_EQ(shape(document.root), "{a:i1,b:!,c:!}");
}

TEST(Yaml, PositionsOfKeysAndValues) {
  const YamlDocument document = parse_yaml("top:\n  - name: x\n    \"ключ\": { a: [1,  2] }\n  - {}\nnone:\n");
  const YamlNode& list = document.root.find("top")->value;
  EXPECT_EQ(list.position(), (YamlPosition{2, 3}));
  const YamlEntry* name = list.items()[0].find("name");
  EXPECT_EQ(name->position, (YamlPosition{2, 5}));
  EXPECT_EQ(name->value.position(), (YamlPosition{2, 11}));
  const YamlEntry* key = list.items()[0].find("ключ");
  EXPECT_EQ(key->position, (YamlPosition{3, 5}));
  EXPECT_EQ(key->value.position(), (YamlPosition{3, 13})) << "columns count code points";
  EXPECT_EQ(key->value.find("a")->value.items()[1].position(), (YamlPosition{3, 23}));
  EXPECT_EQ(document.root.find("none")->value.position(), (YamlPosition{5, 1})) << "an empty value is at its key";
}

TEST(Yaml, Limits) {
  EXPECT_EQ(parse_yaml(std::string(64, '[') + std::string(64, ']')).errors.size(), 0u);
  const YamlDocument deep = parse_yaml(std::string(65, '[') + std::string(65, ']'));
  ASSERT_EQ(deep.errors.size(), 1u);
  EXPECT_EQ(deep.errors[0].message, "nested too deeply: at most 64 levels");
  EXPECT_EQ(deep.errors[0].position, (YamlPosition{1, 65}));
  EXPECT_EQ(parse_yaml("[1, 2, 3]", {.nodes = 4}).errors.size(), 0u);
  EXPECT_EQ(parse_yaml("[1, 2, 3, 4, 5]", {.nodes = 4}).errors.size(), 1u);
  EXPECT_EQ(parse_yaml("a: 12", {.bytes = 5}).errors.size(), 0u);
  EXPECT_EQ(parse_yaml("a: 123", {.bytes = 5}).errors[0].message, "the file is too large: at most 5 bytes");
  // far past the parser's own guard: an error, not a stack overflow
  EXPECT_FALSE(parse_yaml(std::string(100'000, '[')).errors.empty());
}

}  // namespace
}  // namespace gatehouse::codec
