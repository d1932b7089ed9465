// waf, and what a route changes of it
#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "app/config/patterns.h"
#include "app/config/scalars.h"
#include "app/config/table.h"
#include "waf/exclusion.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

constexpr std::uint32_t kRuleMax = 999'999'999;
constexpr std::size_t kListedMax = 1000;  // values of one key of an exclusion

// A whole number, all of it.
std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Parsed parse_rules(Reader&, std::string_view written, YamlPosition, WafRuleRange& into) {
  static constexpr std::string_view kForms = "the id of a rule, 942100, or a range, 942100-942199";
  const std::size_t dash = written.find('-');
  const auto first = parse_number(written.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_number(written.substr(dash + 1));
  if (!first || !last) return Refusal{in_quotes(written) + " is not a rule", std::string(kForms)};
  if (*first < 1 || *first > kRuleMax || *last > kRuleMax)
    return Refusal{in_quotes(written) + " is out of bounds", fmt::format("ids are 1 to {}", kRuleMax)};
  if (*last < *first)
    return Refusal{"the range ends before it begins", fmt::format("did you mean {}-{}?", *last, *first)};
  into = {*first, *last};
  return std::nullopt;
}

std::string format_rules(const Writer&, const WafRuleRange& rules) {
  return rules.first == rules.last ? std::to_string(rules.first) : fmt::format("{}-{}", rules.first, rules.last);
}

Parsed parse_target(Reader&, std::string_view written, YamlPosition, std::string& into) {
  if (written.size() > 256) return Refusal{"longer than 256 bytes", {}};
  if (written.starts_with('!'))
    return Refusal{"a target is what rules don't look at, without \"!\"",
                   fmt::format("did you mean \"{}\"?", written.substr(1))};
  if (const auto target = waf::parse_target(written); !target) {
    const waf::Finding& finding = target.error();
    const bool word = written.find_first_of(":/") == std::string_view::npos && lower(written) == written;
    return Refusal{fmt::format("{}: {}", in_quotes(written), finding.message),
                   word ? fmt::format("for an argument of that name: parameter: {}", written) : finding.hint};
  }
  into = written;
  return std::nullopt;
}

Parsed parse_parameter(Reader&, std::string_view written, YamlPosition, std::string& into) {
  if (written.empty() || written.size() > 256) return Refusal{"a parameter's name has 1 to 256 bytes", {}};
  if (written.starts_with("ARGS:"))
    return Refusal{"a parameter is a plain name", fmt::format("did you mean {}?", written.substr(5))};
  into = written;
  return std::nullopt;
}

Parsed parse_date(Reader&, std::string_view written, YamlPosition, std::optional<std::chrono::sys_days>& into) {
  static constexpr std::string_view kForm = "year-month-day, such as 2027-01-31";
  const bool shaped = written.size() == 10 && written[4] == '-' && written[7] == '-';
  const auto y = shaped ? parse_number(written.substr(0, 4)) : std::nullopt;
  const auto m = shaped ? parse_number(written.substr(5, 2)) : std::nullopt;
  const auto d = shaped ? parse_number(written.substr(8)) : std::nullopt;
  if (!y || !m || !d) return Refusal{in_quotes(written) + " is not a date", std::string(kForm)};
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*y)), std::chrono::month(*m),
                                         std::chrono::day(*d)};
  if (!date.ok()) return Refusal{"there is no " + in_quotes(written), std::string(kForm)};
  if (*y < 2000 || *y > 2199) return Refusal{in_quotes(written) + " is out of bounds", "2000-01-01 to 2199-12-31"};
  into = std::chrono::sys_days(date);
  return std::nullopt;
}

std::string format_date(const Writer&, const std::optional<std::chrono::sys_days>& day) {
  if (!day) return {};
  const std::chrono::year_month_day date(*day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

void check_exclusion(Reader& reader, const Given& given, WafExclusion& exclusion) {
  if (!given.good({"rule", "tag", "target", "parameter"})) return;
  const bool rules = given.has("rule") || given.has("tag"), what = given.has("target") || given.has("parameter");
  if (!rules && !what) {
    reader.error(given.block(), "value", "the exclusion doesn't say what is excluded",
                 "{ rule: 942100, parameter: comment }; to inspect nothing on a route: waf: off");
  }
  if (given.has("rule") && given.has("tag")) {
    reader.error(given.key("tag"), "conflict", "an exclusion names its rules by rule or by tag, not by both",
                 "write two exclusions");
  }
  if (given.has("target") && given.has("parameter")) {
    reader.error(given.key("parameter"), "conflict", "an exclusion has target or parameter, not both",
                 "write two exclusions");
  }
  for (const auto* list : {&exclusion.tags, &exclusion.targets, &exclusion.parameters, &exclusion.paths}) {
    if (list->size() > kListedMax || exclusion.rules.size() > kListedMax)
      reader.error(given.block(), "value", fmt::format("at most {} values in one exclusion", kListedMax));
  }
}

const Object& exclusion_object() {
  static const Object object =
      Object::of<WafExclusion>(
          "waf_exclusion",
          "What some rules don't look at. All keys that are given must hold; of a list one value is enough. See "
          "docs/waf.md.",
          {
              key<&WafExclusion::rules>("rule",
                                        one_or_list_of(text_form<WafRuleRange>({.title = "rule or range of rules",
                                                                                .pattern = "^[0-9]+(-[0-9]+)?$",
                                                                                .numbers = true,
                                                                                .parse = parse_rules,
                                                                                .format = format_rules}),
                                                       1),
                                        "The rules, by id or range of ids.",
                                        {.example = "942100", .default_note = "every rule"}),
              key<&WafExclusion::tags>("tag", one_or_list_of(text(256), 1),
                                       "In place of rule: all rules with this tag.", {.example = "attack-sqli"}),
              key<&WafExclusion::targets>(
                  "target",
                  one_or_list_of(
                      text_form<std::string>({.title = "target of a rule",
                                              .parse = parse_target,
                                              .format = [](const Writer&, const std::string& value) { return value; }}),
                      1),
                  "What they don't look at, as rules write it: ARGS:comment, REQUEST_COOKIES:/^x_/, "
                  "REQUEST_HEADERS:referer.",
                  {.example = "\"ARGS:comment\"", .default_note = "the rules are off"}),
              key<&WafExclusion::parameters>(
                  "parameter",
                  one_or_list_of(
                      text_form<std::string>({.title = "name of an argument",
                                              .parse = parse_parameter,
                                              .format = [](const Writer&, const std::string& value) { return value; }}),
                      1),
                  "In place of target: an argument, its value and its name, wherever it stands: in the query, a form "
                  "or a JSON body (user.comment, items[].comment).",
                  {.example = "comment"}),
              key<&WafExclusion::paths>("path", one_or_list_of(path_pattern(), 1), "Only for these paths.",
                                        {.example = "/orders/*/comments", .default_note = "any"}),
              key<&WafExclusion::until>(
                  "until",
                  text_form<std::optional<std::chrono::sys_days>>({.title = "date",
                                                                   .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                                                                   .parse = parse_date,
                                                                   .format = format_date}),
                  "The last day, in UTC, on which it holds; it ends by itself.",
                  {.example = "2027-01-31", .default_note = "no end"}),
              key<&WafExclusion::because>("because", text(500), "Why, for those who read it later.",
                                          {.example = "\"comments hold SQL, ticket 4711\""}),
          })
          .with_check<WafExclusion>(check_exclusion);
  return object;
}

Kind<WafOnExceed> on_exceed() {
  return one_of<WafOnExceed>({{"deny", WafOnExceed::deny}, {"partial", WafOnExceed::partial}});
}
Kind<std::vector<WafSecret>> secrets() {
  return one_or_list_of(one_of<WafSecret>({{"cards", WafSecret::cards}, {"keys", WafSecret::keys}}));
}
Kind<std::uint32_t> paranoia() { return integer<std::uint32_t>(1, 4); }
Kind<std::uint32_t> threshold() { return integer<std::uint32_t>(1, 1'000'000); }
Kind<std::uint64_t> inspected() { return size<std::uint64_t>(0, 1 << 30); }

}  // namespace

const Object& waf_object() {
  static const Object object =
      Object::of<WafConfig>(
          "waf", "Inspection of requests for attacks by a rule set.",
          {
              key<&WafConfig::mode>("mode", mode(), "What a match leads to."),
              key<&WafConfig::rules>("rules", one_or_list_of(text(4096), 1),
                                     "crs: the installed OWASP Core Rule Set; or globs of SecLang files."),
              key<&WafConfig::paranoia>("paranoia", paranoia(), "Paranoia level of the Core Rule Set."),
              key<&WafConfig::inbound_threshold>("inbound_threshold", threshold(),
                                                 "Anomaly score that refuses a request."),
              key<&WafConfig::outbound_threshold>("outbound_threshold", threshold(),
                                                  "Anomaly score that withholds an answer."),
              key<&WafConfig::request_body>("request_body", inspected(), "Inspected bytes of a request's body."),
              key<&WafConfig::response_body>("response_body", inspected(),
                                             "Inspected bytes of an answer's body; 0: answers are not inspected."),
              key<&WafConfig::response_on_exceed>("response_on_exceed", optional(on_exceed()),
                                                  "The same for longer answers.",
                                                  {.example = "partial", .default_note = "as on_exceed"}),
              key<&WafConfig::response_mask>("response_mask", secrets(),
                                             "What is made unreadable in the text of answers: card numbers, keys and "
                                             "tokens.",
                                             {.example = "[cards, keys]"}),
              key<&WafConfig::websocket_message>("websocket_message", inspected(),
                                                 "Inspected bytes of each text message that a client sends through a "
                                                 "WebSocket; 0: messages are not inspected."),
              key<&WafConfig::memory>(
                  "memory", size<std::uint64_t>(1 << 20, 1ULL << 40),
                  "Bytes of bodies that may wait for the end of their inspection, or after it for the "
                  "service to read them, all together; past it requests get 503."),
              key<&WafConfig::on_exceed>("on_exceed", on_exceed(), "Longer bodies are refused, or inspected in part."),
              key<&WafConfig::exclude>("exclude", list_of(block<WafExclusion>(exclusion_object())),
                                       "What rules don't look at."),
          })
          .with_shorthand("mode");
  return object;
}

const Object& route_waf_object() {
  static const Object object =
      Object::of<RouteWafConfig>(
          "route_waf", "What a route changes of the WAF; what it doesn't name is as under waf.",
          {
              key<&RouteWafConfig::mode>("mode", optional(mode()), "What a match leads to.", {.example = "monitor"}),
              key<&RouteWafConfig::paranoia>("paranoia", optional(paranoia()), "Paranoia level.", {.example = "2"}),
              key<&RouteWafConfig::inbound_threshold>("inbound_threshold", optional(threshold()),
                                                      "Anomaly score that refuses a request.", {.example = "10"}),
              key<&RouteWafConfig::outbound_threshold>("outbound_threshold", optional(threshold()),
                                                       "Anomaly score that withholds an answer.", {.example = "8"}),
              key<&RouteWafConfig::request_body>("request_body", optional(inspected()),
                                                 "Inspected bytes of a request's body.", {.example = "1MiB"}),
              key<&RouteWafConfig::response_body>("response_body", optional(inspected()),
                                                  "Inspected bytes of an answer's body; 0: answers are not inspected.",
                                                  {.example = "64KiB"}),
              key<&RouteWafConfig::response_on_exceed>("response_on_exceed", optional(on_exceed()),
                                                       "The same for longer answers.", {.example = "partial"}),
              key<&RouteWafConfig::response_mask>("response_mask", optional(secrets()),
                                                  "What is made unreadable in the text of answers; []: nothing.",
                                                  {.example = "[cards]"}),
              key<&RouteWafConfig::websocket_message>("websocket_message", optional(inspected()),
                                                      "Inspected bytes of a client's text message; 0: messages are not "
                                                      "inspected.",
                                                      {.example = "16KiB"}),
              key<&RouteWafConfig::on_exceed>("on_exceed", optional(on_exceed()),
                                              "Longer bodies are refused, or inspected in part.",
                                              {.example = "partial"}),
              key<&RouteWafConfig::exclude>("exclude", list_of(block<WafExclusion>(exclusion_object())),
                                            "Besides those of waf."),
          })
          .with_shorthand("mode");
  return object;
}

}  // namespace gatehouse::app
