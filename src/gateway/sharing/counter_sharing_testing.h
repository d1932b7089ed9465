#pragma once
// Gateways that share what they count, for tests: each has its tables and its thread, and no listener.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "gateway/layers/penalties/penalties_layer.h"
#include "gateway/layers/rate/rate_layer.h"
#include "gateway/layers/sample_request.h"
#include "gateway/sharing/counter_sharing.h"
#include "store/redis_testing.h"

namespace gatehouse::gateway {

using namespace std::chrono_literals;

// One gateway's state with the thread that shares it.
struct Member {
  explicit Member(const std::string& location, const Config& from = sample_config(), std::string_view password = {})
      : config(from), state(SharedState::create(config, clock).value()) {
    SharingOptions options;
    options.redis.location = store::read_redis_location(location).value();
    options.redis.password = SecretBytes(password);
    options.redis.timeout = 300ms;
    options.redis.backoff_min = 20ms;
    options.redis.backoff_max = 100ms;
    options.deployment = "shop.example";
    options.interval = 10ms;
    sharing = CounterSharing::create(std::move(options), *state, clock).value();
  }
  ~Member() { sharing->stop(); }
  bool up() const { return sharing->status().up; }
  std::uint64_t failures(CounterSharing::Failure failure) const {
    return sharing->status().failures[static_cast<std::size_t>(failure)];
  }
  bool admit(std::string_view client = "203.0.113.9") {
    const RateLayer layer(config, *state, clock, Phase::before_authentication);
    SampleRequest sample(config, clock, client);
    return layer.decide(sample.request).verdict == Verdict::pass;
  }
  bool attack(std::string_view client = "203.0.113.9") {
    return PenaltiesLayer(config, *state, clock, Phase::before_authentication)
        .record_attack(*IpAddress::parse(client), "waf.score");
  }
  bool banned(std::string_view client = "203.0.113.9") {
    return state->bans().banned(*IpAddress::parse(client), clock.now()) > Duration(0);
  }

  // Everything that was done here has been told, and everything that was told is heard.
  void settle() {
    const std::uint64_t before = sharing->status().exchanges;
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (sharing->status().exchanges < before + 3 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(1ms);
  }

  const Clock& clock = SystemClock::instance();
  const Config config;
  std::unique_ptr<SharedState> state;
  std::unique_ptr<CounterSharing> sharing;
};

template <class Done>
inline bool until(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

inline Config limited(std::uint64_t requests, Duration window, std::uint32_t burst) {
  Config config = sample_config();
  RateLimitConfig limit;
  limit.requests = requests, limit.window = window, limit.burst = burst;
  config.rate_limit = {limit};
  config.penalties.attacks = AttacksConfig{};
  config.penalties.failed_logins = FailedLoginsConfig{};
  return config;
}

class CounterSharingTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = store::RedisServer::start();
    if (!server_) GTEST_SKIP() << "redis-server is not installed";
  }
  std::unique_ptr<Member> join(const Config& config) {
    auto member = std::make_unique<Member>(server_->location(), config);
    member->sharing->start();
    EXPECT_TRUE(until([&] { return member->up(); }));
    return member;
  }
  // What an onlooker finds in Redis.
  store::RedisValue look(const std::vector<std::string_view>& words) {
    store::RedisTalk talk(server_->location());
    EXPECT_TRUE(talk.until_open());
    return talk.ask(words);
  }
  std::unique_ptr<store::RedisServer> server_;
};

}  // namespace gatehouse::gateway
