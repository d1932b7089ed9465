// The resolver against a small DNS server on loopback, on the same loop and with a fake clock for what is cached.
#include "net/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>

#include "net/socket.h"

namespace gatehouse::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string u16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

std::string encoded_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  return out + '\0';
}

class FakeDnsServer final : IoHandler {
 public:
  explicit FakeDnsServer(Loop& loop)
      : loop_(loop), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    SocketAddress address = SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address.storage), address.length), 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.length);
    port_ = address.port();
    token_ = *loop_.add(fd_.get(), EPOLLIN, *this);
  }
  ~FakeDnsServer() { loop_.remove(token_, fd_.get()); }

  std::string servers() const { return fmt::format("127.0.0.1:{}", port_); }
  void a(const std::string& name, const std::string& ip, unsigned ttl) {
    in_addr address;
    inet_pton(AF_INET, ip.c_str(), &address);
    add(name, ns_t_a, ttl, {reinterpret_cast<char*>(&address), 4});
  }
  void aaaa(const std::string& name, const std::string& ip, unsigned ttl) {
    in6_addr address;
    inet_pton(AF_INET6, ip.c_str(), &address);
    add(name, ns_t_aaaa, ttl, {reinterpret_cast<char*>(&address), 16});
  }
  void srv(const std::string& name, unsigned priority, unsigned weight, unsigned port, const std::string& target,
           unsigned ttl) {
    add(name, ns_t_srv, ttl, u16(priority) + u16(weight) + u16(port) + encoded_name(target));
  }
  void clear() { records_.clear(); }
  void fail_all(bool fail) { failing_ = fail; }
  int questions() const { return questions_; }

 private:
  void add(const std::string& name, int type, unsigned ttl, const std::string& data) {
    records_[{name, type}].push_back(u16(static_cast<unsigned>(type)) + u16(1) + u16(ttl >> 16) + u16(ttl & 0xffff) +
                                     u16(static_cast<unsigned>(data.size())) + data);
  }

  void on_io(std::uint32_t) override {
    char buffer[1024];
    sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t size;
    while ((size = ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length)) > 12) {
      ++questions_;
      std::string name;
      std::size_t at = 12;
      while (buffer[at] != 0) {
        if (!name.empty()) name += '.';
        name.append(buffer + at + 1, static_cast<std::size_t>(buffer[at]));
        at += 1 + static_cast<std::size_t>(buffer[at]);
      }
      const int type = buffer[at + 1] << 8 | buffer[at + 2];
      const std::string question(buffer + 12, at + 5 - 12);
      const auto found = records_.find({name, type});
      bool exists = false;
      for (const auto& [key, list] : records_) exists |= key.first == name;
      const std::size_t count = failing_ || found == records_.end() ? 0 : found->second.size();
      const unsigned code = failing_ ? 2 : exists ? 0 : 3;  // SERVFAIL, NXDOMAIN
      std::string answer(buffer, 2);
      answer += u16(0x8180 | code) + u16(1) + u16(static_cast<unsigned>(count)) + u16(0) + u16(0) + question;
      for (std::size_t i = 0; i < count; ++i) answer += u16(0xc00c) + found->second[i];
      ::sendto(fd_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }

  Loop& loop_;
  Fd fd_;
  IoToken token_;
  std::uint16_t port_ = 0;
  std::map<std::pair<std::string, int>, std::vector<std::string>> records_;
  bool failing_ = false;
  int questions_ = 0;
};

class ResolverTest : public testing::Test {
 protected:
  void SetUp() override {
    loop_ = *Loop::create(clock_);
    server_ = std::make_unique<FakeDnsServer>(*loop_);
    ResolverOptions options;
    options.servers = server_->servers();
    options.tries = 1;
    options.has_route = [this](const IpAddress& ip) { return ip.is_v4() ? route_v4_ : route_v6_; };
    resolver_ = *Resolver::create(*loop_, options);
    loop_->run_once({});
  }

  // What `start` is told, as text: "192.0.2.1 192.0.2.2:80*3~1 ttl 60 stale" (~: the rank), or the error.
  template <class Start>
  std::string wait(Start start) {
    std::optional<std::string> said;
    start([&](const Result<DnsAnswer>& answer) {
      std::string text;
      if (!answer) {
        text = answer.error().code == ErrorCode::not_found ? "not found" : "failed";
      } else {
        for (const DnsRecord& record : answer->records) {
          text += record.ip.to_string();
          if (record.port != 0) text += fmt::format(":{}*{}", record.port, record.weight);
          if (record.rank != 0) text += fmt::format("~{}", record.rank);
          text += " ";
        }
        text += fmt::format("ttl {}", std::chrono::duration_cast<seconds>(answer->ttl).count());
        if (answer->stale) text += " stale";
      }
      said = text;
    });
    EXPECT_FALSE(said) << "never from inside the call";
    for (int i = 0; i < 500 && !said; ++i) loop_->run_once(milliseconds(10));
    return said.value_or("nothing");
  }
  std::string resolve(const std::string& name) {
    return wait([&](auto callback) { resolver_->resolve(name, callback); });
  }
  std::string resolve_service(const std::string& name) {
    return wait([&](auto callback) { resolver_->resolve_service(name, callback); });
  }
  void advance(Duration by) {
    clock_.advance(by);
    loop_->run_once({});
  }

  FakeClock clock_;
  bool route_v4_ = true, route_v6_ = true;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<FakeDnsServer> server_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverTest, AddressesStandForThemselves) {
  EXPECT_EQ(resolve("192.0.2.7"), "192.0.2.7 ttl 31536000");
  EXPECT_EQ(resolve("2001:db8::7"), "2001:db8::7 ttl 31536000");
  EXPECT_EQ(server_->questions(), 0);
}

TEST_F(ResolverTest, NamesHaveAddresses) {
  server_->a("two.example", "192.0.2.2", 60);
  server_->a("two.example", "192.0.2.1", 30);
  server_->aaaa("six.example", "2001:db8::1", 60);
  server_->a("both.example", "192.0.2.3", 60);
  server_->aaaa("both.example", "2001:db8::3", 60);
  EXPECT_EQ(resolve("two.example"), "192.0.2.1 192.0.2.2 ttl 30");
  EXPECT_EQ(resolve("six.example"), "2001:db8::1 ttl 60");
  EXPECT_EQ(resolve("both.example"), "192.0.2.3 2001:db8::3~1 ttl 60") << "one family is there for the other";
  EXPECT_EQ(resolve("none.example"), "not found");
}

TEST_F(ResolverTest, AFamilyWithoutARouteIsLeftOut) {
  for (const char* name : {"a.example", "b.example", "c.example"}) {
    server_->a(name, "192.0.2.3", 60);
    server_->aaaa(name, "2001:db8::3", 60);
  }
  server_->aaaa("six.example", "2001:db8::1", 60);
  route_v6_ = false;
  EXPECT_EQ(resolve("a.example"), "192.0.2.3 ttl 60");
  EXPECT_EQ(resolve("six.example"), "2001:db8::1 ttl 60") << "but for the only one there is";
  route_v4_ = false;
  EXPECT_EQ(resolve("b.example"), "192.0.2.3 2001:db8::3~1 ttl 60");
  route_v6_ = true;
  EXPECT_EQ(resolve("c.example"), "2001:db8::3 ttl 60");
}

TEST_F(ResolverTest, TimesToLiveAreBounded) {
  server_->a("never.example", "192.0.2.1", 0);
  server_->a("ever.example", "192.0.2.1", 1'000'000);
  EXPECT_EQ(resolve("never.example"), "192.0.2.1 ttl 5");
  EXPECT_EQ(resolve("ever.example"), "192.0.2.1 ttl 3600");
}

TEST_F(ResolverTest, AnswersAreCachedForTheirTime) {
  server_->a("a.example", "192.0.2.1", 60);
  resolve("a.example");
  const int asked = server_->questions();
  advance(seconds(59));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 1");
  EXPECT_EQ(server_->questions(), asked);
  server_->clear();
  server_->a("a.example", "192.0.2.9", 60);
  advance(seconds(1));
  EXPECT_EQ(resolve("a.example"), "192.0.2.9 ttl 60");
}

TEST_F(ResolverTest, AbsenceIsCachedToo) {
  EXPECT_EQ(resolve("a.example"), "not found");
  const int asked = server_->questions();
  EXPECT_EQ(resolve("a.example"), "not found");
  EXPECT_EQ(server_->questions(), asked);
  server_->a("a.example", "192.0.2.1", 60);
  advance(seconds(5));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 60");
}

TEST_F(ResolverTest, TheLastGoodAnswerOutlivesBrokenServers) {
  server_->a("a.example", "192.0.2.1", 60);
  resolve("a.example");
  server_->fail_all(true);
  advance(seconds(60));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 5 stale");
  advance(std::chrono::hours(10));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 5 stale");
  EXPECT_EQ(resolve("b.example"), "failed");
  server_->fail_all(false);
  advance(seconds(5));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 60");
}

TEST_F(ResolverTest, ANameThatIsGoneIsKeptForAWhileOnly) {
  server_->a("a.example", "192.0.2.1", 60);
  resolve("a.example");
  server_->clear();
  advance(seconds(60));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 5 stale");
  advance(seconds(29));
  EXPECT_EQ(resolve("a.example"), "192.0.2.1 ttl 5 stale");
  advance(seconds(5));
  EXPECT_EQ(resolve("a.example"), "not found");
}

TEST_F(ResolverTest, ServicesHaveAddressesAndPorts) {
  server_->srv("_http._tcp.orders.example", 10, 3, 9001, "one.example", 20);
  server_->srv("_http._tcp.orders.example", 10, 0, 9002, "two.example", 25);
  server_->srv("_http._tcp.orders.example", 10, 1, 9004, "gone.example", 25);
  server_->srv("_http._tcp.orders.example", 20, 1, 9003, "backup.example", 25);
  server_->a("one.example", "192.0.2.1", 60);
  server_->a("two.example", "192.0.2.2", 60);
  server_->a("two.example", "192.0.2.3", 60);
  server_->a("backup.example", "192.0.2.9", 60);
  EXPECT_EQ(resolve_service("_http._tcp.orders.example"),
            "192.0.2.1:9001*3 192.0.2.2:9002*1 192.0.2.3:9002*1 192.0.2.9:9003*1~1 ttl 20");
  EXPECT_EQ(resolve_service("_http._tcp.none.example"), "not found");
  server_->srv("_off._tcp.example", 0, 0, 0, "", 60);
  EXPECT_EQ(resolve_service("_off._tcp.example"), "not found");
  server_->srv("_lost._tcp.example", 0, 0, 80, "lost.example", 60);
  EXPECT_EQ(resolve_service("_lost._tcp.example"), "not found");
}

TEST_F(ResolverTest, OneQuestionServesAllWhoWait) {
  server_->a("a.example", "192.0.2.1", 60);
  int answers = 0;
  for (int i = 0; i < 10; ++i) {
    resolver_->resolve("a.example", [&](const Result<DnsAnswer>& answer) { answers += answer.has_value() ? 1 : 0; });
  }
  const auto cancelled = resolver_->resolve("a.example", [&](const Result<DnsAnswer>&) { answers += 1000; });
  resolver_->cancel(cancelled);
  resolver_->cancel(cancelled + 1000);
  for (int i = 0; i < 500 && answers < 10; ++i) loop_->run_once(milliseconds(10));
  EXPECT_EQ(answers, 10);
  EXPECT_EQ(server_->questions(), 2);  // A and AAAA
}

TEST_F(ResolverTest, CallbacksMayAskAgain) {
  server_->a("a.example", "192.0.2.1", 60);
  std::string second;
  resolver_->resolve("a.example", [&](const Result<DnsAnswer>&) {
    resolver_->resolve("a.example",
                       [&](const Result<DnsAnswer>& answer) { second = answer->records[0].ip.to_string(); });
  });
  for (int i = 0; i < 500 && second.empty(); ++i) loop_->run_once(milliseconds(10));
  EXPECT_EQ(second, "192.0.2.1");
}

TEST_F(ResolverTest, DestroyedWithQuestionsOpen) {
  resolver_->resolve("a.example", [](const Result<DnsAnswer>&) { FAIL(); });
  resolver_.reset();
  loop_->run_once({});
}

}  // namespace
}  // namespace gatehouse::net
