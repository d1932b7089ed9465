#include "store/redis_location.h"

#include <gtest/gtest.h>

#include <vector>

namespace gatehouse::store {
namespace {

TEST(RedisLocation, Accepted) {
  struct Case {
    const char* location;
    const char* host;
    std::uint16_t port;
    std::uint32_t database;
    const char* user;
    bool tls, local;
  };
  for (const Case& c : std::vector<Case>{
           {"redis://cache", "cache", 6379, 0, "", false, false},
           {"redis://cache.internal:7000/3", "cache.internal", 7000, 3, "", false, false},
           {"redis://gateway@cache/", "cache", 6379, 0, "gateway", false, false},
           {"redis://[::1]:7000", "::1", 7000, 0, "", false, true},
           {"redis://127.0.0.1", "127.0.0.1", 6379, 0, "", false, true},
           {"rediss://cache:6380/1?ca=/etc/ca.pem", "cache", 6380, 1, "", true, false},
       }) {
    const auto read = read_redis_location(c.location);
    ASSERT_TRUE(read) << c.location << ": " << read.error().message;
    EXPECT_EQ(read->host, c.host) << c.location;
    EXPECT_EQ(read->port, c.port) << c.location;
    EXPECT_EQ(read->database, c.database) << c.location;
    EXPECT_EQ(read->username, c.user) << c.location;
    EXPECT_EQ(read->tls, c.tls) << c.location;
    EXPECT_EQ(read->local, c.local) << c.location;
  }
  EXPECT_EQ(read_redis_location("rediss://cache?ca=/etc/ca.pem")->ca_file, "/etc/ca.pem");
  const auto socket = read_redis_location("redis+unix:///run/redis.sock?db=2");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->unix_path, "/run/redis.sock");
  EXPECT_EQ(socket->database, 2u);
  EXPECT_TRUE(socket->local);
}

TEST(RedisLocation, Refused) {
  for (const char* location : {"",
                               "cache:6379",
                               "http://cache",
                               "redis://",
                               "redis:///1",
                               "redis://cache:0",
                               "redis://cache:65536",
                               "redis://cache:",
                               "redis://cache:x",
                               "redis://cache/one",
                               "redis://cache/-1",
                               "redis://cache/1/2",
                               "redis://user:hunter2@cache",
                               "redis://@cache",
                               "redis://a b",
                               "redis://[::1",
                               "redis://[cache]:1",
                               "redis://cache?db=1",
                               "redis://cache?ca=/x",
                               "rediss://cache?ca=relative.pem",
                               "redis+unix://socket",
                               "redis+unix:///",
                               "redis+unix:///run/s?db=x",
                               "redis+unix:///run/s?ca=/x"}) {
    const auto read = read_redis_location(location);
    ASSERT_FALSE(read) << location;
    EXPECT_EQ(read.error().code, ErrorCode::invalid);
    EXPECT_EQ(read.error().message.find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace gatehouse::store
