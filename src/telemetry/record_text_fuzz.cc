// Whatever a peer puts into a request: its record is one line of JSON that our own strict reader takes, explaining it
// sends no control byte to a terminal, and masking ends.

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "codec/json.h"
#include "telemetry/access_log.h"
#include "telemetry/explain.h"
#include "telemetry/mask.h"
#include "telemetry/record_formats.h"
#include "telemetry/record_pack.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"
#include "telemetry/trace.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  using namespace gatehouse::telemetry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  DecisionRecord record = sample_record();
  record.path = text;
  record.user = text.substr(0, size / 2);
  record.layers[3].evidence = text.substr(size / 3);
  record.layers[3].reason = "waf.score";
  WafRecord waf = sample_waf();
  waf.hits[0].matched = waf.hits[1].message = text.substr(size / 4);
  waf.hits[0].variable = waf.hits[2].matched = text.substr(0, size / 5);
  record.waf = &waf;
  std::string line;
  append_json(record, line);
  require(line.find('\n') == std::string::npos);
  require(codec::Json::parse(line, {.bytes_max = 1 << 20, .depth_max = 8, .values_max = 4096}).has_value());
  const auto words = explain(line, {});
  require(words.has_value());
  for (const char c : *words) require(c == '\n' || static_cast<unsigned char>(c) >= 0x20);

  const auto room = std::make_unique<char[]>(kPackedBytesMax);
  DecisionRecord again_record;
  WafRecord again_waf;
  require(unpack({room.get(), pack(record, room.get())}, again_record, again_waf));
  std::string again_line;
  append_json(again_record, again_line);
  require(again_line == line);

  std::string common;
  append_common(record, common);
  for (const char c : common) require(c >= 0x20 && c < 0x7f);

  for (const WafRecord* const found : {static_cast<const WafRecord*>(&waf), static_cast<const WafRecord*>(nullptr)}) {
    record.waf = found;
    record.host = record.method = text.substr(size / 3);
    for (const auto format : {AccessLogFormat::ecs, AccessLogFormat::ocsf, AccessLogFormat::cef}) {
      std::string other;
      append_record(format, record, other);
      for (const char c : other) require(static_cast<unsigned char>(c) >= 0x20);
      if (format == AccessLogFormat::cef) continue;
      require(codec::Json::parse(other, {.bytes_max = 1 << 20, .depth_max = 12, .values_max = 4096}).has_value());
    }
  }

  [[maybe_unused]] const auto no_record = explain(text, {});
  const Masker masker({"password", "card_number"});
  std::string masked;
  masker.append_query(text, masked);
  masker.append_text(text, masked);
  if (const auto parent = parse_traceparent(text)) require(parent->trace_id != TraceId{});
  IdGenerator ids({1, 2, 3, 4});
  const auto context = ids.begin(text, text, true);
  const auto again = context.traceparent();
  require(parse_traceparent({again.data(), again.size()}).has_value());
  return 0;
}
