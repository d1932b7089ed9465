#include "gateway/routing/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "gateway/routing/rewrite.h"

namespace gatehouse::gateway {
namespace {

RouteConfig route(std::string name, MatchConfig match) {
  RouteConfig config;
  config.name = std::move(name);
  config.match = std::move(match);
  config.services = {{0, 1}};
  return config;
}

MatchConfig at(std::string path, std::vector<std::string> hosts = {}, std::vector<std::string> methods = {}) {
  MatchConfig match;
  match.path = std::move(path);
  match.hosts = std::move(hosts);
  match.methods = std::move(methods);
  return match;
}

// A request from "GET shop.example/path?query", canonicalised as the exchange does it.
struct TestRequest {
  Arena arena;
  http::CanonicalRequest message;

  TestRequest(const Router& router, std::string_view line, const std::vector<http::Field>& fields = {}) {
    http::RequestHead head;
    head.scheme = "http";
    head.method = line.substr(0, line.find(' '));
    line.remove_prefix(head.method.size() + 1);
    head.authority = line.substr(0, line.find('/'));
    head.target = line.substr(head.authority.size());
    for (const http::Field& field : fields) head.fields.add(field.name, field.value);
    const http::Reason reason = http::canonicalize(head, router.canonical_options({}), arena, message);
    EXPECT_EQ(reason, http::Reason::none) << http::reason_code(reason);
  }
};

std::string outcome(const Router& router, std::string_view line, const std::vector<http::Field>& fields = {}) {
  TestRequest request(router, line, fields);
  const RouteMatch match = router.match(request.message, request.arena);
  switch (match.outcome) {
    case RouteMatch::Outcome::found: return match.route->name;
    case RouteMatch::Outcome::not_found: return "404";
    case RouteMatch::Outcome::wrong_method: return "405 " + std::string(match.allow);
    case RouteMatch::Outcome::encoded_slash: return "400";
    case RouteMatch::Outcome::trace: return "trace";
  }
  return {};
}

Router build(const Config& config) {
  auto router = Router::create(config);
  EXPECT_TRUE(router.has_value()) << router.error().message;
  return *std::move(router);
}

TEST(Router, MostSpecificWins) {
  Config config;
  config.routes = {
      route("everything", at("/**")),
      route("shop", at("/**", {"shop.example"})),
      route("orders", at("/orders/**", {"shop.example"})),
      route("order", at("/orders/{id}", {"shop.example"})),
      route("order-new", at("/orders/new", {"shop.example"})),
      route("items", at("/orders/*/items", {"shop.example"})),
      route("items-of-new", at("/orders/new/**", {"shop.example"})),
      route("any-sub", at("/**", {"*.shop.example"})),
      route("eu-sub", at("/**", {"*.eu.shop.example"})),
      route("only-here", at("/only", {"www.shop.example"})),
      route("v6", at("/**", {"2001:db8::1"})),
      route("cafe", at("/caf\xc3\xa9", {"shop.example"})),
      route("root", at("/", {"root.example"})),
  };
  std::mt19937 random(7);
  const struct {
    const char *request, *expected;
  } cases[] = {
      {"GET shop.example/", "shop"},
      {"GET shop.example/orders", "orders"},
      {"GET shop.example/orders/", "orders"},
      {"GET shop.example/orders/17", "order"},
      {"GET shop.example/orders/17/", "order"},
      {"GET shop.example/orders/new", "order-new"},
      {"GET shop.example/orders/new/x", "items-of-new"},
      {"GET shop.example/orders/new/items", "items-of-new"},  // the literal on the left decides
      {"GET shop.example/orders/17/items", "items"},
      {"GET shop.example/orders/17/other", "orders"},
      {"GET shop.example/orders/17/items/1", "orders"},
      {"GET shop.example/ordersx", "shop"},
      {"GET SHOP.example:8080/orders", "orders"},
      {"GET a.shop.example/orders", "any-sub"},
      {"GET a.b.shop.example/", "any-sub"},
      {"GET a.eu.shop.example/", "eu-sub"},
      {"GET eu.shop.example/", "any-sub"},
      {"GET www.shop.example/only", "only-here"},
      {"GET www.shop.example/more", "any-sub"},  // a less specific host that has the path
      {"GET other.example/orders/17", "everything"},
      {"GET example/", "everything"},
      {"GET [2001:db8::1]:81/x", "v6"},
      {"GET shop.example/caf%c3%a9", "cafe"},
      {"GET root.example/", "root"},
      {"GET root.example/x", "everything"},
      // what an upstream may take for the same path takes the same route
      {"GET shop.example/orders/new;v=1", "order-new"},
      {"GET shop.example/;x/orders;y/new/", "order-new"},
      {"GET shop.example/orders/new/;jsessionid=1", "order-new"},
  };
  for (int round = 0; round < 20; ++round) {  // whatever the order in the file
    std::shuffle(config.routes.begin(), config.routes.end(), random);
    const Router router = build(config);
    for (const auto& c : cases) EXPECT_EQ(outcome(router, c.request), c.expected) << c.request;
  }
  EXPECT_TRUE(find_ambiguities(config).empty());
}

TEST(Router, PredicatesAndMethods) {
  Config config;
  config.routes = {
      route("plain", at("/a")),
      route("get", at("/a", {}, {"GET", "HEAD"})),
      route("purge", at("/p", {}, {"PURGE"})),
      route("v2", at("/a")),
      route("v2-get", at("/a", {}, {"GET"})),
      route("versioned", at("/a")),
      route("query", at("/a")),
      route("write", at("/w", {}, {"POST", "PUT"})),
      route("read", at("/w", {}, {"GET"})),
      route("below", at("/w/**", {}, {"DELETE"})),
      route("tenant", at("/t", {}, {"GET"})),
  };
  config.routes[3].match.headers = {{"x-api", "2"}};
  config.routes[4].match.headers = {{"x-api", "2"}};
  config.routes[5].match.headers = {{"x-api", "", true}};
  config.routes[6].match.query = {{"q", "a b"}};
  config.routes[10].match.headers = {{"x-tenant", "1"}};
  const Router router = build(config);
  const struct {
    const char* request;
    std::vector<http::Field> fields;
    const char* expected;
  } cases[] = {
      {"GET h/a", {}, "get"},
      {"HEAD h/a", {}, "get"},
      {"POST h/a", {}, "plain"},
      {"GET h/a", {{"x-api", "2"}}, "v2-get"},
      {"POST h/a", {{"x-api", "2"}}, "v2"},
      {"POST h/a", {{"x-api", "3"}}, "versioned"},
      {"GET h/a", {{"x-api", "3"}}, "get"},                         // methods before headers
      {"POST h/a", {{"x-api", "2"}, {"x-api", "2"}}, "versioned"},  // repeated: not exact
      {"POST h/a?q=a+b", {}, "query"},
      {"POST h/a?x=1&%71=a%20b", {}, "query"},
      {"POST h/a?q=a", {}, "plain"},
      {"POST h/a?q=a+b&q=a+b", {}, "plain"},
      {"POST h/a?q=a+b&q=c", {}, "plain"},
      {"POST h/a?q", {}, "plain"},
      {"PURGE h/p", {}, "purge"},
      {"GET h/p", {}, "405 PURGE"},
      {"purge h/p", {}, "405 PURGE"},
      {"get h/p", {}, "405 PURGE"},
      {"POST h/w", {}, "write"},
      {"GET h/w", {}, "read"},
      {"DELETE h/w", {}, "below"},
      {"PATCH h/w", {}, "405 POST, PUT, GET, DELETE"},
      {"PATCH h/w/x", {}, "405 DELETE"},
      {"POST h/t", {}, "404"},  // the method is not all that is wrong
      {"POST h/t", {{"x-tenant", "1"}}, "405 GET"},
      {"GET h/b", {}, "404"},
      {"GET h/a/b", {}, "404"},
  };
  for (const auto& c : cases) EXPECT_EQ(outcome(router, c.request, c.fields), c.expected) << c.request;
}

TEST(Router, PreflightsTakeTheRouteTheyAskAbout) {
  Config config;
  config.routes = {route("get", at("/a", {}, {"GET"})), route("put", at("/a", {}, {"PUT"})),
                   route("bare", at("/b", {}, {"GET"}))};
  config.routes[0].match.headers = {{"x-api", "2"}};
  config.routes[0].cors = config.routes[1].cors = CorsConfig{};
  const Router router = build(config);
  const http::Field origin{"origin", "https://a.example"};
  EXPECT_EQ(outcome(router, "OPTIONS h/a", {origin, {"access-control-request-method", "PUT"}}), "put");
  EXPECT_EQ(outcome(router, "OPTIONS h/a", {origin, {"access-control-request-method", "GET"}}), "get");
  EXPECT_EQ(outcome(router, "OPTIONS h/a", {origin, {"access-control-request-method", "DELETE"}}), "405 PUT");
  EXPECT_EQ(outcome(router, "OPTIONS h/a", {origin}), "405 PUT");
  EXPECT_EQ(outcome(router, "OPTIONS h/b", {origin, {"access-control-request-method", "GET"}}), "405 GET");
}

TEST(Router, EncodedSlashesOnlyWhereTheRouteAllowsThem) {
  Config config;
  config.routes = {route("files", at("/files/**")), route("rest", at("/**"))};
  config.routes[0].allow_encoded_slash = true;
  const Router router = build(config);
  EXPECT_EQ(outcome(router, "GET h/files/a%2fb"), "files");
  EXPECT_EQ(outcome(router, "GET h/other/a%2fb"), "400");
  EXPECT_EQ(outcome(router, "GET h/other/ab"), "rest");
}

TEST(Router, AsteriskHasNoRoute) {
  Config config;
  config.routes = {route("rest", at("/**"))};
  const Router router = build(config);
  http::CanonicalRequest request;
  request.method = "OPTIONS";
  request.path = "*";
  Arena arena;
  EXPECT_EQ(router.match(request, arena).outcome, RouteMatch::Outcome::not_found);
}

TEST(Router, Patterns) {
  const struct {
    const char *text, *expected;  // "": refused
  } paths[] = {
      {"/", "/"},
      {"/**", "/**"},
      {"/a/b/", "/a/b"},
      {"/a/{id}/x", "/a/*/x"},
      {"/a/*/**", "/a/*/**"},
      {"/%7ea", "/~a"},
      {"/a%2fb", "/a%2Fb"},
      {"/...", "/..."},
      {"", ""},
      {"a", ""},
      {"/a//b", ""},
      {"/**/a", ""},
      {"/a*", ""},
      {"/a/{id", ""},
      {"/a/{}", ""},
      {"/a/{x}{y}", ""},
      {"/a;x", ""},
      {"/../a", ""},
      {"/a/..;x", ""},
      {"/a?b", ""},
      {"/a#b", ""},
      {"/%00", ""},
      {"/a b", ""},
      {"/***", ""},
      {"/{a}b", ""},
  };
  for (const auto& c : paths) {
    const auto pattern = PathPattern::parse(c.text);
    EXPECT_EQ(pattern ? pattern->to_string() : "", c.expected) << c.text;
  }
  const std::remove_cvref_t<decltype(paths[0])> hosts[] = {
      {"", "*"},
      {"*", "*"},
      {"Shop.Example.", "shop.example"},
      {"*.Shop.example", "*.shop.example"},
      {"::1", "::1"},
      {"[::1]", "::1"},
      {"192.0.2.1", "192.0.2.1"},
      {"shop.example:80", ""},
      {"a:8443", ""},
      {"[::1]:80", ""},
      {"*shop.example", ""},
      {"a.*.example", ""},
      {"*.192.0.2.1", ""},
      {"*.", ""},
      {"**.a", ""},
      {"user@a", ""},
  };
  for (const auto& c : hosts) {
    const auto pattern = HostPattern::parse(c.text);
    EXPECT_EQ(pattern ? pattern->to_string() : "", c.expected) << c.text;
  }
  Config config;
  config.routes = {route("broken", at("/a*"))};
  const auto router = Router::create(config);
  ASSERT_FALSE(router);
  EXPECT_EQ(router.error().message.find("route broken: "), 0u) << router.error().message;
}

TEST(Router, Ambiguities) {
  MatchConfig v1 = at("/a"), v2 = at("/a"), other = at("/a"), present = at("/a"), q1 = at("/a"), q2 = at("/a");
  v1.headers = {{"x-api", "1"}};
  v2.headers = {{"x-api", "2"}};
  other.headers = {{"x-other", "1"}};
  present.headers = {{"x-api", "", true}};
  q1.query = {{"q", "1"}};
  q2.query = {{"q", "2"}};
  const struct {
    const char* name;
    MatchConfig a, b;
    const char* example;  // "": not ambiguous
  } cases[] = {
      {"the same path", at("/a"), at("/a"), "GET any.example/a"},
      {"parameters of other names", at("/a/{x}/b"), at("/a/*/b/"), "GET any.example/a/x/b"},
      {"the rest", at("/a/**"), at("/a/**"), "GET any.example/a/x"},
      {"one shared host of several", at("/", {"a.example", "b.example"}), at("/", {"B.example", "c.example"}),
       "GET b.example/"},
      {"the same wildcard host", at("/", {"*.a.example"}), at("/", {"*.a.example"}), "GET x.a.example/"},
      {"a shared method", at("/", {}, {"GET", "PUT"}), at("/", {}, {"PUT", "POST"}), "PUT any.example/"},
      {"headers that may come together", v1, other, "GET any.example/a (x-api: 1, x-other: 1)"},
      {"other hosts", at("/", {"a.example"}), at("/", {"b.example"}), ""},
      {"exact and wildcard host", at("/", {"x.a.example"}), at("/", {"*.a.example"}), ""},
      {"other methods", at("/", {}, {"GET"}), at("/", {}, {"POST"}), ""},
      {"methods and none", at("/", {}, {"GET"}), at("/"), ""},
      {"literal and parameter", at("/a"), at("/{x}"), ""},
      {"crossing wildcards", at("/a/*"), at("/*/b"), ""},
      {"end and rest", at("/a"), at("/a/**"), ""},
      {"other values of a header", v1, v2, ""},
      {"a header and none", v1, at("/a"), ""},
      {"exact and present", v1, present, ""},
      {"other values of a parameter", q1, q2, ""},
      {"header and parameter", v1, q1, ""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Config config;
    config.routes = {route("a", c.a), route("b", c.b)};
    const auto found = find_ambiguities(config);
    ASSERT_EQ(found.size(), *c.example ? 1u : 0u);
    if (!found.empty()) {
      EXPECT_EQ(found[0].example, c.example);
    }
  }
}

// The order of router.h said a second time, as slowly and plainly as possible.
struct Naive {
  static std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at + 1), path.size());
      if (end > at + 1) parts.emplace_back(path.substr(at + 1, end - at - 1));
      at = end;
    }
    return parts;
  }
  static bool host_matches(const std::string& pattern, const std::string& host) {
    if (!pattern.starts_with("*.")) return pattern == host;
    return host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1));
  }
  static std::vector<int> path_key(const std::string& pattern, const std::string& path) {  // empty: no match
    const auto parts = split(pattern), segments = split(path);
    std::vector<int> key;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i] == "**") {
        key.push_back(1);
        return key;
      }
      if (i >= segments.size() || (parts[i] != "*" && parts[i] != segments[i])) return {};
      key.push_back(parts[i] == "*" ? 3 : 4);
    }
    if (segments.size() != parts.size()) return {};
    key.push_back(2);
    return key;
  }
  using Key = std::tuple<int, std::vector<int>, bool>;
  static std::string best(const Config& config, const std::string& method, const std::string& host,
                          const std::string& path) {
    const RouteConfig* found = nullptr;
    Key found_key;
    bool wrong_method = false;
    for (const RouteConfig& r : config.routes) {
      const auto& m = r.match;
      int host_key = m.hosts.empty() ? 0 : -1;
      for (const auto& h : m.hosts) {
        if (host_matches(h, host))
          host_key =
              std::max(host_key, h.starts_with("*.")
                                     ? static_cast<int>(split("/" + h).size() + std::count(h.begin(), h.end(), '.'))
                                     : 1000);
      }
      const auto path_rank = path_key(m.path, path);
      if (host_key < 0 || path_rank.empty()) continue;
      if (!m.methods.empty() && std::find(m.methods.begin(), m.methods.end(), method) == m.methods.end()) {
        wrong_method = true;
        continue;
      }
      Key key{host_key, path_rank, !m.methods.empty()};
      if (found == nullptr || key > found_key) found = &r, found_key = key;
    }
    return found != nullptr ? found->name : wrong_method ? "405" : "404";
  }
};

TEST(Router, AgreesWithANaiveMatcher) {
  const unsigned seed = 20260101;
  std::mt19937 random(seed);
  const auto any = [&](auto& list) { return list[random() % std::size(list)]; };
  const std::string hosts[] = {"", "a.x", "*.x", "*.b.x", "b.x", "c.b.x"};
  const std::string names[] = {"a", "b", "*"};
  const std::string methods[] = {"", "GET", "POST"};
  const std::string request_hosts[] = {"a.x", "b.x", "c.b.x", "d.b.x", "x", "y"};
  for (int round = 0; round < 300; ++round) {
    Config config;
    for (int i = 0; i < 12; ++i) {
      std::string path;
      for (std::size_t depth = random() % 4; depth > 0; --depth) path += "/" + any(names);
      if (random() % 2 || path.empty()) path += "/**";
      const std::string host = any(hosts), method = any(methods);
      config.routes.push_back(
          route(std::to_string(i), at(path, host.empty() ? std::vector<std::string>{} : std::vector{host},
                                      method.empty() ? std::vector<std::string>{} : std::vector{method})));
    }
    const Router router = build(config);
    for (int i = 0; i < 60; ++i) {
      std::string path;
      for (std::size_t depth = random() % 5; depth > 0; --depth)
        path += "/" + std::string(1, static_cast<char>('a' + random() % 3));
      if (path.empty() || random() % 4 == 0) path += "/";
      const std::string host = any(request_hosts), method = random() % 2 ? "GET" : "POST";
      std::string expected = Naive::best(config, method, host, path);
      std::string got = outcome(router, method + " " + host + path);
      if (got.starts_with("405")) got = "405";
      ASSERT_EQ(got, expected) << "seed " << seed << " round " << round << ": " << method << " " << host << path;
    }
  }
}

TEST(Rewrite, Table) {
  const struct {
    const char *name, *strip, *add, *path, *in, *out;
  } cases[] = {
      {"nothing", "", "", "", "/a/b", "/a/b"},
      {"strip", "/orders", "", "", "/orders/1", "/1"},
      {"strip all", "/orders", "", "", "/orders", "/"},
      {"strip with a slash", "/orders/", "", "", "/orders/1", "/1"},
      {"strip leaves a trailing slash", "/orders", "", "", "/orders/", "/"},
      {"strip whole segments only", "/orders", "", "", "/ordersx/1", "/ordersx/1"},
      {"strip what is not there", "/orders", "", "", "/a/orders", "/a/orders"},
      {"strip the root", "/", "", "", "/a", "/a"},
      {"add", "", "/v1", "", "/a", "/v1/a"},
      {"add with slashes", "", "v1/", "", "/a", "/v1/a"},
      {"strip and add", "/orders", "/v1", "", "/orders/1", "/v1/1"},
      {"strip all and add", "/orders", "/v1", "", "/orders", "/v1"},
      {"strip all and add, trailing slash", "/orders", "/v1", "", "/orders/", "/v1/"},
      {"replace", "/orders", "/v1", "/fixed", "/orders/1", "/fixed"},
      {"what was encoded stays encoded", "/f", "/v1", "", "/f/a%2Fb%5C", "/v1/a%2Fb%5C"},
      {"a prefix that is not canonical becomes so", "", "/v1//x/./y", "", "/a", "/v1/x/y/a"},
  };
  for (const auto& c : cases) {
    RewriteConfig rewrite{c.strip, c.add, c.path, ""};
    Arena arena;
    std::string_view out;
    EXPECT_EQ(rewrite_path(rewrite, c.in, arena, out), http::Reason::none) << c.name;
    EXPECT_EQ(out, c.out) << c.name;
  }
  Arena arena;
  std::string_view out;
  EXPECT_EQ(rewrite_path({"", "/..", "", ""}, "/a", arena, out), http::Reason::dot_segments);
}

TEST(Split, FollowsTheWeights) {
  RouteConfig config;
  config.services = {{3, 90}, {4, 10}, {5, 0}};
  std::mt19937_64 random(42);
  int counts[6] = {};
  for (int i = 0; i < 100'000; ++i) ++counts[choose_service(config, random())];
  EXPECT_NEAR(counts[3], 90'000, 600);
  EXPECT_NEAR(counts[4], 10'000, 600);
  EXPECT_EQ(counts[5], 0);
  EXPECT_EQ(choose_service(config, 0), 3u);
  EXPECT_EQ(choose_service(config, UINT64_MAX), 4u);
  config.services = {{7, 0}, {8, 0}};
  EXPECT_EQ(choose_service(config, 12345), 7u);
}

}  // namespace
}  // namespace gatehouse::gateway
