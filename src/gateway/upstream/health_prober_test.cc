// The prober against small servers on loopback that answer, refuse, hang or talk nonsense.
#include "gateway/upstream/health_prober.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>

#include "net/socket.h"

namespace gatehouse::gateway {
namespace {

using std::chrono::milliseconds;

// Says `answer` to whatever comes; says nothing when it is empty.
class FakeServer final : net::IoHandler {
 public:
  FakeServer(net::Loop& loop, std::string answer) : loop_(loop), answer_(std::move(answer)) {
    listener_ = *net::listen_tcp(net::SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0));
    net::SocketAddress address;
    address.length = sizeof address.storage;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.length);
    port = address.port();
    token_ = *loop_.add(listener_.get(), EPOLLIN, *this);
  }
  ~FakeServer() { loop_.remove(token_, listener_.get()); }

  void set_answer(std::string answer) { answer_ = std::move(answer); }
  std::uint16_t port = 0;
  std::string last_request;
  int accepted = 0;

 private:
  void on_io(std::uint32_t) override {
    for (int fd; (fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      ++accepted;
      net::Fd peer(fd);
      if (answer_.empty()) {
        silent_.push_back(std::move(peer));
        continue;
      }
      // On loopback the request is there with the connection or very soon; a blocking read is bounded by this.
      timeval patience{2, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      pending_.push_back(std::move(peer));
    }
    loop_.post([this] { answer_pending(); });
  }
  void answer_pending() {
    for (net::Fd& peer : pending_) {
      char buffer[4096];
      const ssize_t size = ::recv(peer.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (size < 0) {
        loop_.post([this] { answer_pending(); });
        return;
      }
      last_request.assign(buffer, static_cast<std::size_t>(size));
      EXPECT_EQ(::send(peer.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer_.size()));
    }
    pending_.clear();
  }

  net::Loop& loop_;
  std::string answer_;
  net::Fd listener_;
  net::IoToken token_;
  std::vector<net::Fd> silent_, pending_;
};

ServiceConfig service_at(std::uint16_t port) {
  ServiceConfig config;
  config.name = "orders";
  config.health = HealthConfig{"/ready?deep=1", milliseconds(20), milliseconds(200), 1, 1};
  EndpointConfig endpoint;
  endpoint.address = {"127.0.0.1", port, ""};
  config.endpoints = {endpoint};
  return config;
}

class HealthProberTest : public testing::Test {
 protected:
  std::unique_ptr<net::Loop> loop_ = *net::Loop::create();
  std::vector<HealthChange> changes_;
  HealthProber prober_{*loop_, 1,
                       [this](const Cluster&, const Endpoint&, HealthChange change) { changes_.push_back(change); }};

  void run_until(std::size_t changes) {
    for (int i = 0; i < 1000 && changes_.size() < changes; ++i) loop_->run_once(milliseconds(10));
    ASSERT_EQ(changes_.size(), changes);
  }
};

constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(HealthProberTest, Answers) {
  const struct {
    const char* name;
    std::string answer;
    HealthChange expected;
  } cases[] = {
      {"200", kOk, HealthChange::became_healthy},
      {"204", "HTTP/1.1 204 No Content\r\n\r\n", HealthChange::became_healthy},
      {"302", "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", HealthChange::became_unhealthy},
      {"404", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", HealthChange::became_unhealthy},
      {"503", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", HealthChange::became_unhealthy},
      {"nonsense", "SSH-2.0-OpenSSH_9.2\r\n", HealthChange::became_unhealthy},
      {"silence", "", HealthChange::became_unhealthy},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    changes_.clear();
    FakeServer server(*loop_, c.answer);
    prober_.watch({{std::make_shared<Cluster>(service_at(server.port)), nullptr, nullptr}});
    run_until(1);
    EXPECT_EQ(changes_[0], c.expected);
    prober_.watch({});
    loop_->run_once({});
  }
}

TEST_F(HealthProberTest, NobodyListens) {
  std::uint16_t port = 0;
  {
    const FakeServer gone(*loop_, kOk);
    port = gone.port;
  }
  prober_.watch({{std::make_shared<Cluster>(service_at(port)), nullptr, nullptr}});
  run_until(1);
  EXPECT_EQ(changes_[0], HealthChange::became_unhealthy);
}

TEST_F(HealthProberTest, RequestIsAPlainGet) {
  FakeServer server(*loop_, kOk);
  prober_.watch({{std::make_shared<Cluster>(service_at(server.port)), nullptr, nullptr}});
  run_until(1);
  EXPECT_EQ(server.last_request.find("GET /ready?deep=1 HTTP/1.1\r\n"), 0u) << server.last_request;
  EXPECT_NE(server.last_request.find(fmt::format("127.0.0.1:{}\r\n", server.port)), std::string::npos);
}

TEST_F(HealthProberTest, SeesThingsChange) {
  FakeServer server(*loop_, kOk);
  const auto cluster = std::make_shared<Cluster>(service_at(server.port));
  prober_.watch({{cluster, nullptr, nullptr}});
  run_until(1);
  EXPECT_NE(cluster->pick({}).endpoint, nullptr);
  server.set_answer("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
  run_until(2);
  EXPECT_EQ(cluster->pick({}).failure, PickFailure::none_available);
  server.set_answer(kOk);
  prober_.watch({{cluster, nullptr, nullptr}});  // a reload in between changes nothing
  run_until(3);
  EXPECT_NE(cluster->pick({}).endpoint, nullptr);
}

TEST_F(HealthProberTest, ServicesWithoutHealthAreLeftAlone) {
  FakeServer server(*loop_, kOk);
  ServiceConfig config = service_at(server.port);
  config.health.reset();
  prober_.watch({{std::make_shared<Cluster>(config), nullptr, nullptr}});
  for (int i = 0; i < 5; ++i) loop_->run_once(milliseconds(10));
  EXPECT_EQ(server.accepted, 0);
}

}  // namespace
}  // namespace gatehouse::gateway
