#include "gateway/layers/schema/schema_layer.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "gateway/layers/sample_request.h"
#include "schema/openapi_model.h"

namespace gatehouse::gateway {
namespace {

class SchemaLayerTest : public ::testing::Test {
 protected:
  SchemaLayerTest() : config_(sample_config()) {
    OpenApiConfig& openapi = config_.routes[0].openapi.emplace();
    std::vector<schema::Problem> problems;
    openapi.model = schema::OpenApiModel::read(
        *read_file(GATEHOUSE_SOURCE_DIR "/tests/data/openapi/shop.yaml", 1 << 20), {}, problems);
    EXPECT_NE(openapi.model, nullptr);
  }

  Config config_;
  FakeClock clock_;
  SchemaLayer layer_;
};

TEST_F(SchemaLayerTest, ReasonsAndStatuses) {
  struct Case {
    std::string_view method, path, query, reason;
    int status;
  };
  const Case cases[] = {
      {"GET", "/v1/products", "limit=3", "", 0},
      {"GET", "/v1/nothing", "", "schema.path", 404},
      {"PUT", "/v1/products", "", "schema.method", 405},
      {"GET", "/v1/products", "limit=x", "schema.parameter", 400},
      {"GET", "/v1/products", "other=x", "schema.unknown_parameter", 400},
      {"POST", "/v1/orders", "", "schema.body", 400},
  };
  for (const Case& c : cases) {
    SampleRequest sample(config_, clock_);
    sample.request.message.method = c.method;
    sample.request.message.path = c.path;
    sample.request.message.query = c.query;
    const Decision decision = layer_.decide(sample.request);
    EXPECT_EQ(decision.reason, c.reason) << c.path;
    EXPECT_EQ(decision.verdict, c.status == 0 ? Verdict::pass : Verdict::deny) << c.path;
    EXPECT_EQ(decision.status, c.status) << c.path;
    EXPECT_EQ(decision.allow.empty(), c.status != 405) << c.path;
  }
}

TEST_F(SchemaLayerTest, UnknownParametersAreReportedWhereTheRouteSaysSo) {
  config_.routes[0].openapi->unknown_parameters = UnknownParameters::report;
  SampleRequest sample(config_, clock_);
  sample.request.message.path = "/v1/products";
  sample.request.message.query = "other=x";
  const Decision decision = layer_.decide(sample.request);
  EXPECT_EQ(decision.verdict, Verdict::pass);
  EXPECT_EQ(decision.reason, "schema.unknown_parameter");
  EXPECT_EQ(decision.evidence, "query \"other\"");
}

TEST_F(SchemaLayerTest, TheBodyIsJudgedByTheContentTypeThatTheHeadNamed) {
  const auto judge = [&](std::string_view body) {
    SampleRequest sample(config_, clock_);
    sample.request.message.method = "POST";
    sample.request.message.path = "/v1/orders";
    sample.request.message.fields.add("content-type", "application/x-www-form-urlencoded");
    sample.request.has_body = true;
    EXPECT_EQ(layer_.decide(sample.request).verdict, Verdict::pass);
    EXPECT_TRUE(SchemaLayer::wants_body(sample.request));
    return layer_.decide_body(sample.request, body).reason;
  };
  EXPECT_EQ(judge("product=p-1001"), "");
  EXPECT_EQ(judge("product=1001"), "schema.body");
  EXPECT_EQ(judge("product=p-1001&admin=1"), "schema.unknown_parameter");
}

TEST_F(SchemaLayerTest, WithoutADocumentNothingPassesAndWithoutAModelOfTheRouteEverything) {
  SampleRequest sample(config_, clock_);
  sample.request.message.path = "/v1/products";
  config_.routes[0].openapi->model = nullptr;
  EXPECT_EQ(layer_.decide(sample.request).verdict, Verdict::deny);
  config_.routes[0].openapi.reset();
  EXPECT_EQ(layer_.decide(sample.request).verdict, Verdict::pass);
  EXPECT_FALSE(SchemaLayer::wanted(config_));
}

}  // namespace
}  // namespace gatehouse::gateway
