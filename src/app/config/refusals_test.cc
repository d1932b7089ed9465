// What is refused: every message, with its place and its hint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "app/config/load_testing.h"

namespace gatehouse::app {
namespace {

using testing::ElementsAre;

struct Refused {
  const char* name;
  std::string text;
  std::string place;  // "line:column: message"
  std::string hint;
};

void expect_refused(const std::vector<Refused>& cases) {
  for (const Refused& c : cases) {
    const LoadOutcome outcome = load(c.text);
    EXPECT_FALSE(outcome.ok()) << c.name;
    std::vector<std::string> errors;
    for (const Diagnostic& d : outcome.diagnostics) {
      if (d.severity != Severity::error) continue;
      errors.push_back(place(d));
      EXPECT_EQ(d.hint, c.hint) << c.name;
    }
    EXPECT_THAT(errors, ElementsAre(c.place)) << c.name << "\n" << all(outcome);
  }
}

TEST(Refusals, Top) {
  expect_refused({
      {"empty", "", "1:1: the file is empty", "gatehouse config default prints one to start from"},
      {"a list", "[1]", "1:1: expected a block of keys, found a list", ""},
      {"text", "hello", "1:1: expected a block of keys, found \"hello\"", ""},
      {"no version", "listeners: [{ name: a, address: 127.0.0.1:1 }]", "1:1: missing key \"version\"",
       "for example version: 1"},
      {"no listeners", "version: 1", "1:1: missing key \"listeners\"",
       "for example listeners: [{ name: public, address: 127.0.0.1:8080 }]"},
      {"empty listeners", "version: 1\nlisteners: []\n", "2:12: no listener: nothing could connect",
       "- { name: public, address: 127.0.0.1:8080 }"},
      {"another version", "version: 2\nlisteners: [{ name: a, address: 127.0.0.1:1 }]",
       "1:10: this Gatehouse doesn't know version 2 of the file format", "version: 1"},
      {"unknown key, close", listener_with("servics: {}\n"), "5:1: unknown key \"servics\"",
       "did you mean \"services\"?"},
      {"dash for underscore", listener_with("data-dir: x\n"), "5:1: unknown key \"data-dir\"",
       "did you mean \"data_dir\"?"},
      {"unknown key, nothing close", listener_with("process: { colour: red }\n"), "5:12: unknown key \"colour\"",
       "accepted here: shards, user, drain_timeout, sandbox"},
      {"a key without value", listener_with("services:\n"), "5:1: expected a block of names, but there is no value",
       "remove the key to use its default"},
      {"two root keys",
       listener_with("secrets:\n  root_key_file: root.key\n  passphrase: ${env:TOKEN} of a long day\n"),
       "7:3: there is one root key, and passphrase names another than root_key_file",
       "keep the one of root_key_file, root_key and passphrase that the stored data is sealed under"},
      {"no root key", listener_with("secrets: { root_key: \"${env:TOKEN}\" }\n"),
       "5:22: secrets.root_key is not a root key: it must be 32 bytes in base64 (openssl rand -base64 32)", ""},
      {"a short passphrase", listener_with("secrets: { passphrase: \"short\" }\n"),
       "5:24: the passphrase must have at least 12 characters", ""},
      {"counters elsewhere", listener_with("state: { counters: memcached://cache }\n"),
       "5:20: \"memcached://cache\" is not accepted here",
       "accepted: memory, redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE, redis+unix:///PATH"},
      {"a Redis without a host", listener_with("state: { counters: redis://:6379 }\n"), "5:20: not a location of Redis",
       "not a location of Redis: host or port; write redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE or "
       "redis+unix:///PATH"},
      {"a password of Redis where it would be shown", listener_with("state: { counters: \"redis://g:hunter2@c\" }\n"),
       "5:20: a password in the location would be shown with it",
       "take it out, change it, and say counters_password: ${file:path}"},
      {"a store of another kind", listener_with("state: { store: mysql://db/g }\n"),
       "5:17: \"mysql://db/g\" is not accepted here", "accepted: sqlite, postgresql://USER@HOST/NAME"},
      {"a password where it would be shown", listener_with("state: { store: \"postgresql://g:hunter2@db/g\" }\n"),
       "5:17: a password in the location would be shown with it",
       "take it out, change it, and say store_password: ${file:path}"},
      {"a location that libpq can't read", listener_with("state: { store: \"postgresql://g@db/g?colour=red\" }\n"),
       "5:17: not a location of PostgreSQL",
       "not a PostgreSQL location: postgresql://user@host:port/name?sslmode=verify-full, other characters "
       "percent-encoded, and parameters that libpq knows"},
      {"reference where no secret is", listener_with("data_dir: ${env:HOME}/x\n"),
       "5:11: references such as ${env:NAME} are for secrets only", "write the path itself"},
  });
}

TEST(Refusals, ClientRegistration) {
  const auto with = [](const std::string& keys) {
    return listener_with("identity: { issuer: https://login.a, " + keys + " }\n");
  };
  expect_refused({
      {"no token", with("client_registration: token"),
       "5:59: registration with a token needs a token of at least 16 bytes",
       "client_registration_token: ${file:registration.token}"},
      {"a short token", with("client_registration: token, client_registration_token: \"${file:/dev/null}\""),
       "5:59: registration with a token needs a token of at least 16 bytes",
       "client_registration_token: ${file:registration.token}"},
      {"a token for nobody", with("client_registration_token: \"${file:/dev/null}\""),
       "5:65: nothing asks for this token", "client_registration: token"},
      {"another word", with("client_registration: on"), "5:59: \"on\" is not accepted here",
       "accepted: off, token, open"},
  });
}

TEST(Refusals, OutsideProviders) {
  const auto with = [](const std::string& one, const std::string& two = "") {
    return listener_with("identity: { issuer: https://login.a, federation: [" + one + (two.empty() ? "" : ", " + two) +
                         "] }\n");
  };
  const auto provider = [](const std::string& id, const std::string& issuer, const std::string& more = "") {
    return "{ id: " + id + ", name: N, issuer: " + issuer + ", client_id: c, client_secret: \"${file:/dev/null}\"" +
           more + " }";
  };
  static const std::string kForms = "https://login.shop.example, or with a path: https://shop.example/login";
  expect_refused({
      {"an id that is no word", with(provider("Work_1", "https://a")), "5:57: \"Work_1\" is not an id",
       "1 to 32 of a-z 0-9 -, as it stands in addresses"},
      {"plain http", with(provider("w", "http://a")), "5:77: \"http://a\" is not an https URL", kForms},
      {"nobody is told", with(provider("w", "https://a", ", scopes: [email]")),
       "5:146: without openid nobody is told who signs in", "add openid"},
      {"accounts without addresses", with(provider("w", "https://a", ", scopes: [openid], create_users: true")),
       "5:146: create_users needs the address of whoever comes", "add email"},
      {"one id twice", with(provider("w", "https://a"), provider("w", "https://b")),
       "5:50: two providers with the same id", "each id and each issuer once"},
      {"one issuer twice", with(provider("w", "https://a"), provider("v", "https://a")),
       "5:50: two providers with the same issuer", "each id and each issuer once"},
  });
}

TEST(Refusals, Listeners) {
  expect_refused({
      {"no name", "version: 1\nlisteners:\n  - address: 127.0.0.1:1\n", "3:5: missing key \"name\"",
       "for example name: public"},
      {"port alone", "version: 1\nlisteners: [{ name: a, address: 8443 }]\n",
       "2:33: expected text (address), found \"8443\"", "put it in quotes: \"8443\""},
      {"all interfaces", "version: 1\nlisteners: [{ name: a, address: \"*:8443\" }]\n",
       "2:33: \"*:8443\" is not an address", "for all interfaces: \"0.0.0.0:8443\" or \"[::]:8443\""},
      {"a name", "version: 1\nlisteners: [{ name: a, address: localhost:8443 }]\n",
       "2:33: cannot listen on the name \"localhost\"", "write 127.0.0.1:8443"},
      {"port too large", "version: 1\nlisteners: [{ name: a, address: 127.0.0.1:65536 }]\n",
       "2:33: \"127.0.0.1:65536\" is not an address", "0.0.0.0:8443, \"[::]:8443\" or unix:/path"},
      {"duplicate name", listener_with("  - { name: public, address: 127.0.0.1:2 }\n"),
       "5:13: the name \"public\" is already taken", "line 3 has it; give each its own"},
      {"duplicate address", listener_with("  - { name: b, address: 127.0.0.1:8080 }\n"),
       "5:25: the address 127.0.0.1:8080 is already taken", "line 4 listens there"},
      {"metrics on a listener's address", listener_with("telemetry: { metrics: { address: 127.0.0.1:8080 } }\n"),
       "5:34: the address 127.0.0.1:8080 is already taken", "line 4 listens there"},
      {"unknown zone", listener_with("    zone: dmzz\n"), "5:11: there is no zone \"dmzz\"", "did you mean \"dmz\"?"},
      {"bad choice", listener_with("    proxy_protocol: v3\n"), "5:21: \"v3\" is not accepted here",
       "did you mean \"v1\"? accepted: off, v1, v2, any"},
      {"PROXY without peers", listener_with("    proxy_protocol: v2\n"), "5:21: proxy_protocol needs trusted_proxies",
       "list the networks of the load balancers that may send it, for example trusted_proxies: [10.0.0.0/24]"},
      {"host bits", listener_with("    trusted_proxies: [10.1.2.3/8]\n"),
       "5:23: \"10.1.2.3/8\" has bits set behind its prefix",
       "the network is 10.0.0.0/8; one address alone is 10.1.2.3"},
      {"not a network", listener_with("    trusted_proxies: [10.0.0]\n"), "5:23: \"10.0.0\" is not a network",
       "10.0.0.0/8, \"fd00::/8\" or one address"},
      {"no certificate", listener_with("    tls: { certificates: [] }\n"), "5:26: the list must not be empty", ""},
      {"certificate without key", listener_with("    tls: { certificates: [{ cert: a.pem }] }\n"),
       "5:27: missing key \"key\"", "give the PEM files as cert and key, or write auto: true"},
      {"auto with files", listener_with("    tls: { certificates: [{ auto: true, cert: a.pem }] }\n"),
       "5:41: \"cert\" with \"auto: true\"", "keep the files, or let Gatehouse issue the certificate"},
      {"old TLS", listener_with("    tls: { certificates: [{ auto: true }], min_version: \"1.1\" }\n"),
       "5:57: \"1.1\" is not accepted here", "did you mean \"1.2\"? accepted: 1.2, 1.3"},
      {"client_auth without CA", listener_with("    tls: { certificates: [{ auto: true }], client_auth: required }\n"),
       "5:44: client_auth needs client_ca",
       "name the PEM file of the authorities that sign your clients' certificates"},
      {"duration without unit", listener_with("    limits: { header_timeout: 10 }\n"), "5:31: \"10\" has no unit",
       "did you mean 10s or 10ms?"},
      {"not a duration", listener_with("    limits: { header_timeout: soon }\n"), "5:31: \"soon\" is not a duration",
       "a whole number with us, ms, s, m, h or d, such as 250ms, 10s or 5m"},
      {"duration out of bounds", listener_with("    limits: { header_timeout: 1h }\n"), "5:31: \"1h\" is out of bounds",
       "100ms to 10m"},
      {"decimal size", listener_with("    limits: { body_bytes: 10MB }\n"), "5:27: \"10MB\" is not a size",
       "did you mean 10MiB?"},
      {"size overflow", listener_with("    limits: { body_bytes: 18446744073709551615TiB }\n"),
       "5:27: \"18446744073709551615TiB\" is out of bounds", "0 to 1024TiB"},
      {"number out of bounds", listener_with("    limits: { headers: 0 }\n"), "5:24: 0 is out of bounds", "1 to 1000"},
      {"number as text", listener_with("    limits: { headers: \"10\" }\n"),
       "5:24: expected a whole number, found \"10\"", "remove the quotes"},
      {"yes for true", listener_with("    http2_cleartext: yes\n"), "5:22: expected true or false, found \"yes\"",
       "write true"},
      {"network in two zones",
       listener_with("zones:\n  dmz: { networks: [10.0.0.0/8] }\n  corporate: { networks: [10.0.0.0/8] }\n"),
       "7:27: 10.0.0.0/8 is already in zone \"dmz\"", "a client has one zone: keep the network in one of them"},
      {"bad zone name", listener_with("zones: { \"a b\": {} }\n"), "5:10: \"a b\" is not a name",
       "1 to 64 letters, digits, '-', '_' and '.'"},
  });
}

TEST(Refusals, Services) {
  const auto endpoint = [](std::string_view url) {
    return listener_with(fmt::format("services: {{ app: {{ endpoints: [{}] }} }}\n", url));
  };
  static const std::string kForms = "http://host:port, https://, h2c://, h2://, dns+srv://name or unix:/path";
  expect_refused({
      {"no scheme", endpoint("localhost:9001"), "5:32: \"localhost:9001\" has no scheme",
       "did you mean http://localhost:9001?"},
      {"unknown scheme", endpoint("ftp://a"), "5:32: \"ftp://a\" is not an endpoint", kForms},
      {"path", endpoint("http://a/v1"), "5:32: \"http://a/v1\" holds a path",
       "an endpoint is scheme://host:port; a path prefix is the route's rewrite.add_prefix"},
      {"credentials", endpoint("http://u:p@a"), "5:32: \"http://u:p@a\" holds a user name",
       "credentials don't belong here"},
      {"not an address", endpoint("http://1.2.3.400:80"), "5:32: \"http://1.2.3.400:80\" is not an endpoint", kForms},
      {"port 0", endpoint("http://a:0"), "5:32: \"http://a:0\" has port 0", "1 to 65535"},
      {"SRV with port", endpoint("dns+srv://_http._tcp.a:80"), "5:32: \"dns+srv://_http._tcp.a:80\" holds a port",
       "SRV records say the port"},
      {"twice", endpoint("http://a:1, http://a:1"), "5:44: the endpoint http://a:1 is there twice",
       "use weight to give it more traffic"},
      {"weights all zero", endpoint("{ url: http://a, weight: 0 }"),
       "5:31: all weights are zero: no endpoint would take traffic", "give one a weight"},
      {"no endpoint", endpoint(""), "5:31: the list must not be empty", ""},
      {"unknown balance", service_with("    balance: least_request\n"), "8:14: \"least_request\" is not accepted here",
       "did you mean \"least_requests\"? accepted: round_robin, least_requests, random_two, hash"},
      {"hash on nothing", service_with("    hash_on: header\n"), "8:14: cannot hash on \"header\"",
       "client_ip, user, header:NAME or cookie:NAME"},
      {"check longer than its interval", service_with("    health: { interval: 1s, timeout: 2s }\n"),
       "8:29: timeout 2s is longer than interval 1s", "a check must end before the next one starts"},
      {"retry on what", service_with("    retry: { on: [reset, 404] }\n"), "8:26: \"404\" is not accepted here",
       "accepted: connect_failure, reset, 500 to 599"},
      {"half a client certificate", service_with("    tls: { client_cert: a.pem }\n"),
       "8:12: client_cert needs client_key", "give both or none"},
  });
}

TEST(Refusals, Routes) {
  expect_refused({
      {"unknown service", service_with("routes: [{ name: a, service: appp }]\n"), "8:30: there is no service \"appp\"",
       "did you mean \"app\"?"},
      {"unknown service, nothing close", service_with("routes: [{ name: a, service: orders }]\n"),
       "8:30: there is no service \"orders\"", "known: app"},
      {"no service", service_with("routes: [{ name: a }]\n"), "8:10: missing key \"service\"",
       "name the service that answers"},
      {"service and services", route_with("    services: [{ name: app }]\n"), "11:5: service and services at once",
       "keep one: service takes all, services splits by weight"},
      {"weights all zero", service_with("routes: [{ name: a, services: [{ name: app, weight: 0 }] }]\n"),
       "8:31: all weights are zero: no service would take traffic", "give one a weight"},
      {"public with access", route_with("    public: true\n    access: { roles: [a] }\n"),
       "12:5: access on a public route", "a public route asks nobody who they are: remove public or access"},
      {"relative path", route_with("    match: { path: orders }\n"), "11:20: \"orders\" doesn't start with \"/\"",
       "did you mean /orders?"},
      {"rest in the middle", route_with("    match: { path: /a/**/b }\n"), "11:20: \"**\" must be the last segment",
       "use * for one segment"},
      {"part of a segment", route_with("    match: { path: /a/b* }\n"),
       "11:20: a wildcard stands for a whole segment, not a part of one", "/a/* or /a/**"},
      {"lower-case method", route_with("    match: { methods: [get] }\n"), "11:24: methods are upper case",
       "did you mean \"GET\"?"},
      {"TRACE", route_with("    match: { methods: [TRACE] }\n"), "11:24: \"TRACE\" is never passed on",
       "its answer would repeat the fields that the gateway adds for the service alone"},
      {"TRACK", route_with("    match: { methods: [TRACK] }\n"), "11:24: \"TRACK\" is never passed on",
       "its answer would repeat the fields that the gateway adds for the service alone"},
      {"slip in a method", route_with("    match: { methods: [PSOT] }\n"), "11:24: \"PSOT\" is not a method",
       "did you mean \"POST\"?"},
      {"host with port", route_with("    match: { hosts: [\"a:80\"] }\n"), "11:22: \"a:80\" holds a port",
       "hosts are matched without their port"},
      {"wildcard in the middle", route_with("    match: { hosts: [\"a.*.b\"] }\n"),
       "11:22: \"a.*.b\" is not a host pattern", "a wildcard stands for the first labels only: *.shop.example"},
      {"number as header value", route_with("    match: { headers: { x-api: 2 } }\n"),
       "11:32: expected text (value), found \"2\"", "put it in quotes: \"2\""},
      {"CORS with credentials for all", route_with("    cors: { origins: \"*\", credentials: true }\n"),
       "11:22: origins \"*\" with credentials: true",
       "any site could act as your users; list the origins that need it"},
      {"origin with a slash", route_with("    cors: { origins: [https://a/] }\n"),
       "11:23: \"https://a/\" is not an origin", "an origin has no slash at its end"},
      {"framing header", route_with("    headers: { request: { set: { Transfer-Encoding: x } } }\n"),
       "11:34: the header transfer-encoding can't be set", "the gateway writes it itself"},
      {"identity header", route_with("    headers: { request: { add: { X-Gatehouse-User: x } } }\n"),
       "11:34: headers that start with x-gatehouse- are Gatehouse's own", ""},
      {"line break in a header", route_with("    headers: { response: { set: { x-a: \"b\\r\\nc\" } } }\n"),
       "11:40: the value holds line breaks or control characters, or is longer than 8192 bytes", ""},
      {"reference in a plain header", route_with("    headers: { request: { set: { x-a: \"${env:TOKEN}\" } } }\n"),
       "11:39: references such as ${env:NAME} are for secrets only",
       "the header name x-a doesn't say that it carries one"},
      {"rewrite twice", route_with("    rewrite: { path: /a, add_prefix: /b }\n"), "11:26: add_prefix with path",
       "path replaces the whole path: keep one of them"},
      {"rate without unit", route_with("    rate_limit: [{ rate: 100 }]\n"), "11:26: \"100\" has no unit",
       "did you mean 100/s?"},
      {"not a rate", route_with("    rate_limit: [{ rate: 100/w }]\n"), "11:26: \"100/w\" is not a rate",
       "100/s, 1000/m, 20000/h or 50000/d"},
      {"no rate", route_with("    rate_limit: [{ key: user }]\n"), "11:18: neither rate nor concurrent",
       "rate: 100/s, or concurrent: 10 for requests in flight"},
      {"rate and concurrent", route_with("    rate_limit: [{ rate: 1/s, concurrent: 2 }]\n"),
       "11:31: rate and concurrent in one limit", "write them as two limits"},
      {"unknown key part", route_with("    rate_limit: [{ key: ip, rate: 1/s }]\n"),
       "11:25: \"ip\" is not accepted here",
       "accepted: client_ip, route, user, service, host, method, api_key, header:NAME"},
      {"hours", route_with("    rate_limit: [{ rate: 1/s, hours: \"8-18\" }]\n"),
       "11:38: \"8-18\" is not a span of hours", "\"08:00-18:00\", or \"22:00-06:00\" over midnight"},
      {"days", route_with("    rate_limit: [{ rate: 1/s, days: [monday] }]\n"), "11:38: \"monday\" is not a day",
       "mon, tue, wed, thu, fri, sat, sun or a span such as mon-fri"},
      {"unknown layer", route_with("    layers: { rates: off }\n"), "11:15: unknown layer \"rates\"",
       "did you mean \"rate\"? accepted: bans, zone, limits, rate, penalties, authentication, authorization, cors, "
       "schema, "
       "waf, cache, header_policy"},
      {"ambiguous",
       route_with("    match: { path: /a/* }\n  - name: b\n    service: app\n    match: { path: \"/a/{id}\" }\n"),
       "14:5: the routes \"all\" and \"b\" are equally specific for GET any.example/a/x",
       "make one more specific (the other is on line 9), or merge them"},
  });
}

TEST(Refusals, HighSensitivity) {
  const std::string high = service_with("    sensitivity: high\nroutes:\n  - name: all\n    service: app\n");
  expect_refused({
      {"waf off", high + "    waf: off\n", "12:10: waf: off for a service of high sensitivity",
       "the service \"app\" has high sensitivity: use enforce or monitor"},
      {"waf mode off", high + "    waf: { mode: off }\n", "12:10: waf: off for a service of high sensitivity",
       "the service \"app\" has high sensitivity: use enforce or monitor"},
      {"layer off", high + "    layers: { rate: off }\n", "12:21: rate: off for a service of high sensitivity",
       "the service \"app\" has high sensitivity: use enforce or monitor"},
  });
  const LoadOutcome outcome = load(high + "layers: { rate: off, zone: monitor }\n");
  ASSERT_TRUE(outcome.ok()) << all(outcome);
  const gateway::RouteConfig* route = &outcome.config->routes[0];
  EXPECT_EQ(outcome.config->mode(telemetry::Layer::rate, route), gateway::Mode::enforce) << "on again for this service";
  EXPECT_EQ(outcome.config->mode(telemetry::Layer::rate, nullptr), gateway::Mode::off);
  EXPECT_EQ(outcome.config->mode(telemetry::Layer::zone, route), gateway::Mode::monitor);
}

TEST(Refusals, Security) {
  expect_refused({
      {"keys over plain http", listener_with("authentication: { jwt: [{ name: a, issuer: b, jwks: http://c/k }] }\n"),
       "5:53: keys over plain http can be replaced on the way", "https://c/k"},
      {"algorithm none",
       listener_with("authentication: { jwt: [{ name: a, issuer: b, jwks: k, algorithms: [none] }] }\n"),
       "5:69: \"none\" is not accepted here",
       "accepted: ES256, ES384, EdDSA, RS256, RS384, RS512, PS256, PS384, PS512"},
      {"algorithm to come",
       listener_with("authentication: { jwt: [{ name: a, issuer: b, jwks: k, algorithms: [ES512] }] }\n"),
       "5:69: \"ES512\" isn't available in this version",
       "accepted: ES256, ES384, EdDSA, RS256, RS384, RS512, PS256, PS384, PS512"},
      {"delay longer than the longest", listener_with("penalties: { failed_logins: { delay: 60s } }\n"),
       "5:31: delay 1m is longer than max_delay 30s", "raise max_delay"},
      {"ban longer than the longest", listener_with("penalties: { attacks: { ban: 48h } }\n"),
       "5:25: ban 2d is longer than max_ban 1d", "raise max_ban"},
      {"log target", listener_with("telemetry: { access_log: { to: stdot } }\n"),
       "5:32: \"stdot\" is not accepted here",
       "did you mean \"stdout\"? accepted: stdout, off, syslog://host:port, ./PATH"},
      {"log format", listener_with("telemetry: { access_log: { format: leef } }\n"),
       "5:36: \"leef\" is not accepted here", "accepted: json, ecs, ocsf, cef, common"},
      {"variable not set", listener_with("admin: { address: 127.0.0.1:9900, token: \"${env:NOT_THERE}\" }\n"),
       "5:42: the environment variable NOT_THERE is not set", "set it before starting Gatehouse"},
      {"unknown reference", listener_with("admin: { address: 127.0.0.1:9900, token: \"${vault:x}\" }\n"),
       "5:42: unknown reference ${vault:x}", "${env:NAME} or ${file:path}"},
      {"waf types", listener_with("waf: { paranoia: 5 }\n"), "5:18: 5 is out of bounds", "1 to 4"},
  });
}

std::string exporting(std::string_view keys) {
  return listener_with(fmt::format("telemetry: {{ export: [ {{ {} }} ] }}\n", keys));
}

TEST(Refusals, Receivers) {
  expect_refused({
      {"no such receiver", exporting("to: \"http://x\""),
       "5:30: cannot export to \"http://x\": no such receiver; begin with otlp+http://, influx+http://, "
       "elastic+http://, splunk+http:// (or https), statsd://, dogstatsd://, syslog://, syslog+tcp://, syslog+tls://, "
       "tcp:// or tls://",
       "otlp+http://127.0.0.1:4318"},
      {"a token in the clear", exporting("to: \"otlp+http://127.evil.example\", token: abc"),
       "5:69: the token would travel where everybody can read it",
       "say https in `to`, or use a collector on the loopback address"},
      {"a token by syslog", exporting("to: \"syslog+tls://x\", token: abc"),
       "5:55: this protocol has no place for a token", "take the key out"},
      {"authorities without TLS", exporting("to: \"tcp://x\", ca: /ca.pem"),
       "5:45: without TLS there is nothing to verify", "say https or tls in `to`"},
      {"InfluxDB without a database", exporting("to: \"influx+http://x\""), "5:30: InfluxDB wants to know the database",
       "database: gatehouse"},
      {"a format that is not taken", exporting("to: \"elastic+http://x\", format: cef"),
       "5:58: no cef for this receiver: Elasticsearch takes JSON: ecs, ocsf or json", "take the key out"},
  });
}

std::string excluding(std::string_view keys) {
  return listener_with(fmt::format("waf: {{ exclude: [{{ {} }}] }}\n", keys));
}

TEST(Refusals, Exclusions) {
  expect_refused({
      {"nothing", excluding("because: x"), "5:18: the exclusion doesn't say what is excluded",
       "{ rule: 942100, parameter: comment }; to inspect nothing on a route: waf: off"},
      {"a path alone", excluding("path: /a/**"), "5:18: the exclusion doesn't say what is excluded",
       "{ rule: 942100, parameter: comment }; to inspect nothing on a route: waf: off"},
      {"rule and tag", excluding("rule: 1, tag: a"),
       "5:29: an exclusion names its rules by rule or by tag, not by both", "write two exclusions"},
      {"target and parameter", excluding("rule: 1, target: ARGS, parameter: a"),
       "5:43: an exclusion has target or parameter, not both", "write two exclusions"},
      {"misspelt", excluding("rules: 1"), "5:20: unknown key \"rules\"", "did you mean \"rule\"?"},
      {"no id", excluding("rule: sqli"), "5:26: \"sqli\" is not a rule",
       "the id of a rule, 942100, or a range, 942100-942199"},
      {"half a range", excluding("rule: 942100-"), "5:26: \"942100-\" is not a rule",
       "the id of a rule, 942100, or a range, 942100-942199"},
      {"a range backwards", excluding("rule: 20-10"), "5:26: the range ends before it begins", "did you mean 10-20?"},
      {"an id of zero", excluding("rule: 0"), "5:26: \"0\" is out of bounds", "ids are 1 to 999999999"},
      {"one of a list", excluding("rule: [1, x]"), "5:30: \"x\" is not a rule",
       "the id of a rule, 942100, or a range, 942100-942199"},
      {"an empty list", excluding("rule: []"), "5:26: the list must not be empty", ""},
      {"a target with a name alone", excluding("target: comment"), "5:28: \"comment\": unknown variable \"comment\"",
       "for an argument of that name: parameter: comment"},
      {"a target misspelt", excluding("target: REQUEST_HEADER"),
       "5:28: \"REQUEST_HEADER\": unknown variable \"REQUEST_HEADER\"", "did you mean REQUEST_HEADERS?"},
      {"a target with its mark", excluding("target: \"!ARGS:a\""),
       "5:28: a target is what rules don't look at, without \"!\"", "did you mean \"ARGS:a\"?"},
      {"a target's pattern", excluding("target: \"ARGS:/(/\""),
       "5:28: \"ARGS:/(/\": missing closing parenthesis, at byte 1 of the pattern", ""},
      {"a parameter as a target", excluding("parameter: \"ARGS:a\""), "5:31: a parameter is a plain name",
       "did you mean a?"},
      {"a path without its slash", excluding("rule: 1, path: a/**"), "5:35: \"a/**\" doesn't start with \"/\"",
       "did you mean /a/**?"},
      {"a date of another form", excluding("rule: 1, until: 31.1.2027"), "5:36: \"31.1.2027\" is not a date",
       "year-month-day, such as 2027-01-31"},
      {"no such day", excluding("rule: 1, until: 2027-02-29"), "5:36: there is no \"2027-02-29\"",
       "year-month-day, such as 2027-01-31"},
      {"a date long gone", excluding("rule: 1, until: 1999-01-01"), "5:36: \"1999-01-01\" is out of bounds",
       "2000-01-01 to 2199-12-31"},
      {"a route's threshold", route_with("    waf: { inbound_threshold: 0 }\n"), "11:31: 0 is out of bounds",
       "1 to 1000000"},
      {"a route's choice", route_with("    waf: { on_exceed: partal }\n"), "11:23: \"partal\" is not accepted here",
       "did you mean \"partial\"? accepted: deny, partial"},
  });
}

}  // namespace
}  // namespace gatehouse::app
