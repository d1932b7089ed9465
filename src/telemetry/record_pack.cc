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
  std::array<std::uint16_t, kTexts.size()> text_bytes;
};

struct FixedLayer {
  Layer layer;
  Verdict verdict;
  Mode mode;
  std::uint32_t ns;
  std::uint16_t reason_bytes, evidence_bytes;
};

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
  fixed.bytes_in = record.bytes_in;
  fixed.bytes_out = record.bytes_out;
  fixed.duration_us = record.duration_us;
  fixed.upstream_us = record.upstream_us;
  fixed.gatehouse_us = record.gatehouse_us;
  fixed.trace_id = record.trace_id;
  fixed.status = record.status;
  fixed.layer_count = record.layer_count;

  char* at = to + sizeof fixed + record.layer_count * sizeof(FixedLayer);
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    const std::string_view text = record.*kTexts[i];
    fixed.text_bytes[i] = kept(text, i == kPathAt ? kPathBytesMax : kTextBytesMax);
    at = put(at, text.data(), fixed.text_bytes[i]);
  }
  for (std::size_t i = 0; i < record.layer_count; ++i) {
    const LayerDecision& decision = record.layers[i];
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
  fixed.key.bytes = static_cast<std::uint32_t>(at - to);
  std::memcpy(to, &fixed, sizeof fixed);
  return fixed.key.bytes;
}

bool unpack(std::string_view bytes, DecisionRecord& record) noexcept {
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
  return reader.whole && reader.left.empty();
}

}  // namespace gatehouse::telemetry
