#include "store/redis_connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>

#include "net/socket.h"
#include "store/redis_testing.h"

namespace gatehouse::store {
namespace {

using namespace std::chrono_literals;

#define NEED_REDIS(server) \
  if (!(server)) GTEST_SKIP() << "redis-server is not installed"

TEST(RedisConnection, AnswersComeInTheOrderOfCommands) {
  const auto server = RedisServer::start();
  NEED_REDIS(server);
  RedisTalk talk(server->location());
  ASSERT_TRUE(talk.until_open());
  std::vector<std::int64_t> seen;
  for (int i = 0; i < 10'000; ++i)
    talk.connection->send({"INCR", "n"}, [&](RedisValue&& value) { seen.push_back(value.integer); });
  ASSERT_TRUE(talk.until([&] { return seen.size() == 10'000; }));
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], static_cast<std::int64_t>(i + 1));
  EXPECT_EQ(talk.ask({"GET", "none"}).kind, RedisValue::Kind::nil);
  EXPECT_TRUE(talk.ask({"NOSUCH"}).is_error());
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(talk.ask({"SET", "large", large}).text, "OK");
  EXPECT_EQ(talk.ask({"GET", "large"}).text, large);
  EXPECT_EQ(talk.opened, 1);
  EXPECT_TRUE(talk.failures.empty());
}

TEST(RedisConnection, PasswordUserAndDatabase) {
  const auto server = RedisServer::start({"--requirepass", "right"});
  NEED_REDIS(server);
  RedisTalk none(server->location()), wrong(server->location(), "wrong"), right(server->location(), "right"),
      other(server->location() + "?db=3", "right"), far(server->location() + "?db=99", "right");
  ASSERT_TRUE(right.until_open());
  ASSERT_TRUE(other.until_open());
  ASSERT_TRUE(none.until([&] { return !none.failures.empty(); }));
  EXPECT_NE(none.failures[0].find("NOAUTH"), std::string::npos) << none.failures[0];
  ASSERT_TRUE(wrong.until([&] { return !wrong.failures.empty(); }));
  EXPECT_NE(wrong.failures[0].find("AUTH: WRONGPASS"), std::string::npos) << wrong.failures[0];
  EXPECT_EQ(wrong.failures[0].find("wrong"), std::string::npos);
  ASSERT_TRUE(far.until([&] { return !far.failures.empty(); }));
  EXPECT_NE(far.failures[0].find("SELECT"), std::string::npos) << far.failures[0];
  right.ask({"SET", "k", "0"}), other.ask({"SET", "k", "3"});
  EXPECT_EQ(right.ask({"GET", "k"}).text, "0");
}

TEST(RedisConnection, ComesBackAfterTheServerDied) {
  const auto server = RedisServer::start();
  NEED_REDIS(server);
  RedisTalk talk(server->location());
  ASSERT_TRUE(talk.until_open());
  bool answered = false;
  server->signal(SIGSTOP);
  talk.connection->send({"PING"}, [&](RedisValue&&) { answered = true; });
  server->stop(SIGKILL);
  ASSERT_TRUE(talk.until([&] { return talk.failures.size() >= 3; })) << "it goes on trying";
  EXPECT_FALSE(talk.connection->open());
  EXPECT_FALSE(answered);
  server->start_again();
  ASSERT_TRUE(talk.until_open());
  EXPECT_EQ(talk.ask({"PING"}).text, "PONG");
  EXPECT_FALSE(answered) << "what was asked before is not asked again";
}

TEST(RedisConnection, AServerThatHangsIsGivenUp) {
  const auto server = RedisServer::start();
  NEED_REDIS(server);
  RedisTalk talk(server->location(), {}, 200ms);
  ASSERT_TRUE(talk.until_open());
  server->signal(SIGSTOP);
  talk.connection->send({"PING"}, [](RedisValue&&) { ADD_FAILURE(); });
  ASSERT_TRUE(talk.until([&] { return talk.failures.size() == 2; }));
  EXPECT_EQ(talk.failures[0], "no answer in time");
  EXPECT_EQ(talk.failures[1], "no connection in time") << "the kernel accepts for it, and nobody greets";
  server->signal(SIGCONT);
  ASSERT_TRUE(talk.until_open());
}

// Something else listens there.
TEST(RedisConnection, NonsenseIsGivenUp) {
  for (const std::string_view says : {"HTTP/1.1 400 Bad Request\r\n\r\n", "*100000000\r\n", "+PONG\r\n+PONG\r\n", ""}) {
    TempDir folder;
    const auto listener = net::listen_unix(folder / "s").value();
    RedisTalk talk("redis+unix://" + folder.path() + "/s", {}, 300ms);
    std::vector<net::Fd> accepted;
    ASSERT_TRUE(talk.until([&] {
      net::Fd one(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (one) {
        EXPECT_EQ(::send(one.get(), says.data(), says.size(), MSG_NOSIGNAL), static_cast<ssize_t>(says.size()));
        if (!says.empty()) accepted.push_back(std::move(one));
      }
      return talk.failures.size() >= 2;
    })) << says;
    EXPECT_FALSE(talk.connection->open());
  }
}

TEST(RedisConnection, Tls) {
  TempDir folder;
  const auto run = [&](const std::string& command) {
    ASSERT_EQ(std::system(("cd " + folder.path() + " && (" + command + ") >/dev/null 2>&1").c_str()), 0) << command;
  };
  run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=cache -days 2 -keyout key.pem "
      "-out cert.pem -addext subjectAltName=IP:127.0.0.1");
  run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other -days 2 -keyout other.key "
      "-out other.pem");
  net::Fd probe = net::listen_tcp(net::SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0)).value();
  net::SocketAddress at;
  at.length = sizeof at.storage;
  ASSERT_EQ(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&at.storage), &at.length), 0);
  probe.reset();
  const auto server =
      RedisServer::start({"--tls-port", std::to_string(at.port()), "--tls-cert-file", folder / "cert.pem",
                          "--tls-key-file", folder / "key.pem", "--tls-auth-clients", "no", "--user", "gw", "on",
                          ">right", "~*", "+@all", "--user", "default", "off"});
  NEED_REDIS(server);
  const std::string location = fmt::format("rediss://gw@127.0.0.1:{}?ca={}/", at.port(), folder.path());
  RedisTalk talk(location + "cert.pem", "right"), stranger(location + "other.pem", "right");
  ASSERT_TRUE(talk.until_open()) << (talk.failures.empty() ? "" : talk.failures.back());
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(talk.ask({"SET", "k", large}).text, "OK");
  EXPECT_EQ(talk.ask({"GET", "k"}).text, large);
  ASSERT_TRUE(stranger.until([&] { return !stranger.failures.empty(); }));
  EXPECT_NE(stranger.failures[0].find("TLS"), std::string::npos) << stranger.failures[0];
  EXPECT_EQ(stranger.opened, 0);
}

}  // namespace
}  // namespace gatehouse::store
