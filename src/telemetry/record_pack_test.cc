#include "telemetry/record_pack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "telemetry/record_sample.h"

namespace gatehouse::telemetry {
namespace {

std::string packed(const DecisionRecord& record) {
  const auto room = std::make_unique<char[]>(kPackedBytesMax);
  return {room.get(), pack(record, room.get())};
}

std::string rendered(const DecisionRecord& record) {
  std::string out;
  append_json(record, out);
  return out;
}

// The record as it comes back, rendered; empty when it does not.
std::string rendered_from(std::string_view bytes) {
  DecisionRecord record;
  WafRecord waf;
  return unpack(bytes, record, waf) ? rendered(record) : "";
}

TEST(RecordPack, PrintsTheSameFromItsBytes) {
  EXPECT_EQ(rendered_from(packed({})), rendered({}));
  DecisionRecord record = sample_record();
  record.add({Layer::waf, Verdict::deny, Mode::enforce, 1234, "waf.score", "942100: \"1 OR 1=1\"\n"});
  record.reason = "waf.score";
  const std::string bytes = packed(record);
  EXPECT_EQ(rendered_from(bytes), rendered(record));
  EXPECT_LT(bytes.size(), rendered(record).size() / 2);
}

TEST(RecordPack, KeepsWhatTheRulesFound) {
  DecisionRecord record = sample_record();
  const WafRecord waf = sample_waf();
  record.waf = &waf;
  EXPECT_NE(rendered(record).find("\"matched\":\"1' OR 1=1\""), std::string::npos);
  EXPECT_EQ(rendered_from(packed(record)), rendered(record));
}

TEST(RecordPack, LongTextsAreCutWhereRenderingCutsThem) {
  DecisionRecord record = sample_record();
  std::string path, text;
  while (path.size() < 2 * kPathBytesMax) path += "/ä€😀";  // the bound falls inside a character
  while (text.size() < 2 * kTextBytesMax) text += "ä€😀";
  for (std::size_t shift = 0; shift < 10; ++shift) {
    record.path = std::string_view(path).substr(shift);
    record.user = record.host = std::string_view(text).substr(shift);
    for (auto& layer : record.layers) layer.reason = layer.evidence = std::string_view(text).substr(shift);
    record.layer_count = DecisionRecord::kLayersMax;
    const std::string bytes = packed(record);
    EXPECT_LE(bytes.size(), kPackedBytesMax);
    EXPECT_EQ(rendered_from(bytes), rendered(record));
  }
}

TEST(RecordPack, TheLargestRecordFits) {
  DecisionRecord record;
  const std::string text(10 * kPathBytesMax, 'x');
  record.request_id = std::string_view(text).substr(0, sizeof(PackedKey::request_id));
  for (auto field : {&DecisionRecord::zone, &DecisionRecord::listener, &DecisionRecord::route, &DecisionRecord::service,
                     &DecisionRecord::endpoint, &DecisionRecord::method, &DecisionRecord::host,
                     &DecisionRecord::protocol, &DecisionRecord::user, &DecisionRecord::auth, &DecisionRecord::tls,
                     &DecisionRecord::reason, &DecisionRecord::path}) {
    record.*field = text;
  }
  for (auto& layer : record.layers) layer.reason = layer.evidence = text;
  record.layer_count = DecisionRecord::kLayersMax;
  WafRecord waf;
  for (WafHit& hit : waf.hits) {
    hit.severity = hit.message = hit.variable = hit.matched = text;
    hit.tags.fill(text);
    hit.limit_reached = true;
    hit.tag_count = WafHit::kTagsMax;
    hit.also.fill(text);
    hit.also_count = WafHit::kAlsoMax;
    hit.elsewhere = 9;
  }
  waf.hit_count = WafRecord::kHitsMax;
  waf.outbound = true;
  record.waf = &waf;
  const std::string bytes = packed(record);
  EXPECT_LE(bytes.size(), kPackedBytesMax);
  EXPECT_GT(bytes.size(), kPackedBytesMax - 2048);
  EXPECT_EQ(rendered_from(bytes), rendered(record));
}

TEST(RecordPack, BeginsWithWhatItIsFoundBy) {
  const DecisionRecord record = sample_record();
  const std::string bytes = packed(record);
  PackedKey key;
  std::memcpy(&key, bytes.data(), sizeof key);
  EXPECT_EQ(key.request_id, packed_id(record.request_id));
  EXPECT_EQ(key.client_ip, record.client_ip.bytes);
  EXPECT_EQ(key.time_ns, record.time.time_since_epoch().count());
  EXPECT_EQ(key.bytes, bytes.size());
  EXPECT_EQ(key.verdict, record.verdict);
  EXPECT_EQ(key.layer, record.layer);
}

TEST(RecordPack, BytesThatAreNoRecordAreRefused) {
  DecisionRecord whole = sample_record();
  const WafRecord found = sample_waf();
  whole.waf = &found;
  const std::string bytes = packed(whole);
  DecisionRecord record;
  WafRecord waf;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(unpack(std::string_view(bytes).substr(0, size), record, waf)) << size;
  }
  EXPECT_FALSE(unpack(bytes + "x", record, waf));
}

}  // namespace
}  // namespace gatehouse::telemetry
