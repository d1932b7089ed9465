// Whatever the text: parsing ends, errors are bounded and stand in the file, and rules without errors keep the
// invariants that the plan compiler builds on (waf/rule.h).
#include <algorithm>
#include <set>

#include "base/check.h"
#include "waf/seclang/lexer.h"
#include "waf/seclang/parser.h"

namespace {

using namespace gatehouse::waf;

void check_positions(const std::vector<Finding>& findings, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const Finding& finding : findings) {
    GH_CHECK(!finding.message.empty());
    GH_CHECK(finding.position.file == 0);
    GH_CHECK(finding.position.line >= 1 && finding.position.line <= lines);
    GH_CHECK(finding.position.column >= 1 && finding.position.column <= text.size() + 1);
  }
}

void check_spans(std::string_view text) {
  Lexer lexer(text);
  Directive directive;
  Lexer::Failure failure;
  for (auto read = lexer.next(directive, failure); read != Lexer::Read::end; read = lexer.next(directive, failure)) {
    if (read == Lexer::Read::failed) {
      GH_CHECK(failure.offset <= text.size());
      continue;
    }
    directive.arguments.push_back(directive.name);
    for (const Span& span : directive.arguments) {
      for (std::size_t i = 0; i < span.text.size(); ++i) GH_CHECK(text[span.offsets[i]] == span.text[i]);
      GH_CHECK(span.offsets[span.text.size()] <= text.size());
    }
  }
}

void check_target(const Target& target) {
  GH_CHECK(!(target.count && target.exclude));
  GH_CHECK((target.select == Target::Select::all) == target.key.empty());
  GH_CHECK(target.select == Target::Select::all || is_collection(target.variable));
  if (target.variable == Variable::xml) GH_CHECK(target.key == "/*" || target.key == "//@*");
}

void check_rules(const RuleSet& set) {
  std::set<std::uint64_t> ids;
  for (std::size_t i = 0; i < set.rules.size(); ++i) {
    const Rule& rule = set.rules[i];
    GH_CHECK(rule.is_action == rule.targets.empty());
    GH_CHECK(rule.actions.phase >= 1 && rule.actions.phase <= 5);
    GH_CHECK(rule.actions.status >= 100 && rule.actions.status <= 599);
    for (const Target& target : rule.targets) check_target(target);
    if (rule.chained) {
      GH_CHECK(i > 0 && rule.actions.phase == set.rules[i - 1].actions.phase);
      GH_CHECK(rule.actions.id == 0 && rule.actions.disruptive == Disruptive::none && !rule.is_action);
    } else {
      GH_CHECK(rule.actions.id != 0 && ids.insert(rule.actions.id).second);
      GH_CHECK(rule.actions.disruptive != Disruptive::none);
    }
  }
  std::size_t before = 0;
  for (const Marker& marker : set.markers) {
    GH_CHECK(!marker.name.empty() && marker.before >= before && marker.before <= set.rules.size());
    GH_CHECK(marker.before == set.rules.size() || !set.rules[marker.before].chained);
    before = marker.before;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const ParseLimits limits{.errors_max = 20, .files = false};
  const RuleSource source{"fuzz.conf", text};
  const ParseResult result = parse_rules({&source, 1}, limits);
  GH_CHECK(result.errors.size() <= limits.errors_max && result.ignored.size() <= limits.errors_max);
  GH_CHECK(!result.more_errors || result.errors.size() == limits.errors_max);
  check_positions(result.errors, text);
  check_positions(result.ignored, text);
  check_spans(text);
  if (result.errors.empty()) check_rules(result.rules);
  return 0;
}
