#include "gateway/upstream/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "gateway/upstream/hash_on.h"

namespace gatehouse::gateway {
namespace {

EndpointConfig endpoint(std::string host, std::uint16_t port, std::uint32_t weight = 1) {
  EndpointConfig config;
  config.address = {std::move(host), port, ""};
  config.url = fmt::format("http://{}:{}", config.address.host, port);
  config.weight = weight;
  return config;
}

ServiceConfig service(Balance balance, std::vector<std::uint32_t> weights) {
  ServiceConfig config;
  config.name = "orders";
  config.balance = balance;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    config.endpoints.push_back(endpoint(fmt::format("192.0.2.{}", i + 1), 9000, weights[i]));
  }
  return config;
}

// Picks with fresh randomness from a printed seed, and counts by address.
struct Picker {
  explicit Picker(Cluster& c) : cluster(c) {}
  Cluster& cluster;
  FakeClock clock;
  std::mt19937_64 random{4711};

  Endpoint* pick(std::uint64_t hash = 0, std::span<const Endpoint* const> tried = {}) {
    return cluster.pick({hash, random(), tried, clock.now()}).endpoint;
  }
  std::map<std::string, int> count(int picks) {
    std::map<std::string, int> counts;
    for (int i = 0; i < picks; ++i) {
      Endpoint* const endpoint = pick(random());
      ++counts[endpoint != nullptr ? endpoint->name : "none"];
    }
    return counts;
  }
  void fail(Endpoint& endpoint, int times = 1) {
    for (int i = 0; i < times; ++i) {
      cluster.attempt_begun(endpoint);
      cluster.attempt_ended(endpoint, AttemptOutcome::error, clock.now());
    }
  }
  void succeed(Endpoint& endpoint) {
    cluster.attempt_begun(endpoint);
    cluster.attempt_ended(endpoint, AttemptOutcome::success, clock.now());
  }
};

TEST(Balance, RoundRobinIsExactAndSmooth) {
  Cluster cluster(service(Balance::round_robin, {3, 1, 1}));
  Picker picker(cluster);
  const auto counts = picker.count(500);
  EXPECT_EQ(counts.at("192.0.2.1:9000"), 300);
  EXPECT_EQ(counts.at("192.0.2.2:9000"), 100);
  EXPECT_EQ(counts.at("192.0.2.3:9000"), 100);
  std::string order;
  for (int i = 0; i < 10; ++i) order += picker.pick()->name[8];
  EXPECT_EQ(order, "1213112131");
}

TEST(Balance, RoundRobinSpreadsTheShareOfOneThatIsAway) {
  Cluster cluster(service(Balance::round_robin, {1, 1, 1, 1}));
  Picker picker(cluster);
  cluster.endpoints()[1]->health = Health::unhealthy;
  const auto counts = picker.count(3000);
  EXPECT_EQ(counts.count("192.0.2.2:9000"), 0u);
  for (const char* name : {"192.0.2.1:9000", "192.0.2.3:9000", "192.0.2.4:9000"}) EXPECT_NEAR(counts.at(name), 1000, 1);
}

TEST(Balance, WeightsHold) {
  for (const Balance balance : {Balance::round_robin, Balance::random_two, Balance::hash}) {
    Cluster cluster(service(balance, {60, 30, 10}));
    Picker picker(cluster);
    const auto counts = picker.count(100'000);
    // Two draws of which the idle one wins lean towards the heavy; all are idle here.
    EXPECT_NEAR(counts.at("192.0.2.1:9000"), 60'000, 7'000) << static_cast<int>(balance);
    EXPECT_NEAR(counts.at("192.0.2.2:9000"), 30'000, 7'000) << static_cast<int>(balance);
    EXPECT_NEAR(counts.at("192.0.2.3:9000"), 10'000, 4'000) << static_cast<int>(balance);
  }
}

TEST(Balance, WeightZeroTakesNothing) {
  for (const Balance balance : {Balance::round_robin, Balance::least_requests, Balance::random_two, Balance::hash}) {
    Cluster cluster(service(balance, {1, 0}));
    Picker picker(cluster);
    EXPECT_EQ(picker.count(100), (std::map<std::string, int>{{"192.0.2.1:9000", 100}}));
  }
}

TEST(Balance, LeastRequestsTakesTheIdlest) {
  Cluster cluster(service(Balance::least_requests, {1, 1, 2}));
  Picker picker(cluster);
  const auto endpoints = cluster.endpoints();
  endpoints[0]->active = 5;
  endpoints[1]->active = 1;
  endpoints[2]->active = 2;
  EXPECT_EQ(picker.pick(), endpoints[2]) << "(2 + 1) / 2 is less than (1 + 1) / 1";
}

TEST(Balance, LeastRequestsSharesWhenIdle) {
  Cluster cluster(service(Balance::least_requests, {1, 1, 1, 1}));
  Picker picker(cluster);
  for (const auto& [name, count] : picker.count(4000)) EXPECT_NEAR(count, 1000, 150) << name;
}

TEST(Balance, ManyEndpointsStillAvoidTheBusy) {
  Cluster cluster(service(Balance::least_requests, std::vector<std::uint32_t>(200, 1)));
  Picker picker(cluster);
  const auto endpoints = cluster.endpoints();
  for (std::size_t i = 0; i < 100; ++i) endpoints[i]->active = 100;
  int busy = 0;
  for (int i = 0; i < 10'000; ++i) busy += picker.pick()->active == 100 ? 1 : 0;
  EXPECT_LT(busy, 10'000 / 100);  // all eight samples busy: one in 256
}

TEST(Balance, RandomTwoAvoidsTheBusy) {
  Cluster cluster(service(Balance::random_two, {1, 1, 1, 1}));
  Picker picker(cluster);
  cluster.endpoints()[0]->active = 100;
  const auto counts = picker.count(16'000);
  EXPECT_NEAR(counts.at("192.0.2.1:9000"), 1000, 150);  // only when both draws fall on it: 1 in 16
}

TEST(Balance, HashKeepsAHotKeyFromOverloadingAnEndpoint) {
  Cluster cluster(service(Balance::hash, {1, 1, 1, 1}));
  Picker picker(cluster);
  const std::uint64_t hot = hash_key("hot");
  Endpoint* const home = picker.pick(hot);
  std::map<std::string, std::uint32_t> loads;
  for (int i = 0; i < 400; ++i) {
    Endpoint* const endpoint = picker.pick(hot);
    if (i < static_cast<int>(Balancer::kLoadFree)) {
      EXPECT_EQ(endpoint, home) << "few requests stay together";
    }
    cluster.attempt_begun(*endpoint);
    ++loads[endpoint->name];
  }
  for (const auto& [name, load] : loads) EXPECT_LE(load, 400 / 4 * Balancer::kLoadFactor + 1) << name;
  EXPECT_EQ(loads.size(), 4u);
  for (Endpoint* endpoint : cluster.endpoints()) {
    while (endpoint->active > 0) cluster.attempt_ended(*endpoint, AttemptOutcome::success, picker.clock.now());
  }
  EXPECT_EQ(picker.pick(hot), home) << "and back, when the load is gone";
}

TEST(Balance, HashSharesTheBoundByWeightAndByWhatIsAvailable) {
  Cluster cluster(service(Balance::hash, {3, 1, 1}));
  Picker picker(cluster);
  const auto endpoints = cluster.endpoints();
  endpoints[2]->health = Health::unhealthy;
  for (int i = 0; i < 400; ++i) cluster.attempt_begun(*picker.pick(hash_key("hot")));
  EXPECT_EQ(endpoints[2]->active, 0u);
  EXPECT_LE(endpoints[0]->active, 400 * 0.75 * Balancer::kLoadFactor + 1);
  EXPECT_LE(endpoints[1]->active, 400 * 0.25 * Balancer::kLoadFactor + 1);
}

TEST(Balance, HashIsStickyAndMovesOnlyWhatItMust) {
  Cluster all(service(Balance::hash, {1, 1, 1, 1, 1}));
  ServiceConfig without = all.config();
  without.endpoints.erase(without.endpoints.begin() + 2);
  Cluster fewer(without);
  Picker picker(all), other(fewer);
  std::map<std::string, int> shares;
  for (int key = 0; key < 20'000; ++key) {
    const std::uint64_t hash = hash_key(std::to_string(key));
    const std::string before = picker.pick(hash)->name;
    ASSERT_EQ(picker.pick(hash)->name, before);
    ++shares[before];
    if (before == "192.0.2.3:9000") continue;
    ASSERT_EQ(other.pick(hash)->name, before);
  }
  for (const auto& [name, share] : shares) EXPECT_NEAR(share, 4000, 1000) << name;
  // One that is only away gives its keys to others, and gets them back.
  Endpoint* const away = all.endpoints()[2];
  std::set<std::string> heirs;
  for (int key = 0; key < 2000; ++key) {
    const std::uint64_t hash = hash_key(std::to_string(key));
    Endpoint* const home = picker.pick(hash);
    away->health = Health::unhealthy;
    Endpoint* const refuge = picker.pick(hash);
    away->health = Health::healthy;
    if (home == away) {
      heirs.insert(refuge->name);
    } else {
      ASSERT_EQ(refuge, home);
    }
    ASSERT_EQ(picker.pick(hash), home);
  }
  EXPECT_EQ(heirs.size(), 4u);
}

TEST(Balance, TriedEndpointsAreAvoidedWhileThereIsAnother) {
  for (const Balance balance : {Balance::round_robin, Balance::least_requests, Balance::random_two, Balance::hash}) {
    SCOPED_TRACE(static_cast<int>(balance));
    Cluster cluster(service(balance, {1, 1, 1}));
    Picker picker(cluster);
    const auto endpoints = cluster.endpoints();
    for (int i = 0; i < 200; ++i) {
      const Endpoint* const tried[] = {endpoints[0], endpoints[2]};
      ASSERT_EQ(picker.pick(picker.random(), tried), endpoints[1]);
    }
    endpoints[1]->health = Health::unhealthy;
    const Endpoint* const tried[] = {endpoints[0], endpoints[2]};
    Endpoint* const again = picker.pick(1, tried);
    ASSERT_NE(again, nullptr);
    ASSERT_NE(again, endpoints[1]);
  }
}

TEST(Cluster, NoneAvailableIsNone) {
  for (const Balance balance : {Balance::round_robin, Balance::least_requests, Balance::random_two, Balance::hash}) {
    Cluster cluster(service(balance, {1, 1}));
    Picker picker(cluster);
    for (Endpoint* e : cluster.endpoints()) e->health = Health::unhealthy;
    const Pick pick = cluster.pick({1, 2, {}, picker.clock.now()});
    EXPECT_EQ(pick.endpoint, nullptr);
    EXPECT_EQ(reason_code(pick.failure), "upstream.unhealthy");
  }
  ServiceConfig unresolved = service(Balance::round_robin, {});
  unresolved.endpoints.push_back(endpoint("orders.internal", 80));
  Cluster cluster(unresolved);
  EXPECT_EQ(reason_code(cluster.pick({}).failure), "upstream.no_endpoint");
}

TEST(Outliers, EjectedAfterConsecutiveErrorsAndBack) {
  Cluster cluster(service(Balance::round_robin, {1, 1, 1}));  // 5 errors, 30 s, at most half: one of three
  Picker picker(cluster);
  const auto endpoints = cluster.endpoints();
  picker.fail(*endpoints[0], 4);
  picker.succeed(*endpoints[0]);
  picker.fail(*endpoints[0], 4);
  EXPECT_FALSE(endpoints[0]->ejected(picker.clock.now())) << "a success in between begins anew";
  picker.fail(*endpoints[0]);
  EXPECT_TRUE(endpoints[0]->ejected(picker.clock.now()));
  EXPECT_EQ(picker.count(100).count("192.0.2.1:9000"), 0u);
  picker.fail(*endpoints[1], 10);
  EXPECT_FALSE(endpoints[1]->ejected(picker.clock.now())) << "half of three is one";
  picker.clock.advance(std::chrono::seconds(30));
  EXPECT_FALSE(endpoints[0]->ejected(picker.clock.now()));
  // The second time takes twice as long.
  picker.succeed(*endpoints[1]);
  picker.fail(*endpoints[0], 5);
  picker.clock.advance(std::chrono::seconds(59));
  EXPECT_TRUE(endpoints[0]->ejected(picker.clock.now()));
  picker.clock.advance(std::chrono::seconds(1));
  EXPECT_FALSE(endpoints[0]->ejected(picker.clock.now()));
  // Good conduct for an hour: the first time again.
  picker.clock.advance(std::chrono::hours(1));
  picker.fail(*endpoints[0], 5);
  picker.clock.advance(std::chrono::seconds(31));
  EXPECT_FALSE(endpoints[0]->ejected(picker.clock.now()));
}

TEST(Outliers, TheLastOneStays) {
  Cluster one(service(Balance::round_robin, {1}));
  Picker picker(one);
  picker.fail(*one.endpoints()[0], 100);
  EXPECT_FALSE(one.endpoints()[0]->ejected(picker.clock.now()));

  ServiceConfig config = service(Balance::round_robin, {1, 1, 1});
  config.outliers.max_ejected_percent = 100;
  Cluster three(config);
  Picker all(three);
  for (Endpoint* e : three.endpoints()) all.fail(*e, 100);
  EXPECT_NE(all.pick(), nullptr);
  // Nor when the others are unhealthy instead of ejected.
  Cluster two(service(Balance::round_robin, {1, 1}));
  Picker pair(two);
  two.endpoints()[0]->health = Health::unhealthy;
  pair.fail(*two.endpoints()[1], 100);
  EXPECT_NE(pair.pick(), nullptr);
}

TEST(Outliers, UnknownOutcomesSayNothing) {
  Cluster cluster(service(Balance::round_robin, {1, 1}));
  Picker picker(cluster);
  Endpoint& e = *cluster.endpoints()[0];
  for (int i = 0; i < 100; ++i) {
    cluster.attempt_begun(e);
    cluster.attempt_ended(e, AttemptOutcome::unknown, picker.clock.now());
  }
  EXPECT_FALSE(e.ejected(picker.clock.now()));
  EXPECT_EQ(e.active, 0u);
  EXPECT_EQ(e.requests, 100u);
  EXPECT_EQ(e.errors, 0u);
}

TEST(Cluster, CircuitAdmitsAsManyAsConfigured) {
  ServiceConfig config = service(Balance::round_robin, {1});
  config.circuit.requests = 2;
  Cluster cluster(config);
  const FakeClock clock;
  Admission first = cluster.admit_request(clock.now());
  Admission second = cluster.admit_request(clock.now());
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(cluster.admit_request(clock.now()));
  Admission moved = std::move(second);
  EXPECT_FALSE(second);  // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(cluster.admit_request(clock.now()));
  moved.release();
  moved.release();
  EXPECT_EQ(cluster.requests().used(), 1u);
  EXPECT_EQ(cluster.requests().refused(), 2u);
  first = cluster.admit_request(clock.now());  // takes the second place, then gives the first back
  EXPECT_TRUE(first);
  EXPECT_EQ(cluster.requests().used(), 1u);
}

std::vector<ResolvedAddress> addresses(std::initializer_list<int> last_bytes) {
  std::vector<ResolvedAddress> list;
  for (int byte : last_bytes)
    list.push_back({net::SocketAddress::tcp(IpAddress::v4(0xc6336400u + static_cast<unsigned>(byte)), 80)});
  return list;
}

TEST(Cluster, FollowsItsNames) {
  ServiceConfig config = service(Balance::round_robin, {1});
  config.endpoints.push_back(endpoint("orders.internal", 80));
  Cluster cluster(config);
  EXPECT_EQ(cluster.endpoints().size(), 1u);
  EXPECT_TRUE(cluster.update(1, addresses({1, 2})));
  EXPECT_FALSE(cluster.update(1, addresses({2, 1, 2}))) << "order and repetition mean nothing";
  const auto before = cluster.endpoints();
  ASSERT_EQ(before.size(), 3u);
  EXPECT_EQ(before[1]->name, "198.51.100.1:80");
  before[1]->connections = 1;
  EXPECT_TRUE(cluster.update(1, addresses({2, 3})));
  EXPECT_EQ(cluster.endpoints()[1], before[2]) << "what stays keeps what is known of it";
  auto status = cluster.status({});
  ASSERT_EQ(status.size(), 4u);
  EXPECT_FALSE(status[1].in_service);
  before[1]->connections = 0;
  EXPECT_EQ(cluster.status({}).size(), 3u);
  EXPECT_TRUE(cluster.update(1, addresses({1})));
  EXPECT_EQ(cluster.endpoints()[1], before[1]) << "and what comes back is what it was";
  EXPECT_TRUE(cluster.update(1, {}));
  EXPECT_EQ(cluster.endpoints().size(), 1u);
}

// Two of the best rank, one of the next, one of the last.
std::vector<ResolvedAddress> ranked() {
  std::vector<ResolvedAddress> list = addresses({1, 2, 3, 4});
  list[2].rank = 1, list[3].rank = 2;
  list[0].weight = 3;
  return list;
}

TEST(Cluster, ALaterRankServesOnlyWhileNoneBeforeItIsAvailable) {
  for (const Balance balance : {Balance::round_robin, Balance::least_requests, Balance::random_two, Balance::hash}) {
    SCOPED_TRACE(static_cast<int>(balance));
    ServiceConfig config = service(balance, {});
    config.endpoints.push_back(endpoint("orders.internal", 80));
    Cluster cluster(config);
    cluster.update(0, ranked());
    Picker picker(cluster);
    const auto list = cluster.endpoints();
    ASSERT_EQ(list.size(), 4u);
    auto counts = picker.count(1000);
    const auto of_later = [&] { return counts.count("198.51.100.3:80") + counts.count("198.51.100.4:80"); };
    EXPECT_EQ(of_later(), 0u) << "the best rank alone";
    if (balance == Balance::round_robin) {
      EXPECT_EQ(counts.at("198.51.100.1:80"), 750);
    }
    list[0]->health = Health::unhealthy;
    EXPECT_EQ(picker.count(100), (std::map<std::string, int>{{"198.51.100.2:80", 100}}));
    list[1]->health = Health::unhealthy;
    EXPECT_EQ(picker.count(100), (std::map<std::string, int>{{"198.51.100.3:80", 100}}));
    list[2]->health = Health::unhealthy;
    EXPECT_EQ(picker.count(100), (std::map<std::string, int>{{"198.51.100.4:80", 100}}));
    list[3]->health = Health::unhealthy;
    EXPECT_EQ(picker.pick(), nullptr);
    for (Endpoint* one : list) one->health = Health::healthy;
    counts = picker.count(100);
    EXPECT_EQ(of_later(), 0u) << "and back";
  }
}

TEST(Cluster, ARetryGoesToTheNextRankBeforeItRepeats) {
  ServiceConfig config = service(Balance::least_requests, {});
  config.endpoints.push_back(endpoint("orders.internal", 80));
  Cluster cluster(config);
  auto list = addresses({1, 2});
  list[1].rank = 1;
  cluster.update(0, list);
  Picker picker(cluster);
  const auto endpoints = cluster.endpoints();
  const Endpoint* tried[] = {endpoints[0]};
  EXPECT_EQ(picker.pick(0, tried), endpoints[1]) << "the other family of a name, when one leads nowhere";
  const Endpoint* both[] = {endpoints[0], endpoints[1]};
  EXPECT_EQ(picker.pick(0, both), endpoints[0]);
}

TEST(Cluster, KnowsABoundedNumberOfAddresses) {
  ServiceConfig config = service(Balance::round_robin, {});
  config.endpoints.push_back(endpoint("orders.internal", 80));
  Cluster cluster(config);
  for (std::uint32_t i = 0; i < Cluster::kEndpointsMax + 10; ++i) {
    const ResolvedAddress address{net::SocketAddress::tcp(IpAddress::v4(i + 1), 80)};
    cluster.update(0, {&address, 1});
  }
  EXPECT_EQ(cluster.endpoints_dropped(), 10u);
  EXPECT_EQ(cluster.pick({}).endpoint, nullptr);
}

TEST(Cluster, SurvivesAReloadWhenItsConfigurationIsTheSame) {
  Config config;
  config.services = {service(Balance::round_robin, {1}), service(Balance::hash, {1, 1})};
  config.services[1].name = "payments";
  const auto first = build_clusters(config, {});
  std::swap(config.services[0], config.services[1]);
  config.services[1].timeouts.response = std::chrono::seconds(1);
  const auto second = build_clusters(config, first);
  EXPECT_EQ(second[0], first[1]);
  EXPECT_NE(second[1], first[0]);
  EXPECT_EQ(second[1]->config().timeouts.response, std::chrono::seconds(1));
}

TEST(HashOnRequest, NamesThePart) {
  Arena arena;
  telemetry::DecisionRecord record;
  Request request(arena, record);
  request.client_ip = *IpAddress::parse("192.0.2.9");
  request.principal.user = "ann";
  http::Fields fields;
  fields.add("x-user", "bob");
  fields.add("cookie", "theme=dark; sid=1; sid2=2");
  const auto hash = [&](HashOn::Kind kind, std::string name) {
    return hash_of_request({kind, std::move(name)}, request, fields);
  };
  const std::uint64_t ip = hash(HashOn::Kind::client_ip, "");
  EXPECT_EQ(hash(HashOn::Kind::header, "x-user"), hash_key("bob"));
  EXPECT_EQ(hash(HashOn::Kind::user, ""), hash_key("ann"));
  EXPECT_EQ(hash(HashOn::Kind::cookie, "sid"), hash_key("1"));
  EXPECT_EQ(hash(HashOn::Kind::cookie, "id"), ip);
  EXPECT_EQ(hash(HashOn::Kind::header, "x-none"), ip);
}

// Shards pick and count while names change under them: run under the thread sanitizer.
TEST(Cluster, ShardsPickWhileNamesChange) {
  for (const Balance balance : {Balance::round_robin, Balance::least_requests, Balance::random_two, Balance::hash}) {
    ServiceConfig config = service(balance, {1, 1});
    config.endpoints.push_back(endpoint("orders.internal", 80));
    Cluster cluster(config);
    std::vector<std::thread> shards;
    for (unsigned seed = 0; seed < 3; ++seed) {
      shards.emplace_back([&, seed] {
        std::mt19937_64 random(seed);
        FakeClock clock;
        for (int i = 0; i < 3000; ++i) {
          const Admission admission = cluster.admit_request(clock.now());
          const Pick pick = cluster.pick({random(), random(), {}, clock.now()});
          if (pick.endpoint == nullptr) continue;
          cluster.attempt_begun(*pick.endpoint);
          clock.advance(std::chrono::milliseconds(1));
          cluster.attempt_ended(*pick.endpoint, random() % 4 == 0 ? AttemptOutcome::error : AttemptOutcome::success,
                                clock.now());
        }
      });
    }
    for (int i = 0; i < 100; ++i) {
      cluster.update(2, i % 2 == 0 ? addresses({1, 2, 3}) : addresses({3, 4}));
      cluster.status({});
    }
    for (std::thread& shard : shards) shard.join();
    for (const EndpointStatus& status : cluster.status({})) EXPECT_EQ(status.active, 0u);
    EXPECT_EQ(cluster.requests().used(), 0u);
  }
}

}  // namespace
}  // namespace gatehouse::gateway
