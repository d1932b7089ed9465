#include "telemetry/render.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "codec/json_writer.h"
#include "telemetry/access_log.h"
#include "telemetry/record_formats.h"
#include "telemetry/render_fields.h"

namespace gatehouse::telemetry {
namespace {

using codec::JsonWriter;

constexpr std::int64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z

void put_digits(char* at, unsigned value, int width) noexcept {
  for (int i = width - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

struct SecondPrefix {
  std::int64_t second = -1;
  char text[20];  // "2025-06-15T15:06:40."
};

// The calendar arithmetic costs more than the rest of the time; a busy shard pays it once a second.
const SecondPrefix& prefix_of(std::int64_t second) noexcept {
  thread_local SecondPrefix cached;
  if (cached.second == second) return cached;
  const std::time_t seconds = static_cast<std::time_t>(second);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  put_digits(cached.text, static_cast<unsigned>(parts.tm_year + 1900), 4);
  put_digits(cached.text + 5, static_cast<unsigned>(parts.tm_mon + 1), 2);
  put_digits(cached.text + 8, static_cast<unsigned>(parts.tm_mday), 2);
  put_digits(cached.text + 11, static_cast<unsigned>(parts.tm_hour), 2);
  put_digits(cached.text + 14, static_cast<unsigned>(parts.tm_min), 2);
  put_digits(cached.text + 17, static_cast<unsigned>(parts.tm_sec), 2);
  cached.text[4] = cached.text[7] = '-';
  cached.text[10] = 'T';
  cached.text[13] = cached.text[16] = ':';
  cached.text[19] = '.';
  cached.second = second;
  return cached;
}

struct Instant {
  std::int64_t second;
  unsigned micros;
};

Instant instant_of(WallTime time) noexcept {
  const std::int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  if (micros < 0) return {0, 0};
  if (micros / 1'000'000 > kLastSecond) return {kLastSecond, 999'999};
  return {micros / 1'000'000, static_cast<unsigned>(micros % 1'000'000)};
}

constexpr std::size_t kLayers = static_cast<std::size_t>(Layer::count_) + 1, kVerdicts = 4, kModes = 3;

// What an entry of the list of layers begins with, for each layer, verdict and mode: up to the quote before the reason.
struct LayerHeads {
  LayerHeads() {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      texts[i] = "{\"layer\":\"";
      texts[i] += name_of(static_cast<Layer>(i / kModes / kVerdicts));
      texts[i] += "\",\"verdict\":\"";
      texts[i] += name_of(static_cast<Verdict>(i / kModes % kVerdicts));
      texts[i] += "\",\"mode\":\"";
      texts[i] += name_of(static_cast<Mode>(i % kModes));
      texts[i] += "\",\"reason\":\"";
    }
  }
  std::string_view of(const LayerDecision& decision) const noexcept {
    const std::size_t layer = std::min(static_cast<std::size_t>(decision.layer), kLayers - 1);  // the last: "unknown"
    return texts[(layer * kVerdicts + static_cast<std::size_t>(decision.verdict)) * kModes +
                 static_cast<std::size_t>(decision.mode)];
  }
  std::array<std::string, kLayers * kVerdicts * kModes> texts;
};

void append_layer(JsonWriter& json, const LayerDecision& decision) {
  static const LayerHeads kHeads;
  json.raw(kHeads.of(decision));
  text_field(json, {}, decision.reason);
  number_field(json, "\",\"ns\":", decision.ns);
  text_field(json, ",\"evidence\":\"", decision.evidence);
  json.raw("\"}");
}

void append_hit(JsonWriter& json, const WafHit& hit) {
  number_field(json, "{\"rule\":", hit.rule);
  number_field(json, ",\"phase\":", hit.phase);
  json.raw(",\"score\":");
  json.number(hit.score);
  number_field(json, ",\"paranoia\":", hit.level);
  text_field(json, ",\"severity\":\"", hit.severity, WafHit::kTextBytesMax);
  text_field(json, "\",\"message\":\"", hit.message, WafHit::kTextBytesMax);
  text_field(json, "\",\"variable\":\"", hit.variable, WafHit::kTextBytesMax);
  text_field(json, "\",\"matched\":\"", hit.matched, WafHit::kTextBytesMax);
  number_field(json, "\",\"times\":", hit.times);
  for (std::size_t i = 0; i < hit.also_count; ++i) {
    text_field(json, i == 0 ? ",\"also\":[\"" : ",\"", hit.also[i], WafHit::kTextBytesMax);
    json.raw(i + 1 == hit.also_count ? "\"]" : "\"");
  }
  if (hit.elsewhere != 0) number_field(json, ",\"elsewhere\":", hit.elsewhere);
  if (hit.limit_reached) json.raw(",\"limit_reached\":true");
  json.raw(",\"tags\":[");
  for (std::size_t i = 0; i < hit.tag_count; ++i) {
    text_field(json, i == 0 ? "\"" : ",\"", hit.tags[i], WafHit::kTextBytesMax);
    json.raw("\"");
  }
  json.raw("]}");
}

void append_waf(JsonWriter& json, const WafRecord& waf) {
  json.raw(",\"waf\":{\"direction\":");
  json.raw(waf.outbound ? "\"outbound\"" : "\"inbound\"");
  json.raw(",\"score\":");
  json.number(waf.score);
  json.raw(",\"threshold\":");
  json.number(waf.threshold);
  json.raw(",\"levels\":[");
  for (std::size_t i = 0; i < waf.levels.size(); ++i) {
    if (i != 0) json.raw(",");
    json.number(waf.levels[i]);
  }
  json.raw("],\"rules\":[");
  for (std::size_t i = 0; i < waf.hit_count; ++i) {
    if (i != 0) json.raw(",");
    append_hit(json, waf.hits[i]);
  }
  number_field(json, "],\"omitted\":", waf.omitted);
  json.raw("}");
}

// Apache's escaping: what could end the field or the line, or drive a terminal, is \xHH.
void append_common_text(std::string_view text, bool in_quotes, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  text = codec::utf8_prefix(text, kPathBytesMax);
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\' || (c == ' ' && !in_quotes)) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
}

}  // namespace

// inet_ntop costs 150 ns for an IPv4 address; this is most of our clients.
std::string_view format_ip(const IpAddress& ip, char (&buffer)[INET6_ADDRSTRLEN]) noexcept {
  if (ip == IpAddress{}) return {};  // a Unix socket
  if (!ip.is_v4()) {
    inet_ntop(AF_INET6, ip.bytes.data(), buffer, sizeof buffer);
    return buffer;
  }
  char* at = buffer;
  for (int i = 12; i < 16; ++i) {
    at = std::to_chars(at, buffer + sizeof buffer, ip.bytes[i]).ptr;
    *at++ = '.';
  }
  return {buffer, static_cast<std::size_t>(at - buffer - 1)};
}

std::string_view format_time(WallTime time, char (&buffer)[kTimeBytes]) noexcept {
  const Instant instant = instant_of(time);
  std::memcpy(buffer, prefix_of(instant.second).text, 20);
  put_digits(buffer + 20, instant.micros, 6);
  buffer[26] = 'Z';
  return {buffer, kTimeBytes};
}

void append_json(const DecisionRecord& record, std::string& out) {
  JsonWriter json(out);
  char time[kTimeBytes];
  char ip[INET6_ADDRSTRLEN];
  json.raw("{\"time\":\"");
  json.raw(format_time(record.time, time));
  text_field(json, "\",\"request_id\":\"", record.request_id);
  text_field(json, "\",\"trace_id\":\"", trace_of(record));
  json.raw("\",\"client_ip\":\"");
  json.raw(format_ip(record.client_ip, ip));
  text_field(json, "\",\"zone\":\"", record.zone);
  text_field(json, "\",\"listener\":\"", record.listener);
  text_field(json, "\",\"route\":\"", record.route);
  text_field(json, "\",\"service\":\"", record.service);
  text_field(json, "\",\"endpoint\":\"", record.endpoint);
  text_field(json, "\",\"method\":\"", record.method);
  text_field(json, "\",\"host\":\"", record.host);
  text_field(json, "\",\"path\":\"", record.path, kPathBytesMax);
  text_field(json, "\",\"protocol\":\"", record.protocol);
  json.raw("\",\"status\":");
  json.number(record.status);
  number_field(json, ",\"bytes_in\":", record.bytes_in);
  number_field(json, ",\"bytes_out\":", record.bytes_out);
  number_field(json, ",\"duration_us\":", record.duration_us);
  number_field(json, ",\"upstream_us\":", record.upstream_us);
  number_field(json, ",\"gatehouse_us\":", record.gatehouse_us);
  text_field(json, ",\"user\":\"", record.user);
  text_field(json, "\",\"auth\":\"", record.auth);
  text_field(json, "\",\"tls\":\"", record.tls);
  json.raw("\",\"verdict\":\"");
  json.raw(name_of(record.verdict));
  json.raw("\",\"layer\":\"");
  json.raw(name_of(record.layer));
  text_field(json, "\",\"reason\":\"", record.reason);
  json.raw("\",\"layers\":[");
  for (std::size_t i = 0; i < record.layer_count; ++i) {
    if (i != 0) json.raw(",");
    append_layer(json, record.layers[i]);
  }
  json.raw("]");
  if (record.waf != nullptr) append_waf(json, *record.waf);
  json.raw("}");
}

void append_common(const DecisionRecord& record, std::string& out) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char ip[INET6_ADDRSTRLEN];
  const std::string_view client = format_ip(record.client_ip, ip);
  out += client.empty() ? "-" : client;
  out += " - ";
  if (record.user.empty()) {
    out += '-';
  } else {
    append_common_text(record.user, false, out);
  }
  // "2025-06-15T15:06:40." holds all the digits of "15/Jun/2025:15:06:40 +0000".
  const std::string_view second(prefix_of(instant_of(record.time).second).text, 20);
  const std::size_t month = static_cast<std::size_t>((second[5] - '0') * 10 + (second[6] - '0') - 1);
  out += " [";
  out += second.substr(8, 2);
  out += '/';
  out += kMonths.substr(month * 3, 3);
  out += '/';
  out += second.substr(0, 4);
  out += ':';
  out += second.substr(11, 8);
  out += " +0000] \"";
  append_common_text(record.method.empty() ? "-" : record.method, true, out);
  out += ' ';
  append_common_text(record.path.empty() ? "-" : record.path, true, out);
  out += ' ';
  append_common_text(record.protocol.empty() ? "-" : record.protocol, true, out);
  out += "\" ";
  char number[24];
  out.append(number, std::to_chars(number, number + sizeof number, record.status).ptr);
  out += ' ';
  out.append(number, std::to_chars(number, number + sizeof number, record.bytes_out).ptr);
  out += " \"-\" \"-\"";
}

void append_record(AccessLogFormat format, const DecisionRecord& record, std::string& out) {
  switch (format) {
    case AccessLogFormat::json: append_json(record, out); break;
    case AccessLogFormat::common: append_common(record, out); break;
    case AccessLogFormat::ecs: append_ecs(record, out); break;
    case AccessLogFormat::ocsf: append_ocsf(record, out); break;
    case AccessLogFormat::cef: append_cef(record, out); break;
  }
}

}  // namespace gatehouse::telemetry
