// What `gatehouse check` says of identity.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config/posture.h"

namespace gatehouse::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Parts {
  std::string listener =
      "address: 0.0.0.0:443, tls: { certificates: [{ auto: true }], min_version: \"1.3\" }, zone: external";
  std::string identity =
      "mail: { server: \"mail.example:587\", from: a@shop.example }, passwords: { breached: breached.txt }";
  std::string route = "access: { roles: [a], mfa: true }";
  std::string rest =
      "rate_limit: [{ key: client_ip, rate: 100/s }]\nsecrets: { root_key_file: /etc/gatehouse/root.key }";
};

LoadOutcome load(const Parts& parts) {
  const std::string text = fmt::format(
      "version: 1\nlisteners:\n  - {{ name: l, {} }}\nservices:\n  app: {{ endpoints: http://127.0.0.1:9001, health: "
      "/healthz }}\nroutes:\n  - {{ name: r, match: {{ hosts: [shop.example] }}, service: app, {} }}\n"
      "identity: {{ issuer: https://login.shop.example, {} }}\n{}\n",
      parts.listener, parts.route, parts.identity, parts.rest);
  LoadOptions options;
  options.check_files = false;
  LoadOutcome outcome = load_config_text(text, "gatehouse.yaml", options);
  EXPECT_TRUE(outcome.ok()) << to_text(outcome.diagnostics, outcome.source, false);
  return outcome;
}

std::vector<std::string> judge(const LoadOutcome& outcome) {  // "line severity id"
  std::vector<std::string> found;
  if (!outcome.ok()) return found;
  for (const Diagnostic& d : judge_posture(outcome, {.look_at_files = false})) {
    EXPECT_FALSE(d.why.empty()) << d.id;
    EXPECT_FALSE(d.hint.empty()) << d.id;
    found.push_back(fmt::format("{} {} {}", d.position.line, name_of(d.severity), d.id));
  }
  return found;
}

// The route and the service that identity has by itself are nobody's mistake.
TEST(PostureIdentity, NothingToSay) { EXPECT_THAT(judge(load({})), IsEmpty()); }

TEST(PostureIdentity, Findings) {
  constexpr const char* kMail = "mail: { server: \"mail.example:587\", from: a@shop.example }";
  constexpr const char* kLimit = "rate_limit: [{ key: client_ip, rate: 100/s }]";
  const std::string good = Parts().identity;
  struct Case {
    const char* name;
    Parts parts;
    std::vector<std::string> findings;
  };
  for (const Case& c : std::vector<Case>{
           {"plain HTTP to everybody",
            {.listener = "address: 0.0.0.0:80"},
            {"3 warning listener.plain_http", "3 error identity.plain_listener"}},
           {"plain HTTP from a TLS terminator elsewhere",
            {.listener = "address: 0.0.0.0:80, trusted_proxies: [192.0.2.7]"},
            {"3 warning listener.plain_http", "3 warning identity.plain_listener"}},
           {"a TLS terminator on this machine", {.listener = "address: 127.0.0.1:80"}, {}},
           {"no limit", {.rest = "secrets: { root_key_file: /etc/r.key }"}, {"8 warning identity.no_rate_limit"}},
           {"a limit on what runs at once is no rate",
            {.rest = "rate_limit: [{ key: client_ip, concurrent: 5 }]\nsecrets: { root_key_file: /etc/r.key }"},
            {"8 warning identity.no_rate_limit"}},
           {"idle sessions",
            {.identity = good + ", sessions: { idle: 169h, absolute: 30d }"},
            {"8 warning identity.long_sessions"}},
           {"sessions without an end",
            {.identity = good + ", sessions: { idle: 7d, absolute: 31d }"},
            {"8 warning identity.long_sessions"}},
           {"devices", {.identity = good + ", remember_device: 91d"}, {"8 warning identity.long_sessions"}},
           {"as long as may be",
            {.identity = good + ", sessions: { idle: 7d, absolute: 30d }, remember_device: 90d"},
            {}},
           {"no second factor", {.route = "access: { roles: [a] }"}, {"8 info identity.mfa_nowhere"}},
           {"no mail", {.identity = "passwords: { breached: b.txt }"}, {"8 info identity.no_mail"}},
           {"no list of lost passwords", {.identity = kMail}, {"8 info identity.no_breached_list"}},
           {"the key beside the data", {.rest = kLimit}, {"1 info identity.root_key_beside_data"}},
           {"the key in data_dir, by name",
            {.rest = std::string(kLimit) + "\ndata_dir: /var/lib/g\nsecrets: { root_key_file: /var/lib/g/r.key }"},
            {"11 info identity.root_key_beside_data"}},
           {"the data elsewhere",
            {.rest = std::string(kLimit) + "\nstate: { store: \"postgresql://g@127.0.0.1/g\" }"},
            {}},
       }) {
    EXPECT_THAT(judge(load(c.parts)), testing::ElementsAreArray(c.findings)) << c.name;
  }
}

TEST(PostureIdentity, OpenRegistration) {
  LoadOutcome outcome = load({});
  ASSERT_TRUE(outcome.ok());
  auto changed = std::make_shared<gateway::Config>(*outcome.config);
  changed->identity->client_registration = gateway::IdentityConfig::ClientRegistration::open;
  outcome.config = std::move(changed);
  EXPECT_THAT(judge(outcome), ElementsAre("8 warning identity.open_registration"));
}

TEST(PostureIdentity, NoRouteIsFine) {
  const LoadOutcome outcome = load_config_text(
      "version: 1\nlisteners: [{ name: l, address: 127.0.0.1:80 }]\nservices: {}\nroutes: []\n"
      "identity: { issuer: https://login.shop.example }\n",
      "gatehouse.yaml", {});
  ASSERT_TRUE(outcome.ok());
  for (const Diagnostic& d : outcome.diagnostics) EXPECT_EQ(d.message.find("no route"), std::string::npos) << d.message;
}

}  // namespace
}  // namespace gatehouse::app
