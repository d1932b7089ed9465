#include "telemetry/record_pack.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace gatehouse::telemetry {
namespace {

constexpr std::array kTexts = {
    &DecisionRecord::zone,     &DecisionRecord::listener, &DecisionRecord::route, &DecisionRecord::service,
    &DecisionRecord::endpoint, &DecisionRecord::method,   &DecisionRecord::host,  &DecisionRecord::protocol,
    &DecisionRecord::user,     &DecisionRecord::auth,     &DecisionRecord::tls,   &DecisionRecord::reason,
    &DecisionRecord::path,
};
constexpr std::size_t kPathAt = kTexts.size() - 1;

struct Fixed {
  PackedKey key;
  std::uint64_t bytes_in, bytes_out, duration_us, upstream_us, gatehouse_us;
  std::array<char, 32> trace_id;
  std::int32_t status;
  std::uint8_t layer_count;
  bool has_waf;
  std::array<std::uint16_t, kTexts.size()> text_bytes;
};

struct FixedLayer {
  Layer layer;
  Verdict verdict;
  Mode mode;
  std::uint32_t ns;
  std::uint16_t reason_bytes, evidence_bytes;
};

struct FixedWaf {
  std::int32_t score, threshold;
  std::array<std::int32_t, WafRecord::kLevels> levels;
  std::uint16_t hit_count, omitted;
  std::uint32_t outbound;
};

constexpr std::array kHitTexts = {&WafHit::severity, &WafHit::message, &WafHit::variable, &WafHit::matched};

struct FixedHit {
  std::uint64_t rule;
  std::int32_t score;
  std::uint16_t times;
  std::uint8_t level, phase, tag_count;
  bool limit_reached;
  std::array<std::uint16_t, kHitTexts.size()> text_bytes;
  std::array<std::uint16_t, WafHit::kTagsMax> tag_bytes;
  std::array<std::uint16_t, WafHit::kAlsoMax> also_bytes;
  std::uint16_t elsewhere;
  std::uint8_t also_count;
};
static_assert(sizeof(FixedWaf) <= 64 && sizeof(FixedHit) <= 64);  // as kPackedBytesMax counts them

static_assert(sizeof(Fixed) + DecisionRecord::kLayersMax * sizeof(FixedLayer) <= 1024);

std::uint16_t kept(std::string_view text, std::size_t bytes_max) noexcept {
  return static_cast<std::uint16_t>(std::min(text.size(), bytes_max + 1));
}

char* put(char* to, const char* from, std::size_t bytes) noexcept {
  if (bytes != 0) std::memcpy(to, from, bytes);  // an empty text may point nowhere
  return to + bytes;
}

// Takes texts off the front of the bytes, which may be too short for them.
struct Reader {
  std::string_view left;
  bool whole = true;
  std::string_view take(std::size_t bytes) noexcept {
    whole &= bytes <= left.size();
    const std::string_view text = left.substr(0, bytes);
    left.remove_prefix(text.size());
    return text;
  }
};

char* pack_hit(const WafHit& hit, char* at) noexcept {
  FixedHit fixed{};
  fixed.rule = hit.rule;
  fixed.score = hit.score;
  fixed.times = hit.times;
  fixed.level = hit.level;
  fixed.phase = hit.phase;
  fixed.tag_count = hit.tag_count;
  fixed.limit_reached = hit.limit_reached;
  fixed.elsewhere = hit.elsewhere;
  fixed.also_count = hit.also_count;
  char* const head = at;
  at += sizeof fixed;
  for (std::size_t i = 0; i < kHitTexts.size(); ++i) {
    const std::string_view text = hit.*kHitTexts[i];
    fixed.text_bytes[i] = kept(text, WafHit::kTextBytesMax);
    at = put(at, text.data(), fixed.text_bytes[i]);
  }
  for (std::size_t i = 0; i < hit.tag_count; ++i) {
    fixed.tag_bytes[i] = kept(hit.tags[i], WafHit::kTextBytesMax);
    at = put(at, hit.tags[i].data(), fixed.tag_bytes[i]);
  }
  for (std::size_t i = 0; i < hit.also_count; ++i) {
    fixed.also_bytes[i] = kept(hit.also[i], WafHit::kTextBytesMax);
    at = put(at, hit.also[i].data(), fixed.also_bytes[i]);
  }
  std::memcpy(head, &fixed, sizeof fixed);
  return at;
}

char* pack_waf(const WafRecord& waf, char* at) noexcept {
  const FixedWaf fixed = {waf.score, waf.threshold, waf.levels, waf.hit_count, waf.omitted, waf.outbound};
  at = put(at, reinterpret_cast<const char*>(&fixed), sizeof fixed);
  for (const WafHit& hit : waf.all()) at = pack_hit(hit, at);
  return at;
}

template <class Fixed>
bool read_fixed(Reader& reader, Fixed& fixed) noexcept {
  const std::string_view bytes = reader.take(sizeof fixed);
  if (reader.whole) std::memcpy(&fixed, bytes.data(), sizeof fixed);
  return reader.whole;
}

bool unpack_waf(Reader& reader, WafRecord& waf) noexcept {
  FixedWaf fixed;
  if (!read_fixed(reader, fixed) || fixed.hit_count > WafRecord::kHitsMax) return false;
  waf.score = fixed.score;
  waf.threshold = fixed.threshold;
  waf.levels = fixed.levels;
  waf.hit_count = fixed.hit_count;
  waf.omitted = fixed.omitted;
  waf.outbound = fixed.outbound != 0;
  for (std::size_t i = 0; i < waf.hit_count; ++i) {
    WafHit& hit = waf.hits[i];
    FixedHit kept_hit;
    if (!read_fixed(reader, kept_hit) || kept_hit.tag_count > WafHit::kTagsMax) return false;
    if (kept_hit.also_count > WafHit::kAlsoMax) return false;
    hit.elsewhere = kept_hit.elsewhere;
    hit.also_count = kept_hit.also_count;
    hit.rule = kept_hit.rule;
    hit.score = kept_hit.score;
    hit.times = kept_hit.times;
    hit.level = kept_hit.level;
    hit.phase = kept_hit.phase;
    hit.tag_count = kept_hit.tag_count;
    hit.limit_reached = kept_hit.limit_reached;
    for (std::size_t j = 0; j < kHitTexts.size(); ++j) hit.*kHitTexts[j] = reader.take(kept_hit.text_bytes[j]);
    for (std::size_t j = 0; j < hit.tag_count; ++j) hit.tags[j] = reader.take(kept_hit.tag_bytes[j]);
    for (std::size_t j = 0; j < hit.also_count; ++j) hit.also[j] = reader.take(kept_hit.also_bytes[j]);
  }
  return reader.whole;
}

}  // namespace

std::array<char, 32> packed_id(std::string_view request_id) noexcept {
  std::array<char, 32> id{};
  put(id.data(), request_id.data(), std::min(request_id.size(), id.size()));
  return id;
}

std::size_t pack(const DecisionRecord& record, char* const to) noexcept {
  Fixed fixed{};
  fixed.key.request_id = packed_id(record.request_id);
  fixed.key.client_ip = record.client_ip.bytes;
  fixed.key.time_ns = record.time.time_since_epoch().count();
  fixed.key.verdict = record.verdict;
  fixed.key.layer = record.layer;
  fixed.key.status_class = static_cast<std::uint8_t>(record.status / 100);
  bool remark = record.waf != nullptr;
  fixed.bytes_in = record.bytes_in;
  fixed.bytes_out = record.bytes_out;
  fixed.duration_us = record.duration_us;
  fixed.upstream_us = record.upstream_us;
  fixed.gatehouse_us = record.gatehouse_us;
  fixed.trace_id = record.trace_id;
  fixed.status = record.status;
  fixed.layer_count = record.layer_count;
  fixed.has_waf = record.waf != nullptr;

  char* at = to + sizeof fixed + record.layer_count * sizeof(FixedLayer);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    const std::string_view text = record.*kTexts[i];
    fixed.text_bytes[i] = kept(text, i == kPathAt ? kPathBytesMax : kTextBytesMax);
    at = put(at, text.data(), fixed.text_bytes[i]);
  }
  for (std::size_t i = 0; i < record.layer_count; ++i) {
    const LayerDecision& decision = record.layers[i];
    remark |= decision.mode == Mode::monitor && decision.verdict != Verdict::pass;
    const FixedLayer layer = {decision.layer,
                              decision.verdict,
                              decision.mode,
                              decision.ns,
                              kept(decision.reason, kTextBytesMax),
                              kept(decision.evidence, kTextBytesMax)};
    std::memcpy(to + sizeof fixed + i * sizeof layer, &layer, sizeof layer);
    at = put(at, decision.reason.data(), layer.reason_bytes);
    at = put(at, decision.evidence.data(), layer.evidence_bytes);
  }
  if (record.waf != nullptr) at = pack_waf(*record.waf, at);
  fixed.key.remark = remark ? 1 : 0;
  fixed.key.bytes = static_cast<std::uint32_t>(at - to);
  std::memcpy(to, &fixed, sizeof fixed);
  return fixed.key.bytes;
}

bool unpack(std::string_view bytes, DecisionRecord& record, WafRecord& waf) noexcept {
  record = {};
  Reader reader{bytes};
  Fixed fixed;
  const std::string_view head = reader.take(sizeof fixed);
  if (!reader.whole) return false;
  std::memcpy(&fixed, head.data(), sizeof fixed);
  if (fixed.key.bytes != bytes.size() || fixed.layer_count > DecisionRecord::kLayersMax) return false;
  const std::string_view id = head.substr(offsetof(Fixed, key.request_id), fixed.key.request_id.size());
  record.request_id = id.substr(0, id.find('\0'));
  record.client_ip.bytes = fixed.key.client_ip;
  record.time = WallTime(Duration(fixed.key.time_ns));
  record.verdict = fixed.key.verdict;
  record.layer = fixed.key.layer;
  record.bytes_in = fixed.bytes_in;
  record.bytes_out = fixed.bytes_out;
  record.duration_us = fixed.duration_us;
  record.upstream_us = fixed.upstream_us;
  record.gatehouse_us = fixed.gatehouse_us;
  record.trace_id = fixed.trace_id;
  record.status = fixed.status;
  record.layer_count = fixed.layer_count;
  const std::string_view layers = reader.take(fixed.layer_count * sizeof(FixedLayer));
  for (std::size_t i = 0; i < kTexts.size(); ++i) record.*kTexts[i] = reader.take(fixed.text_bytes[i]);
  if (!reader.whole) return false;
  for (std::size_t i = 0; i < fixed.layer_count; ++i) {
    FixedLayer layer;
    std::memcpy(&layer, layers.data() + i * sizeof layer, sizeof layer);
    LayerDecision& decision = record.layers[i];
    decision.layer = layer.layer;
    decision.verdict = layer.verdict;
    decision.mode = layer.mode;
    decision.ns = layer.ns;
    decision.reason = reader.take(layer.reason_bytes);
    decision.evidence = reader.take(layer.evidence_bytes);
  }
  if (fixed.has_waf) {
    if (!unpack_waf(reader, waf)) return false;
    record.waf = &waf;
  }
  return reader.whole && reader.left.empty();
}

}  // namespace gatehouse::telemetry
