#pragma once
// A whole gateway in the test's process, on a port that the kernel chooses, and a client that blocks.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "base/temp_dir.h"
#include "gateway/layers/sample_request.h"
#include "gateway/server/gateway.h"
#include "net/socket.h"

namespace gatehouse::gateway {

class TestClient {
 public:
  explicit TestClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = net::SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), port);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length), 0);
  }
  void send(std::string_view text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Reads until the text holds `what`, the peer closes, or ten seconds have gone.
  std::string read_until(std::string_view what) {
    while (text_.find(what) == std::string::npos) {
      pollfd one{socket_.get(), POLLIN, 0};
      char buffer[16384];
      if (::poll(&one, 1, 10'000) <= 0) break;
      const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text_.append(buffer, static_cast<std::size_t>(got));
    }
    return std::exchange(text_, {});
  }
  std::string ask(std::string_view request, std::string_view until = "\r\n\r\n") {
    send(request);
    return read_until(until);
  }
  void close() { socket_.reset(); }

 private:
  net::Fd socket_;
  std::string text_;
};

class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    config_ = sample_config();
    config_.listeners[0].address = {"127.0.0.1", 0, ""};
    config_.routes[0].is_public = true;
    config_.waf.mode = Mode::off;
    config_.authentication.internal_token.enabled = false;
  }
  ~GatewayTest() override {
    if (gateway_) gateway_->stop();
  }

  void start(LocalServiceSource services, std::uint32_t shards = 1) {
    state_ = *SharedState::create(config_, clock_);
    records_ = std::make_unique<telemetry::RecordStore>(shards);
    metrics_ = std::make_unique<telemetry::Metrics>(shards);
    log_ = *telemetry::AccessLog::open({.to = "off", .shards = shards});
    auto made = Gateway::create(
        std::make_shared<const Config>(config_), shards,
        {*state_, *records_, log_.get(), *metrics_, clock_,
         [](const Config&) { return Result<Credentials>(Credentials{}); },
         [](const Config&) { return Result<std::shared_ptr<const waf::RuleEngine>>(nullptr); }, std::move(services)},
        {});
    ASSERT_TRUE(made) << made.error().message;
    gateway_ = std::move(*made);
    ASSERT_TRUE(gateway_->start());
    const std::string& bound = gateway_->listeners()[0].bound;
    port_ = static_cast<std::uint16_t>(std::stoi(bound.substr(bound.rfind(':') + 1)));
  }
  TestClient client() const { return TestClient(port_); }
  // The newest record as JSON, once `count` of them have been written.
  std::string record(std::size_t count = 1) const {
    for (int i = 0; i < 500; ++i) {
      const auto all = records_->recent(count, {});
      if (all.size() >= count) return all.front().json;
      ::poll(nullptr, 0, 10);
    }
    return "no record";
  }

  const Clock& clock_ = SystemClock::instance();
  Config config_;
  std::unique_ptr<SharedState> state_;
  std::unique_ptr<telemetry::RecordStore> records_;
  std::unique_ptr<telemetry::Metrics> metrics_;
  std::unique_ptr<telemetry::AccessLog> log_;
  std::unique_ptr<Gateway> gateway_;
  std::uint16_t port_ = 0;
};

}  // namespace gatehouse::gateway
