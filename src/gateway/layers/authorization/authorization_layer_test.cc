#include "gateway/layers/authorization/authorization_layer.h"

#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

TEST(Authorization, AllThatIsGivenMustHold) {
  const WallTime now(1'750'000'000s);
  struct Case {
    const char* name;
    AccessConfig access;
    std::vector<std::string_view> roles, scopes, audiences;
    bool mfa;
    Duration age;
    std::string_view reason;
    int status;
  };
  const AccessConfig nothing;
  const AccessConfig roles{.roles = {"admin", "staff"}, .scopes = {}, .audience = {}};
  const AccessConfig scopes{.roles = {}, .scopes = {"a", "b"}, .audience = {}};
  const AccessConfig audience{.roles = {}, .scopes = {}, .audience = "shop"};
  const AccessConfig mfa{.roles = {}, .scopes = {}, .audience = {}, .mfa = true, .mfa_max_age = 15min};
  const Case cases[] = {
      {"nothing asked", nothing, {}, {}, {}, false, 0s, "", 0},
      {"one of the roles", roles, {"x", "staff"}, {}, {}, false, 0s, "", 0},
      {"none of the roles", roles, {"customer", "admi"}, {}, {}, false, 0s, "access.role", 403},
      {"no roles at all", roles, {}, {}, {}, false, 0s, "access.role", 403},
      {"all scopes", scopes, {}, {"b", "c", "a"}, {}, false, 0s, "", 0},
      {"one scope of two", scopes, {}, {"a"}, {}, false, 0s, "access.scope", 403},
      {"audience", audience, {}, {}, {"bank", "shop"}, false, 0s, "", 0},
      {"another audience", audience, {}, {}, {"bank"}, false, 0s, "access.audience", 403},
      {"no audience, an API key say", audience, {}, {}, {}, false, 0s, "access.audience", 403},
      {"fresh second factor", mfa, {}, {}, {}, true, 15min, "", 0},
      {"stale second factor", mfa, {}, {}, {}, true, 15min + 1s, "access.mfa_age", 403},
      {"second factor of unknown age", mfa, {}, {}, {}, true, now.time_since_epoch(), "access.mfa_age", 403},
      {"one factor", mfa, {}, {}, {}, false, 1s, "access.mfa", 403},
  };
  const AuthorizationLayer layer;
  for (Case c : cases) {
    Arena arena;
    telemetry::DecisionRecord record;
    Request request(arena, record);
    RouteConfig route;
    route.access = c.access;
    request.route = &route;
    request.wall = now;
    request.principal.user = "ann";
    request.principal.roles = c.roles;
    request.principal.scopes = c.scopes;
    request.principal.audiences = c.audiences;
    request.principal.mfa = c.mfa;
    request.principal.authenticated_at = now - c.age;
    const Decision decision = layer.decide(request);
    EXPECT_EQ(decision.reason, c.reason) << c.name;
    EXPECT_EQ(decision.status, c.status) << c.name;
    EXPECT_EQ(decision.verdict, c.reason.empty() ? Verdict::pass : Verdict::deny) << c.name;
    EXPECT_EQ(decision.challenge.find("insufficient_user_authentication") != std::string_view::npos,
              c.reason.starts_with("access.mfa"))
        << c.name;
    route.is_public = true;
    EXPECT_EQ(layer.decide(request).verdict, Verdict::pass) << c.name << ", on a public route";
  }
}

// It is the gateway's own, and was made for the host that asks: no token says whom it is for.
TEST(Authorization, ASessionNeedsNoAudience) {
  Arena arena;
  telemetry::DecisionRecord record;
  Request request(arena, record);
  RouteConfig route;
  route.access.audience = "shop";
  request.route = &route;
  request.principal.user = "ann";
  request.principal.method = AuthMethod::session;
  EXPECT_EQ(AuthorizationLayer().decide(request).verdict, Verdict::pass);
  request.principal.method = AuthMethod::jwt;
  EXPECT_EQ(AuthorizationLayer().decide(request).reason, "access.audience");
}

}  // namespace
}  // namespace gatehouse::gateway
