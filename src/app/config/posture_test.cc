#include "app/config/posture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "base/temp_dir.h"
#include "crypto/x509.h"

namespace gatehouse::app {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

struct Parts {
  std::string listener = "address: 127.0.0.1:8080";
  std::string service = "endpoints: http://127.0.0.1:9001, health: /healthz";
  std::string route = "access: { roles: [a] }";
  std::string rest = "authentication: { client_certificates: { roles_from: san } }";
};

std::string file_of(const Parts& parts) {
  return fmt::format(
      "version: 1\nlisteners:\n  - {{ name: l, {} }}\nservices:\n  app: {{ {} }}\nroutes:\n"
      "  - {{ name: r, service: app, {} }}\n{}\n",
      parts.listener, parts.service, parts.route, parts.rest);
}

std::vector<std::string> judge(const std::string& text) {  // "line severity id"
  LoadOptions options;
  options.check_files = false;
  options.environment = [](const std::string&) {
    return std::optional<std::string>("0123456789abcdef0123456789abcdef");
  };
  const LoadOutcome outcome = load_config_text(text, "gatehouse.yaml", options);
  EXPECT_TRUE(outcome.ok()) << to_text(outcome.diagnostics, outcome.source, false);
  std::vector<std::string> found;
  if (!outcome.ok()) return found;
  for (const Diagnostic& d : judge_posture(outcome, {.look_at_files = false})) {
    EXPECT_FALSE(d.why.empty()) << d.id;
    EXPECT_FALSE(d.hint.empty()) << d.id << ": a finding has a fix";
    EXPECT_GT(d.position.line, 0u) << d.id;
    found.push_back(fmt::format("{} {} {}", d.position.line, name_of(d.severity), d.id));
  }
  return found;
}

TEST(Posture, NothingToSay) { EXPECT_THAT(judge(file_of({})), ElementsAre()); }

TEST(Posture, Findings) {
  struct Case {
    const char* name;
    Parts parts;
    const char* finding;
  };
  for (const Case& c : std::vector<Case>{
           {"plain HTTP", {.listener = "address: 0.0.0.0:80"}, "3 warning listener.plain_http"},
           {"TLS 1.2",
            {.listener = "address: 0.0.0.0:443, tls: { certificates: [{ auto: true }] }"},
            "3 info tls.min_version"},
           {"trusts everyone",
            {.listener = "address: 127.0.0.1:1, trusted_proxies: [10.0.0.0/8, 0.0.0.0/0]"},
            "3 error listener.trusts_everyone"},
           {"underscores",
            {.listener = "address: 127.0.0.1:1, allow_underscore_headers: true"},
            "3 warning listener.underscore_headers"},
           {"huge bodies",
            {.listener = "address: 127.0.0.1:1, limits: { body_bytes: 2GiB }"},
            "3 warning limits.body_bytes"},
           {"long headers",
            {.listener = "address: 127.0.0.1:1, limits: { header_timeout: 5m }"},
            "3 warning limits.header_timeout"},
           {"slow bodies",
            {.listener = "address: 127.0.0.1:1, limits: { body_min_rate: 0 }"},
            "3 warning limits.body_min_rate"},
           {"one address may have all",
            {.listener = "address: 127.0.0.1:1, limits: { connections_per_ip: 20000 }"},
            "3 warning limits.connections_per_ip"},
           {"unverified far",
            {.service = "endpoints: https://far, health: /h, tls: { verify: false }"},
            "5 error upstream.unverified"},
           {"unverified near",
            {.service = "endpoints: https://127.0.0.1, health: /h, tls: { verify: false }"},
            "5 warning upstream.unverified"},
           {"plain far", {.service = "endpoints: http://far, health: /h"}, "5 info upstream.plain_http"},
           {"plain far, sensitive",
            {.service = "endpoints: http://far, health: /h, sensitivity: high",
            .route = "access: { roles: [a], mfa: true }"},
            "5 warning upstream.plain_http"},
           {"one endpoint without checks", {.service = "endpoints: http://127.0.0.1"}, "5 info upstream.no_health"},
           {"several endpoints without checks",
            {.service = "endpoints: [http://127.0.0.1:1, http://127.0.0.1:2]"},
            "5 warning upstream.no_health"},
           {"public without a rate limit", {.route = "public: true"}, "7 warning route.public_without_rate_limit"},
           {"a bound in flight is no rate",
            {.route = "public: true, rate_limit: [{ concurrent: 5 }]"},
            "7 warning route.public_without_rate_limit"},
           {"public and sensitive",
            {.service = "endpoints: http://127.0.0.1:1, health: /h, sensitivity: high",
            .route = "public: true, rate_limit: [{ rate: 1/s }]"},
            "7 error route.public_high_sensitivity"},
           {"no second factor",
            {.service = "endpoints: http://127.0.0.1:1, health: /h, sensitivity: high"},
            "7 warning route.mfa_missing"},
           {"any caller", {.route = "timeout: 1s"}, "7 info route.any_caller"},
           {"CORS for all", {.route = "access: { roles: [a] }, cors: { origins: \"*\" }"}, "7 warning cors.any_origin"},
           {"CORS for null",
            {.route = "access: { roles: [a] }, cors: { origins: \"null\" }"},
            "7 warning cors.null_origin"},
           {"security headers off",
            {.route = "access: { roles: [a] }, security_headers: false"},
            "7 warning headers.disabled"},
           {"no HSTS", {.route = "access: { roles: [a] }, security_headers: { hsts: off }"}, "7 info headers.no_hsts"},
           {"BREACH",
            {.route = "access: { roles: [a] }, compression: { with_credentials: true }"},
            "7 warning compression.with_credentials"},
           {"a layer off for a route",
            {.route = "access: { roles: [a] }, layers: { rate: off }"},
            "7 warning layer.off"},
           {"no method", {.rest = ""}, "7 warning auth.no_method"},
           {"a layer watches",
            {.rest = "authentication: { client_certificates: {} }\nlayers: { rate: monitor }"},
            "9 warning layer.monitor"},
           {"authentication watches",
            {.rest = "authentication: { client_certificates: {} }\nlayers: { authentication: monitor }"},
            "9 error layer.monitor"},
           {"no delays",
            {.rest = "authentication: { client_certificates: {} }\npenalties: { failed_logins: off }"},
            "9 warning penalties.failed_logins"},
           {"no bans",
            {.rest = "authentication: { client_certificates: {} }\npenalties: { attacks: off }"},
            "9 warning penalties.attacks"},
           {"no internal token",
            {.rest = "authentication: { client_certificates: {}, internal_token: false }"},
            "8 warning auth.no_internal_token"},
           {"credentials go on",
            {.rest = "authentication: { client_certificates: {}, forward_credentials: true }"},
            "8 warning auth.forward_credentials"},
           {"leeway",
            {.rest = "authentication: { jwt: [{ name: a, issuer: b, audience: c, jwks: k, leeway: 5m }] }"},
            "8 warning auth.leeway"},
           {"admin near, no token",
            {.rest = "authentication: { client_certificates: {} }\nadmin: { address: 127.0.0.1:9 }"},
            "9 warning admin.no_token"},
           {"admin far, no token",
            {.rest = "authentication: { client_certificates: {} }\nadmin: { address: 0.0.0.0:9 }"},
            "9 error admin.no_token"},
           {"admin far",
            {.rest = "authentication: { client_certificates: {} }\nadmin: { address: 0.0.0.0:9, token: \"${env:T}\" }"},
            "9 error admin.exposed"},
           {"admin, short token",
            {.rest = "authentication: { client_certificates: {} }\nadmin: { address: 127.0.0.1:9, token: abc }"},
            "9 warning admin.weak_token"},
           {"metrics",
            {.rest = "authentication: { client_certificates: {} }\ntelemetry: { metrics: 0.0.0.0:9 }"},
            "9 info metrics.exposed"},
           {"no log",
            {.rest = "authentication: { client_certificates: {} }\ntelemetry: { access_log: off }"},
            "9 warning log.off"},
           {"no sandbox",
            {.rest = "authentication: { client_certificates: {} }\nprocess: { sandbox: false }"},
            "9 warning process.no_sandbox"},
           {"root",
            {.rest = "authentication: { client_certificates: {} }\nprocess: { user: root }"},
            "9 error process.root"},
           {"a store that proves nothing",
            {.rest = "authentication: { client_certificates: {} }\n"
                     "state: { store: \"postgresql://g@db.example/g?sslmode=require\" }"},
            "9 error state.store_unverified"},
           {"counts over the network in the clear",
            {.rest = "authentication: { client_certificates: {} }\n"
                     "state: { counters: \"redis://cache.example\", counters_password: x }"},
            "9 warning state.counters_in_clear"},
           {"counts that anybody may change",
            {.rest = "authentication: { client_certificates: {} }\nstate: { counters: \"rediss://cache.example\" }"},
            "9 warning state.counters_no_password"},
           {"few entries",
            {.rest = "authentication: { client_certificates: {} }\nstate: { rate_entries: 2048 }"},
            "9 info state.rate_entries"},
       }) {
    EXPECT_THAT(judge(file_of(c.parts)), Contains(c.finding)) << c.name;
  }
}

TEST(Posture, NotFound) {
  struct Case {
    const char* name;
    Parts parts;
    const char* finding;
  };
  for (const Case& c : std::vector<Case>{
           {"a limit of all routes",
            {.route = "public: true", .rest = "rate_limit: [{ rate: 1/s }]"},
            "7 warning route.public_without_rate_limit"},
           {"TLS 1.3",
            {.listener = "address: 0.0.0.0:443, tls: { certificates: [{ auto: true }], min_version: \"1.3\" }"},
            "3 info tls.min_version"},
           {"plain on IPv6 loopback", {.listener = "address: \"[::1]:80\""}, "3 warning listener.plain_http"},
           {"admin on a socket",
            {.rest = "authentication: { client_certificates: {} }\nadmin: \"unix:a.sock\""},
            "9 warning admin.no_token"},
       }) {
    EXPECT_THAT(judge(file_of(c.parts)), Not(Contains(c.finding))) << c.name;
  }
}

TEST(Posture, UnusedAndMirrored) {
  EXPECT_THAT(judge("version: 1\nlisteners: [{ name: l, address: 127.0.0.1:1 }]\nservices:\n"
                    "  a: { endpoints: http://127.0.0.1:1, health: /h, sensitivity: high }\n"
                    "  b: { endpoints: http://127.0.0.1:2, health: /h }\n"
                    "  c: { endpoints: http://127.0.0.1:3, health: /h }\n"
                    "routes: [{ name: r, service: a, access: { roles: [x], mfa: true }, mirror: b }]\n"
                    "authentication: { client_certificates: {} }\n"),
              ElementsAre("6 info service.unused", "7 warning route.mirror_sensitivity"));
}

// Every id that the code can report is explained on the page.
TEST(Posture, ThePageListsEveryFinding) {
  const auto read = [](const std::string& file) {
    std::ifstream in(GATEHOUSE_SOURCE_DIR "/" + file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string page = read("docs/posture.md");
  const std::regex id(
      "\"((?:admin|auth|compression|cors|data_dir|file|headers|identity|layer|limits|listener|log|metrics|penalties|"
      "process|route|service|state|tls|upstream|waf)\\.[a-z_]+)\"");
  std::size_t found = 0;
  for (const char* file : {"src/app/config/posture.cc", "src/app/config/posture_defences.cc",
                           "src/app/config/posture_identity.cc", "src/app/config/posture_waf.cc"}) {
    const std::string code = read(file);
    for (std::sregex_iterator at(code.begin(), code.end(), id), end; at != end; ++at, ++found) {
      EXPECT_NE(page.find("`" + (*at)[1].str() + "`"), std::string::npos) << (*at)[1].str();
    }
  }
  EXPECT_GT(found, 40u);
}

class PostureFiles : public testing::Test {
 protected:
  PostureFiles() {
    auto authority = crypto::LocalAuthority::open(folder_ / "ca", "shop.example", clock_);
    EXPECT_TRUE(authority.has_value());
    certificate_ = *authority->issue_server({"shop.example"});
    other_ = *authority->issue_server({"other.example"});
  }

  std::vector<std::string> judge(const std::string& cert, const std::string& key) {
    const std::string file = folder_ / "gatehouse.yaml";
    std::ofstream(file) << fmt::format(
        "version: 1\nlisteners:\n  - {{ name: l, address: 127.0.0.1:1, tls: {{ min_version: \"1.3\", certificates: [{{ "
        "cert: {}, key: {} }}] }} }}\n"
        "routes: []\n",
        cert, key);
    const LoadOutcome outcome = load_config(file);
    EXPECT_TRUE(outcome.ok()) << to_text(outcome.diagnostics, outcome.source, false);
    std::vector<std::string> found;
    for (const Diagnostic& d : judge_posture(outcome, {true, clock_}))
      found.push_back(fmt::format("{} {}", name_of(d.severity), d.id));
    return found;
  }

  FakeClock clock_;
  const TempDir folder_;
  crypto::IssuedCertificate certificate_, other_;
};

TEST_F(PostureFiles, CertificatesAndKeys) {
  clock_.set_wall(certificate_.not_after - std::chrono::hours(24 * 60));
  EXPECT_THAT(judge(certificate_.certificate_file, certificate_.key_file), ElementsAre());
  EXPECT_THAT(judge(certificate_.certificate_file, other_.key_file), ElementsAre("error config.tls"));
  clock_.set_wall(certificate_.not_after - std::chrono::hours(24 * 10));
  EXPECT_THAT(judge(certificate_.certificate_file, certificate_.key_file), ElementsAre("warning tls.expires_soon"));
  clock_.set_wall(certificate_.not_after + std::chrono::hours(24 * 2));
  EXPECT_THAT(judge(certificate_.certificate_file, certificate_.key_file), ElementsAre("error tls.expired"));
  clock_.set_wall(certificate_.not_after - std::chrono::hours(24 * 60));
  chmod(certificate_.key_file.c_str(), 0644);
  EXPECT_THAT(judge(certificate_.certificate_file, certificate_.key_file), ElementsAre("error tls.key_permissions"));
  chmod(certificate_.key_file.c_str(), 0640);
  EXPECT_THAT(judge(certificate_.certificate_file, certificate_.key_file), ElementsAre());
}

TEST_F(PostureFiles, WritableByOthers) {
  clock_.set_wall(certificate_.not_after - std::chrono::hours(24 * 60));
  std::filesystem::create_directory(folder_ / "data");
  chmod((folder_ / "data").c_str(), 0777);
  EXPECT_THAT(judge(certificate_.certificate_file, certificate_.key_file), ElementsAre("error data_dir.writable"));
}

}  // namespace
}  // namespace gatehouse::app
