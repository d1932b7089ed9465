// Services of this process behind a whole gateway: answered at once, later, from other threads, never, too late.
#include "gateway/local_service.h"

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <future>
#include <thread>

#include "gateway/gateway_testing.h"
#include "net/worker_pool.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

class Service final : public LocalService {
 public:
  using Act = std::function<void(LocalCall)>;
  explicit Service(Act act) : act_(std::move(act)) {}
  void answer(LocalCall call) override { act_(std::move(call)); }

 private:
  const Act act_;
};

LocalAnswer text(std::string body, int status = 200) {
  LocalAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.fields = {{"content-type", "text/plain"}};
  return answer;
}

std::string told(const LocalRequest& request) {
  std::string all =
      fmt::format("{} {}://{}{}?{} body={} ip={} route={}", request.method, request.scheme, request.authority,
                  request.path, request.query, request.body, request.client_ip.to_string(), request.route);
  for (const http::Field& field : *request.fields) all += fmt::format(" {}={}", field.name, field.value);
  return all + " end.";
}

class LocalServices : public GatewayTest {
 protected:
  LocalServices() {
    config_.services[0] = {};
    config_.services[0].name = "own";
    config_.services[0].local = LocalTarget::identity;
    config_.routes[0].match.path = "/id/**";
    config_.routes[0].rewrite.strip_prefix = "/id";
  }
  void serve(Service::Act act) {
    start([act](const Config&, LocalTarget) {
      return Result<std::shared_ptr<LocalService>>(std::make_shared<Service>(act));
    });
  }
};

TEST_F(LocalServices, SeesTheCanonicalRequestAndAnswersAtOnce) {
  serve([](LocalCall call) { call.reply.send(text(told(call.request))); });
  auto peer = client();
  const std::string got = peer.ask(
      "POST /id/a/../token?x=%31 HTTP/1.1\r\nHost: Login.Example\r\nCookie: a=1\r\nX-Gatehouse-User: evil\r\n"
      "Content-Length: 5\r\n\r\nhello",
      " end.");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200")) << got;
  EXPECT_NE(got.find("POST http://login.example/token?x=%31 body=hello ip=127.0.0.1 route=orders-read cookie=a=1"),
            std::string::npos)
      << got;
  EXPECT_EQ(got.find("evil"), std::string::npos);
  for (const char* field : {"x-request-id: ", "x-frame-options: DENY", "content-type: text/plain", "date: "})
    EXPECT_NE(got.find(field), std::string::npos) << field << got;
  EXPECT_NE(record().find("\"service\":\"own\""), std::string::npos) << record();
  // The connection goes on, and the next request finds nothing of the one before.
  EXPECT_NE(peer.ask("GET /id/next HTTP/1.1\r\nHost: a\r\n\r\n", " end.").find("/next? body= ip"), std::string::npos);
}

TEST_F(LocalServices, HeadGetsTheLengthAndNoContent) {
  serve([](LocalCall call) { call.reply.send(text("twelve bytes")); });
  auto peer = client();
  const std::string got =
      peer.ask("HEAD /id/x HTTP/1.1\r\nHost: a\r\n\r\nGET /id/y HTTP/1.1\r\nHost: a\r\n\r\n", "twelve bytes");
  EXPECT_NE(got.find("content-length: 12\r\n"), std::string::npos) << got;
  EXPECT_EQ(got.find("twelve bytes"), got.rfind("twelve bytes")) << got;
}

TEST_F(LocalServices, AnswersFromWorkersSeeACopyThatOutlivesTheCall) {
  net::WorkerPool pool("test", 2, 64);
  serve([&](LocalCall call) {
    auto kept = std::move(call).keep();
    ASSERT_TRUE(pool.submit([kept = std::move(kept)]() mutable {
      std::this_thread::sleep_for(1ms);
      kept->reply().send(text(told(kept->request())));
    }));
  });
  std::vector<std::thread> peers;
  for (int p = 0; p < 4; ++p) {
    peers.emplace_back([this, p] {
      auto peer = client();
      for (int i = 0; i < 50; ++i) {
        const std::string body = fmt::format("{}-{}", p, i);
        const std::string got =
            peer.ask(fmt::format("POST /id/{} HTTP/1.1\r\nHost: a\r\nX-P: {}\r\nContent-Length: {}\r\n\r\n{}", body,
                                 body, body.size(), body),
                     " end.");
        EXPECT_NE(got.find(fmt::format("/{0}? body={0} ip=127.0.0.1 route=orders-read x-p={0}", body)),
                  std::string::npos)
            << got;
      }
    });
  }
  for (std::thread& peer : peers) peer.join();
}

TEST_F(LocalServices, AHeaderThatWouldBeTwoIsA500) {
  serve([](LocalCall call) {
    LocalAnswer answer = text("x");
    answer.fields.emplace_back("location", "https://a.example/?q=1\r\nset-cookie: stolen=1");
    call.reply.send(std::move(answer));
  });
  const std::string got = client().ask("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 500")) << got;
  EXPECT_EQ(got.find("stolen"), std::string::npos) << got;
  EXPECT_NE(record().find("service.bad_answer"), std::string::npos);
}

TEST_F(LocalServices, AReplyThatIsDroppedIsA500) {
  serve([](LocalCall) {});
  EXPECT_TRUE(client().ask("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500"));
  EXPECT_NE(record().find("service.no_answer"), std::string::npos);
}

TEST_F(LocalServices, ADroppedReplyOnAWorkerIsA500Too) {
  net::WorkerPool pool("test", 1, 8);
  serve([&](LocalCall call) { EXPECT_TRUE(pool.submit([kept = std::move(call).keep()] {})); });
  EXPECT_TRUE(client().ask("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 500"));
}

TEST_F(LocalServices, PastTheDeadlineIsA504AndTheLateAnswerGoesNowhere) {
  config_.routes[0].timeout = 50ms;
  std::promise<std::unique_ptr<KeptCall>> call_promise;
  std::atomic<int> calls{0};
  serve([&](LocalCall call) {
    if (calls++ == 0) return call_promise.set_value(std::move(call).keep());
    call.reply.send(text("second answer"));
  });
  auto peer = client();
  EXPECT_TRUE(peer.ask("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 504"));
  auto kept = call_promise.get_future().get();
  kept->reply().send(text("too late"));
  kept->reply().send(text("twice"));
  // The same exchange serves the next request, and what was late is not taken for its answer.
  const std::string got = peer.ask("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n", "answer");
  EXPECT_NE(got.find("second answer"), std::string::npos) << got;
  EXPECT_EQ(got.find("too late"), std::string::npos);
}

TEST_F(LocalServices, AClientThatLeavesFreesTheExchange) {
  std::promise<std::unique_ptr<KeptCall>> call_promise;
  serve([&](LocalCall call) {
    if (call.request.path == "/slow") return call_promise.set_value(std::move(call).keep());
    call.reply.send(text("fine"));
  });
  auto peer = client();
  peer.send("GET /id/slow HTTP/1.1\r\nHost: a\r\n\r\n");
  auto kept = call_promise.get_future().get();
  peer.close();
  EXPECT_NE(record().find("client.closed"), std::string::npos) << record();
  EXPECT_EQ(kept->request().path, "/slow");  // still whole
  kept->reply().send(text("to nobody"));
  EXPECT_NE(client().ask("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n", "fine").find("fine"), std::string::npos);
}

TEST_F(LocalServices, ReplyMayOutliveTheGateway) {
  std::promise<std::unique_ptr<KeptCall>> call_promise;
  serve([&](LocalCall call) { call_promise.set_value(std::move(call).keep()); });
  auto peer = client();
  peer.send("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n");
  auto kept = call_promise.get_future().get();
  gateway_->stop();
  kept->reply().send(text("after the loop"));
  gateway_.reset();
}

TEST_F(LocalServices, BodiesAreBoundedWhetherAnnouncedOrNot) {
  std::atomic<int> calls{0};
  serve([&](LocalCall call) { ++calls, call.reply.send(text(std::to_string(call.request.body.size()) + " bytes")); });
  const std::string most(kLocalBodyBytesMax, 'x');
  const auto chunked = [](const std::string& body) {
    return fmt::format("POST /id/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                       body.size(), body);
  };
  EXPECT_NE(client().ask(chunked(most), " bytes").find("262144 bytes"), std::string::npos);
  auto over = client();
  EXPECT_TRUE(over.ask(chunked(most + "y")).starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(client()
                  .ask(fmt::format("POST /id/ HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", most.size() + 1))
                  .starts_with("HTTP/1.1 413"));
  EXPECT_EQ(calls, 1);
}

TEST_F(LocalServices, ContinueIsSaidWhenTheBodyIsWanted) {
  serve([](LocalCall call) { call.reply.send(text("got " + std::string(call.request.body))); });
  auto peer = client();
  EXPECT_TRUE(peer.ask("POST /id/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
                  .starts_with("HTTP/1.1 100"));
  EXPECT_NE(peer.ask("hi", "got hi").find("got hi"), std::string::npos);
}

TEST_F(LocalServices, FailedLoginsSlowTheAddressDownAndAcceptedOnesDoNot) {
  config_.penalties.failed_logins = FailedLoginsConfig{.threshold = 3, .delay = 200ms, .max_delay = 200ms};
  serve([](LocalCall call) {
    LocalAnswer answer = text("done.", call.request.path == "/forbidden" ? 403 : 200);
    if (call.request.path == "/wrong") {
      answer.credentials = LocalAnswer::Credentials::failed;
      answer.user = "alice";
      answer.reason = "login.password";
    }
    call.reply.send(std::move(answer));
  });
  const auto took = [&](const char* path) {
    const auto from = std::chrono::steady_clock::now();
    EXPECT_NE(client().ask(fmt::format("GET /id{} HTTP/1.1\r\nHost: a\r\n\r\n", path), "done.").find("done."),
              std::string::npos);
    return std::chrono::steady_clock::now() - from;
  };
  // A status alone is no failed login: the service says which is.
  for (int i = 0; i < 5; ++i) EXPECT_LT(took("/forbidden"), 150ms);
  for (int i = 0; i < 3; ++i) EXPECT_LT(took("/wrong"), 150ms);
  EXPECT_NE(record(8).find("login.password"), std::string::npos) << record(8);
  EXPECT_NE(record(8).find("\"user\":\"alice\""), std::string::npos);
  EXPECT_GE(took("/"), 200ms);
}

TEST_F(LocalServices, DrainWaitsForTheAnswer) {
  std::promise<std::unique_ptr<KeptCall>> call_promise;
  serve([&](LocalCall call) { call_promise.set_value(std::move(call).keep()); });
  auto peer = client();
  peer.send("GET /id/ HTTP/1.1\r\nHost: a\r\n\r\n");
  auto kept = call_promise.get_future().get();
  std::promise<void> drained;
  gateway_->drain(10s, [&] { drained.set_value(); });
  auto over = drained.get_future();
  EXPECT_EQ(over.wait_for(100ms), std::future_status::timeout);
  kept->reply().send(text("the last answer"));
  EXPECT_NE(peer.read_until("last answer").find("the last answer"), std::string::npos);
  EXPECT_EQ(over.wait_for(5s), std::future_status::ready);
}

TEST_F(LocalServices, CompressionAppliesToWhatItAnswers) {
  serve([](LocalCall call) { call.reply.send(text(std::string(20'000, 'a'))); });
  const std::string got = client().ask("GET /id/ HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
  EXPECT_NE(got.find("content-encoding: gzip"), std::string::npos) << got.substr(0, 400);
}

TEST_F(LocalServices, AConfigurationWithoutAProviderIsRefused) {
  state_ = *SharedState::create(config_, clock_);
  const LocalServiceSource nobody;
  const RuleEngineSource rules = [](const Config&) { return Result<std::shared_ptr<const waf::RuleEngine>>(nullptr); };
  const CredentialSource credentials = [](const Config&) { return Result<Credentials>(Credentials{}); };
  const auto built = Snapshot::build(std::make_shared<const Config>(config_), nullptr, {},
                                     {*state_, clock_, nullptr, credentials, rules, nobody});
  ASSERT_FALSE(built);
  EXPECT_NE(built.error().message.find("service own"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::gateway
