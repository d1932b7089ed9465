// A request to a fixed document: its first line is "METHOD PATH?QUERY", the second its content type, the third its
// cookies, and the rest its body. It is refused for a reason, or let pass; evidence is short and UTF-8 where names are.
#include "base/check.h"
#include "schema/openapi_model.h"

namespace {

constexpr std::string_view kDocument = R"(
openapi: 3.1.0
paths:
  /a/{id}/x-{n}.json:
    get:
      parameters:
        - { name: id, in: path, required: true, schema: { type: [integer, boolean] } }
        - { name: n, in: path, required: true, schema: { type: string, pattern: "^([a-z]+[0-9]?)+$" } }
        - { name: q, in: query, schema: { type: array, uniqueItems: true, items: { oneOf: [{ type: integer }, { format: date-time }] } } }
        - { name: l, in: query, explode: false, schema: { type: array, items: { type: number, multipleOf: 0.1 } } }
        - { name: o, in: query, schema: { type: object, properties: { u: { type: integer }, v: { type: array, items: { type: string } } } } }
        - { name: f, in: query, style: deepObject, schema: { type: object, additionalProperties: { maxLength: 3 } } }
        - { name: j, in: query, content: { application/json: { schema: { $ref: "#/components/schemas/Tree" } } } }
        - { name: c, in: cookie, schema: { format: ipv6 } }
  /a:
    post:
      requestBody:
        content:
          application/json: { schema: { $ref: "#/components/schemas/Tree" } }
          application/x-www-form-urlencoded: { schema: { $ref: "#/components/schemas/Form" } }
          multipart/form-data: { schema: { $ref: "#/components/schemas/Form" } }
          "application/*": { schema: { enum: [1, [2], { a: 3 }] } }
components:
  schemas:
    Form:
      type: object
      required: [a]
      properties: { a: { type: integer }, b: { type: array, items: { type: boolean } }, o: { type: object }, file: { type: string, format: binary } }
    Tree:
      type: [object, array, string, number]
      properties:
        left: { $ref: "#/components/schemas/Tree" }
        right: { $ref: "#/components/schemas/Tree" }
        value: { anyOf: [{ type: string, format: email }, { type: integer, minimum: 3 }, { $ref: "#/components/schemas/Tree" }] }
        when: { format: date-time }
      patternProperties: { "^x-": { minLength: 1 } }
      dependentRequired: { left: [right] }
      unevaluatedProperties: { type: string, format: byte }
      items: { $ref: "#/components/schemas/Tree" }
      contains: { not: { type: boolean } }
      uniqueItems: true
)";

std::string_view line(std::string_view& text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(first.size() + 1, text.size()));
  return first;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  static const auto model = [] {
    std::vector<schema::Problem> problems;
    auto made = schema::OpenApiModel::read(kDocument, {}, problems);
    for (const schema::Problem& problem : problems)
      fmt::print(stderr, "{}:{}: {}\n", problem.position.line, problem.position.column, problem.message);
    GH_CHECK(made != nullptr);
    return made;
  }();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string_view target = line(rest);
  const std::string_view method = target.substr(0, target.find(' '));
  target.remove_prefix(std::min(method.size() + 1, target.size()));
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view query = target.substr(std::min(path.size() + 1, target.size()));
  const std::string_view type = line(rest), cookie = line(rest);
  http::Fields fields;
  if (!type.empty()) fields.add("content-type", type);
  if (!cookie.empty()) fields.add("cookie", cookie);
  Arena arena;
  const auto head = model->validate_head({method, path, query, fields, !rest.empty()}, arena);
  const auto sound = [](const schema::Verdict& verdict) {
    GH_CHECK(verdict.finding == schema::Finding::none || !verdict.evidence.empty());
    GH_CHECK(verdict.evidence.size() <= 240);
  };
  sound(head.verdict);
  if (head.verdict.finding != schema::Finding::none || head.media == nullptr) return 0;
  const auto once = model->validate_body(*head.media, type, rest, arena);
  sound(once.verdict);
  const auto again = model->validate_body(*head.media, type, rest, arena);
  GH_CHECK(again.verdict.finding == once.verdict.finding && again.unknown == once.unknown);
  return 0;
}
