#include "audit/entry.h"

#include <gtest/gtest.h>

#include "audit/tiles.h"
#include "audit/verify.h"
#include "codec/json.h"

namespace gatehouse::audit {
namespace {

const PersonalKey& key() {
  static const PersonalKey personal(SecretBytes(std::string(32, 'k')), "log");
  return personal;
}

TEST(Entry, OneForm) {
  Entry entry;
  entry.kind = Entry::Kind::administration;
  entry.time = WallTime(std::chrono::seconds(1'764'428'669) + std::chrono::microseconds(123456));
  entry.actor = "admin:uid=0";
  entry.action = "ban.add";
  entry.target = "line\nbreak \"\\\x7f \xc3\xbc \xff";
  entry.details = {{"zeta", "2"}, {"alpha", "1"}, {"zeta", "again"}};
  EXPECT_EQ(record_of(entry, 7, key()).leaf,
            "{\"action\":\"ban.add\",\"actor\":\"admin:uid=0\",\"details\":{\"alpha\":\"1\",\"zeta\":\"2\"},"
            "\"kind\":\"administration\",\"outcome\":\"ok\",\"request_id\":\"\",\"sequence\":7,"
            "\"target\":\"line break \\\"\\\\  \xc3\xbc \xef\xbf\xbd\",\"time\":\"2025-11-29T15:04:29.123456Z\","
            "\"version\":1}");
  EXPECT_EQ(sequence_of(record_of(entry, 7, key()).leaf), 7u);
}

// Computed with Python's hmac: key 0x00…0x0f, "client_ip" 0x00 "192.0.2.1".
TEST(Entry, ACommitmentIsAnHmac) {
  std::string salt;
  for (char c = 0; c < 16; ++c) salt += c;
  EXPECT_EQ(commitment(salt, "client_ip", "192.0.2.1"), "08wzRBo8dMIkbjtD5sP76Z7pRNy6NU8OaUaKpXO3rlY");
  EXPECT_NE(commitment(salt, "client_i", "p192.0.2.1"), commitment(salt, "client_ip", "192.0.2.1"));
}

TEST(Entry, PersonalValuesAreCommittedToAndOpenInTheirPlaceAlone) {
  Entry entry;
  entry.personal = {{"user", "alice"}, {"client_ip", "192.0.2.1"}};
  const Recorded one = record_of(entry, 5, key()), other = record_of(entry, 5, key());
  EXPECT_NE(one.leaf, other.leaf) << "each has a salt of its own";
  EXPECT_EQ(one.leaf.find("alice"), std::string::npos);
  EXPECT_EQ(one.sealed.find("alice"), std::string::npos);
  const auto openings = key().open(5, one.sealed);
  ASSERT_TRUE(openings);
  ASSERT_EQ(openings->size(), 2u);
  const auto leaf = codec::Json::parse(one.leaf);
  for (const Opening& opening : *openings) {
    EXPECT_EQ(leaf->find("commitments")->find_string(opening.name),
              commitment(opening.salt, opening.name, opening.value));
  }
  EXPECT_FALSE(key().open(6, one.sealed));
  EXPECT_FALSE(PersonalKey(SecretBytes(std::string(32, 'x')), "log").open(5, one.sealed));
  EXPECT_FALSE(PersonalKey(SecretBytes(std::string(32, 'k')), "other").open(5, one.sealed));
  EXPECT_TRUE(key().open(std::uint64_t{1} << 40, key().seal(std::uint64_t{1} << 40, *openings)));
}

// The largest that can come of anything fits into a bundle, and is in its form.
TEST(Entry, TheLargestFits) {
  for (const std::string& filler : {std::string(5000, '"'), std::string(5000, '\xff'), std::string(5000, '\n')}) {
    Entry entry;
    entry.actor = entry.action = entry.target = entry.outcome = entry.request_id = filler;
    for (int i = 0; i < 100; ++i) {
      entry.details.emplace_back(std::to_string(i) + filler, filler);
      entry.personal.emplace_back(std::to_string(i) + filler, filler);
    }
    const Recorded recorded = record_of(entry, UINT64_MAX / 2, key());
    EXPECT_LE(recorded.leaf.size(), kEntryBytesMax);
    EXPECT_LE(recorded.sealed.size(), kEntryBytesMax);
    EXPECT_EQ(sequence_of(recorded.leaf), UINT64_MAX / 2);
  }
}

TEST(Entry, LeavesInAnotherForm) {
  EXPECT_EQ(sequence_of("{\"a\":1,\"sequence\":3}"), 3u);
  for (const std::string_view leaf : {"", "3", "[3]", "{\"sequence\":3,\"a\":1}", "{\"sequence\":3,\"sequence\":3}",
                                      "{\"sequence\":-3}", "{\"sequence\":3.0}", "{\"sequence\":\"3\"}", "{\"a\":1}",
                                      "{\"a\":{\"c\":1,\"b\":1},\"sequence\":3}", "{\"sequence\":3} x"}) {
    EXPECT_EQ(sequence_of(leaf), std::nullopt) << leaf;
  }
}

}  // namespace
}  // namespace gatehouse::audit
