// The database is tests/data/geo/places.mmdb, which tests/e2e/mmdb.py writes.

#include "waf/operator/geo_database.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "base/temp_dir.h"

namespace gatehouse::waf {
namespace {

using Values = std::map<std::string, std::string>;

const std::string kPlaces = std::string(GATEHOUSE_SOURCE_DIR) + "/tests/data/geo/places.mmdb";

Values find(const GeoDatabase& database, const char* address) {
  std::vector<GeoValue> values;
  Values result;
  if (!database.find(*IpAddress::parse(address), values)) result["nothing"] = "";
  for (const GeoValue& value : values) result.emplace(value.name, value.value);
  return result;
}

TEST(GeoDatabase, WhatIsKnownOfAnAddress) {
  const auto database = GeoDatabase::open(kPlaces);
  ASSERT_TRUE(database) << database.error().message;
  const Values berlin{{"country_code", "DE"},    {"country_name", "Germany"}, {"country_continent", "EU"},
                      {"region", "BE"},          {"city", "Berlin"},          {"postal_code", "10115"},
                      {"latitude", "52.500000"}, {"longitude", "13.375000"},  {"dma_code", "7"}};
  EXPECT_EQ(find(**database, "192.0.2.1"), berlin);
  EXPECT_EQ(find(**database, "192.0.2.255"), berlin);
  EXPECT_EQ(find(**database, "::ffff:192.0.2.77"), berlin);
  EXPECT_EQ(find(**database, "198.51.100.127"),
            (Values{{"country_code", "US"}, {"country_name", "United States"}, {"country_continent", "NA"}}));
  EXPECT_EQ(find(**database, "198.51.100.128"), (Values{{"nothing", ""}}));
  EXPECT_EQ(find(**database, "2001:db8:ffff::1"),
            (Values{{"country_code", "JP"}, {"country_name", "Japan"}, {"country_continent", "AS"}}));
  EXPECT_EQ(find(**database, "2001:db9::1"), (Values{{"nothing", ""}}));
  EXPECT_EQ(find(**database, "203.0.113.7"), Values{});  // it is there, and nothing is known of it
}

class HostileGeoDatabase : public testing::Test {
 protected:
  HostileGeoDatabase() {
    std::ifstream in(kPlaces, std::ios::binary);
    good_.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::string written(const std::string& bytes) const {
    std::ofstream(folder_ / "x.mmdb", std::ios::binary | std::ios::trunc) << bytes;
    return folder_ / "x.mmdb";
  }
  std::string refusal(const std::string& file) const {
    const auto database = GeoDatabase::open(file);
    return database ? "" : database.error().message;
  }

  const TempDir folder_;
  std::string good_;
};

TEST_F(HostileGeoDatabase, WhatIsNoneIsAnErrorThatNamesTheFile) {
  EXPECT_NE(refusal("/no/such/file.mmdb").find("/no/such/file.mmdb"), std::string::npos);
  EXPECT_NE(refusal("/tmp").find("/tmp: not a file"), std::string::npos);
  for (const std::string& bytes : {std::string(), std::string("GeoIP"), std::string(100'000, 'x'),
                                   good_.substr(0, good_.size() / 2), good_.substr(good_.size() / 2)}) {
    const std::string message = refusal(written(bytes));
    EXPECT_EQ(message, (folder_ / "x.mmdb") + ": not a MaxMind database (.mmdb)");
  }
}

TEST_F(HostileGeoDatabase, ATreeThatLeadsOutOfTheFile) {
  std::string bytes = good_;
  for (std::size_t i = 0; i < 3; ++i) bytes[i] = '\xff';  // the root's left record
  EXPECT_NE(refusal(written(bytes)).find("the database is damaged: node 0"), std::string::npos)
      << refusal(written(bytes));
}

TEST_F(HostileGeoDatabase, AFileThatChangesWhileItIsOpen) {
  const auto database = GeoDatabase::open(written(good_));
  ASSERT_TRUE(database);
  written("");
  EXPECT_EQ(find(**database, "192.0.2.1")["city"], "Berlin");
  written(std::string(good_.size(), 'x'));
  EXPECT_EQ(find(**database, "192.0.2.1")["city"], "Berlin");
}

// Whatever is in the file: refused, or looked up without harm.
TEST_F(HostileGeoDatabase, AnyBytesChanged) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::size_t opened = 0;
  for (int i = 0; i < 500; ++i) {
    std::string bytes = good_;
    for (auto changes = 1 + random() % 4; changes > 0; --changes)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto database = GeoDatabase::open(written(bytes));
    if (!database) continue;
    ++opened;
    for (const char* address : {"192.0.2.1", "198.51.100.1", "2001:db8::1", "127.0.0.1", "::", "255.255.255.255"})
      find(**database, address);
  }
  EXPECT_GT(opened, 20u);
}

}  // namespace
}  // namespace gatehouse::waf
