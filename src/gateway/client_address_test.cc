#include "gateway/client_address.h"

#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

using Lines = std::vector<std::pair<std::string_view, std::string_view>>;

NetworkMap trusted() {
  const std::vector<Network> networks{*Network::parse("10.0.0.0/8"), *Network::parse("2001:db8:aaaa::/48")};
  return NetworkMap(networks);
}
ClientAddress find(const char* peer, const Lines& lines) {
  http::ConnectionInfo connection;
  connection.client = *IpAddress::parse(peer);
  http::Fields fields;
  for (const auto& [name, value] : lines) fields.add(name, value);
  return find_client(connection, fields, trusted());
}

struct Case {
  const char* name;
  const char* peer;
  Lines lines;
  const char* client;
  ForwardedStatus status = ForwardedStatus::ok;
  const char* scheme = "";
  int proxies = 0;
};
constexpr auto kMalformed = ForwardedStatus::malformed;
constexpr auto kConflicting = ForwardedStatus::conflicting;

class FindClient : public testing::TestWithParam<Case> {};

TEST_P(FindClient, Cases) {
  const Case& c = GetParam();
  const ClientAddress client = find(c.peer, c.lines);
  ASSERT_EQ(client.status, c.status);
  if (c.status != ForwardedStatus::ok) return;
  EXPECT_EQ(client.address.to_string(), c.client);
  EXPECT_EQ(client.scheme, c.scheme);
  EXPECT_EQ(client.proxy_count, c.proxies);
}

constexpr std::string_view kXff = "x-forwarded-for", kForwarded = "forwarded", kProto = "x-forwarded-proto";

INSTANTIATE_TEST_SUITE_P(
    XForwardedFor, FindClient,
    testing::Values(
        Case{"nothing_said", "203.0.113.9", {}, "203.0.113.9"},
        Case{"untrusted_peer_is_not_believed", "203.0.113.9", {{kXff, "10.0.0.5"}, {kProto, "https"}}, "203.0.113.9"},
        Case{"nor_its_nonsense_refused", "203.0.113.9", {{kXff, "nonsense"}}, "203.0.113.9"},
        Case{"trusted_peer_without_fields", "10.0.0.1", {}, "10.0.0.1"},
        Case{"one_hop", "10.0.0.1", {{kXff, "203.0.113.9"}}, "203.0.113.9", ForwardedStatus::ok, "", 1},
        Case{"scheme",
             "10.0.0.1",
             {{kXff, "203.0.113.9"}, {kProto, "https"}},
             "203.0.113.9",
             ForwardedStatus::ok,
             "https",
             1},
        Case{"unknown_scheme",
             "10.0.0.1",
             {{kXff, "203.0.113.9"}, {kProto, "gopher"}},
             "203.0.113.9",
             ForwardedStatus::ok,
             "",
             1},
        Case{"inventions_left_of_the_client",
             "10.0.0.1",
             {{kXff, "10.9.9.9, 127.0.0.1, 203.0.113.9"}},
             "203.0.113.9",
             ForwardedStatus::ok,
             "",
             1},
        Case{"garbage_left_of_the_client",
             "10.0.0.1",
             {{kXff, "\";\x01,,, 203.0.113.9"}},
             "203.0.113.9",
             ForwardedStatus::ok,
             "",
             1},
        Case{"trusted_chain",
             "10.0.0.1",
             {{kXff, "203.0.113.9, 10.0.0.3,10.0.0.2"}},
             "203.0.113.9",
             ForwardedStatus::ok,
             "",
             3},
        Case{"over_lines",
             "10.0.0.1",
             {{kXff, "1.1.1.1, 203.0.113.9"}, {"x", "y"}, {kXff, "10.0.0.2"}},
             "203.0.113.9",
             ForwardedStatus::ok,
             "",
             2},
        Case{"all_trusted", "10.0.0.1", {{kXff, "10.0.0.7, 10.0.0.2"}}, "10.0.0.7", ForwardedStatus::ok, "", 2},
        Case{"with_port", "10.0.0.1", {{kXff, "203.0.113.9:4711"}}, "203.0.113.9", ForwardedStatus::ok, "", 1},
        Case{"ipv6", "2001:db8:aaaa::1", {{kXff, "2001:db8::9"}}, "2001:db8::9", ForwardedStatus::ok, "", 1},
        Case{"ipv6_with_port", "10.0.0.1", {{kXff, "[2001:db8::9]:80"}}, "2001:db8::9", ForwardedStatus::ok, "", 1},
        Case{"unreadable", "10.0.0.1", {{kXff, "unknown"}}, "", kMalformed},
        Case{"empty", "10.0.0.1", {{kXff, ""}}, "", kMalformed},
        Case{"empty_at_the_right", "10.0.0.1", {{kXff, "203.0.113.9,"}}, "", kMalformed},
        Case{"unreadable_behind_a_trusted_hop", "10.0.0.1", {{kXff, "203.0.113.999, 10.0.0.2"}}, "", kMalformed},
        Case{"bad_port", "10.0.0.1", {{kXff, "203.0.113.9:http"}}, "", kMalformed},
        Case{"bad_brackets", "10.0.0.1", {{kXff, "[203.0.113.9]"}}, "", kMalformed},
        Case{"endless",
             "10.0.0.1",
             {{kXff,
               "10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,"
               "10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,"
               "10.0.0.1"}},
             "",
             kMalformed}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Forwarded, FindClient,
    testing::Values(Case{"one_hop",
                         "10.0.0.1",
                         {{kForwarded, "for=203.0.113.9;proto=https;by=10.0.0.1"}},
                         "203.0.113.9",
                         ForwardedStatus::ok,
                         "https",
                         1},
                    Case{"case_and_order",
                         "10.0.0.1",
                         {{kForwarded, "Proto=HTTP; FOR=203.0.113.9"}},
                         "203.0.113.9",
                         ForwardedStatus::ok,
                         "http",
                         1},
                    Case{"ipv6",
                         "10.0.0.1",
                         {{kForwarded, "for=\"[2001:db8::9]:4711\""}},
                         "2001:db8::9",
                         ForwardedStatus::ok,
                         "",
                         1},
                    Case{"the_schemes_hop_counts",
                         "10.0.0.1",
                         {{kForwarded, "for=1.1.1.1;proto=http, for=203.0.113.9;proto=https, for=10.0.0.2;proto=http"}},
                         "203.0.113.9",
                         ForwardedStatus::ok,
                         "https",
                         2},
                    Case{"agrees_with_the_other",
                         "10.0.0.1",
                         {{kForwarded, "for=203.0.113.9;proto=https"}, {kXff, "203.0.113.9"}},
                         "203.0.113.9",
                         ForwardedStatus::ok,
                         "https",
                         1},
                    Case{"obfuscated", "10.0.0.1", {{kForwarded, "for=_hidden"}}, "", kMalformed},
                    Case{"unknown", "10.0.0.1", {{kForwarded, "for=unknown"}}, "", kMalformed},
                    Case{"no_for", "10.0.0.1", {{kForwarded, "proto=https"}}, "", kMalformed},
                    Case{"two_fors", "10.0.0.1", {{kForwarded, "for=203.0.113.9;for=203.0.113.8"}}, "", kMalformed},
                    Case{"ipv6_without_brackets", "10.0.0.1", {{kForwarded, "for=2001:db8::9"}}, "", kMalformed},
                    Case{"open_quote_swallows_nothing",
                         "10.0.0.1",
                         {{kForwarded, "for=\"x, for=203.0.113.9"}},
                         "203.0.113.9",
                         ForwardedStatus::ok,
                         "",
                         1},
                    Case{"contradicts_the_other",
                         "10.0.0.1",
                         {{kForwarded, "for=203.0.113.9"}, {kXff, "203.0.113.8"}},
                         "",
                         kConflicting},
                    Case{"one_of_two_unreadable",
                         "10.0.0.1",
                         {{kForwarded, "for=unknown"}, {kXff, "203.0.113.8"}},
                         "",
                         kConflicting}),
    [](const auto& test) { return test.param.name; });

std::string forwarded(const ClientAddress& client, std::string_view scheme, std::string_view authority,
                      const Lines& lines) {
  Arena arena;
  http::Fields fields;
  for (const auto& [name, value] : lines) fields.add(name, value);
  set_forwarded(client, scheme, authority, arena, fields);
  std::string text;
  for (const http::Field& field : fields) text += std::string(field.name) + ": " + std::string(field.value) + "\n";
  return text;
}

TEST(SetForwarded, ReplacesWhatCame) {
  const Lines lines{{kXff, "10.0.0.5"},
                    {"accept", "*/*"},
                    {"x-forwarded-host", "evil.example"},
                    {kForwarded, "for=x"},
                    {"x-forwarded-prefix", "/admin"}};
  EXPECT_EQ(forwarded(find("203.0.113.9", lines), "https", "shop.example", lines),
            "accept: */*\n"
            "x-forwarded-for: 203.0.113.9\n"
            "x-forwarded-proto: https\n"
            "x-forwarded-host: shop.example\n"
            "x-forwarded-port: 443\n"
            "forwarded: for=203.0.113.9;host=\"shop.example\";proto=https\n");
}

TEST(SetForwarded, KeepsTheTrustedChain) {
  const Lines lines{{kXff, "6.6.6.6, 2001:db8::9, 10.0.0.2"}, {kProto, "https"}};
  EXPECT_EQ(forwarded(find("10.0.0.1", lines), "http", "shop.example:8443", lines),
            "x-forwarded-for: 2001:db8::9, 10.0.0.2, 10.0.0.1\n"
            "x-forwarded-proto: https\n"
            "x-forwarded-host: shop.example:8443\n"
            "x-forwarded-port: 8443\n"
            "forwarded: for=\"[2001:db8::9]\";host=\"shop.example:8443\";proto=https, for=10.0.0.2, for=10.0.0.1\n");
}

}  // namespace
}  // namespace gatehouse::gateway
