#include "schema/validator.h"

#include <chrono>

#include "schema/schema_testing.h"

namespace gatehouse::schema {
namespace {

constexpr std::uint64_t kPlenty = 10'000'000;

struct Case {
  const char* schema;
  std::vector<std::string> good, bad;
};

void run(const std::vector<Case>& cases, OpenApiVersion version) {
  for (const Case& c : cases) {
    const LoneSchema schema(c.schema, version);
    ASSERT_TRUE(schema.good) << c.schema << ": " << schema.first_problem();
    for (const std::string& json : c.good) {
      Validator validator(Validator::Unknown::collect, kPlenty);
      EXPECT_EQ(schema.judge(json, validator), Validator::Verdict::valid)
          << c.schema << " takes " << json << "; said " << validator.failure().keyword << " at "
          << validator.failure().pointer;
    }
    for (const std::string& json : c.bad) {
      Validator validator(Validator::Unknown::collect, kPlenty);
      EXPECT_EQ(schema.judge(json, validator), Validator::Verdict::invalid) << c.schema << " refuses " << json;
      EXPECT_FALSE(validator.failure().keyword.empty());
    }
  }
}

TEST(Validator, TypesNumbersAndStrings) {
  run(
      {
          {"{type: integer}", {"1", "-0", "1.0", "1e3"}, {"1.5", "\"1\"", "true", "null", "[1]"}},
          {"{type: number}", {"1", "1.5"}, {"\"1\"", "false"}},
          {"{type: [string, \"null\"]}", {"\"\"", "null"}, {"0", "{}"}},
          {"{minimum: 1, maximum: 10}", {"1", "10", "\"x\""}, {"0", "10.000001", "-1e300"}},
          {"{exclusiveMinimum: 1, exclusiveMaximum: 10}", {"1.0001", "9"}, {"1", "10", "1.0"}},
          {"{minimum: 5, exclusiveMinimum: 5}", {"6"}, {"5"}},
          {"{minimum: 9007199254740993}", {"9007199254740993"}, {"9007199254740992"}},
          {"{maximum: 9223372036854775806}", {"9223372036854775806"}, {"9223372036854775807"}},
          {"{multipleOf: 3}", {"9", "-3", "0", "6.0"}, {"10", "4.5"}},
          {"{multipleOf: 0.01}", {"19.99", "0.07", "1e20"}, {"19.995", "0.001"}},
          {"{format: int32}", {"2147483647", "-2147483648"}, {"2147483648", "-2147483649", "1e10"}},
          {"{format: int64}", {"9223372036854775807"}, {"1e19"}},
          {"{format: float}", {"3.4e38"}, {"3.5e38"}},
          {"{minLength: 2, maxLength: 3}",
           {"\"ab\"", "\"äöü\"", "\"😀😀😀\"", "\"a\\u0000b\"", "1"},
           // A NUL is no end: what stands behind it counts.
           {"\"a\"", "\"abcd\"", "\"ab\\u0000cdefgh\"", "\"😀\""}},
          {"{pattern: '^[a-z]+$'}",
           {"\"abc\"", "5"},
           {"\"\"", "\"aB\"", "\"abc\\n\"", "\"abc\\ndef\"", "\"abc\\u0000\""}},
          {"{pattern: '^.{3}$'}", {"\"äöü\"", "\"a b\""}, {"\"ä\"", "\"a\\nb\""}},
          {"{pattern: '^\\u00e4\\d$'}", {"\"ä1\""}, {"\"ä١\"", "\"a1\""}},
          {"{format: uuid}", {"\"123e4567-e89b-12d3-a456-426614174000\"", "7"}, {"\"x\""}},
          {"{enum: [1, a, null, [1, 2], {a: 1, b: 2}]}",
           {"1.0", "\"a\"", "null", "[1,2]", "{\"b\":2,\"a\":1}"},
           {"2", "\"A\"", "[2,1]", "{\"a\":1}", "true"}},
          {"{const: {a: [1]}}", {"{\"a\":[1.0]}"}, {"{\"a\":[1,1]}", "{}"}},
          {"{enum: [1, 2], const: 2}", {"2"}, {"1"}},
          {"{const: 2, enum: [1, 2]}", {"2"}, {"1"}},
          {"{const: 3, enum: [1, 2]}", {}, {"1", "2", "3"}},
          {"true", {"1", "{}"}, {}},
          {"false", {}, {"1", "null"}},
      },
      OpenApiVersion::v31);
}

TEST(Validator, ArraysAndObjects) {
  run(
      {
          {"{items: {type: integer}, minItems: 1, maxItems: 2}", {"[1]", "[1,2]", "{}"}, {"[]", "[1,2,3]", "[\"a\"]"}},
          {"{prefixItems: [{type: string}], items: {type: integer}}",
           {"[]", "[\"a\"]", "[\"a\",1]"},
           {"[1]", "[\"a\",\"b\"]"}},
          {"{uniqueItems: true}",
           {"[1,2]", "[1,\"1\"]", "[{\"a\":1},{\"a\":2}]", "[0,false]"},
           {"[1,1.0]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "[[1],[1]]", "[\"x\",1,\"x\"]"}},
          {"{contains: {type: integer}, minContains: 2, maxContains: 3}",
           {"[1,2]", "[1,2,\"x\",3]"},
           {"[1]", "[1,2,3,4]"}},
          {"{contains: {const: 1}}", {"[0,1]"}, {"[]", "[0]"}},
          {"{type: object, required: [a], properties: {a: {type: integer}}, additionalProperties: false}",
           {"{\"a\":1}"},
           {"{}", "{\"a\":\"x\"}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"\":2}", "{\"a\\u0000\":1}", "[]"}},
          {"{additionalProperties: {type: integer}}", {"{\"x\":1}"}, {"{\"x\":\"1\"}"}},
          {"{patternProperties: {'^n': {type: number}}, additionalProperties: false}",
           {"{\"n1\":1}"},
           {"{\"n1\":\"\"}", "{\"x\":1}"}},
          {"{propertyNames: {maxLength: 2}}", {"{\"ab\":1}"}, {"{\"abc\":1}"}},
          {"{minProperties: 1, maxProperties: 2}", {"{\"a\":1}"}, {"{}", "{\"a\":1,\"b\":1,\"c\":1}"}},
          {"{dependentRequired: {a: [b]}}", {"{\"b\":1}", "{\"a\":1,\"b\":1}"}, {"{\"a\":1}"}},
          {"{dependentSchemas: {a: {required: [c]}}}", {"{}", "{\"a\":1,\"c\":1}"}, {"{\"a\":1}"}},
          {"{$defs: {n: {properties: {next: {$ref: '#/$defs/n'}}, additionalProperties: false}}, $ref: '#/$defs/n'}",
           {"{}", "{\"next\":{\"next\":{}}}"},
           {"{\"next\":{\"next\":{\"x\":1}}}", "{\"next\":{\"nxt\":{}}}"}},
      },
      OpenApiVersion::v31);
}

TEST(Validator, Combinations) {
  run(
      {
          {"{allOf: [{minimum: 1}, {maximum: 3}]}", {"2"}, {"0", "4"}},
          {"{anyOf: [{type: string}, {minimum: 5}]}", {"\"\"", "5"}, {"4"}},
          {"{oneOf: [{multipleOf: 3}, {multipleOf: 5}]}", {"3", "5"}, {"15", "2"}},
          {"{not: {type: string}}", {"1"}, {"\"\""}},
          {"{not: {properties: {a: {const: 1}}, required: [a]}}",
           {"{}", "{\"a\":2,\"x\":1}"},
           {"{\"a\":1}", "{\"a\":1,\"x\":2}"}},
          {"{if: {type: string}, then: {minLength: 1}, else: {minimum: 0}}", {"\"a\"", "0", "null"}, {"\"\"", "-1"}},
          {"{then: false}", {"1"}, {}},
          {"{allOf: [{properties: {a: {type: integer}}}], properties: {b: {}}, unevaluatedProperties: false}",
           {"{\"a\":1,\"b\":2}"},
           {"{\"a\":1,\"c\":2}", "{\"a\":\"\"}"}},
          {"{oneOf: [{required: [a], properties: {a: {}}}, {required: [b], properties: {b: {}}}], "
           "unevaluatedProperties: false}",
           {"{\"a\":1}", "{\"b\":1}"},
           {"{\"a\":1,\"x\":1}", "{}", "{\"a\":1,\"b\":1}"}},
          {"{properties: {a: {}}, unevaluatedProperties: {type: integer}}", {"{\"a\":\"\",\"b\":1}"}, {"{\"b\":\"\"}"}},
          {"{if: {required: [a], properties: {a: {}}}, unevaluatedProperties: false}",
           {"{}", "{\"a\":1}"},
           {"{\"b\":1}"}},
      },
      OpenApiVersion::v31);
}

TEST(Validator, TheDialectOf30) {
  run(
      {
          {"{type: string, nullable: true}", {"null", "\"\""}, {"1"}},
          {"{type: string, nullable: true, enum: [a]}", {"\"a\""}, {"null"}},
          {"{type: integer, minimum: 1, exclusiveMinimum: true}", {"2"}, {"1"}},
          {"{exclusiveMaximum: true, maximum: 3}", {"2"}, {"3"}},
          {"{minimum: 1, exclusiveMinimum: false}", {"1"}, {"0"}},
          // What only the service sets is neither needed nor allowed.
          {"{type: object, required: [id, a], properties: {id: {type: integer, readOnly: true}, a: {}}}",
           {"{\"a\":1}"},
           {"{\"id\":1,\"a\":1}", "{}"}},
      },
      OpenApiVersion::v30);
}

TEST(Validator, UnknownMembersAreThoseThatNoSchemaOfTheObjectNames) {
  struct UnknownCase {
    const char *schema, *json;
    std::vector<std::string> unknown;
  };
  const UnknownCase cases[] = {
      {"{properties: {a: {}}}", R"({"a":1,"b":2})", {"/b"}},
      {"{type: object}", R"({"b":2})", {}},  // names nothing: any object
      {"{properties: {a: {}}, additionalProperties: true}", R"({"b":2})", {}},
      {"{properties: {a: {}}, additionalProperties: {type: integer}}", R"({"b":2})", {}},
      {"{allOf: [{properties: {a: {}}}, {properties: {b: {}}}]}", R"({"a":1,"b":2,"c":3})", {"/c"}},
      {"{allOf: [{properties: {a: {}}}], properties: {b: {}}}", R"({"a":1,"b":2})", {}},
      // What an alternative that doesn't hold would know is not known.
      {"{oneOf: [{required: [a], properties: {a: {}}}, {required: [b], properties: {b: {}, c: {}}}]}",
       R"({"a":1,"c":3})",
       {"/c"}},
      {"{oneOf: [{required: [a], properties: {a: {}}}, {required: [b], properties: {b: {}, c: {}}}]}",
       R"({"b":1,"c":3})",
       {}},
      {"{anyOf: [{properties: {a: {properties: {x: {}}}}}, {properties: {a: {properties: {y: {}}}}}]}",
       R"({"a":{"y":1}})",
       {}},
      {"{anyOf: [{properties: {a: {properties: {x: {}}}}}, {properties: {a: {properties: {y: {}}}}}]}",
       R"({"a":{"z":1}})",
       {"/a/z"}},
      {"{items: {properties: {a: {}}}}", R"([{"a":1},{"b":1},{"a":1,"c":1}])", {"/1/b", "/2/c"}},
      {"{properties: {'a/b~': {properties: {q: {}}}}}", R"({"a/b~":{"z":1}})", {"/a~1b~0/z"}},
      {"{not: {properties: {a: {properties: {b: {type: string}}}}}}", R"({"a":{"b":1,"c":2}})", {}},
      {"{contains: {properties: {a: {}}}}", R"([{"z":1}])", {}},
  };
  for (const UnknownCase& c : cases) {
    const LoneSchema schema(c.schema);
    ASSERT_TRUE(schema.good) << c.schema << ": " << schema.first_problem();
    Validator validator(Validator::Unknown::collect, kPlenty);
    EXPECT_EQ(schema.judge(c.json, validator), Validator::Verdict::valid) << c.schema << c.json;
    EXPECT_EQ(validator.unknown(), c.unknown) << c.schema << c.json;
    // Asking for names changes no verdict.
    Validator without(Validator::Unknown::ignore, kPlenty);
    EXPECT_EQ(schema.judge(c.json, without), Validator::Verdict::valid);
    EXPECT_TRUE(without.unknown().empty());
  }
  const LoneSchema many("{properties: {a: {}}}");
  std::string json = "{";
  for (int i = 0; i < 100; ++i) json += fmt::format("\"x{}\":1,", i);
  json.back() = '}';
  Validator validator(Validator::Unknown::collect, kPlenty);
  EXPECT_EQ(many.judge(json, validator), Validator::Verdict::valid);
  EXPECT_EQ(validator.unknown().size(), Validator::kUnknownMax);
}

TEST(Validator, SaysWhereAndWhatWasExpectedAndNeverTheValue) {
  const LoneSchema schema(R"(
type: object
properties:
  items: { type: array, items: { type: object, properties: { quantity: { type: integer, maximum: 99 } } } }
)");
  Validator validator(Validator::Unknown::ignore, kPlenty);
  EXPECT_EQ(schema.judge(R"({"items":[{"quantity":1},{"quantity":123456}]})", validator), Validator::Verdict::invalid);
  EXPECT_EQ(validator.failure().keyword, "maximum");
  EXPECT_EQ(validator.failure().pointer, "/items/1/quantity");
  EXPECT_EQ(validator.failure().expected, "at most 99");
}

// What is slow elsewhere: each must end, by a verdict or for its work, in a moment.
TEST(Validator, HostileValuesEndInTime) {
  const auto repeated = [](std::string_view one, std::size_t count) {
    std::string json = "[";
    for (std::size_t i = 0; i < count; ++i) json += fmt::format(fmt::runtime(one), i), json += ',';
    json.back() = ']';
    return json;
  };
  std::string deep, deep_object;
  for (int i = 0; i < 300; ++i) deep += "{\"a\":", deep_object += "}";
  struct Hostile {
    const char* name;
    const char* schema;
    std::string json;
    Validator::Verdict expected;
  };
  const Hostile cases[] = {
      {"alternatives within alternatives",
       "{$defs: {n: {oneOf: [{properties: {a: {$ref: '#/$defs/n'}}}, {properties: {a: {$ref: '#/$defs/n'}}}]}}, $ref: "
       "'#/$defs/n'}",
       deep + "1" + deep_object, Validator::Verdict::exhausted},
      {"uniqueItems of a hundred thousand numbers", "{uniqueItems: true}", repeated("{}", 100'000),
       Validator::Verdict::valid},
      {"uniqueItems of objects with one long prefix", "{uniqueItems: true}",
       repeated("{{\"" + std::string(200, 'x') + "\":{}}}", 20'000), Validator::Verdict::valid},
      {"a pattern that backtracks, on many values", "{items: {pattern: '^(a+)+$'}}",
       repeated("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{}!\"", 20'000), Validator::Verdict::exhausted},
      {"a pattern that backtracks on one long value", "{pattern: '^(([a-z])+.)+[A-Z]([a-z])+$'}",
       "\"" + std::string(100'000, 'a') + "\"", Validator::Verdict::exhausted},
      {"an object of a hundred thousand members", "{properties: {a: {}}, required: [a]}",
       [&] {
         std::string json = "{";
         for (int i = 0; i < 100'000; ++i) json += fmt::format("\"m{}\":{},", i, i);
         return json + "\"a\":1}";
       }(),
       Validator::Verdict::valid},
      {"many members under alternatives",
       "{anyOf: [{required: [x]}, {required: [y]}, {required: [z]}, {minProperties: 1}]}",
       [&] {
         std::string json = "{";
         for (int i = 0; i < 100'000; ++i) json += fmt::format("\"m{}\":{},", i, i);
         return json + "\"a\":1}";
       }(),
       Validator::Verdict::valid},
  };
  for (const Hostile& c : cases) {
    const LoneSchema schema(c.schema);
    ASSERT_TRUE(schema.good) << c.name << ": " << schema.first_problem();
    const auto value = codec::Json::parse(c.json, {.bytes_max = 64 << 20, .depth_max = 512, .values_max = 4 << 20});
    ASSERT_TRUE(value) << c.name;
    Validator validator(Validator::Unknown::collect, 2'000'000);
    const auto from = std::chrono::steady_clock::now();
    EXPECT_EQ(validator.validate(*schema.schema, *value), c.expected) << c.name;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - from;
    RecordProperty(c.name, std::to_string(taken.count()));
    // Quadratic and exponential work would take minutes; the bound is wide for a sanitizer on a busy machine.
    EXPECT_LT(taken.count(), 5.0) << c.name;
  }
}

TEST(SchemaReader, RefusedSchemasNameWhatIsWrong) {
  struct Refused {
    const char *schema, *message;
    OpenApiVersion version = OpenApiVersion::v31;
  };
  const Refused cases[] = {
      {"{$ref: 'other.yaml#/a'}", "leads to another document"},
      {"{$ref: '#/nowhere'}", "there is nothing at that place"},
      {"{a: {$ref: '#/a'}, $ref: '#/a'}", "without end"},
      {"{allOf: [{$ref: '#'}]}", "applies itself to the same value"},
      {"{$defs: {a: {anyOf: [{$ref: '#/$defs/b'}]}, b: {not: {$ref: '#/$defs/a'}}}, $ref: '#/$defs/a'}",
       "applies itself"},
      {"{unevaluatedItems: false}", "not supported"},
      {"{$dynamicRef: '#x'}", "not supported"},
      {"{$id: 'x'}", "not supported"},
      {"{minLenght: 1}", "no keyword of schemas"},
      {"{type: text}", "is no type"},
      {"{type: [string, null]}", "is no type"},
      {"{nullable: true, type: string}", "no keyword of OpenAPI 3.1"},
      {"{const: 1}", "no keyword of OpenAPI 3.0", OpenApiVersion::v30},
      {"{type: [string, integer]}", "is no type", OpenApiVersion::v30},
      {"{nullable: true}", "without type has no effect", OpenApiVersion::v30},
      {"{exclusiveMinimum: true}", "has no effect", OpenApiVersion::v30},
      {"{exclusiveMinimum: 3}", "must be true or false", OpenApiVersion::v30},
      {"{a: {type: string}, $ref: '#/a', maxLength: 3}", "beside $ref has no effect", OpenApiVersion::v30},
      {"{pattern: '('}", "the pattern cannot be used"},
      {"{pattern: '(*UTF)a'}", "the pattern cannot be used"},
      {"{minimum: '1'}", "must be a number"},
      {"{minLength: -1}", "0 or more"},
      {"{required: true}", "must be a list of property names"},
      {"{enum: []}", "empty"},
      {"{oneOf: []}", "empty"},
      {"{multipleOf: 0}", "more than 0"},
      {"{items: [{}]}", "a schema must be a block of keys"},
      {"[]", "a schema must be a block of keys"},
  };
  for (const Refused& c : cases) {
    const LoneSchema schema(c.schema, c.version);
    EXPECT_FALSE(schema.good) << c.schema;
    const bool told = std::any_of(schema.problems.begin(), schema.problems.end(), [&](const Problem& problem) {
      return problem.message.find(c.message) != std::string::npos && problem.position.line > 0;
    });
    EXPECT_TRUE(told) << c.schema << " said: " << schema.first_problem();
  }
  const LoneSchema phone("{type: string, format: phone}");
  EXPECT_TRUE(phone.good);
  EXPECT_EQ(phone.first_problem(), "the format \"phone\" is not checked");
}

// A chain of references that is as long as a document allows costs no stack; one of in-place steps is refused.
TEST(SchemaReader, LongChains) {
  std::string far = "$defs:\n", near = "$defs:\n";
  for (int i = 0; i < 5000; ++i) {
    far += fmt::format("  s{}: {{properties: {{a: {{$ref: '#/$defs/s{}'}}}}}}\n", i, i + 1);
    near += fmt::format("  s{}: {{allOf: [{{$ref: '#/$defs/s{}'}}]}}\n", i, i + 1);
  }
  EXPECT_TRUE(LoneSchema(far + "  s5000: {}\n$ref: '#/$defs/s0'\n").good);
  const LoneSchema refused(near + "  s5000: {}\n$ref: '#/$defs/s0'\n");
  EXPECT_FALSE(refused.good);
  EXPECT_NE(refused.first_problem().find("too many schemas"), std::string::npos) << refused.first_problem();
}

}  // namespace
}  // namespace gatehouse::schema
