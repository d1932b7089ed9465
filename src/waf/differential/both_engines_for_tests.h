#pragma once
// The engine and libmodsecurity 3.0.9 under the same rules, on the same exchanges. Tests only.
//
// Both load the same text. In it every `nolog` is a `log`, because the library tells of logged rules only: so all rules
// that match are compared.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "waf/differential/traffic_for_tests.h"
#include "waf/engine/transaction.h"
#include "waf/modsecurity_test_peer.h"
#include "waf/names.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {

struct RuleText {
  std::string file, text;
};

// The library forgets MATCHED_VARS only when a rule does not match, so that a chain also sees what rules before it
// matched. Where a chain asks for them, a rule that never matches goes in front, for both engines.
inline std::string with_forgetting(const std::string& text) {
  static std::uint64_t id = 300'000;
  static const std::regex kPhase("phase:\\s*'?([1-5])");
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find("\nSec", at), text.size() - 1) + 1;
    const std::string directive = text.substr(at, end - at);
    std::smatch phase;
    if (directive.starts_with("SecRule ") && directive.find("MATCHED_VARS") != std::string::npos &&
        std::regex_search(directive, phase, kPhase)) {
      out += fmt::format("SecRule REQUEST_METHOD \"@streq never\" \"id:{},phase:{},pass,nolog\"\n", ++id, phase.str(1));
    }
    out += directive;
    at = end;
  }
  return out;
}

// The files that `sources` name, one by one, with every match logged.
inline std::vector<RuleText> texts_of(const std::vector<RuleSource>& sources) {
  std::vector<RuleText> result;
  static const std::regex kNoLog("\\bno(audit)?log\\b");
  const auto add = [&](const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    result.push_back({file, with_forgetting(std::regex_replace(text.str(), kNoLog, "$1log"))});
  };
  for (const RuleSource& source : sources) {
    if (source.text) {
      result.push_back({source.name, *source.text});
    } else if (source.name.ends_with("/*.conf")) {
      std::vector<std::string> files;
      for (const auto& entry : std::filesystem::directory_iterator(source.name.substr(0, source.name.size() - 7))) {
        if (entry.path().extension() == ".conf") files.push_back(entry.path());
      }
      std::sort(files.begin(), files.end());
      for (const std::string& file : files) add(file);
    } else {
      add(source.name);
    }
  }
  return result;
}

inline std::string set_up_for_both(int paranoia) {
  return fmt::format(R"x(SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml
SecRequestBodyLimit 134217728
SecRequestBodyNoFilesLimit 134217728
SecRequestBodyJsonDepthLimit 64
SecArgumentsLimit 1000
SecPcreMatchLimit 100000
SecRule REQUEST_HEADERS:Content-Type "^(?:application/xml|text/xml|[^; \t]*\+xml(?:[; \t]|$))" "id:200000,phase:1,t:none,t:lowercase,pass,log,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^(?:application/json|[^; \t]*\+json(?:[; \t]|$))" "id:200001,phase:1,t:none,t:lowercase,pass,log,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,pass,log"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:200003,phase:2,t:none,pass,log"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:200004,phase:2,t:none,pass,log"
SecAction "id:900004,phase:1,pass,ctl:forceRequestBodyVariable=On"
SecAction "id:900005,phase:1,log,pass,setvar:tx.blocking_paranoia_level={0},setvar:tx.detection_paranoia_level={0},\
setvar:tx.paranoia_level={0},setvar:tx.executing_paranoia_level={0},setvar:tx.crs_validate_utf8_encoding=1,\
setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,\
setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"
)x",
                     paranoia);
}

struct RuleSetUnderTest {
  const char* name;
  std::vector<RuleSource> (*sources)();
  int paranoia;
};
inline void PrintTo(const RuleSetUnderTest& rule_set, std::ostream* out) { *out << rule_set.name << rule_set.paranoia; }

class BothEngines {
 public:
  using Ids = std::set<std::uint64_t>;
  // What one engine says of an exchange.
  struct Side {
    Ids ids;
    std::map<std::string, std::string> tx;
    std::vector<FiredRule> fired;                             // ours
    std::unique_ptr<modsecurity::Transaction> transaction{};  // theirs
  };

  // Null when the rule set is not here, or does not load, which `error` tells.
  static std::unique_ptr<BothEngines> load(const RuleSetUnderTest& rule_set, std::string& error) {
    std::vector<RuleSource> sources = rule_set.sources();
    if (sources.empty()) return nullptr;
    sources.insert(sources.begin(), {"set-up.conf", set_up_for_both(rule_set.paranoia)});
    auto both = std::unique_ptr<BothEngines>(new BothEngines);
    std::vector<RuleSource> loaded;
    for (const RuleText& rules : texts_of(sources)) {
      if (!both->theirs_.load(rules.text, rules.file)) error += rules.file + ": " + both->theirs_.error() + "\n";
      loaded.push_back({rules.file, rules.text});
    }
    ParseResult parsed = parse_rules(loaded);
    for (const Finding& finding : parsed.errors) error += to_string(finding, parsed.rules) + "\n";
    Program::Compiled compiled = Program::compile(std::move(parsed.rules));
    for (const Finding& finding : compiled.errors) error += to_string(finding, compiled.rules) + "\n";
    both->program_ = std::move(compiled.program);
    if (!error.empty() || !both->program_) return nullptr;
    both->prepare();
    return both;
  }
  // Ours then runs as it does in the gateway. A whole rule set takes a minute, unless `cache_file` has it.
  std::string use_plan(const std::string& cache_file) {
    auto plan = MatchPlan::build(*program_, {.cache_file = cache_file});
    if (!plan) return plan.error().message;
    plan_ = std::move(*plan);
    prepare();
    return {};
  }

  const Program& program() const noexcept { return *program_; }
  const CompiledRule& rule(std::uint64_t id) const { return program_->rule(by_id_.at(id)); }

  Side run_ours(const RawRequest& request, const RawResponse& response) {
    ours_->begin({.engine = EngineMode::detection_only});
    inspect(*ours_, request, &response);
    Side side;
    for (const FiredRule& fired : ours_->fired()) {
      if (!actions_.contains(fired.id)) side.ids.insert(fired.id);
    }
    for (const std::string& name : program_->tx_names()) {
      if (is_compared(name)) side.tx[name] = ours_->tx(name);
    }
    side.fired = ours_->fired();
    return side;
  }

  Side run_theirs(const RawRequest& request, const RawResponse& response) {
    Side side;
    side.transaction = theirs_.run(request, &response);
    for (const auto& message : side.transaction->m_rulesMessages) {
      const auto id = static_cast<std::uint64_t>(message.m_ruleId);
      if (!actions_.contains(id)) side.ids.insert(id);
    }
    for (const std::string& name : program_->tx_names()) {
      if (!is_compared(name)) continue;
      const auto value = side.transaction->m_collections.m_tx_collection->resolveFirst(name);
      side.tx[name] = value ? *value : "";
    }
    return side;
  }

  // Does any rule of the chain look at what is meant?
  template <class Predicate>
  bool any_in_chain(std::uint64_t id, Predicate predicate) const {
    return any_behind(rule(id), predicate) || any_target(rule(id), predicate);
  }
  // Does one at least `from` steps down the chain?
  template <class Predicate>
  bool any_behind(const CompiledRule& head, Predicate predicate, int from = 1) const {
    int step = 1;
    for (std::uint32_t at = head.next; at != 0; at = program_->rule(at).next, ++step) {
      if (step >= from && any_target(program_->rule(at), predicate)) return true;
    }
    return false;
  }

 private:
  BothEngines() = default;

  void prepare() {
    ours_.reset();
    workspace_ = std::make_unique<Workspace>(*program_, plan_.get());
    ours_ = std::make_unique<Transaction>(*workspace_, SystemClock::instance());
    for (std::uint32_t i = 0; i < program_->rules().size(); ++i) {
      const Rule& rule = *program_->rule(i).source;
      if (rule.actions.id != 0) by_id_[rule.actions.id] = i;
      if (rule.is_action) actions_.insert(rule.actions.id);
    }
  }
  template <class Predicate>
  static bool any_target(const CompiledRule& rule, Predicate predicate) {
    return std::any_of(rule.targets.begin(), rule.targets.end(), predicate);
  }
  static bool is_compared(std::string_view tx_name) {
    // Captures are what the last value left behind, as is the name of it: the library keeps arguments in no order.
    return tx_name.size() > 1 && !tx_name.ends_with("_matched_var_name");
  }

  ModSecurityRules theirs_;
  std::unique_ptr<const Program> program_;
  std::unique_ptr<const MatchPlan> plan_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Transaction> ours_;
  std::map<std::uint64_t, std::uint32_t> by_id_;
  Ids actions_;  // SecAction: it matches whenever it is reached, and the library tells only of some
};

}  // namespace gatehouse::waf
