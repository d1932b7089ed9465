#include "waf/seclang/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/file.h"
#include "waf/seclang/directives.h"
#include "waf/seclang/operators.h"
#include "waf/seclang/rule_list.h"
#include "waf/seclang/target.h"
#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

class Parser {
 public:
  explicit Parser(const ParseLimits& limits)
      : limits_(limits), findings_(result_, limits.errors_max), files_(limits), list_(result_.rules, findings_) {}

  void parse(const RuleSource& source);
  ParseResult finish();

 private:
  // What is known of the file that is being read.
  struct File {
    std::shared_ptr<const Source> source;
    Place place;
  };
  struct Handler {
    std::string_view name;
    std::size_t arguments_min, arguments_max;
    std::string_view usage;
    void (Parser::*apply)(const Directive& directive, const File& file);
  };
  static const std::array<Handler, 14> kHandlers;

  Files* files() noexcept { return limits_.files ? &files_ : nullptr; }
  void parse_file(const std::string& path, const Place* from, const Span* named);
  void parse_text(const std::string& name, std::string_view text);
  void apply(const Directive& directive, const File& file);
  void end_chain(const Place& place, const Span& at);
  void add_rule(const Directive& directive, Rule rule, const Span* actions, const File& file);

  void sec_rule(const Directive& directive, const File& file);
  void sec_action(const Directive& directive, const File& file);
  void sec_marker(const Directive& directive, const File& file);
  void sec_default_action(const Directive& directive, const File& file);
  void include(const Directive& directive, const File& file, bool optional);
  void include_required(const Directive& directive, const File& file) { include(directive, file, false); }
  void include_optional(const Directive& directive, const File& file) { include(directive, file, true); }
  void geo_database(const Directive& directive, const File& file);
  void remove_by_id(const Directive& directive, const File& file);
  void remove_by_tag(const Directive& directive, const File& file);
  void remove_by_msg(const Directive& directive, const File& file);
  void targets_by_id(const Directive& directive, const File& file);
  void targets_by_tag(const Directive& directive, const File& file);
  void targets_by_msg(const Directive& directive, const File& file);
  void actions_by_id(const Directive& directive, const File& file);

  static std::optional<Selector> ids_of(std::span<const Span> words, const Place& place);
  static Selector text_of(Selector::By by, const Span& word) { return {by, {}, std::string(word.text)}; }
  void change_targets(std::optional<Selector> selector, const Directive& directive, const File& file);

  ParseLimits limits_;
  ParseResult result_;
  Findings findings_;
  Files files_;
  RuleList list_;
  std::vector<std::string> open_files_;  // canonical paths, from the first to the one being read
  bool in_chain_ = false;                // the next rule continues a chain
  Position chain_position_;              // of the action that says so
  bool after_failure_ = false;           // the rule before could not be read, so the next one may have been its chain's
};

const std::array<Parser::Handler, 14> Parser::kHandlers{{
    {"Include", 1, 1, "Include path", &Parser::include_required},
    {"IncludeOptional", 1, 1, "IncludeOptional path", &Parser::include_optional},
    {"SecAction", 1, 1, "SecAction \"actions\"", &Parser::sec_action},
    {"SecDefaultAction", 1, 1, "SecDefaultAction \"actions\"", &Parser::sec_default_action},
    {"SecGeoLookupDb", 1, 1, "SecGeoLookupDb file.mmdb", &Parser::geo_database},
    {"SecMarker", 1, 1, "SecMarker name", &Parser::sec_marker},
    {"SecRule", 2, 3, "SecRule VARIABLES \"operator\" \"actions\"", &Parser::sec_rule},
    {"SecRuleRemoveById", 1, 1000, "SecRuleRemoveById ids", &Parser::remove_by_id},
    {"SecRuleRemoveByMsg", 1, 1, "SecRuleRemoveByMsg \"message\"", &Parser::remove_by_msg},
    {"SecRuleRemoveByTag", 1, 1, "SecRuleRemoveByTag \"tag\"", &Parser::remove_by_tag},
    {"SecRuleUpdateActionById", 2, 2, "SecRuleUpdateActionById id \"actions\"", &Parser::actions_by_id},
    {"SecRuleUpdateTargetById", 2, 2, "SecRuleUpdateTargetById id \"variables\"", &Parser::targets_by_id},
    {"SecRuleUpdateTargetByMsg", 2, 2, "SecRuleUpdateTargetByMsg \"message\" \"variables\"", &Parser::targets_by_msg},
    {"SecRuleUpdateTargetByTag", 2, 2, "SecRuleUpdateTargetByTag \"tag\" \"variables\"", &Parser::targets_by_tag},
}};

// Canonical, so that a cycle through a link is one too.
std::string canonical(const std::string& path) {
  std::error_code error;
  const auto result = std::filesystem::weakly_canonical(path, error);
  return error ? path : result.string();
}

void Parser::add_rule(const Directive& directive, Rule rule, const Span* actions, const File& file) {
  RuleList::Draft draft;
  rule.position = file.source->position(directive.name.offset());
  rule.chained = in_chain_;
  draft.rule = std::move(rule);
  if (actions) draft.places = parse_actions(*actions, ActionContext::rule, draft.actions, file.place);
  const bool chains = draft.actions.chain;
  if (chains) chain_position_ = *draft.places.chain;
  list_.add(std::move(draft), !after_failure_);
  in_chain_ = chains;
  after_failure_ = false;
}

void Parser::sec_rule(const Directive& directive, const File& file) {
  Rule rule;
  rule.targets = parse_targets(directive.arguments[0], file.place);
  const bool looks_at_something =
      std::any_of(rule.targets.begin(), rule.targets.end(), [](const Target& t) { return !t.exclude; });
  if (!rule.targets.empty() && !looks_at_something) {
    file.place.error(directive.arguments[0], "the rule looks at nothing",
                     "variables with ! only take away from others");
  }
  if (auto op = parse_operator(directive.arguments[1], files(), file.place)) rule.op = std::move(*op);
  add_rule(directive, std::move(rule), directive.arguments.size() > 2 ? &directive.arguments[2] : nullptr, file);
}

void Parser::sec_action(const Directive& directive, const File& file) {
  Rule rule;
  rule.is_action = true;
  add_rule(directive, std::move(rule), &directive.arguments[0], file);
  if (!in_chain_) return;
  findings_.error(chain_position_, "SecAction cannot begin a chain", "write SecRule with @unconditionalMatch");
  in_chain_ = false;
  after_failure_ = true;
}

void Parser::sec_marker(const Directive& directive, const File& file) {
  const Span name = directive.arguments[0].trimmed();
  if (name.text.empty()) return file.place.error(directive.arguments[0], "a marker needs a name");
  list_.add_marker(std::string(name.text));
}

void Parser::sec_default_action(const Directive& directive, const File& file) {
  ActionDraft draft;
  const std::size_t before = findings_.errors();
  parse_actions(directive.arguments[0], ActionContext::defaults, draft, file.place);
  if (findings_.errors() != before) return;
  if (!draft.has_phase) {
    file.place.error(directive.arguments[0], "default actions need a phase", "add phase:…");
  } else if (!draft.has_disruptive) {
    file.place.error(directive.arguments[0], "default actions need a disruptive one",
                     "add pass, deny, drop, allow or redirect");
  } else {
    list_.set_defaults(std::move(draft), file.source->position(directive.name.offset()));
  }
}

void Parser::include(const Directive& directive, const File& file, bool optional) {
  const Span& path = directive.arguments[0];
  if (!limits_.files) return file.place.error(path, "these rules must not name files");
  if (open_files_.size() > limits_.include_depth_max) {
    return file.place.error(path, fmt::format("files include each other more than {} deep", limits_.include_depth_max));
  }
  const std::string pattern = file.source->resolved(path.text);
  const std::vector<std::string> paths = Files::expand(pattern);
  if (paths.empty() && !optional) file.place.error(path, fmt::format("no file is named {}", pattern));
  for (const std::string& found : paths) {
    std::error_code ignored;
    if (optional && !std::filesystem::exists(found, ignored)) continue;
    parse_file(found, &file.place, &path);
  }
}

// Opened when the rules are compiled. A file that was replaced makes the rules new ones.
void Parser::geo_database(const Directive& directive, const File& file) {
  const Span& path = directive.arguments[0];
  if (!limits_.files) return file.place.error(path, "these rules must not name files");
  const std::string resolved = file.source->resolved(path.text);
  const FileStamp stamp = stamp_of(resolved);
  files_.note(resolved, fmt::format("{} {} {}", stamp.inode, stamp.size, stamp.changed_ns));
  result_.rules.settings.geo = {resolved, file.source->position(path.offset())};
}

std::optional<Selector> Parser::ids_of(std::span<const Span> words, const Place& place) {
  Selector selector;
  for (const Span& word : words) {
    const std::vector<IdRange> ids = parse_ids(word, place);
    if (ids.empty()) return std::nullopt;
    selector.ids.insert(selector.ids.end(), ids.begin(), ids.end());
  }
  selector.ids = merged(std::move(selector.ids));
  return selector;
}

void Parser::remove_by_id(const Directive& directive, const File& file) {
  auto selector = ids_of(directive.arguments, file.place);
  if (selector) list_.remove(std::move(*selector), file.source->position(directive.name.offset()));
}

void Parser::remove_by_tag(const Directive& directive, const File& file) {
  list_.remove(text_of(Selector::By::tag, directive.arguments[0]), file.source->position(directive.name.offset()));
}

void Parser::remove_by_msg(const Directive& directive, const File& file) {
  list_.remove(text_of(Selector::By::msg, directive.arguments[0]), file.source->position(directive.name.offset()));
}

void Parser::change_targets(std::optional<Selector> selector, const Directive& directive, const File& file) {
  std::vector<Target> targets = parse_targets(directive.arguments[1], file.place);
  if (!selector || targets.empty()) return;
  list_.add_targets(std::move(*selector), file.source->position(directive.name.offset()), std::move(targets));
}

void Parser::targets_by_id(const Directive& directive, const File& file) {
  change_targets(ids_of({directive.arguments.data(), 1}, file.place), directive, file);
}

void Parser::targets_by_tag(const Directive& directive, const File& file) {
  change_targets(text_of(Selector::By::tag, directive.arguments[0]), directive, file);
}

void Parser::targets_by_msg(const Directive& directive, const File& file) {
  change_targets(text_of(Selector::By::msg, directive.arguments[0]), directive, file);
}

void Parser::actions_by_id(const Directive& directive, const File& file) {
  auto selector = ids_of({directive.arguments.data(), 1}, file.place);
  ActionDraft tried;
  parse_actions(directive.arguments[1], ActionContext::update, tried, file.place);
  if (!selector) return;
  list_.add_actions(std::move(*selector), file.source->position(directive.name.offset()), directive.arguments[1],
                    file.source);
}

void Parser::end_chain(const Place& place, const Span& at) {
  if (!in_chain_) return;
  in_chain_ = false;
  place.error(at, "a chain goes on with SecRule and nothing else",
              fmt::format("line {} says chain", chain_position_.line));
}

void Parser::apply(const Directive& directive, const File& file) {
  const Handler* handler = find_word(std::span<const Handler>(kHandlers), directive.name.text);
  if (handler == nullptr || handler->apply != &Parser::sec_rule) end_chain(file.place, directive.name);
  if (!handler) {
    if (apply_setting(directive, result_.rules.settings, file.place) == Known::yes) return;
    unknown_directive(directive.name, names_of(std::span<const Handler>(kHandlers)), file.place);
    after_failure_ = true;
    return;
  }
  const std::size_t given = directive.arguments.size();
  if (given >= handler->arguments_min && given <= handler->arguments_max)
    return (this->*handler->apply)(directive, file);
  after_failure_ = true;
  in_chain_ = false;
  const Span& at = given > handler->arguments_max ? directive.arguments[handler->arguments_max] : directive.name;
  file.place.error(at,
                   given > handler->arguments_max ? fmt::format("{} has too many arguments", handler->name)
                                                  : fmt::format("{} has too few arguments", handler->name),
                   fmt::format("it is {}", handler->usage));
}

void Parser::parse_text(const std::string& name, std::string_view text) {
  const auto index = static_cast<std::uint32_t>(result_.rules.files.size());
  result_.rules.files.push_back(name);
  const auto source = std::make_shared<const Source>(index, name, text);
  const File file{source, {*source, findings_}};
  in_chain_ = after_failure_ = false;
  Lexer lexer(text);
  Directive directive;
  Lexer::Failure failure;
  while (!findings_.full()) {
    const Lexer::Read read = lexer.next(directive, failure);
    if (read == Lexer::Read::end) break;
    if (read == Lexer::Read::directive) {
      apply(directive, file);
      continue;
    }
    findings_.error(source->position(failure.offset), std::string(failure.message), std::string(failure.hint));
    in_chain_ = false;
    after_failure_ = true;
  }
  if (in_chain_) findings_.error(chain_position_, "the chain ends with the file", "the last rule must not say chain");
  in_chain_ = after_failure_ = false;
}

// `from` and `named` are the Include's; null for a source of its own.
void Parser::parse_file(const std::string& path, const Place* from, const Span* named) {
  const auto complain = [&](std::string message) {
    if (from) return from->error(*named, std::move(message));
    const auto index = static_cast<std::uint32_t>(result_.rules.files.size());
    result_.rules.files.push_back(path);
    findings_.error({index, 0, 0}, std::move(message));
  };
  const std::string real = canonical(path);
  if (std::find(open_files_.begin(), open_files_.end(), real) != open_files_.end()) {
    return complain(fmt::format("{} includes itself", path));
  }
  const auto text = files_.read(path);
  if (!text) return complain(text.error().message);
  open_files_.push_back(real);
  parse_text(path, *text);
  open_files_.pop_back();
}

void Parser::parse(const RuleSource& source) {
  if (source.text) {
    files_.note(source.name, *source.text);
    if (source.text->size() <= limits_.file_bytes_max) return parse_text(source.name, *source.text);
    result_.rules.files.push_back(source.name);
    const auto index = static_cast<std::uint32_t>(result_.rules.files.size() - 1);
    return findings_.error({index, 0, 0}, fmt::format("more than {} bytes", limits_.file_bytes_max));
  }
  const std::vector<std::string> paths = Files::expand(source.name);
  for (const std::string& path : paths) parse_file(path, nullptr, nullptr);
  if (!paths.empty()) return;
  result_.rules.files.push_back(source.name);
  findings_.error({static_cast<std::uint32_t>(result_.rules.files.size() - 1), 0, 0}, "no file has such a name");
}

ParseResult Parser::finish() {
  list_.finish();
  result_.digest = files_.digest();
  return std::move(result_);
}

}  // namespace

ParseResult parse_rules(std::span<const RuleSource> sources, const ParseLimits& limits) {
  Parser parser(limits);
  for (const RuleSource& source : sources) parser.parse(source);
  return parser.finish();
}

}  // namespace gatehouse::waf
