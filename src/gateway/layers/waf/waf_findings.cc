#include "gateway/layers/waf/waf_findings.h"

#include <algorithm>

#include "gateway/evidence.h"
#include "waf/names.h"

namespace gatehouse::gateway {
namespace {

using telemetry::WafHit;
using telemetry::WafRecord;

constexpr std::size_t kTagBytesMax = 64;
constexpr std::size_t kNameBytesMax = 128;  // of what a masker compares at once
constexpr std::size_t kSummaryRules = 3;

constexpr std::string_view kSeverities[] = {"emergency", "alert",  "critical", "error",
                                            "warning",   "notice", "info",     "debug"};

// Whether a text, of which a match may show any part, has a name in it whose value is secret.
bool mentions_secret(std::string_view text, const telemetry::Masker& masker) noexcept {
  constexpr std::size_t kStep = kNameBytesMax / 2;
  for (std::size_t at = 0; at < text.size(); at += kStep) {
    if (masker.masks(text.substr(at, kNameBytesMax))) return true;
  }
  return false;
}

struct Context {
  const waf::Program& program;
  const telemetry::Masker& masker;
  const Request& request;
  std::string_view body;
};

// By its name; or because it holds other values' names with them: what matched there may be any of them.
bool is_secret(const waf::RuleMatch& match, const Context& context) noexcept {
  const std::string_view variable = match.variable;
  if (context.masker.masks(variable)) return true;
  if (variable.starts_with("REQUEST_URI") || variable == "QUERY_STRING" || variable == "REQUEST_LINE")
    return mentions_secret(context.request.message.query, context.masker);
  if (variable == "REQUEST_BODY" || variable.starts_with("XML")) return mentions_secret(context.body, context.masker);
  if (variable == "REQUEST_HEADERS:referer") return mentions_secret(match.value, context.masker);
  // A name stands in front of its value.
  if (variable == "RESPONSE_BODY")
    return mentions_secret(std::string_view(match.value).substr(0, match.offset + match.size), context.masker);
  return false;
}

std::string_view cut(std::string_view text, std::size_t bytes_max, Arena& arena) {
  return arena.copy(text.substr(0, bytes_max));
}

// The message; without what macros put into it when that may be secret.
std::string_view message_of(const waf::FiredRule& fired, const waf::CompiledRule& rule, bool secret, Arena& arena) {
  if (!secret || rule.msg.is_literal()) return cut(fired.message, WafHit::kTextBytesMax, arena);
  std::string text;
  for (const waf::TextPart& part : rule.msg.parts) text += part.variable ? telemetry::kMasked : part.literal;
  return cut(text, WafHit::kTextBytesMax, arena);
}

bool tells(const waf::RuleMatch& match) noexcept { return match.last; }

// Who excludes a rule for one of the places would be refused for the others.
void list_places(const waf::FiredRule& fired, Arena& arena, WafHit& hit) {
  std::size_t times = 0;
  for (const waf::RuleMatch& match : fired.matches) {
    if (!tells(match)) continue;
    ++times;
    const std::string_view variable = std::string_view(match.variable).substr(0, WafHit::kTextBytesMax);
    const auto listed = hit.also.begin() + hit.also_count;
    if (variable == hit.variable || std::find(hit.also.begin(), listed, variable) != listed) continue;
    if (hit.also_count == WafHit::kAlsoMax) {
      ++hit.elsewhere;
    } else {
      hit.also[hit.also_count++] = arena.copy(variable);
    }
  }
  // What the engine did not keep may have stood anywhere.
  if (fired.matches.size() == waf::Transaction::kMatchesMax) ++hit.elsewhere;
  hit.times = static_cast<std::uint16_t>(std::max<std::size_t>(times, 1));
}

WafHit hit_of(const waf::FiredRule& fired, const Context& context) {
  Arena& arena = context.request.arena;
  const waf::CompiledRule& rule = context.program.rule(fired.index);
  const waf::Actions& actions = rule.source->actions;
  WafHit hit;
  hit.rule = fired.id;
  hit.score = fired.score;
  hit.level = fired.score_level;
  hit.phase = fired.phase;
  hit.limit_reached = fired.limit_reached;
  if (actions.severity != waf::Severity::unset) hit.severity = kSeverities[static_cast<std::size_t>(actions.severity)];
  const bool secret = std::any_of(fired.matches.begin(), fired.matches.end(),
                                  [&](const waf::RuleMatch& match) { return is_secret(match, context); });
  if (!fired.matches.empty()) {
    const auto first = std::find_if(fired.matches.begin(), fired.matches.end(), tells);
    const waf::RuleMatch& match = first != fired.matches.end() ? *first : fired.matches.back();
    hit.variable = cut(match.variable, WafHit::kTextBytesMax, arena);
    list_places(fired, arena, hit);
    const std::string_view whole = match.value;
    const std::string_view bytes = match.size != 0 ? whole.substr(match.offset, match.size) : whole;
    std::string shown;
    if (secret) {
      shown = telemetry::kMasked;
    } else {
      context.masker.append_text(bytes.substr(0, WafHit::kTextBytesMax), shown);
    }
    hit.matched = arena.copy(shown);
  }
  hit.message = message_of(fired, rule, secret, arena);
  for (const std::string& tag : actions.tags) {
    if (hit.tag_count == WafHit::kTagsMax) break;
    hit.tags[hit.tag_count++] = std::string_view(tag).substr(0, kTagBytesMax);  // the snapshot outlives the record
  }
  return hit;
}

std::int32_t number(std::string_view text) noexcept {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(waf::number_of(text), INT32_MIN, INT32_MAX));
}

bool is_outbound(const waf::FiredRule& rule) noexcept { return rule.phase >= 3; }

// The names of CRS 4 and of 3.3. Where the rules that add up have not run, it is what they would have added up.
void take_score(const waf::Transaction& transaction, WafRecord& record) {
  const bool out = record.outbound;
  record.threshold =
      number(transaction.tx(out ? "outbound_anomaly_score_threshold" : "inbound_anomaly_score_threshold"));
  std::string_view total = transaction.tx(out ? "blocking_outbound_anomaly_score" : "blocking_inbound_anomaly_score");
  if (total.empty()) total = transaction.tx(out ? "outbound_anomaly_score" : "anomaly_score");
  record.score = number(total);
  std::int32_t sum = 0;
  for (const std::int32_t level : record.levels) sum += level;
  if (record.score == 0) record.score = sum;
}

std::string_view summary_of(const WafRecord& record, Arena& arena) {
  std::string text;
  if (record.threshold > 0) {
    text = fmt::format("{} {}, denied from {}", record.outbound ? "the answer's score" : "score", record.score,
                       record.threshold);
  }
  std::size_t named = 0;
  for (const WafHit& hit : record.all()) {
    if ((hit.phase >= 3) != record.outbound) continue;
    if (hit.score == 0 && record.score != 0) continue;
    if (named == kSummaryRules) {
      text += " …";
      break;
    }
    text += named++ != 0 ? ", " : text.empty() ? "" : ": ";
    text += std::to_string(hit.rule);
    if (!hit.variable.empty()) text.append(" in ").append(hit.variable.substr(0, 40));
  }
  return evidence(arena, "{}", text);
}

}  // namespace

WafFindings take_findings(const waf::Transaction& transaction, const waf::Program& program,
                          const telemetry::Masker& masker, const Request& request, std::string_view body,
                          WafDirection direction) {
  const Context context{program, masker, request, body};
  const auto is_told = [](const waf::FiredRule& fired) { return fired.logged; };
  const auto& fired = transaction.fired();
  if (std::none_of(fired.begin(), fired.end(), is_told)) return {};
  WafRecord& record = request.arena.array<WafRecord>(1).front();
  record.levels.fill(0);
  record.outbound = direction == WafDirection::outbound;
  // What the request showed must not take all the places of what the answer shows.
  const auto about_answer = static_cast<std::size_t>(std::count_if(
      fired.begin(), fired.end(), [&](const waf::FiredRule& rule) { return is_told(rule) && is_outbound(rule); }));
  const std::size_t about_request_max = WafRecord::kHitsMax - std::min(about_answer, WafRecord::kHitsMax / 2);
  for (const waf::FiredRule& rule : fired) {
    if (rule.score_level != 0 && rule.score_level <= WafRecord::kLevels && is_outbound(rule) == record.outbound)
      record.levels[rule.score_level - 1] += rule.score;
    if (!is_told(rule)) continue;
    if (record.hit_count >= (is_outbound(rule) ? WafRecord::kHitsMax : about_request_max)) {
      ++record.omitted;
    } else {
      record.hits[record.hit_count++] = hit_of(rule, context);
    }
  }
  take_score(transaction, record);
  return {&record, summary_of(record, request.arena)};
}

}  // namespace gatehouse::gateway
