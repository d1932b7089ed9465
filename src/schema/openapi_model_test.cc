#include "schema/openapi_model.h"

#include <gtest/gtest.h>

#include "schema/openapi_testing.h"

namespace gatehouse::schema {
namespace {

struct Outcome {
  Finding finding;
  std::string evidence, unknown, allow;
};

struct Sent {
  std::string_view method = "GET", path, query{};
  std::vector<std::pair<std::string, std::string>> fields{};
  std::optional<std::string> body{};
};

Outcome judge(const OpenApiModel& model, const Sent& sent) {
  Arena arena;
  http::Fields fields;
  std::string_view content_type;
  for (const auto& [name, value] : sent.fields) {
    fields.add(name, value);
    if (name == "content-type") content_type = value;
  }
  const auto head = model.validate_head({sent.method, sent.path, sent.query, fields, sent.body.has_value()}, arena);
  Outcome out{head.verdict.finding, std::string(head.verdict.evidence), std::string(head.unknown),
              std::string(head.verdict.allow)};
  if (out.finding != Finding::none || head.media == nullptr) return out;
  const auto body = model.validate_body(*head.media, content_type, *sent.body, arena);
  out.finding = body.verdict.finding;
  out.evidence = body.verdict.evidence;
  out.unknown += body.unknown;
  return out;
}

TEST(OpenApiModel, Paths) {
  const auto model = shop_model();
  const std::pair<std::string_view, Finding> cases[] = {
      {"/v1/products", Finding::none},
      {"/v1/products/featured", Finding::none},  // concrete before templated
      {"/v1/products/p-1001", Finding::none},
      {"/v1/products/p%2D1001", Finding::none},
      {"/v1/products/p-1001/images/2.svg", Finding::none},
      {"/v1/products/p-1001/images/4.svg", Finding::parameter},
      {"/v1/products/p-1001/images/.svg", Finding::path},
      {"/v1/products/p-1001/images/2.png", Finding::path},
      {"/v1/products/other", Finding::parameter},
      {"/v1/products/", Finding::path},
      {"/v1/products/p-1001/", Finding::path},
      {"/products", Finding::path},
      {"/v1", Finding::path},
      {"/", Finding::path},
      {"", Finding::path},
      {"/v1/Products", Finding::path},
      {"/v1/products/p-1001%0A", Finding::parameter},
      {"/v1/products/%FF", Finding::parameter},
  };
  for (const auto& [path, finding] : cases) {
    const Outcome outcome = judge(*model, {.path = path});
    EXPECT_EQ(outcome.finding, finding) << path << ": " << outcome.evidence;
  }
  EXPECT_EQ(judge(*model, {.method = "HEAD", .path = "/v1/products"}).finding, Finding::none);
  const Outcome method = judge(*model, {.method = "DELETE", .path = "/v1/orders"});
  EXPECT_EQ(method.finding, Finding::method);
  EXPECT_EQ(method.allow, "GET, HEAD, POST");
}

TEST(OpenApiModel, QueryParameters) {
  const auto model = shop_model();
  struct Query {
    std::string_view query;
    Finding finding = Finding::none;
    std::string_view evidence = "", unknown = "";
  };
  const Query cases[] = {
      {"category=desks&limit=100"},
      {"limit=101", Finding::parameter, "query parameter \"limit\": maximum, at most 100"},
      {"limit=1e1"},  // the integer 10, as JSON writes it
      {"limit=01", Finding::parameter, "query parameter \"limit\": type, integer"},
      {"limit=+1", Finding::parameter, "query parameter \"limit\": type, integer"},
      {"limit=%31"},
      {"limit=", Finding::parameter, "query parameter \"limit\": type, integer"},
      {"limit", Finding::parameter, "query parameter \"limit\": type, integer"},
      {"limit=1&limit=2", Finding::parameter, "query parameter \"limit\": given more than once"},
      {"category=sofas", Finding::parameter, "query parameter \"category\": enum, one of 3 values"},
      {"tags=a&tags=b"},
      {"tags=a,b,c,d", Finding::none},  // exploded: one text, of seven characters
      {"tags=a&tags=b&tags=c&tags=d", Finding::parameter, "query parameter \"tags\": maxItems, at most 3 elements"},
      {"tags=aaaaaaaaaaa", Finding::parameter, "query parameter \"tags\": /0: maxLength, at most 10 characters"},
      {"ids=1,2,3"},
      {"ids=1,x", Finding::parameter, "query parameter \"ids\": /1: type, integer"},
      {"ids=1&ids=2", Finding::parameter, "query parameter \"ids\": given more than once"},
      {"filter[colour]=red&filter[price]=9.5"},
      {"filter%5Bprice%5D=-1", Finding::parameter, "query parameter \"filter\": /price: minimum, at least 0"},
      {"filter[size]=1", Finding::parameter, "query parameter \"filter\": /size: additionalProperties, no such member"},
      {"filter[colour]=a&filter[colour]=b", Finding::parameter,
       "query parameter \"filter\": \"colour\" is given more than once"},
      {"filter[colour][x]=a", Finding::none, "", "query \"filter[colour][x]\""},
      {"filter=a", Finding::none, "", "query \"filter\""},
      {"verbose"},
      {"verbose=true"},
      {"verbose=yes", Finding::parameter, "query parameter \"verbose\": type, boolean"},
      {"page={\"number\":2}"},
      {"page=%7B%22number%22%3A2%2C%22x%22%3A1%7D", Finding::none, "", "query \"page/x\""},
      {"page={\"number\":-1}", Finding::parameter, "query parameter \"page\": /number: minimum, at least 0"},
      {"page={", Finding::parameter, "query parameter \"page\": not JSON"},
      {"debug=1&admin=1", Finding::none, "", "query \"debug\", query \"admin\""},
      {"Limit=1", Finding::none, "", "query \"Limit\""},
      {"limit=1&&"},
      {"limit=%zz", Finding::parameter, "query parameter \"\": a broken percent-escape"},
      {"category=%ff", Finding::parameter, "query parameter \"category\": not UTF-8"},
      {"%ff=1", Finding::parameter, "query parameter \"\": a name that is not UTF-8"},
  };
  for (const Query& c : cases) {
    const Outcome outcome = judge(*model, {.path = "/v1/products", .query = c.query});
    EXPECT_EQ(outcome.finding, c.finding) << c.query;
    EXPECT_EQ(outcome.evidence, c.evidence) << c.query;
    EXPECT_EQ(outcome.unknown, c.unknown) << c.query;
  }
  std::string many = "a=1";
  for (int i = 0; i < 2000; ++i) many += fmt::format("&a{}=1", i);
  EXPECT_EQ(judge(*model, {.path = "/v1/products", .query = many}).finding, Finding::parameter);
}

TEST(OpenApiModel, HeadersAndCookies) {
  const auto model = shop_model();
  const std::string uuid = "123e4567-e89b-12d3-a456-426614174000";
  EXPECT_EQ(judge(*model, {.path = "/v1/products", .fields = {{"x-trace", uuid}, {"x-other", "1"}}}).finding,
            Finding::none);
  EXPECT_EQ(judge(*model, {.path = "/v1/products", .fields = {{"x-trace", "1"}}}).evidence,
            "header parameter \"x-trace\": format, uuid");
  EXPECT_EQ(judge(*model, {.path = "/v1/products", .fields = {{"x-trace", uuid}, {"x-trace", uuid}}}).evidence,
            "header parameter \"x-trace\": given more than once");
  EXPECT_EQ(judge(*model, {.path = "/v1/orders"}).evidence, "cookie parameter \"session\": missing");
  EXPECT_EQ(judge(*model, {.path = "/v1/orders", .fields = {{"cookie", "a=b; session=" + uuid}}}).finding,
            Finding::none);
  EXPECT_EQ(judge(*model, {.path = "/v1/orders", .fields = {{"cookie", "session=x; session=" + uuid}}}).evidence,
            "cookie parameter \"session\": given more than once");
}

TEST(OpenApiModel, JsonBodies) {
  const auto model = shop_model();
  struct BodyCase {
    std::string body;
    Finding finding = Finding::none;
    std::string_view evidence = "", unknown = "";
  };
  const std::string items = R"("items":[{"product":"p-1001","quantity":1}])";
  const std::string address = R"("address":{"street":"x","city":"y","country":"SE"})";
  const BodyCase cases[] = {
      {std::string(kOrder)},
      {"{" + items + "," + address + "}"},
      {"{" + items + "}", Finding::body, "body required, the member \"address\""},
      {"{" + items + "," + address + R"(,"id":"1"})", Finding::body, "body /id: readOnly, not to be sent"},
      {"{" + items + "," + address + R"(,"admin":true})", Finding::none, "", "body /admin"},
      {"{" + items + "," + address + R"(,"payment":{"kind":"card","iban":"x"}})", Finding::body,
       "body /payment: oneOf, one of 2 alternatives"},
      {"{" + items + "," + address +
           R"(,"payment":{"kind":"card","token":"123e4567-e89b-12d3-a456-426614174000","iban":"x"}})",
       Finding::none, "", "body /payment/iban"},
      {R"({"items":[{"product":"p-1001","quantity":100}],)" + address + "}", Finding::body,
       "body /items/0/quantity: maximum, at most 99"},
      {"{" + items + "," + items + "," + address + "}", Finding::body, "not JSON, or beyond its limits"},
      {"[]", Finding::body, "body type, object"},
      {"", Finding::body, "not JSON, or beyond its limits"},
      {"{", Finding::body, "not JSON, or beyond its limits"},
      {std::string(5000, '['), Finding::body, "not JSON, or beyond its limits"},
  };
  for (const BodyCase& c : cases) {
    const Outcome outcome = judge(*model, {.method = "POST",
                                           .path = "/v1/orders",
                                           .fields = {{"content-type", "application/json; charset=UTF-8"}},
                                           .body = c.body});
    EXPECT_EQ(outcome.finding, c.finding) << c.body;
    EXPECT_EQ(outcome.evidence, c.evidence) << c.body;
    EXPECT_EQ(outcome.unknown, c.unknown) << c.body;
  }
}

TEST(OpenApiModel, ContentTypes) {
  const auto model = shop_model();
  const auto finding = [&](std::string_view path, std::optional<std::string> type, std::optional<std::string> body) {
    Sent sent{.method = "POST", .path = path, .body = std::move(body)};
    if (type) sent.fields.emplace_back("content-type", *type);
    return judge(*model, sent).finding;
  };
  EXPECT_EQ(finding("/v1/orders", "application/json", std::nullopt), Finding::body);  // required
  EXPECT_EQ(finding("/v1/orders", std::nullopt, "{}"), Finding::content_type);
  EXPECT_EQ(finding("/v1/orders", "text/xml", "<a/>"), Finding::content_type);
  EXPECT_EQ(finding("/v1/orders", "application/json; charset=utf-16", "{}"), Finding::content_type);
  EXPECT_EQ(finding("/v1/orders", "application/json; charset=utf-8; charset=utf-16", "{}"), Finding::content_type);
  EXPECT_EQ(finding("/v1/orders", "APPLICATION/JSON;charset=\"utf-8\"", std::string(kOrder)), Finding::none);
  EXPECT_EQ(finding("/v1/products/p-1/photos", "image/png", "\x89PNG"), Finding::none);
  EXPECT_EQ(finding("/v1/products/p-1/photos", "images/png", "x"), Finding::content_type);
  EXPECT_EQ(finding("/v1/products/p-1/photos", std::nullopt, std::nullopt), Finding::none);
  // A GET that describes no body takes none.
  Sent get{.path = "/v1/products", .fields = {{"content-type", "application/json"}}, .body = "{}"};
  EXPECT_EQ(judge(*model, get).evidence, "the operation takes no body");
}

TEST(OpenApiModel, Forms) {
  const auto model = shop_model();
  const auto form = [&](std::string body) {
    return judge(*model, {.method = "POST",
                          .path = "/v1/orders",
                          .fields = {{"content-type", "application/x-www-form-urlencoded"}},
                          .body = std::move(body)});
  };
  EXPECT_EQ(form("product=p-1001&quantity=2&options=a&options=b").finding, Finding::none);
  EXPECT_EQ(form("product=p-1001&quantity=0").evidence, "body /quantity: minimum, at least 1");
  EXPECT_EQ(form("product=p-1001&options=a&options=b&options=c").evidence,
            "body /options: maxItems, at most 2 elements");
  EXPECT_EQ(form("product=p-1001&product=p-1002").evidence, "field \"product\" is given more than once");
  EXPECT_EQ(form("quantity=1").evidence, "body required, the member \"product\"");
  EXPECT_EQ(form("product=p-1001&is_admin=1").unknown, "body /is_admin");
  EXPECT_EQ(form("product=p-1001&a=%f").finding, Finding::body);
  EXPECT_EQ(form("product=p-1001&quantity=%ff").evidence, "a field that is not UTF-8");

  const auto parts = [&](std::string body) {
    return judge(*model, {.method = "POST",
                          .path = "/v1/products/p-1/photos",
                          .fields = {{"content-type", "multipart/form-data; boundary=XX"}},
                          .body = std::move(body)});
  };
  const auto part = [](std::string_view name, std::string_view more, std::string_view content) {
    return fmt::format("--XX\r\nContent-Disposition: form-data; name=\"{}\"{}\r\n\r\n{}\r\n", name, more, content);
  };
  const std::string photo = part("photo", "; filename=\"a.png\"", "\x89PNG"), end = "--XX--\r\n";
  EXPECT_EQ(parts(part("caption", "", "A desk") + photo + end).finding, Finding::none);
  EXPECT_EQ(parts(part("caption", "", "A desk") + photo + part("details", "", "{\"width\":3}") + end).finding,
            Finding::none);
  EXPECT_EQ(parts(part("caption", "", "A desk") + photo + part("details", "", "{\"width\":\"3\"}") + end).evidence,
            "body /details/width: type, integer");
  EXPECT_EQ(parts(part("caption", "", "A desk") + photo + part("details", "", "width") + end).evidence,
            "field \"details\" is not JSON");
  EXPECT_EQ(parts(part("caption", "", "A desk that is longer than that") + photo + end).evidence,
            "body /caption: maxLength, at most 20 characters");
  EXPECT_EQ(parts(part("caption", "", "A desk") + end).evidence, "body required, the member \"photo\"");
  EXPECT_EQ(parts(part("caption", "; filename=x", "A desk") + photo + end).evidence,
            "field \"caption\" is not to be a file");
  EXPECT_EQ(parts(part("caption", "", "A desk") + photo + part("admin", "", "1") + end).unknown, "body /admin");
  EXPECT_EQ(parts(part("caption", "", "A desk") + photo).finding, Finding::body);  // no end
  EXPECT_EQ(parts("caption").finding, Finding::body);
}

TEST(OpenApiModel, BasePaths) {
  const auto with = [](std::string_view servers, std::string base = {}) {
    std::vector<Problem> problems;
    const std::string text =
        fmt::format("openapi: 3.1.0\n{}\npaths:\n  /a:\n    get: {{}}\n", servers.empty() ? "info: {}" : servers);
    auto model = OpenApiModel::read(text, {.base_path = std::move(base)}, problems);
    EXPECT_TRUE(problems.empty() || model == nullptr);
    return model;
  };
  const auto has = [](const std::shared_ptr<const OpenApiModel>& model, std::string_view path) {
    return judge(*model, {.path = path}).finding == Finding::none;
  };
  EXPECT_TRUE(has(with(""), "/a"));
  EXPECT_TRUE(has(with("servers: [{url: /}]"), "/a"));
  EXPECT_TRUE(has(with("servers: [{url: 'https://x.example'}]"), "/a"));
  EXPECT_TRUE(has(with("servers: [{url: 'https://x.example/v1/'}, {url: /v2}]"), "/v1/a"));
  EXPECT_TRUE(has(with("servers: [{url: 'https://x.example/v1/'}, {url: /v2}]"), "/v2/a"));
  EXPECT_FALSE(has(with("servers: [{url: 'https://x.example/v1/'}, {url: /v2}]"), "/a"));
  EXPECT_FALSE(has(with("servers: [{url: /v2}]"), "/v2a"));
  EXPECT_TRUE(has(with("servers: [{url: 'https://x.example/{version}'}]", "/v3"), "/v3/a"));
  EXPECT_EQ(with("servers: [{url: 'https://x.example/{version}'}]"), nullptr);
}

TEST(OpenApiDocument, ErrorsAreAllToldWithTheirPlace) {
  const std::string text = R"(openapi: 3.0.3
servers: []
pathes: {}
paths:
  orders: { get: {} }
  /a/{id}: { get: { parameters: [] } }
  /b:
    get:
      parameters:
        - { name: x, in: body, schema: {} }
        - { name: y, in: query, style: pipeDelimited, schema: { type: array } }
        - { name: z, in: query }
        - { $ref: "#/components/parameters/None" }
      servers: [{ url: / }]
    post:
      requestBody: { content: { json: {} } }
  /c/{x}: { get: { parameters: [{ name: x, in: path, schema: {} }] } }
  /c/{y}: { get: { parameters: [{ name: y, in: path, required: true, schema: {} }] } }
  /d/{a}{b}: {}
components:
  schemas:
    Broken: { type: strin }
)";
  std::vector<Problem> problems;
  EXPECT_EQ(OpenApiModel::read(text, {}, problems), nullptr);
  std::vector<std::string> told;
  for (const Problem& problem : problems)
    told.push_back(fmt::format("{}:{}: {}", problem.position.line, problem.position.column, problem.message));
  const std::vector<std::string> expected = {
      "3:1: \"pathes\" is no key of an OpenAPI document",
      "5:3: the path \"orders\" does not begin with /",
      "6:19: {id} of the path is no parameter of the operation",
      "10:26: \"body\" is no place of a parameter",
      "11:40: the style \"pipeDelimited\" is not supported here",
      "12:11: a parameter has either a schema or a content",
      "13:19: $ref \"#/components/parameters/None\": there is nothing at that place",
      "14:7: servers of a single operation are not supported",
      "16:33: \"json\" is no content type",
      "17:33: a parameter of the path must be required",
      "18:3: the path \"/c/{y}\" matches the same paths as another one",
      "19:3: the path \"/d/{a}{b}\" has two names in one segment, which is not supported",
      "22:21: \"strin\" is no type",
  };
  EXPECT_EQ(told, expected) << fmt::format("{}", fmt::join(told, "\n"));
}

TEST(OpenApiDocument, RefusedAsAWhole) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "an OpenAPI document must be a block of keys"},
      {"swagger: '2.0'", "Swagger 2 is not supported"},
      {"openapi: 3.2.0\npaths: {}", "OpenAPI \"3.2.0\" is not supported"},
      {"info: {}", "missing key \"openapi\""},
      {"openapi: 3.0.0", "missing key \"paths\""},
      {"openapi: 3.0.0\npaths: {/a/{id}: {get: {}}}", ""},
      {"openapi: 3.0.0\npaths: {'/a/{id}': {get: {}}}", "{id} of the path is no parameter of the operation"},
      {"openapi: 3.0.0\npaths: {/a: {get: {parameters: [{name: a, in: query, schema: {type: string}}, "
       "{name: a, in: query, schema: {type: string}}]}}}",
       "the parameter \"a\" is there twice"},
      {"openapi: 3.0.0\npaths: {/a: {get: {parameters: [{name: a, in: header, schema: {type: object}}]}}}",
       "an object as a parameter of this style is not supported"},
      {"openapi: 3.1.0\njsonSchemaDialect: http://json-schema.org/draft-07/schema\npaths: {}", "dialect"},
      {"openapi: 3.0.0\nopenapi: 3.0.0\npaths: {}", "duplicate key"},
      {"{\"openapi\": \"3.0.0\", \"paths\": {}", ""},
  };
  for (const auto& [text, message] : cases) {
    std::vector<Problem> problems;
    EXPECT_EQ(OpenApiModel::read(text, {}, problems), nullptr) << text;
    ASSERT_FALSE(problems.empty()) << text;
    EXPECT_NE(problems[0].message.find(message), std::string::npos) << text << ": " << problems[0].message;
  }
  std::vector<Problem> problems;
  EXPECT_NE(
      OpenApiModel::read("{\"openapi\": \"3.1.0\", \"info\": {}, \"paths\": {\"/a\": {\"get\": {}}}}", {}, problems),
      nullptr);
  std::string wrong = "openapi: 3.0.0\npaths: {}\n";
  for (int i = 0; i < 1000; ++i) wrong += fmt::format("k{}: 1\n", i);
  EXPECT_EQ(OpenApiModel::read(wrong, {}, problems), nullptr);
  EXPECT_LE(problems.size(), 202U);  // bounded
}

}  // namespace
}  // namespace gatehouse::schema
