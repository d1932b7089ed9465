#include "gateway/network_map.h"

#include <gtest/gtest.h>

#include <random>

namespace gatehouse::gateway {
namespace {

NetworkMap map_of(std::initializer_list<const char*> networks) {
  std::vector<Network> parsed;
  for (const char* text : networks) parsed.push_back(Network::parse(text).value());
  return NetworkMap(parsed);
}
std::optional<std::uint32_t> find(const NetworkMap& map, const char* address) {
  return map.find(IpAddress::parse(address).value());
}

TEST(NetworkMap, EmptyHoldsNothing) {
  EXPECT_EQ(find(NetworkMap(), "192.0.2.1"), std::nullopt);
  EXPECT_FALSE(NetworkMap(std::span<const Network>()).contains(*IpAddress::parse("::1")));
}

TEST(NetworkMap, TheMostSpecificWins) {
  const NetworkMap map = map_of({"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "fd00::/8", "fd00:1::/32"});
  EXPECT_EQ(find(map, "10.9.9.9"), 0u);
  EXPECT_EQ(find(map, "10.0.0.0"), 0u);
  EXPECT_EQ(find(map, "10.255.255.255"), 0u);
  EXPECT_EQ(find(map, "10.1.9.9"), 1u);
  EXPECT_EQ(find(map, "10.1.2.9"), 2u);
  EXPECT_EQ(find(map, "10.1.2.3"), 3u);
  EXPECT_EQ(find(map, "10.1.2.4"), 2u);
  EXPECT_EQ(find(map, "10.1.3.0"), 1u);
  EXPECT_EQ(find(map, "10.2.0.0"), 0u);
  EXPECT_EQ(find(map, "11.0.0.0"), std::nullopt);
  EXPECT_EQ(find(map, "9.255.255.255"), std::nullopt);
  EXPECT_EQ(find(map, "::ffff:10.1.2.3"), 3u) << "a mapped address is the IPv4 address";
  EXPECT_EQ(find(map, "fd00:2::1"), 4u);
  EXPECT_EQ(find(map, "fd00:1:ffff::1"), 5u);
  EXPECT_EQ(find(map, "fe00::"), std::nullopt);
}

TEST(NetworkMap, Edges) {
  const NetworkMap all = map_of({"0.0.0.0/0"});
  EXPECT_EQ(find(all, "0.0.0.0"), 0u);
  EXPECT_EQ(find(all, "255.255.255.255"), 0u);
  EXPECT_EQ(find(all, "::1"), std::nullopt);
  const NetworkMap everything = map_of({"::/0", "255.255.255.255", "0.0.0.0"});
  EXPECT_EQ(find(everything, "::"), 0u);
  EXPECT_EQ(find(everything, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 0u);
  EXPECT_EQ(find(everything, "192.0.2.1"), 0u) << "as Network::contains says";
  EXPECT_EQ(find(everything, "255.255.255.255"), 1u);
  EXPECT_EQ(find(everything, "0.0.0.0"), 2u);
  EXPECT_EQ(find(map_of({"10.0.0.0/8", "10.0.0.0/8"}), "10.1.1.1"), 0u) << "of equal ones the first";
}

// Against the definition, over random nested networks in a small space so that they touch and overlap.
TEST(NetworkMap, AgreesWithASearchThroughAll) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    const bool many = round % 10 == 0;  // enough for the /16 index
    std::vector<Network> networks;
    for (int i = 0; i < (many ? 600 : 20); ++i) {
      Network network;
      const bool v4 = random() % 2 == 0;
      if (v4) {
        network.base = IpAddress::v4(static_cast<std::uint32_t>(many ? random() : 0x0a000000u + random() % 4096));
        network.prefix = static_cast<std::uint8_t>((many ? 104 : 116) + random() % 13);
      } else {
        network.base.bytes[15] = static_cast<std::uint8_t>(random());
        network.base.bytes[14] = static_cast<std::uint8_t>(random() % 4);
        network.prefix = static_cast<std::uint8_t>(random() % 8 == 0 ? random() % 129 : 112 + random() % 17);
      }
      for (int bit = network.prefix; bit < 128; ++bit) {
        network.base.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
      }
      networks.push_back(network);
    }
    const NetworkMap map(networks);
    for (int i = 0; i < 400; ++i) {
      IpAddress address = networks[random() % networks.size()].base;
      if (i % 3 == 0) address.bytes[15] = static_cast<std::uint8_t>(random());
      if (i % 7 == 0) address.bytes[14] = static_cast<std::uint8_t>(random());
      std::optional<std::uint32_t> expected;
      for (std::uint32_t n = 0; n < networks.size(); ++n) {
        if (networks[n].contains(address) && (!expected || networks[n].prefix > networks[*expected].prefix))
          expected = n;
      }
      ASSERT_EQ(map.find(address), expected) << address.to_string();
    }
  }
}

}  // namespace
}  // namespace gatehouse::gateway
