#include "app/config/load.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/config/documents.h"
#include "app/config/load_testing.h"
#include "app/config/table.h"
#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Load, SmallestFile) {
  const LoadOutcome outcome = load(route_with(""));
  ASSERT_TRUE(outcome.ok()) << all(outcome);
  EXPECT_TRUE(outcome.diagnostics.empty()) << all(outcome);
  const gateway::Config& config = *outcome.config;
  EXPECT_EQ(config.data_dir, "/etc/gatehouse/data");
  ASSERT_EQ(config.zones.size(), 4u);
  EXPECT_EQ(config.zones[0].name, "external");
  ASSERT_EQ(config.routes.size(), 1u);
  EXPECT_FALSE(config.routes[0].is_public) << "a route needs authentication unless it says otherwise";
  EXPECT_TRUE(config.routes[0].security_headers.enabled);
  EXPECT_EQ(config.listeners[0].limits, gateway::ListenerLimits{}) << "a listener has limits without being asked";
}

TEST(Load, ValuesArrive) {
  const LoadOutcome outcome = load(R"(
version: 1
zones: { corporate: { networks: [10.0.0.0/8] }, lab: { networks: ["fd00::/8", 192.0.2.7] } }
listeners:
  - { name: a, address: "[::1]:443", zone: lab, tls: { certificates: [{ auto: true }], min_version: 1.3 } }
  - { name: b, address: "unix:run/b.sock", proxy_protocol: any, trusted_proxies: [0.0.0.0/0] }
services:
  one: { endpoints: http://localhost, balance: hash, hash_on: "cookie:Sid", health: /up, retry: { on: [504] } }
  two: { endpoints: [{ url: h2://two.internal:8443, weight: 3 }, h2c://two.internal, "dns+srv://_http._tcp.two"] }
routes:
  - name: r
    match: { hosts: "*.Shop.Example", methods: GET, headers: { X-Api: "2", X-Debug: true }, query: { v: "1" } }
    services: [{ name: one, weight: 90 }, { name: two, weight: 10 }]
    zones: [corporate, lab]
    rate_limit:
      - { key: [client_ip, "header:X-Tenant"], rate: 20000/h, burst: 7, hours: "22:00-06:00", days: [fri-mon] }
      - { key: user, concurrent: 10 }
    compression: false
    websocket: true
    mirror: { service: two, percent: 2.5 }
    security_headers: { hsts: off }
    headers: { request: { set: { Authorization: "Bearer ${env:TOKEN}" }, remove: X-Debug } }
    timeout: 1500ms
    body_bytes: 3MiB
    layers: { rate: monitor }
penalties: { failed_logins: off }
admin: { address: 127.0.0.1:0, token: "${env:TOKEN}" }
telemetry: { metrics: 127.0.0.1:0, access_log: ./access.log }
)");
  ASSERT_TRUE(outcome.ok()) << all(outcome);
  EXPECT_TRUE(outcome.diagnostics.empty()) << all(outcome);
  const gateway::Config& c = *outcome.config;
  EXPECT_EQ(c.zones[4].name, "lab");
  EXPECT_EQ(c.listeners[0].zone, 4u);
  EXPECT_TRUE(c.listeners[0].tls->min_version_13);
  EXPECT_TRUE(c.listeners[0].tls->certificates[0].auto_issue);
  EXPECT_EQ(c.listeners[1].address.unix_path, "/etc/gatehouse/run/b.sock");
  EXPECT_EQ(c.services[0].endpoints[0].address.port, 80);
  EXPECT_EQ(c.services[0].hash_on.name, "Sid");
  EXPECT_EQ(c.services[0].health->path, "/up");
  EXPECT_FALSE(c.services[0].retry.on_reset);
  EXPECT_EQ(c.services[0].retry.on_status, std::vector<int>{504});
  EXPECT_EQ(c.services[1].endpoints[0].weight, 3u);
  EXPECT_TRUE(c.services[1].endpoints[0].tls);
  EXPECT_EQ(c.services[1].endpoints[1].protocol, gateway::UpstreamProtocol::h2);
  EXPECT_TRUE(c.services[1].endpoints[2].resolve_srv);
  const gateway::RouteConfig& r = c.routes[0];
  EXPECT_THAT(r.match.hosts, ElementsAre("*.shop.example"));
  EXPECT_EQ(r.match.headers[0].name, "x-api");
  EXPECT_TRUE(r.match.headers[1].present);
  EXPECT_EQ(r.services[1].weight, 10u);
  EXPECT_THAT(r.zones, ElementsAre(2u, 4u));
  EXPECT_EQ(r.rate_limit[0].key[1].header, "x-tenant");
  EXPECT_EQ(r.rate_limit[0].requests, 20000u);
  EXPECT_EQ(r.rate_limit[0].window, std::chrono::hours(1));
  EXPECT_EQ(r.rate_limit[0].hours_from, 22 * 60);
  EXPECT_EQ(r.rate_limit[0].hours_to, 6 * 60);
  EXPECT_EQ(r.rate_limit[0].days, 0b1110001) << "friday to monday, over the week's end";
  EXPECT_EQ(r.rate_limit[1].concurrent, 10u);
  EXPECT_FALSE(r.compression.enabled);
  EXPECT_TRUE(r.websocket.enabled);
  EXPECT_EQ(r.mirror->service, 1u);
  EXPECT_EQ(r.mirror->percent, 2.5);
  EXPECT_EQ(r.security_headers.hsts, "");
  EXPECT_EQ(r.request_headers.set[0],
            std::make_pair(std::string("authorization"), std::string("Bearer from-the-environment")));
  EXPECT_EQ(r.timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(r.body_bytes, 3u << 20);
  EXPECT_FALSE(c.penalties.failed_logins.has_value());
  EXPECT_EQ(c.admin.token.expose(), "from-the-environment");
  EXPECT_EQ(c.telemetry.access_log.to, "/etc/gatehouse/access.log");
}

TEST(Load, TenMistakesAreTenErrors) {
  const LoadOutcome outcome = load(R"(version: 1
data_dri: ./data
listeners:
  - name: public
    address: 0.0.0.0
    limits: { header_timeout: 10, header_bytes: 32KB }
services:
  orders:
    endpoints: [127.0.0.1:9001]
    balance: fastest
    timeouts: { connect: -1s }
routes:
  - name: all
    match: { path: orders/**, methods: [get] }
    service: order
)");
  std::vector<std::string> errors;
  for (const Diagnostic& d : outcome.diagnostics) errors.push_back(place(d));
  EXPECT_THAT(errors, ElementsAre("2:1: unknown key \"data_dri\"", "5:14: \"0.0.0.0\" is not an address",
                                  "6:31: \"10\" has no unit", "6:49: \"32KB\" is not a size",
                                  "9:17: \"127.0.0.1:9001\" has no scheme", "10:14: \"fastest\" is not accepted here",
                                  "11:26: \"-1s\" is not a duration", "14:20: \"orders/**\" doesn't start with \"/\"",
                                  "14:41: methods are upper case", "15:14: there is no service \"order\""));
  EXPECT_FALSE(outcome.ok());
}

TEST(Load, Warnings) {
  struct Case {
    const char* name;
    std::string text, place;
  };
  for (const Case& c : std::vector<Case>{
           {"literal token", listener_with("admin: { address: 127.0.0.1:9900, token: abc }\nroutes: []\n"),
            "5:42: a secret is written in the configuration file"},
           {"literal passphrase", listener_with("secrets: { passphrase: a long passphrase }\nroutes: []\n"),
            "5:24: a secret is written in the configuration file"},
           {"literal credential for a service",
            route_with("    headers: { request: { set: { authorization: Bearer x } } }\n"),
            "11:49: a secret is written in the configuration file"},
           {"ban of everybody", route_with("bans: { deny: [0.0.0.0/0] }\n"), "11:16: this bans every client"},
           {"hash_on unused", service_with("    hash_on: user\nroutes: [{ name: a, service: app }]\n"),
            "8:5: hash_on has no effect without balance: hash"},
           {"TLS unused", service_with("    tls: { sni: a.b }\nroutes: [{ name: a, service: app }]\n"),
            "8:5: tls has no effect: no endpoint is https or h2"},
           {"issuer without audience", route_with("authentication: { jwt: [{ name: a, issuer: b, jwks: k }] }\n"),
            "11:25: this issuer has no audience: tokens made for other services are accepted"},
       }) {
    const LoadOutcome outcome = load(c.text);
    EXPECT_TRUE(outcome.ok()) << c.name << "\n" << all(outcome);
    std::vector<std::string> found;
    for (const Diagnostic& d : outcome.diagnostics) {
      if (d.message.find("no route") == std::string::npos) found.push_back(place(d));
      EXPECT_EQ(d.severity, Severity::warning) << c.name;
    }
    EXPECT_THAT(found, ElementsAre(c.place)) << c.name;
  }
}

TEST(Load, ExclusionsOfTheWaf) {
  const LoadOutcome outcome = load(route_with(R"(    waf:
      paranoia: 3
      inbound_threshold: 10
      outbound_threshold: 8
      request_body: 1MiB
      response_body: 64KiB
      on_exceed: partial
      exclude:
        - rule: [942100, 941100-941199]
          parameter: comment
          path: /a/*
          until: 2027-01-31
          because: they write about SQL
        - { tag: attack-sqli, target: ["REQUEST_COOKIES:/^x_/", "ARGS:a"] }
)"));
  ASSERT_TRUE(outcome.ok()) << all(outcome);
  const gateway::RouteWafConfig& waf = outcome.config->routes[0].waf;
  EXPECT_EQ(waf.paranoia, 3u);
  EXPECT_EQ(waf.inbound_threshold, 10u);
  EXPECT_EQ(waf.outbound_threshold, 8u);
  EXPECT_EQ(waf.request_body, 1024u * 1024);
  EXPECT_EQ(waf.response_body, 64u * 1024);
  EXPECT_EQ(waf.on_exceed, gateway::WafOnExceed::partial);
  ASSERT_EQ(waf.exclude.size(), 2u);
  using namespace std::chrono;
  EXPECT_EQ(waf.exclude[0], (gateway::WafExclusion{.rules = {{942100, 942100}, {941100, 941199}},
                                                   .parameters = {"comment"},
                                                   .paths = {"/a/*"},
                                                   .until = sys_days(year(2027) / 1 / 31),
                                                   .because = "they write about SQL"}));
  EXPECT_EQ(waf.exclude[1],
            (gateway::WafExclusion{.tags = {"attack-sqli"}, .targets = {"REQUEST_COOKIES:/^x_/", "ARGS:a"}}));
  // And what is shown reads back the same.
  const LoadOutcome again = load(effective_yaml(*outcome.config));
  ASSERT_TRUE(again.ok()) << all(again);
  EXPECT_EQ(again.config->routes[0].waf.exclude, waf.exclude);
}

TEST(Load, ManyMistakesEndInOneLine) {
  std::string text = listener_with("services:\n");
  for (int i = 0; i < 5000; ++i) text += fmt::format("  s{}: {{ endpoints: [x y] }}\n", i);
  const LoadOutcome outcome = load(text);
  EXPECT_EQ(outcome.diagnostics.size(), 201u);
  EXPECT_EQ(outcome.diagnostics.back().message, "too many problems to list them all");
}

class LoadFiles : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  const TempDir folder_;
};

TEST_F(LoadFiles, RelativePathsStartAtTheFile) {
  write("site.pem", "x");
  write("site.key", "x");
  write("token", "s3cret\n");
  const std::string file =
      write("gatehouse.yaml", listener_with("    tls: { certificates: [{ cert: site.pem, key: ./site.key }] }\n"
                                            "admin: { address: 127.0.0.1:9900, token: \"${file:token}\" }\n"
                                            "routes: []\n"));
  const LoadOutcome outcome = load_config(file);
  ASSERT_TRUE(outcome.ok()) << all(outcome);
  EXPECT_EQ(outcome.config->listeners[0].tls->certificates[0].key, folder_ / "site.key");
  EXPECT_EQ(outcome.config->admin.token.expose(), "s3cret");
}

TEST_F(LoadFiles, MissingFilesHaveAPosition) {
  const std::string file =
      write("gatehouse.yaml", listener_with("    tls: { certificates: [{ cert: site.pem, key: . }] }\nroutes: []\n"));
  const LoadOutcome outcome = load_config(file);
  ASSERT_EQ(outcome.diagnostics.size(), 3u) << all(outcome);
  EXPECT_EQ(place(outcome.diagnostics[0]), "5:35: cannot read " + folder_ / "site.pem: No such file or directory");
  EXPECT_EQ(place(outcome.diagnostics[1]), "5:50: " + folder_ / " is a folder, not a file");
}

TEST_F(LoadFiles, TheFileItself) {
  const LoadOutcome missing = load_config(folder_ / "none.yaml");
  EXPECT_FALSE(missing.ok());
  EXPECT_THAT(missing.diagnostics[0].message, HasSubstr("No such file or directory"));
  EXPECT_FALSE(load_config(folder_.path()).ok()) << "a folder";
  EXPECT_FALSE(load_config(write("large.yaml", std::string(4 * 1024 * 1024 + 1, '#'))).ok());
}

// The contract's own example, with the files that it names.
TEST_F(LoadFiles, TheContractsExample) {
  for (const char* name : {"site.pem", "site.key", "clients.pem", "upstream-ca.pem", "gw.pem", "gw.key"})
    write(name, "x");
  std::filesystem::copy(GATEHOUSE_SOURCE_DIR "/tests/data/config/contract.yaml", folder_ / "gatehouse.yaml");
  const LoadOutcome outcome = load_config(folder_ / "gatehouse.yaml");
  EXPECT_TRUE(outcome.ok()) << all(outcome);
  EXPECT_EQ(outcome.config->routes[0].rate_limit.size(), 2u);
}

TEST_F(LoadFiles, TheAdminBlockOfABrokenFile) {
  struct Case {
    const char *name, *text, *address, *error;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"good", "version: 1\nadmin: { address: 127.0.0.1:9900, token: abc }\n", "127.0.0.1:9900", ""},
           {"the rest is wrong", "version: 7\nroutes: 5\nadmin: { address: 127.0.0.1:9900 }\n", "127.0.0.1:9900", ""},
           {"duplicate keys elsewhere", "a: 1\na: 2\nadmin: 127.0.0.1:9900\n", "127.0.0.1:9900", ""},
           {"a token that isn't there", "admin: { address: 127.0.0.1:9900, token: \"${env:GATEHOUSE_NOT_SET}\" }\n",
            "127.0.0.1:9900", ""},
           {"no admin", "version: 1\n", ":0", ""},
           {"not YAML", "a: [\nadmin: x\n", "", "not valid YAML"},
           {"the block is wrong", "admin: { address: nowhere }\n", "", ":1:19: \"nowhere\" is not an address"},
       }) {
    const auto admin = load_admin(write("gatehouse.yaml", c.text));
    EXPECT_EQ(admin ? admin->address.to_string() : "", c.address) << c.name;
    EXPECT_THAT(admin ? "" : admin.error().message, HasSubstr(c.error)) << c.name;
  }
  EXPECT_FALSE(load_admin(folder_ / "none.yaml").has_value());
}

TEST(Locate, NearestPlace) {
  const LoadOutcome outcome = load(route_with("    cors: { origins: [https://a] }\n"));
  struct Case {
    const char* path;
    codec::YamlPosition position;
  };
  for (const Case& c : {Case{"listeners/0/address", {4, 14}}, Case{"listeners/0/tls/min_version", {3, 5}},
                        Case{"routes/0/cors/origins/0", {11, 23}}, Case{"routes/0/cors", {11, 5}},
                        Case{"penalties", {1, 1}}, Case{"routes/7", {8, 1}}}) {
    EXPECT_EQ(locate(outcome.root, c.path), c.position)
        << c.path << " " << locate(outcome.root, c.path).line << ":" << locate(outcome.root, c.path).column;
  }
}

TEST(Table, LayerNamesAreTheRecords) {
  for (const LayerName& layer : layer_names()) EXPECT_EQ(layer.name, telemetry::name_of(layer.layer));
}

}  // namespace
}  // namespace gatehouse::app
