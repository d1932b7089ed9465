// Second opinions on random schemas and values: python3-jsonschema's verdicts, kept in tests/data/openapi/verdicts.json
// by tests/schema/make_corpus.py, and valijson's, asked here.
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"
#include "schema/schema_testing.h"

namespace gatehouse::schema {
namespace {

nlohmann::json corpus() {
  const auto text = read_file(GATEHOUSE_SOURCE_DIR "/tests/data/openapi/verdicts.json", 16 << 20);
  return nlohmann::json::parse(text.value());
}

TEST(Oracle, JsonschemaSaysTheSame) {
  std::size_t compared = 0, valid = 0;
  const nlohmann::json all = corpus();
  for (const auto& one : all["cases"]) {
    const LoneSchema schema(one["schema"].dump());
    ASSERT_TRUE(schema.good) << one["schema"] << ": " << schema.first_problem();
    for (std::size_t i = 0; i < one["values"].size(); ++i) {
      Validator validator(Validator::Unknown::collect, 10'000'000);
      const bool ours = schema.judge(one["values"][i].dump(), validator) == Validator::Verdict::valid;
      EXPECT_EQ(ours, one["valid"][i].get<bool>()) << one["schema"] << "\n  of " << one["values"][i] << "\n  "
                                                   << validator.failure().keyword << validator.failure().pointer;
      ++compared;
      valid += ours;
    }
  }
  EXPECT_GT(compared, 3500U);
  EXPECT_GT(valid, compared / 5);
  EXPECT_LT(valid, compared * 4 / 5);
}

// Whether a schema, or one within it, has a keyword.
bool has_keyword(const nlohmann::json& schema, std::initializer_list<const char*> keywords) {
  if (schema.is_object()) {
    for (const char* keyword : keywords) {
      if (schema.contains(keyword)) return true;
    }
  }
  return schema.is_structured() &&
         std::any_of(schema.begin(), schema.end(), [&](const auto& part) { return has_keyword(part, keywords); });
}

TEST(Oracle, ValijsonSaysTheSameOfTheKeywordsThatItReadsAsSpecified) {
  std::size_t compared = 0;
  const nlohmann::json all = corpus();
  for (const auto& one : all["cases"]) {
    const nlohmann::json& said = one["schema"];
    // Drafts later than 7, which it doesn't know; and keywords whose meaning is another there: see decision 9.
    if (has_keyword(said, {"prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties",
                           "minContains", "multipleOf", "propertyNames"})) {
      continue;
    }
    const LoneSchema schema(said.dump());
    valijson::Schema theirs;
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(said), theirs);
    valijson::Validator their_validator;
    for (const auto& value : one["values"]) {
      const std::string text = value.dump();
      if (text.find(".0") != std::string::npos) continue;  // no integer to it
      const bool ascii = std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
      if (!ascii && has_keyword(said, {"pattern", "patternProperties"})) continue;  // it matches bytes
      Validator validator(Validator::Unknown::ignore, 10'000'000);
      const bool ours = schema.judge(value.dump(), validator) == Validator::Verdict::valid;
      bool same = false;
      try {
        same = ours == their_validator.validate(theirs, valijson::adapters::NlohmannJsonAdapter(value), nullptr);
      } catch (const std::exception& error) {
        ADD_FAILURE() << said << " of " << value << ": " << error.what();
        continue;
      }
      EXPECT_TRUE(same) << said << "\n  of " << value << ": ours " << ours;
      ++compared;
    }
  }
  EXPECT_GT(compared, 1000U);
}

}  // namespace
}  // namespace gatehouse::schema
