#include <gtest/gtest.h>

#include <string>

#include "http/canonical.h"

namespace gatehouse::http {
namespace {

struct AuthorityCase {
  const char* name;
  std::string raw, scheme, authority, host;
  Reason reason = Reason::none;
};

const AuthorityCase kAuthorities[] = {
    {"name", "shop.example", "http", "shop.example", "shop.example"},
    {"case", "Shop.EXAMPLE", "http", "shop.example", "shop.example"},
    {"port", "shop.example:8443", "https", "shop.example:8443", "shop.example"},
    {"default port of https", "shop.example:443", "https", "shop.example", "shop.example"},
    {"default port of http", "shop.example:80", "http", "shop.example", "shop.example"},
    {"the other scheme's port stays", "shop.example:443", "http", "shop.example:443", "shop.example"},
    {"trailing dot", "shop.example.", "http", "shop.example", "shop.example"},
    {"trailing dot and port", "shop.example.:81", "http", "shop.example:81", "shop.example"},
    {"one label", "localhost", "http", "localhost", "localhost"},
    {"underscore", "order_db", "http", "order_db", "order_db"},
    {"IPv4", "192.0.2.1:8080", "http", "192.0.2.1:8080", "192.0.2.1"},
    {"IPv6", "[2001:DB8:0:0::1]", "http", "[2001:db8::1]", "2001:db8::1"},
    {"IPv6 and port", "[::1]:8443", "https", "[::1]:8443", "::1"},
    {"IPv6 and default port", "[::1]:443", "https", "[::1]", "::1"},
    {"mapped IPv4 stays IPv6", "[::ffff:192.0.2.1]", "http", "[::ffff:192.0.2.1]", "::ffff:192.0.2.1"},
    {"largest port", "a:65535", "http", "a:65535", "a"},
    {"numeric label in front", "3com.example", "http", "3com.example", "3com.example"},
    {"numeric first label", "1.example", "http", "1.example", "1.example"},
    {"empty", "", "http", "", "", Reason::missing_host},
    {"userinfo", "user@shop.example", "http", "", "", Reason::bad_host},
    {"userinfo with password", "user:pw@shop.example", "http", "", "", Reason::bad_host},
    {"empty port", "shop.example:", "http", "", "", Reason::bad_host},
    {"port zero", "shop.example:0", "http", "", "", Reason::bad_host},
    {"port too large", "shop.example:65536", "http", "", "", Reason::bad_host},
    {"port with a leading zero", "shop.example:080", "http", "", "", Reason::bad_host},
    {"signed port", "shop.example:+80", "http", "", "", Reason::bad_host},
    {"port not a number", "shop.example:http", "http", "", "", Reason::bad_host},
    {"two ports", "shop.example:80:80", "http", "", "", Reason::bad_host},
    {"two hosts", "a.example, b.example", "http", "", "", Reason::bad_host},
    {"path", "shop.example/a", "http", "", "", Reason::bad_host},
    {"query", "shop.example?a", "http", "", "", Reason::bad_host},
    {"fragment", "shop.example#a", "http", "", "", Reason::bad_host},
    {"backslash", "shop.example\\a", "http", "", "", Reason::bad_host},
    {"space", "shop example", "http", "", "", Reason::bad_host},
    {"NUL", std::string("shop\0.example", 13), "http", "", "", Reason::bad_host},
    {"escape", "shop%2eexample", "http", "", "", Reason::bad_host},
    {"not ASCII", "caf\xc3\xa9.example", "http", "", "", Reason::bad_host},
    {"empty label", "shop..example", "http", "", "", Reason::bad_host},
    {"leading dot", ".example", "http", "", "", Reason::bad_host},
    {"only a dot", ".", "http", "", "", Reason::bad_host},
    {"two trailing dots", "a..", "http", "", "", Reason::bad_host},
    {"only a port", ":80", "http", "", "", Reason::bad_host},
    {"short IPv4", "127.1", "http", "", "", Reason::bad_host},
    {"IPv4 as one number", "2130706433", "http", "", "", Reason::bad_host},
    {"hexadecimal IPv4", "0x7f000001", "http", "", "", Reason::bad_host},
    {"hexadecimal IPv4 part", "127.0.0.0x1", "http", "", "", Reason::bad_host},
    {"octal IPv4", "0177.0.0.1", "http", "", "", Reason::bad_host},
    {"IPv4 of five parts", "1.2.3.4.5", "http", "", "", Reason::bad_host},
    {"IPv4 out of range", "256.1.1.1", "http", "", "", Reason::bad_host},
    {"bare IPv6", "2001:db8::1", "http", "", "", Reason::bad_host},
    {"open bracket", "[::1", "http", "", "", Reason::bad_host},
    {"empty brackets", "[]", "http", "", "", Reason::bad_host},
    {"junk after the bracket", "[::1]a", "http", "", "", Reason::bad_host},
    {"zone id", "[fe80::1%25eth0]", "http", "", "", Reason::bad_host},
    {"IPv4 in brackets", "[127.0.0.1]", "http", "", "", Reason::bad_host},
    {"future address", "[v1.a:b]", "http", "", "", Reason::bad_host},
    {"label of 64", std::string(64, 'a'), "http", "", "", Reason::bad_host},
    {"name of 254", std::string(254, 'a'), "http", "", "", Reason::bad_host},
};

TEST(CanonicalAuthority, Table) {
  for (const AuthorityCase& c : kAuthorities) {
    SCOPED_TRACE(c.name);
    Arena arena;
    std::string_view authority, host;
    const Reason reason = canonicalize_authority(c.raw, c.scheme, arena, authority, host);
    EXPECT_EQ(reason_code(reason), reason_code(c.reason));
    if (c.reason == Reason::none) {
      EXPECT_EQ(authority, c.authority);
      EXPECT_EQ(host, c.host);
    }
  }
}

}  // namespace
}  // namespace gatehouse::http
