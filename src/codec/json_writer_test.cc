#include "codec/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace gatehouse::codec {
namespace {

std::string written(std::string_view text) {
  std::string out;
  JsonWriter(out).string(text);
  return out;
}

struct Case {
  const char* name;
  std::string_view in, out;
};

using namespace std::string_view_literals;

TEST(JsonWriter, Strings) {
  const Case cases[] = {
      {"empty", "", R"("")"},
      {"plain", "orders-read", R"("orders-read")"},
      {"quote and backslash", R"(a"b\c)", R"("a\"b\\c")"},
      {"quote at every place of a word", R"(""""""""")", R"("\"\"\"\"\"\"\"\"\"")"},
      {"line breaks", "a\r\n\tb", R"("a\r\n\tb")"},
      {"NUL and escape", "\0\x1b"sv, R"("\u0000\u001b")"},
      {"control characters of the second set", "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\"\\u0080\\u009b\\u009f\xc2\xa0\""},
      {"delete stands", "\x7f", "\"\x7f\""},
      {"two, three and four bytes", "é€😀", "\"é€😀\""},
      {"lone continuation", "a\x80z", "\"a\xef\xbf\xbdz\""},
      {"overlong slash", "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
      {"surrogate", "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"above U+10FFFF", "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"cut short: one replacement", "\xe2\x82", "\"\xef\xbf\xbd\""},
      {"cut short before text", "\xf0\x9f\x98q", "\"\xef\xbf\xbdq\""},
  };
  for (const Case& c : cases) EXPECT_EQ(written(c.in), c.out) << c.name;
}

TEST(JsonWriter, Numbers) {
  std::string out;
  {
    JsonWriter json(out);
    json.number(0), json.raw(" "), json.number(std::numeric_limits<std::uint64_t>::max()), json.raw(" ");
    json.number(std::numeric_limits<std::int64_t>::min()), json.raw(" "), json.number(0.25), json.raw(" ");
    json.number(std::numeric_limits<double>::quiet_NaN()), json.raw(" "), json.boolean(true);
  }
  EXPECT_EQ(out, "0 18446744073709551615 -9223372036854775808 0.25 null true");
}

// The second opinion: what nlohmann reads back is what its own replacing dump writes.
TEST(JsonWriter, RandomBytesAgreeWithNlohmann) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view kAlphabet =
      "aaaaaaaabcdefgh\"\\\n\x01\x7f\x80\xbf\xc2\xc3\xa9\xe0\xe2\x82\xac\xed\xf0\x9f\xf4\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % (i % 100 == 0 ? 5000 : 40), 'a');
    for (char& c : text) c = kAlphabet[random() % kAlphabet.size()];
    const std::string out = written(text);
    const auto back = nlohmann::json::parse(out, nullptr, false);
    ASSERT_TRUE(back.is_string()) << out;
    const auto theirs =
        nlohmann::json::parse(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    ASSERT_EQ(back, theirs);
  }
}

TEST(JsonWriter, TextLongerThanItsBuffer) {
  for (std::size_t size : {2040u, 2047u, 2048u, 2049u, 5000u}) {
    const std::string text(size, 'x');
    EXPECT_EQ(written(text), "\"" + text + "\"");
    std::string out;
    {
      JsonWriter json(out);
      json.raw("["), json.raw(text), json.raw("]");
    }
    EXPECT_EQ(out, "[" + text + "]");
  }
}

TEST(Utf8Prefix, NeverCutsASequence) {
  EXPECT_EQ(utf8_prefix("abc", 3), "abc");
  EXPECT_EQ(utf8_prefix("abc", 2), "ab");
  EXPECT_EQ(utf8_prefix("a€", 3), "a");
  EXPECT_EQ(utf8_prefix("😀", 3), "");
  EXPECT_EQ(utf8_prefix("é€", 2), "é");
}

}  // namespace
}  // namespace gatehouse::codec
