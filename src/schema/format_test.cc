#include "schema/format.h"

#include <gtest/gtest.h>

namespace gatehouse::schema {
namespace {

TEST(Format, AcceptedAndRefused) {
  struct Case {
    const char* format;
    std::vector<std::string> good, bad;
  };
  const Case cases[] = {
      {"date",
       {"2026-02-28", "2024-02-29", "2000-02-29", "0000-01-01"},
       {"2026-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-1-01", "02026-01-01", "2026-01-01 ",
        "2026/01/01", "", "2026-01-0x", std::string("2026-01-01\0", 11)}},
      {"date-time",
       {"2026-11-28T16:00:00Z", "2026-11-28t16:00:00z", "2026-11-28T16:00:00.123456789+02:00", "1998-12-31T23:59:60Z",
        "1998-12-31T15:59:60-08:00"},
       {"2026-11-28T16:00:00", "2026-11-28 16:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28T16:60:00Z",
        "2026-11-28T16:00:00+0200", "2026-11-28T16:00:00.Z", "1998-12-31T23:58:60Z", "1998-12-31T23:59:61Z",
        "2026-02-30T00:00:00Z", "2026-11-28T", "2026-11-28T16:00:00|02:00", "2026-11-28T16:00:00Z\n"}},
      {"time", {"00:00:00Z", "23:59:59.9-00:30"}, {"00:00Z", "00:00:00", "aa:bb:ccZ", "", "1"}},
      {"uuid",
       {"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"},
       {"123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-42661417400}",
        "123e4567-e89b-12d3-a456-42661417400g"}},
      {"email",
       {"a@b", "first.last+tag@shop.example"},
       {"", "@b", "a@", "a b@c", "a@b@c", ".a@b", "a.@b", "a..b@c", "a@-b", "a@b.", "\"a\"@b", "a@[127.0.0.1]",
        std::string(65, 'a') + "@b"}},
      {"hostname",
       {"localhost", "xn--caf-dma.example", "3com.example"},
       {"", "a..b", "-a", "a-", "a_b", "a.", std::string(64, 'a')}},
      {"ipv4",
       {"0.0.0.0", "255.255.255.255"},
       {"1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "0x1.2.3.4", ""}},
      {"ipv6",
       {"::", "::1", "2001:db8::1", "::ffff:192.0.2.1"},
       {"1.2.3.4", ":::", "2001:db8::1::2", "[::1]", "fe80::1%eth0", "12345::"}},
      {"byte", {"", "aGk=", "aGVsbG8h", "YQ=="}, {"aGk", "a===", "aG k", "aGk=\n", "_w=="}},
      {"binary", {"", "\x01\xff"}, {}},
  };
  for (const Case& c : cases) {
    const auto format = format_named(c.format);
    ASSERT_TRUE(format) << c.format;
    EXPECT_EQ(name_of(*format), c.format);
    for (const std::string& text : c.good) EXPECT_TRUE(has_format(*format, text)) << c.format << " " << text;
    for (const std::string& text : c.bad) EXPECT_FALSE(has_format(*format, text)) << c.format << " " << text;
  }
  EXPECT_FALSE(format_named("phone"));
}

}  // namespace
}  // namespace gatehouse::schema
