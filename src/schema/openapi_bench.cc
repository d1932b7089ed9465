// What the positive model costs one request of a shop's API, and the same order with valijson, the packaged validator.
#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "schema/openapi_testing.h"
#include "schema/schema_testing.h"

namespace gatehouse::schema {
namespace {

void head_of_a_list(benchmark::State& state) {
  const auto model = shop_model();
  http::Fields fields;
  fields.add("accept", "application/json");
  fields.add("user-agent", "curl/7.88");
  fields.add("x-trace", "123e4567-e89b-12d3-a456-426614174000");
  Arena arena;
  for (auto _ : state) {
    arena.reset();
    benchmark::DoNotOptimize(model->validate_head(
        {"GET", "/v1/products", "category=desks&limit=20&tags=oak&tags=white", fields, false}, arena));
  }
}
BENCHMARK(head_of_a_list);

void order_of_a_kilobyte(benchmark::State& state) {
  const auto model = shop_model();
  http::Fields fields;
  fields.add("content-type", "application/json");
  Arena arena;
  for (auto _ : state) {
    arena.reset();
    const auto head = model->validate_head({"POST", "/v1/orders", "", fields, true}, arena);
    const auto body = model->validate_body(*head.media, "application/json", kOrder, arena);
    if (body.verdict.finding != Finding::none) state.SkipWithError("the order is refused");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kOrder.size()));
}
BENCHMARK(order_of_a_kilobyte);

void parsing_the_order(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(codec::Json::parse(kOrder));
}
BENCHMARK(parsing_the_order);

void order_form(benchmark::State& state) {
  const auto model = shop_model();
  http::Fields fields;
  fields.add("content-type", "application/x-www-form-urlencoded");
  Arena arena;
  for (auto _ : state) {
    arena.reset();
    const auto head = model->validate_head({"POST", "/v1/orders", "", fields, true}, arena);
    benchmark::DoNotOptimize(model->validate_body(*head.media, "application/x-www-form-urlencoded",
                                                  "product=p-1001&quantity=2&options=gift&options=note", arena));
  }
}
BENCHMARK(order_form);

// The order's schema as JSON Schema, for both.
nlohmann::json order_schema() {
  return nlohmann::json::parse(R"({
    "type": "object", "required": ["items", "address"],
    "properties": {
      "email": {"type": "string", "maxLength": 100}, "placed_at": {"type": "string", "maxLength": 40},
      "items": {"type": "array", "minItems": 1, "maxItems": 50, "items": {
        "type": "object", "required": ["product", "quantity"], "properties": {
          "product": {"type": "string", "pattern": "^p-[0-9]{4}$"},
          "quantity": {"type": "integer", "minimum": 1, "maximum": 99},
          "note": {"type": ["string", "null"], "maxLength": 200}, "gift": {"type": "boolean"},
          "price": {"type": "number", "minimum": 0}}}},
      "address": {"type": "object", "required": ["street", "city", "country"], "properties": {
        "street": {"type": "string", "minLength": 1, "maxLength": 120}, "city": {"type": "string", "maxLength": 80},
        "postcode": {"type": "string", "maxLength": 10}, "country": {"type": "string", "pattern": "^[A-Z]{2}$"}}},
      "payment": {"oneOf": [
        {"type": "object", "required": ["kind", "token"], "properties": {"kind": {"enum": ["card"]}, "token": {"type": "string"}}},
        {"type": "object", "required": ["kind", "iban"], "properties": {"kind": {"enum": ["transfer"]}, "iban": {"type": "string"}}}]}
    }})");
}

void same_schema_ours(benchmark::State& state) {
  const LoneSchema schema(order_schema().dump());
  for (auto _ : state) {
    Validator validator(Validator::Unknown::ignore, 1'000'000);
    const auto value = codec::Json::parse(kOrder);
    if (validator.validate(*schema.schema, *value) != Validator::Verdict::valid) state.SkipWithError("refused");
  }
}
BENCHMARK(same_schema_ours);

void same_schema_valijson(benchmark::State& state) {
  const nlohmann::json document = order_schema();
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema);
  valijson::Validator validator;
  for (auto _ : state) {
    const nlohmann::json value = nlohmann::json::parse(kOrder);
    if (!validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(value), nullptr))
      state.SkipWithError("refused");
  }
}
BENCHMARK(same_schema_valijson);

}  // namespace
}  // namespace gatehouse::schema
