#include "http/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::http {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string v2(char command, char family, const std::string& rest) {
  return kSignature + command + family + static_cast<char>(rest.size() >> 8) + static_cast<char>(rest.size() & 0xff) +
         rest;
}
const std::string kTcp4 = "\xcb\x00\x71\x09\x0a\x00\x00\x01\xc0\x00\x01\xbb"s;  // 203.0.113.9:49152 to 10.0.0.1:443
std::string tlv(char type, const std::string& value) {
  return type + ""s + static_cast<char>(value.size() >> 8) + static_cast<char>(value.size() & 0xff) + value;
}

struct Case {
  const char* name;
  std::string bytes;
  ProxyStatus status;
  const char* source = "";
  std::uint16_t source_port = 0;
  const char* destination = "";
  bool local = false;
};

class ProxyProtocol : public testing::TestWithParam<Case> {};

TEST_P(ProxyProtocol, Parses) {
  const Case& c = GetParam();
  // What follows the header belongs to TLS or HTTP.
  const std::string input = c.status == ProxyStatus::ok ? c.bytes + "GET / HTTP/1.1\r\n" : c.bytes;
  const ProxyHeader header = parse_proxy_header(input, {});
  ASSERT_EQ(header.status, c.status);
  if (c.status != ProxyStatus::ok) return;
  EXPECT_EQ(header.consumed, c.bytes.size());
  EXPECT_EQ(header.local, c.local);
  for (std::size_t i = 0; i < c.bytes.size(); ++i) {
    EXPECT_EQ(parse_proxy_header(std::string_view(c.bytes).substr(0, i), {}).status, ProxyStatus::incomplete) << i;
  }
  if (c.local) return;
  EXPECT_EQ(header.source.to_string(), c.source);
  EXPECT_EQ(header.source_port, c.source_port);
  EXPECT_EQ(header.destination.to_string(), c.destination);
}

const std::string kLongest1 =
    "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535" + std::string(48, ' ') + "\r\n";  // 107 bytes

INSTANTIATE_TEST_SUITE_P(
    Version1, ProxyProtocol,
    testing::Values(Case{"tcp4", "PROXY TCP4 203.0.113.9 10.0.0.1 49152 443\r\n", ProxyStatus::ok, "203.0.113.9", 49152,
                         "10.0.0.1"},
                    Case{"tcp6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", ProxyStatus::ok, "2001:db8::1", 1, "::1"},
                    Case{"unknown", "PROXY UNKNOWN\r\n", ProxyStatus::ok, "", 0, "", true},
                    Case{"unknown_with_rest", "PROXY UNKNOWN a b c d\r\n", ProxyStatus::ok, "", 0, "", true},
                    Case{"longest", kLongest1, ProxyStatus::ok, "", 0, "", true},
                    Case{"one_byte_too_long", kLongest1.substr(0, 105) + " \r\n", ProxyStatus::bad},
                    Case{"endless", "PROXY TCP4 " + std::string(200, '1'), ProxyStatus::bad},
                    Case{"bare_lf", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", ProxyStatus::bad},
                    Case{"bare_cr", "PROXY UNKNOWN \r x\r\n", ProxyStatus::bad},
                    Case{"lower_case", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", ProxyStatus::bad},
                    Case{"two_spaces", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n", ProxyStatus::bad},
                    Case{"trailing_space", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", ProxyStatus::bad},
                    Case{"port_too_large", "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", ProxyStatus::bad},
                    Case{"port_padded", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", ProxyStatus::bad},
                    Case{"port_signed", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", ProxyStatus::bad},
                    Case{"port_missing", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", ProxyStatus::bad},
                    Case{"octet_padded", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", ProxyStatus::bad},
                    Case{"v6_in_tcp4", "PROXY TCP4 ::1 ::2 1 2\r\n", ProxyStatus::bad},
                    Case{"v4_in_tcp6", "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n", ProxyStatus::bad},
                    Case{"udp", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", ProxyStatus::bad},
                    Case{"http_instead", "GET / HTTP/1.1\r\n", ProxyStatus::bad},
                    Case{"tls_instead", "\x16\x03\x01", ProxyStatus::bad},
                    Case{"nothing_yet", "", ProxyStatus::incomplete}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Version2, ProxyProtocol,
    testing::Values(Case{"tcp4", v2(0x21, 0x11, kTcp4), ProxyStatus::ok, "203.0.113.9", 49152, "10.0.0.1"},
                    Case{"tcp6",
                         v2(0x21, 0x21,
                            "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01" + std::string(15, '\0') + "\x01" +
                                "\x00\x01\xff\xff"s),
                         ProxyStatus::ok, "2001:db8::1", 1, "::1"},
                    Case{"local", v2(0x20, 0x00, ""), ProxyStatus::ok, "", 0, "", true},
                    Case{"local_with_junk", v2(0x20, 0x11, "junk"), ProxyStatus::ok, "", 0, "", true},
                    Case{"unspecified", v2(0x21, 0x00, "junk"), ProxyStatus::ok, "", 0, "", true},
                    Case{"unix_stream", v2(0x21, 0x31, std::string(216, 'x')), ProxyStatus::ok, "", 0, "", true},
                    Case{"alpn_and_noop", v2(0x21, 0x11, kTcp4 + tlv(1, "h2") + tlv(4, "")), ProxyStatus::ok,
                         "203.0.113.9", 49152, "10.0.0.1"},
                    Case{"datagram", v2(0x21, 0x12, kTcp4), ProxyStatus::bad},
                    Case{"unknown_family", v2(0x21, 0x41, kTcp4), ProxyStatus::bad},
                    Case{"unknown_command", v2(0x22, 0x11, kTcp4), ProxyStatus::bad},
                    Case{"version_3", v2(0x31, 0x11, kTcp4), ProxyStatus::bad},
                    Case{"addresses_cut", v2(0x21, 0x11, kTcp4.substr(1)), ProxyStatus::bad},
                    Case{"tlv_cut", v2(0x21, 0x11, kTcp4 + tlv(1, "h2").substr(0, 4)), ProxyStatus::bad},
                    Case{"tlv_header_cut", v2(0x21, 0x11, kTcp4 + "\x01"), ProxyStatus::bad},
                    Case{"crc_wrong", v2(0x21, 0x11, kTcp4 + tlv(3, "abcd")), ProxyStatus::bad},
                    Case{"crc_short", v2(0x21, 0x11, kTcp4 + tlv(3, "abc")), ProxyStatus::bad},
                    Case{"too_long", kSignature + "\x21\x11\xff\xff", ProxyStatus::bad},
                    Case{"signature_broken", "\r\n\r\n\0\r\nQUIX"s, ProxyStatus::bad}),
    [](const auto& test) { return test.param.name; });

// CRC32C of "123456789" is 0xe3069283 (RFC 3720 B.4 has the polynomial); here over a whole header, by the slow
// definition.
TEST(ProxyProtocolCrc, RightOneIsTaken) {
  std::string header = v2(0x21, 0x11, kTcp4 + tlv(3, std::string(4, '\0')));
  std::uint32_t crc = 0xffffffff;
  for (const char c : header) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i) header[header.size() - 4 + i] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_EQ(parse_proxy_header(header, {}).status, ProxyStatus::ok);
  header[20] ^= 1;
  EXPECT_EQ(parse_proxy_header(header, {}).status, ProxyStatus::bad);
}

TEST(ProxyProtocolVersions, OnlyWhatIsAccepted) {
  const std::string one = "PROXY UNKNOWN\r\n", two = v2(0x20, 0, "");
  EXPECT_EQ(parse_proxy_header(one, {false, true}).status, ProxyStatus::bad);
  EXPECT_EQ(parse_proxy_header(two, {true, false}).status, ProxyStatus::bad);
  EXPECT_EQ(parse_proxy_header(one, {true, false}).status, ProxyStatus::ok);
  EXPECT_EQ(parse_proxy_header(two, {false, true}).status, ProxyStatus::ok);
}

}  // namespace
}  // namespace gatehouse::http
