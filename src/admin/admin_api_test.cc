#include "admin/admin_api.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "admin/views.h"
#include "telemetry/reasons.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::admin {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

class FakeBackend final : public AdminBackend {
 public:
  StatusView status() override {
    StatusView view;
    view.version = "1.2.3";
    view.started = WallTime(1'750'000'000s);
    view.now = WallTime(1'750'000'060s);
    view.generation = 7;
    view.last_reload = ReloadView{WallTime(1'750'000'030s), false, "gatehouse.yaml:3:1: unknown key \"x\""};
    view.listeners = {{"public", "0.0.0.0:8443", "external", true, 12},
                      {"local", "unix:/run/x", "corporate", false, 0}};
    return view;
  }
  bool ready() override { return is_ready; }
  std::string effective_config() override { return R"({"version":1})"; }
  void reload(bool dry_run, ReloadDone done) override {
    dry_runs.push_back(dry_run);
    if (answers_later) {
      waiting.push_back(std::move(done));
    } else {
      done(report);
    }
  }
  void rollback(ReloadDone done) override { done(report); }
  std::vector<BanView> bans() override {
    return {{*Network::parse("203.0.113.0/24"), "configuration", "", std::nullopt},
            {*Network::parse("192.0.2.7"), "attacks", "10 attacks", WallTime(1'750'000'600s)}};
  }
  Status ban(const Network& network, Duration duration, const std::string& reason) override {
    added.push_back(network.to_string() + " " + std::to_string(duration / 1s) + " " + reason);
    return {};
  }
  Status unban(const Network& network) override {
    if (network.to_string() == "192.0.2.9/32") return fail(ErrorCode::not_found, "not banned");
    if (network.to_string() == "192.0.2.8/32") return fail(ErrorCode::denied, "the configuration bans it");
    removed.push_back(network.to_string());
    return {};
  }
  std::optional<std::string> find_request(std::string_view id) override {
    if (id == "01jxt1rqwvh7r3k9w2m4d8c6f5") return R"({"verdict":"deny"})";
    return std::nullopt;
  }
  std::vector<telemetry::StoredRecord> recent_requests(std::size_t limit, const telemetry::RecordFilter& f) override {
    last_limit = limit, filter = f;
    return {{{}, R"({"request_id":"a"})"}, {{}, R"({"request_id":"b"})"}};
  }
  std::vector<ServiceView> services() override {
    return {{"orders", "least_requests", false, {{"http://127.0.0.1:9001", "healthy", 1, 2, 3}}}};
  }
  WafStatsView waf_stats() override { return {WallTime(1'750'000'000s), 3, 1, 0, 64, {}, {}}; }
  std::string metrics(telemetry::MetricsFormat) override { return "# metrics\n"; }
  std::string posture() override { return R"({"valid":true})"; }

  bool is_ready = true, answers_later = false;
  std::vector<ReloadDone> waiting;
  ReloadReport report{true, 8, {"routes.a.rate_limit: 100/s → 200/s"}, {"process.user"}, {}};
  std::vector<bool> dry_runs;
  std::vector<std::string> added, removed;
  std::size_t last_limit = 0;
  telemetry::RecordFilter filter;
};

http::ConnectionInfo from_socket(std::uint32_t uid, std::vector<std::uint32_t> groups = {}) {
  http::ConnectionInfo info;
  info.unix_socket = true;
  info.credentials = http::PeerCredentials{uid, std::move(groups)};
  return info;
}

struct Reply {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> fields;
  bool closed = false;
  json parsed() const { return json::parse(body); }
};

// A stream that keeps what it is sent.
class FakeStream final : public http::ServerStream {
 public:
  explicit FakeStream(http::ConnectionInfo info) : info_(std::move(info)) {}
  const http::ConnectionInfo& connection() const noexcept override { return info_; }
  void set_events(http::ServerStreamEvents& e) noexcept override { events = &e; }
  void send_informational(const http::ResponseHead&) override {}
  void send_head(const http::ResponseHead& head, http::End) override {
    reply.status = head.status;
    for (const auto& field : head.fields) reply.fields.emplace(field.name, field.value);
  }
  void send_body(std::string_view data, http::End) override { reply.body += data; }
  void send_trailers(const http::Fields&) override {}
  void open_tunnel(const http::ResponseHead&) override {}
  void abort() override { aborted = true; }
  std::size_t buffered() const noexcept override { return 0; }
  void pause_reading() override {}
  void resume_reading() override {}
  bool wants_tunnel() const noexcept override { return false; }
  void close_after() override { reply.closed = true; }
  void set_body_max(std::uint64_t) override {}

  Reply reply;
  http::ServerStreamEvents* events = nullptr;
  bool aborted = false;

 private:
  http::ConnectionInfo info_;
};

struct Ask {
  std::string method = "GET", target = "/v1/status", body = {};
  std::vector<std::pair<std::string, std::string>> fields = {};
  std::string host = "127.0.0.1:9900";
};

class AdminApiTest : public testing::Test {
 protected:
  Reply ask(const Ask& what, const http::ConnectionInfo& from = from_socket(0)) {
    FakeStream stream(from);
    http::RequestHead head;
    head.method = what.method, head.target = what.target, head.authority = what.host;
    for (const auto& [name, value] : what.fields) head.fields.add(name, value);
    if (!what.body.empty()) head.fields.add("content-type", "application/json");
    sink_.on_request(stream, head, what.body.empty() ? http::End::yes : http::End::no);
    for (const char c : what.body) stream.events->on_body({&c, 1});
    if (!what.body.empty()) stream.events->on_request_end({});
    stream.events->on_complete(0);
    return stream.reply;
  }
  Reply post(const std::string& target, const std::string& body) { return ask({"POST", target, body}); }

  static AdminOptions options() {
    AdminOptions options;
    options.token = SecretBytes("s3cret-token");
    options.group = 500;
    options.own_uid = 1234;
    return options;
  }
  FakeBackend backend_;
  AdminApi api_{backend_, options()};
  ServiceSink sink_{api_};
};

TEST_F(AdminApiTest, WhoMayCall) {
  http::ConnectionInfo tcp, unknown;
  unknown.unix_socket = true;
  const auto bearer = [](const char* text) { return Ask{.fields = {{"authorization", text}}}; };
  const struct {
    const char* name;
    http::ConnectionInfo from;
    Ask ask;
    int status;
  } cases[] = {
      {"root", from_socket(0), {}, 200},
      {"our own user", from_socket(1234), {}, 200},
      {"the group", from_socket(77, {77, 500}), {}, 200},
      {"another user", from_socket(77, {77}), {}, 401},
      {"a socket without credentials", unknown, {}, 401},
      {"another user with the token", from_socket(77), bearer("Bearer s3cret-token"), 401},
      {"tcp with the token", tcp, bearer("Bearer s3cret-token"), 200},
      {"the scheme in lower case", tcp, bearer("bearer s3cret-token"), 200},
      {"tcp without", tcp, {}, 401},
      {"wrong token", tcp, bearer("Bearer s3cret-tokeN"), 401},
      {"prefix of the token", tcp, bearer("Bearer s3cret"), 401},
      {"empty token", tcp, bearer("Bearer "), 401},
      {"another scheme", tcp, bearer("Basic s3cret-token"), 401},
      {"two tokens", tcp, {.fields = {{"authorization", "Bearer s3cret-token"}, {"authorization", "Bearer x"}}}, 401},
      {"health without", tcp, {.target = "/healthz"}, 200},
      {"readiness without", tcp, {.target = "/readyz"}, 200},
      {"metrics without", tcp, {.target = "/metrics"}, 401},
      {"rebound name", tcp, {.target = "/healthz", .host = "attacker.example:9900"}, 421},
      {"localhost", tcp, {.target = "/healthz", .host = "localhost:9900"}, 200},
      {"IPv6", tcp, {.target = "/healthz", .host = "[::1]:9900"}, 200},
      {"empty host", tcp, {.target = "/healthz", .host = ""}, 421},
      {"another origin", tcp, {.target = "/healthz", .fields = {{"origin", "https://attacker.example"}}}, 403},
      {"null origin", tcp, {.target = "/healthz", .fields = {{"origin", "null"}}}, 403},
      {"our own origin", tcp, {.target = "/healthz", .fields = {{"origin", "http://127.0.0.1:9900"}}}, 200},
  };
  for (const auto& c : cases) {
    const Reply reply = ask(c.ask, c.from);
    EXPECT_EQ(reply.status, c.status) << c.name;
    EXPECT_EQ(reply.fields.count("access-control-allow-origin"), 0u) << c.name;
    if (c.status != 200) {
      EXPECT_EQ(reply.parsed()["status"], c.status) << c.name;
      EXPECT_TRUE(reply.closed) << c.name;
    }
  }
}

TEST_F(AdminApiTest, NoTokenConfiguredLetsNobodyIn) {
  AdminApi api(backend_, {});
  ServiceSink sink(api);
  http::ConnectionInfo tcp;
  FakeStream stream(tcp);
  http::RequestHead head;
  head.method = "GET", head.target = "/v1/status", head.authority = "localhost";
  head.fields.add("authorization", "Bearer ");
  sink.on_request(stream, head, http::End::yes);
  EXPECT_EQ(stream.reply.status, 401);
  stream.events->on_complete(0);
}

TEST_F(AdminApiTest, Status) {
  const Reply reply = ask({});
  const json view = reply.parsed();
  EXPECT_EQ(reply.fields.at("cache-control"), "no-store");
  EXPECT_EQ(reply.fields.at("content-type"), "application/json");
  EXPECT_EQ(view["version"], "1.2.3");
  EXPECT_EQ(view["uptime_seconds"], 60);
  EXPECT_EQ(view["state"], "serving");
  EXPECT_EQ(view["last_reload"]["applied"], false);
  EXPECT_EQ(view["listeners"][0]["connections"], 12);
  EXPECT_EQ(view["listeners"][1]["address"], "unix:/run/x");
}

TEST_F(AdminApiTest, ReloadAndRollback) {
  EXPECT_EQ(post("/v1/reload", "{}").parsed()["applied"], true);
  EXPECT_EQ(post("/v1/reload", R"({"dry_run":true})").parsed()["changes"].size(), 1u);
  EXPECT_EQ(post("/v1/reload", "{}").parsed()["needs_restart"][0], "process.user");
  EXPECT_EQ(backend_.dry_runs, (std::vector<bool>{false, true, false}));
  backend_.report = {false, 7, {}, {}, {"gatehouse.yaml:3:1: unknown key"}};
  const Reply refused = post("/v1/reload", "{}");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.parsed()["errors"].size(), 1u);
  EXPECT_EQ(post("/v1/rollback", "{}").status, 422);
  for (const char* bad : {"x", "[]", R"({"dry_run":1})", R"({"dryrun":true})", R"({"dry_run":true}x)"}) {
    EXPECT_EQ(post("/v1/reload", bad).status, 400) << bad;
  }
  EXPECT_EQ(ask({"POST", "/v1/reload"}).status, 415) << "a form of another page cannot send JSON";
  EXPECT_EQ(ask({"POST", "/v1/signing-keys/rotate"}).status, 404) << "nothing more to say; there is no identity here";
  EXPECT_EQ(ask({"POST", "/v1/signing-keys/rotate", {}, {{"content-type", "text/plain"}}}).status, 415);
  EXPECT_EQ(ask({"GET", "/v1/reload"}).status, 405);
  EXPECT_EQ(backend_.dry_runs.size(), 4u) << "nothing refused got through";
}

TEST_F(AdminApiTest, Bans) {
  const json list = ask({"GET", "/v1/bans"}).parsed()["bans"];
  EXPECT_EQ(list[0]["network"], "203.0.113.0/24");
  EXPECT_FALSE(list[0].contains("until"));
  EXPECT_EQ(list[1]["until"], "2025-06-15T15:16:40.000000Z");

  EXPECT_EQ(post("/v1/bans", R"({"address":"192.0.2.1","duration":"10m","reason":"scan"})").status, 201);
  EXPECT_EQ(post("/v1/bans", R"({"network":"2001:db8::/32","duration":"7d"})").status, 201);
  EXPECT_EQ(backend_.added, (std::vector<std::string>{"192.0.2.1/32 600 scan", "2001:db8::/32 604800 "}));
  for (const char* bad :
       {R"({"duration":"10m"})", R"({"address":"192.0.2.1"})", R"({"address":"example.com","duration":"10m"})",
        R"({"network":"192.0.2.1/24","duration":"10m"})",
        R"({"address":"1.1.1.1","network":"1.1.1.1","duration":"1m"})",
        R"({"address":"192.0.2.1","duration":"forever"})", R"({"address":"192.0.2.1","duration":"10m","why":"x"})"}) {
    EXPECT_EQ(post("/v1/bans", bad).status, 400) << bad;
  }
  EXPECT_EQ(backend_.added.size(), 2u);

  EXPECT_EQ(ask({"DELETE", "/v1/bans/192.0.2.1"}).status, 200);
  EXPECT_EQ(ask({"DELETE", "/v1/bans/198.51.100.0%2F24"}).status, 200);
  EXPECT_EQ(ask({"DELETE", "/v1/bans/198.51.100.0/24"}).status, 200);
  EXPECT_EQ(ask({"DELETE", "/v1/bans/2001%3adb8%3A%3a1"}).status, 200);
  EXPECT_EQ(backend_.removed,
            (std::vector<std::string>{"192.0.2.1/32", "198.51.100.0/24", "198.51.100.0/24", "2001:db8::1/128"}));
  EXPECT_EQ(ask({"DELETE", "/v1/bans/192.0.2.9"}).status, 404);
  EXPECT_EQ(ask({"DELETE", "/v1/bans/192.0.2.8"}).status, 409);
  EXPECT_EQ(ask({"DELETE", "/v1/bans/%zz"}).status, 400);
  EXPECT_EQ(ask({"DELETE", "/v1/bans/"}).status, 404);
}

TEST_F(AdminApiTest, Requests) {
  EXPECT_EQ(ask({"GET", "/v1/requests/01jxt1rqwvh7r3k9w2m4d8c6f5"}).parsed()["verdict"], "deny");
  EXPECT_EQ(ask({"GET", "/v1/requests/01jxt1rqwvh7r3k9w2m4d8c6f6"}).status, 404);
  EXPECT_EQ(ask({"GET", "/v1/requests/..%2f..%2fetc"}).status, 404);

  EXPECT_EQ(ask({"GET", "/v1/requests"}).parsed()["requests"].size(), 2u);
  EXPECT_EQ(backend_.last_limit, 50u);
  EXPECT_EQ(ask({"GET", "/v1/requests?verdict=deny&layer=rate&client=192.0.2.0%2F24&limit=7"}).status, 200);
  EXPECT_EQ(backend_.last_limit, 7u);
  EXPECT_EQ(backend_.filter.verdict, telemetry::Verdict::deny);
  EXPECT_EQ(backend_.filter.layer, telemetry::Layer::rate);
  EXPECT_EQ(backend_.filter.client, Network::parse("192.0.2.0/24"));
  for (const char* bad : {"limit=0", "limit=1001", "limit=x", "limit", "verdict=maybe", "layer=x", "client=x", "x=1",
                          "client=%z", "verdict"}) {
    EXPECT_EQ(ask({"GET", std::string("/v1/requests?") + bad}).status, 400) << bad;
  }
}

TEST_F(AdminApiTest, TheRest) {
  EXPECT_EQ(ask({"GET", "/v1/config"}).parsed()["version"], 1);
  EXPECT_EQ(ask({"GET", "/v1/services"}).parsed()["services"][0]["endpoints"][0]["health"], "healthy");
  const Reply metrics = ask({.target = "/metrics", .fields = {{"accept", "application/openmetrics-text"}}});
  EXPECT_EQ(metrics.body, "# metrics\n");
  EXPECT_TRUE(metrics.fields.at("content-type").starts_with("application/openmetrics-text"));
  EXPECT_EQ(ask({"GET", "/readyz"}).status, 200);
  backend_.is_ready = false;
  EXPECT_EQ(ask({"GET", "/readyz"}).status, 503);
  EXPECT_EQ(ask({"GET", "/healthz"}).body, "ok\n");
  EXPECT_EQ(ask({"HEAD", "/healthz"}).body, "");
  EXPECT_EQ(ask({"GET", "/nothing"}).status, 404);
  const Reply wrong = ask({"PUT", "/v1/bans", "{}"});
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.fields.at("allow"), "GET, POST");
}

TEST_F(AdminApiTest, BodiesAreBounded) {
  const Reply reply = post("/v1/reload", std::string(ServiceSink::kBodyBytesMax + 10, ' '));
  EXPECT_EQ(reply.status, 413);
  EXPECT_TRUE(backend_.dry_runs.empty());
}

TEST_F(AdminApiTest, StreamsThatGoAwayAndASinkThatDoes) {
  http::RequestHead head;
  head.method = "POST", head.target = "/v1/reload", head.authority = "localhost";
  head.fields.add("content-type", "application/json");
  FakeStream gone(from_socket(0)), left(from_socket(0));
  {
    ServiceSink sink(api_);
    sink.on_request(gone, head, http::End::no);
    gone.events->on_body("{");
    gone.events->on_abort(http::Reason::peer_closed);
    sink.on_request(left, head, http::End::no);
  }
  EXPECT_FALSE(gone.aborted);
  EXPECT_TRUE(left.aborted);
  EXPECT_TRUE(backend_.dry_runs.empty());
}

// A reload whose rules are being compiled answers when it is over, to whoever is still there.
TEST_F(AdminApiTest, AReloadThatTakesItsTime) {
  http::RequestHead head;
  head.method = "POST", head.target = "/v1/reload", head.authority = "localhost";
  head.fields.add("content-type", "application/json");
  backend_.answers_later = true;
  FakeStream waits(from_socket(0)), gone(from_socket(0)), left(from_socket(0));
  {
    ServiceSink sink(api_);
    for (FakeStream* stream : {&waits, &gone, &left}) sink.on_request(*stream, head, http::End::yes);
    EXPECT_EQ(ask({"GET", "/v1/status"}).status, 200);
    gone.events->on_abort(http::Reason::peer_closed);
    EXPECT_EQ(waits.reply.status, 0);
    backend_.waiting[0](backend_.report);
    backend_.waiting[1](backend_.report);
    EXPECT_EQ(waits.reply.status, 200);
  }
  EXPECT_TRUE(left.aborted);
  backend_.waiting[2](backend_.report);
  EXPECT_EQ(left.reply.status, 0);
}

TEST(BanDuration, AcceptedAndRefused) {
  EXPECT_EQ(parse_ban_duration("250ms"), 250ms);
  EXPECT_EQ(parse_ban_duration("10s"), 10s);
  EXPECT_EQ(parse_ban_duration("5m"), 5min);
  EXPECT_EQ(parse_ban_duration("24h"), 24h);
  EXPECT_EQ(parse_ban_duration("365d"), 365 * 24h);
  for (const char* bad : {"", "10", "0s", "-1s", "366d", "1.5h", "10 s", "10x", "9223372036854775807h", "h"}) {
    EXPECT_EQ(parse_ban_duration(bad), std::nullopt) << bad;
  }
}

TEST(MetricsService, OnlyMetrics) {
  telemetry::Metrics metrics(1);
  metrics.set(metrics.series(telemetry::Metric::config_generation, {}), 3);
  MetricsService service(metrics);
  ServiceSink sink(service);
  const struct {
    const char *method, *target;
    int status;
  } cases[] = {{"GET", "/metrics", 200},   {"HEAD", "/metrics", 200},  {"POST", "/metrics", 405},
               {"GET", "/v1/status", 404}, {"GET", "/metrics/x", 404}, {"GET", "/metrics?x=1", 200}};
  for (const auto& c : cases) {
    FakeStream stream{http::ConnectionInfo{}};
    http::RequestHead head;
    head.method = c.method, head.target = c.target, head.authority = "any.name";
    sink.on_request(stream, head, http::End::yes);
    EXPECT_EQ(stream.reply.status, c.status) << c.method << " " << c.target;
    if (stream.reply.status == 200 && head.method == "GET") {
      EXPECT_NE(stream.reply.body.find("gatehouse_config_generation 3\n"), std::string::npos);
    }
    stream.events->on_complete(0);
  }
}

// docs/admin-api.yaml and the code name the same fields.
TEST(Document, NamesEveryFieldOfOurAnswers) {
  std::ifstream in(GATEHOUSE_SOURCE_DIR "/docs/admin-api.yaml");
  const std::string document((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(document.empty());
  FakeBackend backend;
  const std::string record = [] {
    std::string out;
    telemetry::append_json(telemetry::sample_record(), out);
    return out;
  }();
  const std::function<void(const json&)> check = [&](const json& value) {
    if (value.is_array()) {
      for (const json& one : value) check(one);
    } else if (value.is_object()) {
      for (const auto& [name, member] : value.items()) {
        EXPECT_NE(document.find(" " + name + ":"), std::string::npos) << name;
        check(member);
      }
    }
  };
  for (const std::string& text : {to_json(backend.status()), to_json(backend.report), to_json(backend.bans()),
                                  to_json(backend.services()), record, problem(404, "x").body}) {
    check(json::parse(text));
  }
}

// Every reason that a codec can give is explained in words of its own.
TEST(Reasons, EveryHttpReasonHasItsText) {
  for (int i = 1; i < static_cast<int>(http::Reason::count_); ++i) {
    const std::string_view code = http::reason_code(static_cast<http::Reason>(i));
    EXPECT_TRUE(telemetry::has_reason_text(code)) << code;
  }
}

}  // namespace
}  // namespace gatehouse::admin
