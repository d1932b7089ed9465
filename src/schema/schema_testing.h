#pragma once
// A schema alone, read from text, for tests.

#include <gtest/gtest.h>

#include "schema/openapi_model.h"
#include "schema/schema_reader.h"
#include "schema/validator.h"

namespace gatehouse::schema {

struct LoneSchema {
  // `text` is a Schema Object, or a document's components when it begins with "components".
  explicit LoneSchema(std::string_view text, OpenApiVersion version = OpenApiVersion::v31) {
    yaml = codec::parse_yaml(text);
    for (const codec::YamlError& error : yaml.errors)
      problems.push_back({Problem::Severity::error, error.position, error.message, error.hint});
    Document document(yaml.root, problems);
    document.set_version(version);
    SchemaReader reader(document);
    schema = reader.at(yaml.root, "");
    good = reader.finish() && yaml.errors.empty();
    set = reader.take();
  }
  // The same with definitions: "#/$defs/…" lead into the schema itself.
  Validator::Verdict judge(std::string_view json, Validator& validator) const {
    const auto value = codec::Json::parse(json, {.bytes_max = 64 << 20, .depth_max = 512, .values_max = 4 << 20});
    EXPECT_TRUE(value.has_value()) << json.substr(0, 200);
    return value ? validator.validate(*schema, *value) : Validator::Verdict::invalid;
  }
  std::string first_problem() const { return problems.empty() ? "" : problems.front().message; }

  codec::YamlDocument yaml;
  std::vector<Problem> problems;
  SchemaSet set;
  const Schema* schema = nullptr;
  bool good = false;
};

}  // namespace gatehouse::schema
