#include "gateway/upstream/discovery.h"

#include <gtest/gtest.h>

#include <map>

namespace gatehouse::gateway {
namespace {

using std::chrono::seconds;

// A resolver that answers when the test says so.
class FakeResolver final : public net::Resolver {
 public:
  struct Question {
    std::string name;
    bool service;
    Callback callback;
  };
  Ticket resolve(const std::string& name, Callback callback) override {
    questions[++last] = {name, false, std::move(callback)};
    return last;
  }
  Ticket resolve_service(const std::string& name, Callback callback) override {
    questions[++last] = {name, true, std::move(callback)};
    return last;
  }
  void cancel(Ticket ticket) override { questions.erase(ticket); }

  void answer(const Result<net::DnsAnswer>& answer) {
    ASSERT_EQ(questions.size(), 1u);
    const Question question = questions.extract(questions.begin()).mapped();
    question.callback(answer);
  }
  std::map<Ticket, Question> questions;
  Ticket last = 0;
};

net::DnsAnswer addresses(std::initializer_list<const char*> ips, Duration ttl, bool stale = false) {
  net::DnsAnswer answer{{}, ttl, stale};
  for (const char* ip : ips) answer.records.push_back({*IpAddress::parse(ip), 7000, 2});
  return answer;
}

class DiscoveryTest : public testing::Test {
 protected:
  std::shared_ptr<Cluster> cluster(const char* host, bool srv = false) {
    ServiceConfig config;
    config.name = host;
    config.balance = Balance::round_robin;
    EndpointConfig literal, named;
    literal.address = {"192.0.2.100", 80, ""};
    named.address = {host, 80, ""};
    named.resolve_srv = srv;
    config.endpoints = {literal, named};
    return std::make_shared<Cluster>(config);
  }
  std::string endpoints(const Cluster& cluster) {
    std::string text;
    for (const EndpointStatus& status : cluster.status({})) {
      if (status.in_service) text += fmt::format("{}*{} ", status.name, status.weight);
    }
    return text;
  }
  void advance(Duration by) {
    clock_.advance(by);
    loop_->run_once({});
  }

  FakeClock clock_;
  std::unique_ptr<net::Loop> loop_ = *net::Loop::create(clock_);
  FakeResolver resolver_;
  std::vector<std::string> told_;
  Discovery discovery_{*loop_, resolver_, [this](const Cluster&, const EndpointConfig&, const Error* error) {
                         told_.push_back(error != nullptr ? error->message : "good again");
                       }};
};

TEST_F(DiscoveryTest, AsksAgainWhenTheAnswerRunsOut) {
  const auto orders = cluster("orders.internal");
  discovery_.watch({orders});
  EXPECT_FALSE(discovery_.settled());
  resolver_.answer(addresses({"198.51.100.1"}, seconds(30)));
  EXPECT_TRUE(discovery_.settled());
  EXPECT_EQ(endpoints(*orders), "192.0.2.100:80*1 198.51.100.1:80*2 ");
  advance(seconds(29));
  EXPECT_TRUE(resolver_.questions.empty());
  advance(seconds(2));
  resolver_.answer(addresses({"198.51.100.2", "198.51.100.3"}, seconds(30)));
  EXPECT_EQ(endpoints(*orders), "192.0.2.100:80*1 198.51.100.2:80*2 198.51.100.3:80*2 ");
  EXPECT_TRUE(told_.empty());
}

TEST_F(DiscoveryTest, ServicesBringTheirPorts) {
  const auto orders = cluster("_http._tcp.orders.internal", true);
  discovery_.watch({orders});
  ASSERT_EQ(resolver_.questions.size(), 1u);
  EXPECT_TRUE(resolver_.questions.begin()->second.service);
  resolver_.answer(addresses({"198.51.100.1"}, seconds(30)));
  EXPECT_EQ(endpoints(*orders), "192.0.2.100:80*1 198.51.100.1:7000*2 ");
}

TEST_F(DiscoveryTest, FailuresKeepWhatIsKnown) {
  const auto orders = cluster("orders.internal");
  discovery_.watch({orders});
  resolver_.answer(addresses({"198.51.100.1"}, seconds(30)));
  advance(seconds(31));
  resolver_.answer(addresses({"198.51.100.1"}, seconds(5), true));
  advance(seconds(6));
  resolver_.answer(fail(ErrorCode::unavailable, "no server"));
  EXPECT_EQ(endpoints(*orders), "192.0.2.100:80*1 198.51.100.1:80*2 ");
  advance(seconds(6));
  resolver_.answer(fail(ErrorCode::not_found, "no such name"));
  EXPECT_EQ(endpoints(*orders), "192.0.2.100:80*1 ");
  advance(seconds(6));
  resolver_.answer(addresses({"198.51.100.9"}, seconds(30)));
  EXPECT_EQ(endpoints(*orders), "192.0.2.100:80*1 198.51.100.9:80*2 ");
  EXPECT_EQ(told_, (std::vector<std::string>{"asking anew failed; the last answer is kept", "good again"}));
}

TEST_F(DiscoveryTest, ReloadsKeepAndDropNames) {
  const auto orders = cluster("orders.internal"), payments = cluster("payments.internal");
  discovery_.watch({orders});
  resolver_.answer(addresses({"198.51.100.1"}, seconds(30)));
  discovery_.watch({payments, orders});
  ASSERT_EQ(resolver_.questions.size(), 1u) << "orders is known";
  EXPECT_EQ(resolver_.questions.begin()->second.name, "payments.internal");
  discovery_.watch({orders});
  EXPECT_TRUE(resolver_.questions.empty()) << "nobody waits for payments any more";
  advance(seconds(31));
  EXPECT_EQ(resolver_.questions.size(), 1u);
}

}  // namespace
}  // namespace gatehouse::gateway
