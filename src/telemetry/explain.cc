#include "telemetry/explain.h"

#include <algorithm>
#include <iterator>

#include "codec/json.h"
#include "codec/json_writer.h"
#include "telemetry/reasons.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

using codec::Json;

enum class Tone : std::uint8_t { plain, good, bad, notable, faint, strong };

class Page {
 public:
  explicit Page(bool colour) : colour_(colour) {}

  Page& literal(std::string_view text) {
    out_ += text;
    return *this;
  }
  // What a record says.
  Page& text(std::string_view text, Tone tone = Tone::plain) {
    begin(tone);
    append_printable(text, out_);
    end(tone);
    return *this;
  }
  // The same, filled up to `width` characters; for the short names of layers and verdicts.
  Page& column(std::string_view content, std::size_t width, Tone tone = Tone::plain) {
    text(content, tone);
    if (content.size() < width) out_.append(width - content.size(), ' ');
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  void begin(Tone tone) {
    constexpr std::string_view kCodes[] = {"", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[1m"};
    if (colour_) out_ += kCodes[static_cast<std::size_t>(tone)];
  }
  void end(Tone tone) {
    if (colour_ && tone != Tone::plain) out_ += "\x1b[0m";
  }

  const bool colour_;
  std::string out_;
};

std::string_view string_of(const Json& record, std::string_view name) {
  return record.find_string(name).value_or(std::string_view());
}
std::uint64_t number_of(const Json& record, std::string_view name) {
  const Json* member = record.find(name);
  const std::int64_t value = member == nullptr ? 0 : member->integer().value_or(0);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

struct Outcome {
  std::string_view verb;
  Tone tone;
};
Outcome outcome_of(std::string_view verdict) {
  if (verdict == "deny") return {"denied", Tone::bad};
  if (verdict == "delay") return {"delayed", Tone::notable};
  if (verdict == "answer") return {"answered by the gateway", Tone::notable};
  return {"passed", Tone::good};
}

void add_headline(const Json& record, Page& page) {
  const std::string_view verdict = string_of(record, "verdict");
  const Outcome outcome = outcome_of(verdict);
  page.literal("Request ")
      .text(string_of(record, "request_id"), Tone::strong)
      .literal(": ")
      .text(outcome.verb, outcome.tone);
  if (verdict != "pass") {
    page.literal(" by ").text(string_of(record, "layer"), Tone::strong);
    if (!string_of(record, "reason").empty()) page.literal(" (").text(string_of(record, "reason")).literal(")");
  }
  const std::uint64_t status = number_of(record, "status");
  if (status == 0) {
    page.literal(", the client left before an answer");
  } else {
    page.literal(", status ").text(std::to_string(status), Tone::strong);
  }
  page.literal("\n\n");
}

void add_facts(const Json& record, Page& page) {
  const auto get = [&](std::string_view name) { return string_of(record, name); };
  const auto or_none = [](std::string_view text) { return text.empty() ? std::string_view("none") : text; };
  page.literal("  ").text(get("method"), Tone::strong).literal(" ").text(get("host")).text(get("path"));
  page.literal("   ").text(get("protocol"));
  page.literal(get("tls").empty() ? ", not encrypted" : ", ").text(get("tls"));
  page.literal("\n  at       ").text(get("time"));
  page.literal("\n  from     ").text(get("client_ip").empty() ? "a local socket" : get("client_ip"));
  page.literal(", zone ").text(or_none(get("zone"))).literal(", listener ").text(or_none(get("listener")));
  page.literal("\n  to       route ").text(or_none(get("route"))).literal(", service ").text(or_none(get("service")));
  if (!get("endpoint").empty()) page.literal(" at ").text(get("endpoint"));
  page.literal("\n  as       ").text(get("user").empty() ? "nobody known" : get("user"));
  if (!get("user").empty()) page.literal(", proved by ").text(or_none(get("auth")));
  page.literal("\n  took     ").text(duration_text(number_of(record, "duration_us") * 1000), Tone::strong);
  page.literal(": ")
      .text(duration_text(number_of(record, "upstream_us") * 1000))
      .literal(" waiting for the upstream, ");
  page.text(duration_text(number_of(record, "gatehouse_us") * 1000)).literal(" in the gateway");
  page.literal("\n  carried  ").text(bytes_text(number_of(record, "bytes_in"))).literal(" in, ");
  page.text(bytes_text(number_of(record, "bytes_out"))).literal(" out");
  if (!get("trace_id").empty()) page.literal("\n  trace    ").text(get("trace_id"), Tone::faint);
  page.literal("\n\n");
}

void add_layer(const Json& layer, Page& page) {
  const std::string_view verdict = string_of(layer, "verdict"), mode = string_of(layer, "mode");
  const bool acted = verdict != "pass" && mode == "enforce";
  const bool would_have = verdict != "pass" && mode == "monitor";
  const std::string shown = would_have ? "would " + std::string(verdict) : std::string(verdict);
  const Tone tone = acted ? outcome_of(verdict).tone : would_have ? Tone::notable : Tone::good;
  page.literal(acted ? "  x " : would_have ? "  ! " : "  - ").column(string_of(layer, "layer"), 16);
  page.column(shown, 14, tone).column(mode == "enforce" ? "" : mode, 9, Tone::faint);
  const std::string_view reason = string_of(layer, "reason"), evidence = string_of(layer, "evidence");
  const std::string took = duration_text(number_of(layer, "ns"));
  if (reason.empty() && evidence.empty()) {
    page.text(took, Tone::faint);
  } else {
    page.column(took, 9, Tone::faint);
  }
  if (!reason.empty()) page.literal(" ").text(reason, Tone::strong);
  if (!evidence.empty()) page.literal(reason.empty() ? " " : ": ").text(evidence);
  page.literal("\n");
}

std::int64_t signed_of(const Json& record, std::string_view name) {
  const Json* member = record.find(name);
  return member == nullptr ? 0 : member->integer().value_or(0);
}

std::span<const Json> items_of(const Json& record, std::string_view name) {
  const Json* list = record.find(name);
  return list == nullptr || !list->is_array() ? std::span<const Json>() : list->items();
}

// "also in ARGS:b, ARGS:c and 2 others"
void add_other_places(const Json& hit, Page& page) {
  const std::span<const Json> also = items_of(hit, "also");
  if (also.empty()) return;
  page.literal("              also in ");
  for (std::size_t i = 0; i < also.size(); ++i) {
    if (i != 0) page.literal(", ");
    page.text(std::string(also[i].string().value_or("")), Tone::strong);
  }
  if (const std::uint64_t elsewhere = number_of(hit, "elsewhere"); elsewhere > 0)
    page.literal(" and ").text(std::to_string(elsewhere)).literal(" others");
  page.literal("\n");
}

void add_hit(const Json& hit, Page& page) {
  const std::int64_t score = signed_of(hit, "score");
  page.literal("  ").column(std::to_string(number_of(hit, "rule")), 8, Tone::strong);
  page.column(score == 0 ? std::string() : fmt::format("{:+}", score), 4, Tone::bad);
  page.text(string_of(hit, "message"));
  if (!string_of(hit, "severity").empty()) page.text(fmt::format(" ({})", string_of(hit, "severity")), Tone::faint);
  page.literal("\n");
  if (!string_of(hit, "variable").empty()) {
    page.literal("              in ").text(string_of(hit, "variable"), Tone::strong).literal(": ");
    page.text(string_of(hit, "matched"), Tone::notable);
    if (const std::uint64_t times = number_of(hit, "times"); times > 1)
      page.literal(", and ").text(std::to_string(times - 1)).literal(" more like it");
    page.literal("\n");
    add_other_places(hit, page);
  }
  if (const Json* limit = hit.find("limit_reached"); limit != nullptr && limit->boolean().value_or(false)) {
    page.literal("              its pattern reached its bound of work, which counts as a match\n");
  }
  std::string tags;
  for (const Json& tag : items_of(hit, "tags")) tags.append(tags.empty() ? "" : ", ").append(tag.string().value_or(""));
  if (!tags.empty()) page.literal("              ").text(tags, Tone::faint).literal("\n");
}

// What the rules of each paranoia level add up to: "paranoia 1: 5 + 5 = 10".
void add_arithmetic(const Json& waf, Page& page) {
  std::uint64_t paranoia = 0;
  const bool outbound = string_of(waf, "direction") == "outbound";
  for (const Json& level : items_of(waf, "levels")) {
    ++paranoia;
    const std::int64_t sum = level.integer().value_or(0);
    if (sum == 0) continue;
    std::string terms;
    std::int64_t shown = 0;
    for (const Json& hit : items_of(waf, "rules")) {
      const std::int64_t score = signed_of(hit, "score");
      if (number_of(hit, "paranoia") != paranoia || score == 0) continue;
      if ((number_of(hit, "phase") >= 3) != outbound) continue;
      terms += terms.empty() ? std::to_string(score) : fmt::format(" + {}", score);
      shown += score;
    }
    if (shown != sum)
      terms += terms.empty() ? std::to_string(sum) : fmt::format(" + {} of rules not shown", sum - shown);
    page.literal("  paranoia ").text(std::to_string(paranoia)).literal(": ").text(terms);
    page.literal(" = ").text(std::to_string(sum), Tone::strong).literal("\n");
  }
}

void add_inspection(const Json& record, Page& page) {
  const Json* waf = record.find("waf");
  if (waf == nullptr || !waf->is_object()) return;
  page.literal("What the inspection rules found");
  if (const std::int64_t threshold = signed_of(*waf, "threshold"); threshold > 0) {
    page.literal(string_of(*waf, "direction") == "outbound" ? ": the answer has a score of " : ": a score of ");
    page.text(std::to_string(signed_of(*waf, "score")), Tone::strong);
    page.literal(", where ").text(std::to_string(threshold)).literal(" denies");
  }
  page.literal("\n");
  for (const Json& hit : items_of(*waf, "rules")) {
    if (hit.is_object()) add_hit(hit, page);
  }
  if (const std::uint64_t omitted = number_of(*waf, "omitted"); omitted > 0)
    page.literal("  and ").text(std::to_string(omitted)).literal(" rules more\n");
  add_arithmetic(*waf, page);
  page.literal("\n");
}

void add_meaning(std::string_view reason, std::string_view before, Page& page) {
  const ReasonText& text = text_of_reason(reason);
  page.literal("  ").text(reason, Tone::strong).literal(": ").literal(before).literal(text.meaning).literal(".\n");
  if (!text.hint.empty()) page.literal("    ").literal(text.hint).literal("\n");
}

void add_layers(const Json& record, Page& page) {
  const Json* layers = record.find("layers");
  if (layers == nullptr || !layers->is_array() || layers->size() == 0) {
    page.literal("No layer has looked at it: it was refused before it became a request.\n\n");
  } else {
    std::uint64_t ns = 0;
    page.literal("Layers, in the order they decided\n");
    for (const Json& layer : layers->items()) {
      if (!layer.is_object()) continue;
      add_layer(layer, page);
      ns += number_of(layer, "ns");
    }
    page.literal("    ").text(duration_text(ns)).literal(" in all\n\n");
  }
  add_inspection(record, page);
  page.literal("What it means\n");
  const std::string_view reason = string_of(record, "reason");
  bool said = false;
  if (!reason.empty()) add_meaning(reason, "", page), said = true;
  for (const Json& layer : layers == nullptr ? std::span<const Json>() : layers->items()) {
    const std::string_view other = string_of(layer, "reason");
    if (other.empty() || other == reason) continue;
    const bool monitored = string_of(layer, "mode") == "monitor" && string_of(layer, "verdict") != "pass";
    add_meaning(other, monitored ? "not acted on, because the layer only monitors: " : "", page);
    said = true;
  }
  if (!said) page.literal("  Every layer let it pass without remark.\n");
}

}  // namespace

void append_printable(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    std::size_t bad = 1;
    const std::size_t length = codec::utf8_sequence(at, end, &bad);
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(at[i]); };
    const bool c0 = length == 1 && (byte(0) < 0x20 || byte(0) == 0x7f);
    const bool c1 = length == 2 && byte(0) == 0xc2 && byte(1) < 0xa0;
    // U+202A to U+202E and U+2066 to U+2069 turn the order of what follows.
    const bool turns = length == 3 && byte(0) == 0xe2 &&
                       ((byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae) ||
                        (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
    const std::size_t taken = length == 0 ? bad : length;
    if (length == 0 || c0 || c1 || turns) {
      for (std::size_t i = 0; i < taken; ++i) out += {'\\', 'x', kHex[byte(i) >> 4], kHex[byte(i) & 15]};
    } else {
      out.append(at, taken);
    }
    at += taken;
  }
}

std::string duration_text(std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < 1000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.3g} µs", value / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.3g} ms", value / 1e6);
  return fmt::format("{:.2f} s", value / 1e9);
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Result<std::string> explain(std::string_view line, const ExplainStyle& style) {
  // A line may hold kPathBytesMax of path and kTextBytesMax of evidence for each layer, escaped.
  const auto record = Json::parse(line, {.bytes_max = 1024 * 1024, .depth_max = 8, .values_max = 4096});
  if (!record || !record->is_object() || string_of(*record, "verdict").empty()) {
    return fail(ErrorCode::invalid, "this is no decision record");
  }
  Page page(style.colour);
  add_headline(*record, page);
  add_facts(*record, page);
  add_layers(*record, page);
  return page.take();
}

}  // namespace gatehouse::telemetry
