#include "app/delivery/outbound_delivery.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>

#include <thread>

#include "app/script_server_testing.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "net/socket.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class SmtpServer : public ScriptServer {
 public:
  explicit SmtpServer(const std::string& mode, const std::string& pem = {})
      : ScriptServer("smtp_server.py", pem.empty() ? std::vector{mode} : std::vector{mode, pem}) {}
  codec::Json message() { return codec::Json::parse(line()).value_or(codec::Json()); }
};

MailServer server_at(const std::string& address, MailServer::Tls tls) {
  MailServer server;
  server.server = address;
  server.from = "login@shop.example";
  server.tls = tls;
  return server;
}

const identity::Mail kMail{"jo@example.org", "Prüfung: 123456", "Grüße,\n.\nEnde.\n"};

TEST(OutboundMail, ArrivesAsItWasWritten) {
  SmtpServer smtp("off");
  FakeClock clock;
  auto delivery = OutboundDelivery::create(server_at(smtp.address(), MailServer::Tls::off), std::nullopt, clock,
                                           RetryQueue::Thread::none);
  ASSERT_TRUE(delivery) << delivery.error().message;
  ASSERT_TRUE((*delivery)->send(kMail));
  (*delivery)->run_due();
  EXPECT_EQ((*delivery)->waiting(), 0u);
  const codec::Json message = smtp.message();
  const std::string data(message.find_string("data").value_or(""));
  EXPECT_THAT(data, HasSubstr("From: <login@shop.example>\r\nTo: <jo@example.org>\r\nSubject: =?UTF-8?B?"));
  EXPECT_THAT(data, HasSubstr("Auto-Submitted: auto-generated\r\n"));
  EXPECT_THAT(data, HasSubstr("\r\n\r\n" + codec::base64_encode("Grüße,\r\n.\r\nEnde.\r\n")));
}

TEST(OutboundMail, HeadersCannotBeSmuggledIn) {
  FakeClock clock;
  auto delivery = OutboundDelivery::create(server_at("127.0.0.1:1", MailServer::Tls::off), std::nullopt, clock,
                                           RetryQueue::Thread::none);
  ASSERT_TRUE(delivery);
  for (const identity::Mail& mail :
       {identity::Mail{"a@b.example\r\nBcc: c@d.example", "s", "t"},
        identity::Mail{"a@b.example> <c@d.example", "s", "t"},
        identity::Mail{"a@b.example", "s\r\nBcc: c@d.example", "t"}, identity::Mail{"a@b.example", "s\ns", "t"},
        identity::Mail{"a@b.example", "s", std::string("t\0t", 3)}, identity::Mail{"", "s", "t"},
        identity::Mail{"a@b.example", "s", std::string(100'000, 'x')}}) {
    EXPECT_EQ((*delivery)->send(mail).error().code, ErrorCode::invalid) << mail.to << mail.subject;
  }
  EXPECT_EQ((*delivery)->waiting(), 0u);
  EXPECT_FALSE((*delivery)->send(identity::ShortMessage{"+49301234567", "x"})) << "not configured";
  // A long subject is folded, and no line is longer than 78.
  const std::string wire = to_wire({"a@b.example", std::string(200, 'x') + "ü", std::string(5000, 'y')},
                                   "login@shop.example", "id", clock.wall());
  for (std::size_t at = 0, end; (end = wire.find("\r\n", at)) != std::string::npos; at = end + 2) {
    EXPECT_LE(end - at, 90u) << wire.substr(at, end - at);
  }
}

TEST(OutboundMail, TlsIsVerifiedAndNeverGivenUp) {
  const TempDir folder;
  const std::string pem = certificate(folder, "localhost"), other = certificate(folder, "elsewhere.example");
  struct Case {
    const char* name;
    const char* mode;
    std::string served, trusted;
    MailServer::Tls tls;
    bool arrives;
  };
  const Case cases[] = {
      {"STARTTLS", "starttls", pem, pem, MailServer::Tls::starttls, true},
      {"TLS from the start", "tls", pem, pem, MailServer::Tls::tls, true},
      {"an issuer that nobody trusts", "starttls", pem, "", MailServer::Tls::starttls, false},
      {"another name", "tls", other, other, MailServer::Tls::tls, false},
      {"no STARTTLS on offer", "off", "", "", MailServer::Tls::starttls, false},
  };
  for (const Case& c : cases) {
    SmtpServer smtp(c.mode, c.served);
    MailServer server = server_at(smtp.address("localhost"), c.tls);
    server.ca_file = c.trusted.empty() ? "" : c.trusted + ".crt";
    server.username = "user";
    server.password = SecretBytes(std::string_view("secret"));
    const Status sent = deliver(server, kMail, to_wire(kMail, server.from, "id", WallTime{}));
    EXPECT_EQ(sent.has_value(), c.arrives) << c.name << ": " << (sent ? "" : sent.error().message);
    if (!sent) continue;
    EXPECT_EQ(smtp.message().find("tls")->boolean(), true) << c.name;
  }
  EXPECT_FALSE(OutboundDelivery::create(server_at("mail.example:25", MailServer::Tls::off), std::nullopt));
}

TEST(OutboundMail, IsTriedAgainWhenItMayHelp) {
  SmtpServer smtp("off");
  FakeClock clock;
  auto delivery = OutboundDelivery::create(server_at(smtp.address(), MailServer::Tls::off), std::nullopt, clock,
                                           RetryQueue::Thread::none);
  ASSERT_TRUE(delivery);
  ASSERT_TRUE((*delivery)->send({"refused@example.org", "s", "t"}));
  (*delivery)->run_due();
  EXPECT_EQ((*delivery)->waiting(), 0u) << "550 is for good";
  ASSERT_TRUE((*delivery)->send({"later@example.org", "s", "t"}));
  for (const auto pause : {0s, 1s, 5s, 30s, 120s}) {
    clock.advance(pause);
    (*delivery)->run_due();
    EXPECT_EQ((*delivery)->waiting(), 1u);
  }
  clock.advance(600s);
  (*delivery)->run_due();
  EXPECT_EQ((*delivery)->waiting(), 0u) << "given up";
}

TEST(OutboundMail, TheQueueIsBounded) {
  FakeClock clock;
  auto delivery = OutboundDelivery::create(server_at("127.0.0.1:1", MailServer::Tls::off), std::nullopt, clock,
                                           RetryQueue::Thread::none);
  for (std::size_t i = 0; i < OutboundDelivery::kWaitingMax; ++i) ASSERT_TRUE((*delivery)->send(kMail));
  EXPECT_EQ((*delivery)->send(kMail).error().code, ErrorCode::exhausted);
}

// One request over a real socket.
std::string post_to(const std::string& answer, Status& posted) {
  auto listener = net::listen_tcp(net::SocketAddress::tcp(IpAddress::v4(0x7f000001), 0));
  EXPECT_TRUE(listener);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&bound), &size);
  std::string request;
  std::thread server([&] {
    pollfd waiting{listener->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 10'000), 1);
    const net::Fd fd(::accept(listener->get(), nullptr, nullptr));
    char buffer[4096];
    while (request.find("}") == std::string::npos) {
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (got <= 0) break;
      request.append(buffer, static_cast<std::size_t>(got));
    }
    EXPECT_EQ(::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
  });
  const SmsWebhook webhook{"http://127.0.0.1:" + std::to_string(ntohs(bound.sin_port)) + "/sms",
                           SecretBytes(std::string_view("0123456789abcdef")), ""};
  posted = deliver(webhook, R"({"id":"1","to":"+49301234567","text":"x"})", 1'750'000'000);
  server.join();
  return request;
}

TEST(OutboundSms, IsASignedPost) {
  Status posted;
  const std::string request = post_to("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", posted);
  EXPECT_TRUE(posted);
  EXPECT_TRUE(request.starts_with("POST /sms HTTP/1.1\r\n")) << request;
  const std::string body = request.substr(request.find("\r\n\r\n") + 4);
  const std::string mac =
      crypto::to_hex(crypto::as_text(crypto::hmac_sha256("0123456789abcdef", "1750000000." + body)));
  EXPECT_THAT(request, HasSubstr("Gatehouse-Signature: t=1750000000,v1=" + mac + "\r\n"));
  for (const auto& [status, again] : {std::pair{"400 Bad Request", false},
                                      {"302 Found\r\nLocation: http://127.0.0.1:1/", false},
                                      {"503 Busy", true},
                                      {"429 Slow", true}}) {
    post_to(std::string("HTTP/1.1 ") + status + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", posted);
    ASSERT_FALSE(posted);
    EXPECT_EQ(posted.error().retry == Retry::safe, again) << status;
  }
}

TEST(OutboundSms, GoesToHttpsWithASecret) {
  const auto accepted = [](const char* url, std::string_view secret) {
    return OutboundDelivery::create(std::nullopt, SmsWebhook{url, SecretBytes(secret), ""}).has_value();
  };
  EXPECT_TRUE(accepted("https://sms.example/x", "0123456789abcdef"));
  EXPECT_FALSE(accepted("http://sms.example/x", "0123456789abcdef"));
  EXPECT_FALSE(accepted("ftp://sms.example/x", "0123456789abcdef"));
  EXPECT_FALSE(accepted("https://sms.example/x", "short"));
}

}  // namespace
}  // namespace gatehouse::app
