// @geoLookup against libmodsecurity 3.0.9, with the same database (tests/data/geo, which tests/e2e/mmdb.py writes).

#include <gtest/gtest.h>

#include <set>

#include "waf/differential/engine_under_test.h"
#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using Ids = std::set<std::uint64_t>;

const std::string kDatabase = std::string("SecGeoLookupDb ") + GATEHOUSE_SOURCE_DIR + "/tests/data/geo/places.mmdb\n";

class Pair {
 public:
  explicit Pair(const std::string& rules) {
    EXPECT_TRUE(theirs_.load(rules, "test.conf")) << theirs_.error();
    ours_ = compile_rules({{"test.conf", rules}});
  }
  Ids ours(const char* address, const std::string& target = "/") {
    Workspace workspace(*ours_, nullptr);
    Transaction transaction(workspace, SystemClock::instance());
    transaction.begin({});
    inspect(transaction, request(target), nullptr, address);
    Ids ids;
    for (const FiredRule& fired : transaction.fired()) ids.insert(fired.id);
    return ids;
  }
  Ids theirs(const char* address, const std::string& target = "/") {
    const auto transaction = theirs_.run(request(target), nullptr, address);
    Ids ids;
    for (const auto& message : transaction->m_rulesMessages) ids.insert(static_cast<std::uint64_t>(message.m_ruleId));
    return ids;
  }

 private:
  static RawRequest request(const std::string& target) {
    return *parse_raw_request("GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  }
  ModSecurityRules theirs_;
  std::unique_ptr<const Program> ours_;
};

TEST(GeoAgainstModSecurity, TheSameIsKnownOfAnAddress) {
  Pair pair(kDatabase + R"(
SecRule REMOTE_ADDR "@geoLookup" "id:1,phase:1,pass,log"
SecRule GEO:COUNTRY_CODE "@streq DE" "id:2,phase:1,pass,log"
SecRule GEO:COUNTRY_NAME "@streq Germany" "id:3,phase:1,pass,log"
SecRule GEO:CITY "@streq Berlin" "id:5,phase:1,pass,log"
SecRule GEO:POSTAL_CODE "@streq 10115" "id:6,phase:1,pass,log"
SecRule GEO:LATITUDE "@streq 52.500000" "id:7,phase:1,pass,log"
SecRule GEO:LONGITUDE "@streq 13.375000" "id:8,phase:1,pass,log"
SecRule GEO:COUNTRY_CODE "@within US JP" "id:9,phase:2,pass,log"
SecRule &GEO:COUNTRY_CODE "@eq 0" "id:10,phase:2,pass,log"
SecRule REMOTE_ADDR "!@geoLookup" "id:11,phase:2,pass,log"
SecRule GEO "@streq XL" "id:12,phase:2,pass,log"
SecRule REQUEST_METHOD "@streq GET" "id:13,phase:2,pass,log,setvar:'tx.where=%{geo.country_name}'"
SecRule TX:where "@streq Japan" "id:14,phase:2,pass,log"
SecRule ARGS:a "@geoLookup" "id:15,phase:2,pass,log,chain"
  SecRule GEO:COUNTRY_CODE "@streq DE" "")");
  EXPECT_EQ(pair.theirs("192.0.2.1"), (Ids{1, 2, 3, 5, 6, 7, 8, 13}));
  for (const char* address : {"192.0.2.1", "192.0.3.1", "198.51.100.5", "198.51.100.200", "2001:db8::7", "2001:db9::7",
                              "203.0.113.7", "203.0.113.8", "127.0.0.1", "::1"}) {
    EXPECT_EQ(pair.ours(address), pair.theirs(address)) << address;
  }
  for (const char* argument : {"192.0.2.1", "198.51.100.5", "no.address.example", "", "192.0.2.1.", "1e3"}) {
    const std::string target = std::string("/?a=") + argument;
    EXPECT_EQ(pair.ours("10.0.0.1", target), pair.theirs("10.0.0.1", target)) << target;
  }
}

// Of these the manual says that they are codes; the library gives the continent's name, and no region at all.
TEST(GeoAgainstModSecurity, Differences) {
  Pair pair(kDatabase + R"(
SecRule REMOTE_ADDR "@geoLookup" "id:1,phase:1,pass,log"
SecRule GEO:COUNTRY_CONTINENT "@streq EU" "id:2,phase:1,pass,log"
SecRule GEO:COUNTRY_CONTINENT "@streq Europe" "id:3,phase:1,pass,log"
SecRule GEO:REGION "@streq BE" "id:4,phase:1,pass,log"
SecRule GEO:DMA_CODE "@eq 7" "id:5,phase:1,pass,log")");
  EXPECT_EQ(pair.ours("192.0.2.1"), (Ids{1, 2, 4, 5}));
  EXPECT_EQ(pair.theirs("192.0.2.1"), (Ids{1, 3}));
}

}  // namespace
}  // namespace gatehouse::waf
