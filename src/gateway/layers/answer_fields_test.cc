// CORS and header policy: what answers carry.
#include <gtest/gtest.h>

#include "gateway/layers/cors/cors_layer.h"
#include "gateway/layers/header_policy/header_policy_layer.h"
#include "gateway/layers/sample_request.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::pair<std::string_view, std::string_view>>;

std::string text_of(const http::Fields& fields) {
  std::string text;
  for (const http::Field& field : fields) text += std::string(field.name) + ": " + std::string(field.value) + "\n";
  return text;
}

CorsConfig shop() {
  CorsConfig cors;
  cors.origins = {"https://shop.example", "null"};
  cors.methods = {"GET", "PUT"};
  cors.headers = {"x-one", "content-type"};
  cors.expose = {"x-total"};
  cors.credentials = true;
  cors.max_age = 10min;
  return cors;
}
CorsConfig anyone() {
  CorsConfig cors;
  cors.origins = {"*"};
  cors.methods = {"GET"};
  cors.credentials = true;
  return cors;
}

struct CorsCase {
  const char* name;
  CorsConfig cors;
  std::string_view method;
  Lines request, response;
  Verdict verdict;
  std::string_view reason;
  const char* answer;
};

class Cors : public testing::TestWithParam<CorsCase> {};

TEST_P(Cors, Cases) {
  const CorsCase& c = GetParam();
  const FakeClock clock;
  Config config = sample_config();
  config.routes[0].cors = c.cors;
  const auto state = SharedState::create(config, clock).value();
  const CorsLayer layer(config, *state, clock);
  SampleRequest sample(config, clock);
  sample.request.message.method = c.method;
  for (const auto& [name, value] : c.request) sample.request.message.fields.add(name, value);
  const Decision decision = layer.decide(sample.request);
  EXPECT_EQ(decision.verdict, c.verdict);
  EXPECT_EQ(decision.reason, c.reason);
  http::ResponseHead response;
  response.status = decision.status != 0 ? decision.status : 200;
  for (const auto& [name, value] : c.response) response.fields.add(name, value);
  layer.on_response(sample.request, response);
  EXPECT_EQ(text_of(response.fields), c.answer);
}

const std::pair<std::string_view, std::string_view> kOrigin{"origin", "https://shop.example"},
    kEvil{"origin", "https://evil.example"}, kAsk{"access-control-request-method", "PUT"},
    kAskFields{"access-control-request-headers", "x-one"};

INSTANTIATE_TEST_SUITE_P(
    Requests, Cors,
    testing::Values(CorsCase{"preflight",
                             shop(),
                             "OPTIONS",
                             {kOrigin, kAsk, kAskFields},
                             {},
                             Verdict::answer,
                             "cors.preflight",
                             "vary: origin, access-control-request-method, access-control-request-headers\n"
                             "access-control-allow-origin: https://shop.example\n"
                             "access-control-allow-credentials: true\n"
                             "access-control-allow-methods: GET, PUT\n"
                             "access-control-allow-headers: x-one, content-type\n"
                             "access-control-max-age: 600\n"},
                    CorsCase{"preflight_of_a_stranger",
                             shop(),
                             "OPTIONS",
                             {kEvil, kAsk},
                             {},
                             Verdict::deny,
                             "cors.origin",
                             "vary: origin\n"},
                    CorsCase{"origin_is_compared_whole",
                             shop(),
                             "OPTIONS",
                             {{"origin", "https://shop.example.evil"}, kAsk},
                             {},
                             Verdict::deny,
                             "cors.origin",
                             "vary: origin\n"},
                    CorsCase{"injected_origin",
                             shop(),
                             "OPTIONS",
                             {{"origin", "https://shop.example evil"}, kAsk},
                             {},
                             Verdict::deny,
                             "cors.origin",
                             "vary: origin\n"},
                    CorsCase{"null_was_listed",
                             shop(),
                             "GET",
                             {{"origin", "null"}},
                             {},
                             Verdict::pass,
                             "",
                             "vary: origin\naccess-control-allow-origin: null\naccess-control-allow-credentials: true\n"
                             "access-control-expose-headers: x-total\n"},
                    CorsCase{"options_without_asking_is_the_services",
                             shop(),
                             "OPTIONS",
                             {kOrigin},
                             {},
                             Verdict::pass,
                             "",
                             "vary: origin\naccess-control-allow-origin: https://shop.example\n"
                             "access-control-allow-credentials: true\naccess-control-expose-headers: x-total\n"},
                    CorsCase{"simple_request",
                             shop(),
                             "GET",
                             {kOrigin},
                             {{"vary", "accept"}},
                             Verdict::pass,
                             "",
                             "vary: accept, origin\naccess-control-allow-origin: https://shop.example\n"
                             "access-control-allow-credentials: true\naccess-control-expose-headers: x-total\n"},
                    CorsCase{"same_origin", shop(), "GET", {}, {}, Verdict::pass, "", "vary: origin\n"},
                    CorsCase{"simple_request_of_a_stranger_gets_no_permission",
                             shop(),
                             "GET",
                             {kEvil},
                             {{"access-control-allow-origin", "*"}},
                             Verdict::pass,
                             "",
                             "vary: origin\n"},
                    CorsCase{"star_never_with_credentials",
                             anyone(),
                             "GET",
                             {kEvil},
                             {},
                             Verdict::pass,
                             "",
                             "access-control-allow-origin: *\n"},
                    CorsCase{"star_echoes_the_fields_asked_for",
                             anyone(),
                             "OPTIONS",
                             {kEvil, kAsk, kAskFields},
                             {},
                             Verdict::answer,
                             "cors.preflight",
                             "access-control-allow-origin: *\n"
                             "vary: access-control-request-method, access-control-request-headers\n"
                             "access-control-allow-methods: GET\naccess-control-allow-headers: x-one\n"},
                    CorsCase{"but_no_nonsense",
                             anyone(),
                             "OPTIONS",
                             {kEvil, kAsk, {"access-control-request-headers", "x\"<script>"}},
                             {},
                             Verdict::answer,
                             "cors.preflight",
                             "access-control-allow-origin: *\n"
                             "vary: access-control-request-method, access-control-request-headers\n"
                             "access-control-allow-methods: GET\n"}),
    [](const auto& test) { return test.param.name; });

TEST(CorsLayer, WithoutConfigurationNothingHappens) {
  const FakeClock clock;
  const Config config = sample_config();
  const auto state = SharedState::create(config, clock).value();
  const CorsLayer layer(config, *state, clock);
  SampleRequest sample(config, clock);
  sample.request.message.method = "OPTIONS";
  sample.request.message.fields.add("origin", "https://shop.example");
  sample.request.message.fields.add("access-control-request-method", "GET");
  EXPECT_EQ(layer.decide(sample.request).verdict, Verdict::pass);
  http::ResponseHead response;
  response.fields.add("access-control-allow-origin", "*");
  layer.on_response(sample.request, response);
  EXPECT_EQ(text_of(response.fields), "access-control-allow-origin: *\n");
  sample.request.route = nullptr;
  EXPECT_EQ(layer.decide(sample.request).verdict, Verdict::pass);
  EXPECT_EQ(CorsLayer::preflight_method("OPTIONS", sample.request.message.fields), "GET");
  EXPECT_EQ(CorsLayer::preflight_method("GET", sample.request.message.fields), "");
}

constexpr std::string_view kHsts = "strict-transport-security", kFrames = "x-frame-options",
                           kSniff = "x-content-type-options", kReferrer = "referrer-policy",
                           kPolicy = "content-security-policy";

class HeaderPolicy : public testing::Test {
 protected:
  http::Fields answer(const Lines& lines, bool tls = true, bool routed = true) {
    const HeaderPolicyLayer layer(config_, *SharedState::create(config_, clock_).value(), clock_);
    SampleRequest sample(config_, clock_);
    sample.connection.tls = tls;
    if (!routed) sample.request.route = nullptr;
    http::ResponseHead response;
    response.status = 200;
    for (const auto& [name, value] : lines) response.fields.add(name, value);
    EXPECT_EQ(layer.decide(sample.request).verdict, Verdict::pass);
    layer.on_response(sample.request, response);
    return response.fields;
  }
  FakeClock clock_;
  Config config_ = sample_config();
};

TEST_F(HeaderPolicy, DefaultsOnTls) {
  EXPECT_EQ(text_of(answer({{"server", "x/1.0"},
                            {"x-powered-by", "y"},
                            {"via", "1.1 z"},
                            {"x-aspnet-version", "4"},
                            {"content-type", "text/html"}})),
            "content-type: text/html\n"
            "strict-transport-security: max-age=31536000; includeSubDomains\n"
            "x-content-type-options: nosniff\n"
            "x-frame-options: DENY\n"
            "referrer-policy: strict-origin-when-cross-origin\n"
            "content-security-policy: frame-ancestors 'none'\n");
  EXPECT_EQ(answer({}, true, false).size(), 5u) << "our own answers too";
  EXPECT_FALSE(answer({}, false).has(kHsts)) << "not without TLS";
}

struct Kept {
  std::string_view name, value;
  bool kept;
};
TEST_F(HeaderPolicy, WhatTheServiceSetStaysUnlessItProtectsNothing) {
  const std::vector<Kept> cases{
      {kHsts, "max-age=63072000; preload", true},
      {kHsts, "includeSubDomains; MAX-AGE=\"86400\"", true},
      {kHsts, "max-age=99999999999999999999999", true},
      {kHsts, "max-age=0", false},
      {kHsts, "max-age=60", false},
      {kHsts, "includeSubDomains", false},
      {kHsts, "", false},
      {kSniff, "NoSniff", true},
      {kSniff, "sniff", false},
      {kFrames, "SAMEORIGIN", true},
      {kFrames, "ALLOWALL", false},
      {kFrames, "ALLOW-FROM https://evil.example", false},
      {kReferrer, "no-referrer", true},
      {kReferrer, "unsafe-url", false},
      {kPolicy, "default-src 'self'", true},
  };
  for (const Kept& c : cases) {
    const http::Fields fields = answer({{c.name, c.value}});
    EXPECT_EQ(fields.get(c.name) == c.value, c.kept) << c.name << ": " << c.value;
    EXPECT_EQ(fields.count(c.name), 1u) << c.name << ": " << c.value;
    EXPECT_TRUE(fields.has(kFrames)) << "also beside a policy of the service's own";
  }
  EXPECT_EQ(answer({{kFrames, "SAMEORIGIN"}, {kFrames, "DENY"}}).count(kFrames), 1u) << "no contradictions";
}

TEST_F(HeaderPolicy, RouteEditsHaveTheLastWord) {
  config_.routes[0].response_headers.remove = {std::string(kFrames)};
  config_.routes[0].response_headers.set = {{std::string(kReferrer), "no-referrer"}, {"content-length", "1"}};
  config_.routes[0].response_headers.add = {{"x-extra", "1"}, {"x-extra", "2"}, {"connection", "close"}};
  const http::Fields fields = answer({});
  EXPECT_FALSE(fields.has(kFrames));
  EXPECT_EQ(fields.get(kReferrer), "no-referrer");
  EXPECT_EQ(fields.count("x-extra"), 2u);
  EXPECT_FALSE(fields.has("content-length")) << "framing is not the configuration's business";
  EXPECT_FALSE(fields.has("connection"));
}

TEST_F(HeaderPolicy, Off) {
  config_.routes[0].security_headers.enabled = false;
  EXPECT_EQ(text_of(answer({{"server", "x"}, {"a", "b"}})), "a: b\n");
}

}  // namespace
}  // namespace gatehouse::gateway
