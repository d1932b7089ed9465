#include "app/commands/admin_commands.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "admin/views.h"
#include "base/temp_dir.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::app {
namespace {

// Answers each request by its first line, one connection after the other, and keeps what it was sent.
class CannedServer {
 public:
  enum class Kind { tcp, local };
  explicit CannedServer(Kind kind = Kind::tcp) {
    if (kind == Kind::tcp) {
      fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
      socklen_t length = sizeof at;
      getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length);
      address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    } else {
      fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un at{};
      at.sun_family = AF_UNIX;
      (folder_ / "admin.sock").copy(at.sun_path, sizeof at.sun_path - 1);
      EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
      address_ = "unix:" + folder_ / "admin.sock";
    }
    listen(fd_, 8);
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  void on(const std::string& request, int status, const std::string& body) { answers_[request] = {status, body}; }
  AdminTarget target(const char* token = "") const { return {address_, SecretBytes(std::string_view(token))}; }
  // Head and body of the last request; read it after the command has returned.
  const std::string& last() const { return last_; }

 private:
  void serve() {
    for (int peer; (peer = accept(fd_, nullptr, nullptr)) >= 0; close(peer)) {
      std::string request;
      char buffer[4096];
      std::size_t wanted = std::string::npos;
      while (request.size() < wanted) {
        const ssize_t got = read(peer, buffer, sizeof buffer);
        if (got <= 0) break;
        request.append(buffer, static_cast<std::size_t>(got));
        const std::size_t end = request.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        const std::size_t length = request.find("Content-Length: ");
        wanted = end + 4 + (length < end ? std::stoul(request.substr(length + 16)) : 0);
      }
      const std::string line = request.substr(0, request.find(" HTTP/"));
      last_ = request;
      const auto found = answers_.find(line);
      const auto& [status, body] = found != answers_.end() ? found->second : std::pair<int, std::string>{404, "{}"};
      const std::string answer = "HTTP/1.1 " + std::to_string(status) +
                                 " x\r\ncontent-length: " + std::to_string(body.size()) +
                                 "\r\nconnection: close\r\n\r\n" + body;
      [[maybe_unused]] const ssize_t sent = write(peer, answer.data(), answer.size());
    }
  }

  int fd_ = -1;
  const TempDir folder_;
  std::string address_, last_;
  std::map<std::string, std::pair<int, std::string>> answers_;
  std::thread thread_;
};

struct Ran {
  int code;
  std::string out, err;
};
template <class Command>
Ran run(Command command) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = command();
  std::fflush(stdout);
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

admin::StatusView status_view() {
  using namespace std::chrono_literals;
  admin::StatusView view;
  view.version = "1.2.3";
  view.pid = 42;
  view.started = WallTime(1'750'000'000s);
  view.now = WallTime(1'750'000'000s + 26h);
  view.config_file = "/etc/gatehouse/gatehouse.yaml";
  view.generation = 7;
  view.last_reload = admin::ReloadView{WallTime(1'750'000'030s), false, "gatehouse.yaml:3:1: unknown key"};
  view.shards = 2, view.routes = 12, view.requests = 1000, view.denied = 5, view.endpoints = 2;
  view.endpoints_healthy = 1, view.log_lines_dropped = 3;
  view.listeners = {{"public", "0.0.0.0:8443", "external", true, 12}, {"in", "unix:/run/x\x1b[2J", "dmz", false, 0}};
  return view;
}

TEST(AdminCommands, Status) {
  CannedServer server;
  server.on("GET /v1/status", 200, admin::to_json(status_view()));
  server.on("GET /v1/services", 200,
            admin::to_json(
                std::vector<admin::ServiceView>{{"orders",
                                                 "least_requests",
                                                 true,
                                                 {{"http://127.0.0.1:9001", "healthy", 1, 20, 3, "127.0.0.1:9001"},
                                                  {"http://orders:10002", "ejected", 0, 9, 9, "192.0.2.7:10002"}}}}));
  const Ran text = run([&] { return run_status(server.target("tok"), false); });
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.out, R"(gatehouse 1.2.3  serving  up 1 d 2 h  pid 42  shards 2
  configuration  /etc/gatehouse/gatehouse.yaml, generation 7, 12 routes
  last reload    2025-06-15T15:07:10.000000Z  refused: gatehouse.yaml:3:1: unknown key
  requests       1000, 0 in progress, 5 denied
  endpoints      1 of 2 healthy
  bans           0
  access log     3 lines dropped

listeners
  public  0.0.0.0:8443     external  TLS    12 connections
  in      unix:/run/x\x1b[2J  dmz       plain  0 connections

services
  orders  least_requests  circuit open
    http://127.0.0.1:9001                  healthy  1 in progress, 20 requests, 3 failures
    http://orders:10002 (192.0.2.7:10002)  ejected  0 in progress, 9 requests, 9 failures
)");
  EXPECT_NE(server.last().find("Authorization: Bearer tok\r\n"), std::string::npos);
  const Ran json = run([&] { return run_status(server.target(), true); });
  EXPECT_EQ(nlohmann::json::parse(json.out)["generation"], 7);
  EXPECT_EQ(server.last().find("Authorization"), std::string::npos);
}

TEST(AdminCommands, OverAUnixSocketWithoutTheToken) {
  CannedServer server(CannedServer::Kind::local);
  server.on("GET /v1/bans", 200, R"({"bans":[]})");
  const Ran text = run([&] { return run_bans_list(server.target("secret"), false); });
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.out, "nobody is banned\n");
  EXPECT_EQ(server.last().find("secret"), std::string::npos) << "the kernel says who we are";
  server.on("GET /v1/bans", 401, R"({"detail":"Only root may call."})");
  EXPECT_EQ(run([&] { return run_bans_list(server.target(), false); }).err, "gatehouse: Only root may call.\n");
}

TEST(AdminCommands, Reload) {
  CannedServer server;
  const auto answer = [&](int status, const char* body) { server.on("POST /v1/reload", status, body); };
  answer(200, R"({"applied":true,"generation":8,"changes":["routes.a: new"],"errors":[]})");
  Ran ran = run([&] { return run_reload(server.target(), false, false); });
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "  routes.a: new\napplied: generation 8\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_TRUE(server.last().ends_with("\r\n\r\n{}"));
  EXPECT_NE(server.last().find("Content-Type: application/json\r\n"), std::string::npos);

  answer(200, R"({"applied":false,"generation":8,"changes":["routes.a: gone"],"errors":[]})");
  ran = run([&] { return run_reload(server.target(), true, false); });
  EXPECT_EQ(ran.out, "  routes.a: gone\nvalid: not applied, dry run\n");
  EXPECT_TRUE(server.last().ends_with("{\"dry_run\":true}"));
  ran = run([&] { return run_reload(server.target(), false, true); });
  EXPECT_EQ(nlohmann::json::parse(ran.out)["generation"], 8);

  answer(422, R"({"applied":false,"generation":8,"changes":[],"errors":["gatehouse.yaml:3:1: unknown key 'x'"]})");
  ran = run([&] { return run_reload(server.target(), false, false); });
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "gatehouse.yaml:3:1: unknown key 'x'\nrefused: the configuration in force stays as it is\n");
  EXPECT_EQ(run([&] { return run_reload(server.target(), false, true); }).code, 2);

  answer(200, R"({"config_file":"/usr","applied":true,"generation":8,"changes":[],"errors":[]})");
  AdminTarget target = server.target();
  target.config_file = "/tmp";
  ran = run([&] { return run_reload(target, false, false); });
  EXPECT_EQ(ran.out, "applied: generation 8, with no setting changed; its files were read again\n");
  EXPECT_EQ(ran.err, "gatehouse: the running gateway reads /usr, not /tmp\n");

  server.on("POST /v1/rollback", 200,
            R"({"config_file":"/x.yaml","applied":true,"generation":9,"changes":["a: 1 → 2"],"errors":[]})");
  EXPECT_EQ(run([&] { return run_rollback(server.target(), false); }).out,
            "  a: 1 → 2\napplied: generation 9\nthe next reload or start takes what /x.yaml says\n");
}

TEST(AdminCommands, Bans) {
  CannedServer server;
  server.on(
      "GET /v1/bans", 200,
      R"({"bans":[{"network":"203.0.113.0/24","source":"configuration","reason":""},)"
      R"({"network":"192.0.2.7/32","source":"attacks","reason":"10 attacks","until":"2025-06-15T15:16:40.000000Z"}]})");
  EXPECT_EQ(run([&] { return run_bans_list(server.target(), false); }).out,
            "203.0.113.0/24  configuration  for as long as it is configured  \n"
            "192.0.2.7/32    attacks        until 2025-06-15T15:16:40.000000Z  10 attacks\n");
  server.on("POST /v1/bans", 201, "{}");
  Ran ran = run([&] { return run_bans_add(server.target(), "192.0.2.1", "10m", "a \"scan\"", false); });
  EXPECT_EQ(ran.out, "192.0.2.1 is banned for 10m\n");
  EXPECT_TRUE(server.last().ends_with(R"({"network":"192.0.2.1","duration":"10m","reason":"a \"scan\""})"));
  server.on("POST /v1/bans", 507, R"({"detail":"The table is full."})");
  ran = run([&] { return run_bans_add(server.target(), "192.0.2.1", "10m", "", false); });
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "gatehouse: The table is full.\n");
  EXPECT_EQ(run([&] { return run_bans_add(server.target(), "x", "10m", "", false); }).code, 2);
  EXPECT_EQ(run([&] { return run_bans_add(server.target(), "192.0.2.1", "2y", "", false); }).code, 2);
  server.on("DELETE /v1/bans/198.51.100.0/24", 200, "{}");
  EXPECT_EQ(run([&] { return run_bans_remove(server.target(), "198.51.100.0/24", false); }).code, 0);
  EXPECT_EQ(run([&] { return run_bans_remove(server.target(), "../status", false); }).code, 2);
  EXPECT_EQ(run([&] { return run_bans_remove(server.target(), "192.0.2.99", false); }).code, 1);
}

TEST(AdminCommands, Explain) {
  const telemetry::DecisionRecord record = telemetry::sample_record();
  std::string line;
  telemetry::append_json(record, line);
  const std::string id(record.request_id);
  CannedServer server;
  server.on("GET /v1/requests/" + id, 200, line);
  Ran ran = run([&] { return run_explain(server.target(), id, std::nullopt, false); });
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(ran.out.starts_with("Request " + id + ": passed, status 200\n")) << ran.out;
  EXPECT_EQ(run([&] { return run_explain(server.target(), id, std::nullopt, true); }).out, line + "\n");
  EXPECT_EQ(run([&] { return run_explain(server.target(), "01jxt1rqwvh7r3k9w2m4d8c6f6", std::nullopt, false); }).code,
            1);
  EXPECT_EQ(run([&] { return run_explain(server.target(), "../status", std::nullopt, false); }).code, 2);

  const TempDir folder;
  std::ofstream(folder / "access.log") << line << "\n";
  const AdminTarget nobody{"127.0.0.1:1", {}};
  ran = run([&] { return run_explain(nobody, id, folder / "access.log", false); });
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(ran.out.starts_with("Request " + id));
}

TEST(AdminCommands, NobodyThereAndNotOurs) {
  const AdminTarget nobody{"127.0.0.1:1", {}}, no_socket{"unix:/no/such/socket", {}};
  for (const AdminTarget& target : {nobody, no_socket}) {
    const Ran ran = run([&] { return run_status(target, false); });
    EXPECT_EQ(ran.code, 1);
    EXPECT_TRUE(ran.err.starts_with("gatehouse: no answer at ")) << ran.err;
  }
  CannedServer server;
  server.on("GET /v1/status", 200, "<html>");
  EXPECT_EQ(run([&] { return run_status(server.target(), false); }).code, 1);
  server.on("GET /v1/status", 401, R"({"detail":"A bearer token is needed.\u001b[2J"})");
  EXPECT_EQ(run([&] { return run_status(server.target(), false); }).err,
            "gatehouse: A bearer token is needed.\\x1b[2J Give it in GATEHOUSE_ADMIN_TOKEN.\n");
  const Ran ran = run([&] { return run_status(server.target("old"), false); });
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "gatehouse: A bearer token is needed.\\x1b[2J If admin.token has changed in the file, the running gateway "
            "still has "
            "the one before: give it in GATEHOUSE_ADMIN_TOKEN, or reload by SIGHUP.\n");
}

}  // namespace
}  // namespace gatehouse::app
