#include "app/outside_call.h"

#include <gtest/gtest.h>

#include "app/script_server_testing.h"
#include "codec/json.h"

namespace gatehouse::app {
namespace {

class OutsideCallTest : public ::testing::Test {
 protected:
  OutsideCall to(const std::string& path) {
    return {.url = "https://" + server_.address("localhost") + path, .ca = certificate_ + ".crt"};
  }
  const TempDir folder_;
  const std::string certificate_ = certificate(folder_, "localhost");
  ScriptServer server_{"https_server.py", {certificate_}};
};

TEST_F(OutsideCallTest, SendsAndReads) {
  OutsideCall call = to("/echo");
  auto answer = call_outside(call);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->content_type, "application/json");
  EXPECT_EQ(codec::Json::parse(answer->body)->find_string("method"), "GET");
  call.form = "a=b";
  call.authorization = "Basic eA==";
  answer = call_outside(call);
  ASSERT_TRUE(answer) << answer.error().message;
  const auto seen = codec::Json::parse(answer->body);
  EXPECT_EQ(seen->find_string("method"), "POST");
  EXPECT_EQ(seen->find_string("body"), "a=b");
  EXPECT_EQ(seen->find("fields")->find_string("Authorization"), "Basic eA==");
  EXPECT_EQ(seen->find("fields")->find_string("Content-Type"), "application/x-www-form-urlencoded");
}

TEST_F(OutsideCallTest, AnyStatusIsAnAnswer) {
  const auto answer = call_outside(to("/nothing"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, R"({"error":"invalid_request"})");
  EXPECT_EQ(call_outside(to("/cached"))->max_age, std::chrono::seconds(300));
}

TEST_F(OutsideCallTest, RedirectsAreFollowedOnlyWhenAllowed) {
  OutsideCall call = to("/redirect");
  EXPECT_EQ(call_outside(call)->status, 302);
  call.redirects_max = 1;
  const auto answer = call_outside(call);
  EXPECT_EQ(answer->status, 200);
  EXPECT_FALSE(answer->max_age) << "the redirect's own";
}

TEST_F(OutsideCallTest, IsBounded) {
  OutsideCall call = to("/large");
  EXPECT_EQ(call_outside(call).error().message, "the answer is too large");
  call.bytes_max = 300'000;
  EXPECT_EQ(call_outside(call)->body.size(), 300'000u);
}

TEST_F(OutsideCallTest, TrustsVerifiedTlsOnly) {
  OutsideCall call = to("/echo");
  call.ca.clear();
  EXPECT_FALSE(call_outside(call)) << "the system knows no such authority";
  call.ca = certificate(folder_, "elsewhere") + ".crt";
  EXPECT_FALSE(call_outside(call));
  call = to("/echo");
  call.url = "https://" + server_.address("127.0.0.1") + "/echo";
  EXPECT_FALSE(call_outside(call)) << "the certificate names localhost";
  call.url = "http://" + server_.address("localhost") + "/echo";
  EXPECT_FALSE(call_outside(call));
  call.url = "file:///etc/hostname";
  call.plain_http = true;
  EXPECT_FALSE(call_outside(call));
}

}  // namespace
}  // namespace gatehouse::app
