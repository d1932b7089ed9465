// ArcSight's Common Event Format, version 0. Keys: CEF Implementation Standard, "Extension Dictionary".

#include <array>
#include <charconv>

#include "telemetry/reasons.h"
#include "telemetry/record_formats.h"
#include "telemetry/render_fields.h"

namespace gatehouse::telemetry {
namespace {

enum class Place : bool { header, extension };

// A value as its place demands. Control bytes would drive a terminal or end the line; the format names two of them
// only.
void append_value(Place place, std::string_view text, std::size_t bytes_max, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  const std::string_view kept = codec::utf8_prefix(text, bytes_max);
  const auto hex = [&](unsigned byte) { out += {'\\', '\\', 'x', kHex[byte >> 4 & 15], kHex[byte & 15]}; };
  for (const char *at = kept.data(), *end = at + kept.size(); at != end;) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte >= 0x80) {
      std::size_t bad = 0;
      const std::size_t length = codec::utf8_sequence(at, end, &bad);
      if (length == 0) {
        out += "\xef\xbf\xbd";  // U+FFFD
        at += bad;
      } else if (byte == 0xc2 && static_cast<unsigned char>(at[1]) < 0xa0) {
        hex(static_cast<unsigned char>(at[1]));  // U+0080 to U+009F: control characters as well
        at += length;
      } else {
        out.append(at, length);
        at += length;
      }
      continue;
    }
    ++at;
    if (byte == '\\' || byte == (place == Place::header ? '|' : '=')) {
      out += {'\\', static_cast<char>(byte)};
    } else if (place == Place::extension && (byte == '\n' || byte == '\r')) {
      out += byte == '\n' ? "\\n" : "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      hex(byte);
    } else {
      out += static_cast<char>(byte);
    }
  }
  if (kept.size() < text.size()) out += kCut;
}

void text(std::string_view key, std::string_view value, std::string& out, std::size_t bytes_max = kTextBytesMax) {
  if (value.empty()) return;
  out += key;
  append_value(Place::extension, value, bytes_max, out);
}

void number(std::string_view key, std::int64_t value, std::string& out) {
  char digits[24];
  out += key;
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

bool inspected(const RecordSummary& record) noexcept { return record.waf != nullptr && record.waf->hit_count != 0; }

// 0 to 10, of which 7 and 8 are high and 9 and 10 very high.
char severity_of(const RecordSummary& record) noexcept {
  const bool denied = record.verdict == Verdict::deny;
  if (inspected(record)) return denied ? '9' : '6';
  if (denied) return '7';
  return record.verdict == Verdict::delay || record.status >= 500 ? '4' : '1';
}

void append_header(const RecordSummary& record, std::string& out) {
  out += "CEF:0|Gatehouse|Gatehouse|" GATEHOUSE_VERSION "|";
  if (record.reason.empty()) {
    out += "request.";
    out += name_of(record.verdict);
    out += "|the request was let through";
  } else {
    append_value(Place::header, record.reason, kTextBytesMax, out);
    out += '|';
    append_value(Place::header, text_of_reason(record.reason).meaning, 512, out);  // what the dictionary allows
  }
  out += {'|', severity_of(record), '|'};
}

void append_request(const RecordSummary& record, std::string& out) {
  char buffer[INET6_ADDRSTRLEN];
  const std::string_view ip = format_ip(record.client_ip, buffer);
  if (record.client_ip.is_v4()) {
    text(" src=", ip, out);
  } else if (!ip.empty()) {
    text(" c6a2Label=Source IPv6 Address c6a2=", ip, out);
  }
  text(" suser=", record.user, out);
  text(" requestMethod=", record.method, out);
  if (!record.path.empty()) {
    out += record.tls.empty() ? " request=http://" : " request=https://";
    append_value(Place::extension, record.host, kTextBytesMax, out);
    append_value(Place::extension, record.path, kPathBytesMax, out);
  }
  text(" app=", record.protocol, out);
  text(" dhost=", split_host(record.host).name, out);
  text(" destinationServiceName=", record.service, out);
  text(" deviceInboundInterface=", record.listener, out);
  number(" in=", static_cast<std::int64_t>(record.bytes_in), out);
  number(" out=", static_cast<std::int64_t>(record.bytes_out), out);
}

// The evidence of the layer that decided.
std::string_view evidence_of(const DecisionRecord& record) noexcept {
  for (std::size_t i = 0; i < record.layer_count; ++i) {
    const LayerDecision& decision = record.layers[i];
    if (decision.layer == record.layer && decision.reason == record.reason) return decision.evidence;
  }
  return {};
}

}  // namespace

void append_cef(const DecisionRecord& record, std::string& out) {
  append_header(record, out);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(record.time.time_since_epoch()).count();
  number("rt=", ms < 0 ? 0 : ms, out);
  text(" externalId=", record.request_id, out);
  out += " act=";
  out += name_of(record.verdict);
  out += record.verdict == Verdict::deny || record.status >= 500 || record.status == 0 ? " outcome=failure"
                                                                                       : " outcome=success";
  text(" reason=", record.reason, out);
  append_request(record, out);
  text(" cs1Label=route cs1=", record.route, out);
  out += " cs2Label=layer cs2=";
  out += name_of(record.layer);
  text(" cs3Label=zone cs3=", record.zone, out);
  text(" cs4Label=authentication cs4=", record.auth, out);
  text(" cs5Label=traceId cs5=", trace_of(record), out);
  if (inspected(record)) {
    std::string_view before = " cs6Label=rules cs6=";
    for (const WafHit& hit : record.waf->all()) {
      number(before, static_cast<std::int64_t>(hit.rule), out);
      before = ",";
    }
  }
  number(" cn1Label=status cn1=", record.status, out);
  number(" cn2Label=durationMicroseconds cn2=", static_cast<std::int64_t>(record.duration_us), out);
  number(" cn3Label=ownMicroseconds cn3=", static_cast<std::int64_t>(record.gatehouse_us), out);
  text(" msg=", evidence_of(record), out);
}

}  // namespace gatehouse::telemetry
