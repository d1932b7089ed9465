#include "store/redis_value.h"

#include <gtest/gtest.h>

namespace gatehouse::store {
namespace {

std::string shown(const RedisValue& value) {
  switch (value.kind) {
    case RedisValue::Kind::nil: return "nil";
    case RedisValue::Kind::integer: return std::to_string(value.integer);
    case RedisValue::Kind::text: return "'" + value.text + "'";
    case RedisValue::Kind::error: return "!" + value.text;
    case RedisValue::Kind::array: break;
  }
  std::string text = "[";
  for (const RedisValue& item : value.items) text += (text.size() > 1 ? " " : "") + shown(item);
  return text + "]";
}

TEST(RedisReader, EverySplitGivesTheSameValues) {
  const std::string bytes =
      "+OK\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n-ERR no\r\n*0\r\n*3\r\n*2\r\n$3\r\n1-0\r\n*2\r\n+k\r\n$1\r\nv\r\n"
      ":7\r\n$0\r\n\r\n";
  const std::string expected = "'OK' -42 'a\r\nbc' nil nil !ERR no [] [['1-0' ['k' 'v']] 7 ''] ";
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    RedisReader reader;
    std::string seen;
    const auto take = [&](RedisValue&& value) { return seen += shown(value) + " ", true; };
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(0, split), take)) << split;
    ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(split), take)) << split;
    EXPECT_EQ(seen, expected) << split;
  }
}

TEST(RedisReader, WhatIsNoAnswerOrTooLargeIsRefused) {
  const std::string many = "*70000\r\n";
  std::string nested;  // each array within its bound, all together not
  nested = "*300\r\n";
  for (int i = 0; i < 300; ++i) {
    nested += "*300\r\n";
    for (int j = 0; j < 300; ++j) nested += ":1\r\n";
  }
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "*1\r\n";
  const std::string long_text = "$536870912\r\n" + std::string(RedisReader::kBytesMax + 1, 'x');
  for (const std::string& bytes : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("\x16\x03\x01"),
                                   std::string("*2147483647\r\n"), std::string("*99999999999999999999\r\n"),
                                   std::string("$-2\r\n"), std::string(":12x\r\n"), many, nested, deep, long_text}) {
    RedisReader reader;
    const auto fed = reader.feed(bytes, [](RedisValue&&) { return true; });
    EXPECT_FALSE(fed) << bytes.substr(0, 40);
  }
}

TEST(RedisCommand, IsBinarySafe) {
  std::string out;
  append_redis_command(out, {"SET", std::string_view("a\0b", 3), ""});
  EXPECT_EQ(out, std::string("*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n", 28));
}

}  // namespace
}  // namespace gatehouse::store
