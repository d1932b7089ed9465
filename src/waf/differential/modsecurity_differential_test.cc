// The same rules fire as in libmodsecurity 3.0.9, on the same requests.
//
// Both engines load the same text. In it every `nolog` is a `log`, because the library tells of logged rules only: so
// all rules that match are compared. What is known to differ stands in `reason_for`, each with its reason.
//
// GATEHOUSE_LONG=1 compares all regression tests and more of the rest, GATEHOUSE_WAF_INPUTS sets how many generated and
// changed requests there are of each, GATEHOUSE_WAF_SEED where they start.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "waf/body/multipart.h"
#include "waf/differential/engine_under_test.h"
#include "waf/differential/generated_traffic_for_tests.h"
#include "waf/differential/request_forms_for_tests.h"
#include "waf/modsecurity_test_peer.h"
#include "waf/names.h"

namespace gatehouse::waf {
namespace {

bool is_long() { return std::getenv("GATEHOUSE_LONG") != nullptr; }
std::size_t number_from(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct RuleText {
  std::string file, text;
};

// The library forgets MATCHED_VARS only when a rule does not match, so that a chain also sees what rules before it
// matched. Where a chain asks for them, a rule that never matches goes in front, for both engines.
std::string with_forgetting(const std::string& text) {
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
std::vector<RuleText> texts_of(const std::vector<RuleSource>& sources) {
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

std::string set_up(int paranoia) {
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

using Ids = std::set<std::uint64_t>;

struct RuleSetCase {
  const char* name;
  std::vector<RuleSource> (*sources)();
  int paranoia;
};
void PrintTo(const RuleSetCase& rule_set, std::ostream* out) { *out << rule_set.name << rule_set.paranoia; }

struct Both {
  std::unique_ptr<const Program> ours;
  std::unique_ptr<ModSecurityRules> theirs;
};

const Both& both(const RuleSetCase& rule_set) {
  static std::map<std::string, Both> made;
  auto [at, is_new] = made.try_emplace(fmt::format("{} {}", rule_set.name, rule_set.paranoia));
  if (!is_new) return at->second;
  std::vector<RuleSource> sources = rule_set.sources();
  if (sources.empty()) return at->second;
  sources.insert(sources.begin(), {"set-up.conf", set_up(rule_set.paranoia)});
  at->second.theirs = std::make_unique<ModSecurityRules>();
  std::vector<RuleSource> loaded;
  for (const RuleText& rules : texts_of(sources)) {
    EXPECT_TRUE(at->second.theirs->load(rules.text, rules.file)) << rules.file << ": " << at->second.theirs->error();
    loaded.push_back({rules.file, rules.text});
  }
  at->second.ours = compile_rules(loaded);
  return at->second;
}

class AgainstModSecurity : public testing::TestWithParam<RuleSetCase> {
 protected:
  void SetUp() override {
    const Both& rules = both(GetParam());
    if (!rules.ours) GTEST_SKIP() << "this rule set is not here";
    workspace_ = std::make_unique<Workspace>(*rules.ours, nullptr);
    ours_ = std::make_unique<Transaction>(*workspace_, SystemClock::instance());
    program_ = rules.ours.get();
    theirs_ = rules.theirs.get();
    for (std::uint32_t i = 0; i < program_->rules().size(); ++i) {
      const Rule& rule = *program_->rule(i).source;
      if (rule.actions.id != 0) by_id_[rule.actions.id] = i;
      if (rule.is_action) actions_.insert(rule.actions.id);
    }
  }

  struct Side {
    Ids ids;
    std::map<std::string, std::string> tx;
  };

  bool is_compared(std::string_view tx_name) const {
    // Captures are what the last value left behind, as is the name of it: the library keeps arguments in no order.
    return tx_name.size() > 1 && !tx_name.ends_with("_matched_var_name");
  }

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
    return side;
  }

  Side run_theirs(const RawRequest& request, const RawResponse& response) {
    const auto transaction = theirs_->run(request, &response);
    Side side;
    for (const auto& message : transaction->m_rulesMessages) {
      const auto id = static_cast<std::uint64_t>(message.m_ruleId);
      if (!actions_.contains(id)) side.ids.insert(id);
    }
    for (const std::string& name : program_->tx_names()) {
      if (!is_compared(name)) continue;
      const auto value = transaction->m_collections.m_tx_collection->resolveFirst(name);
      side.tx[name] = value ? *value : "";
    }
    return side;
  }

  void compare(Exchange exchange) {
    // The library runs phase 4 for the types of SecResponseBodyMimeType only; in the gateway that is the route's
    // choice.
    auto& headers = exchange.response.headers;
    std::erase_if(headers, [](const auto& header) { return same_name(header.first, "content-type"); });
    headers.emplace_back("Content-Type", "text/html");
    const Side ours = run_ours(exchange.request, exchange.response);
    const std::vector<FiredRule> fired = ours_->fired();
    const Side theirs = run_theirs(exchange.request, exchange.response);
    ++compared_;
    std::string unexplained;
    std::size_t explained = 0;
    Ids derived;
    for (const Ids* side : {&ours.ids, &theirs.ids}) {
      const bool is_ours = side == &ours.ids;
      for (const std::uint64_t id : *side) {
        if ((is_ours ? theirs : ours).ids.contains(id)) continue;
        if (looks_only_at_tx(id)) {
          derived.insert(id);
          continue;
        }
        const std::string_view reason = reason_for(exchange, fired, ours, theirs, id);
        if (reason.empty()) {
          unexplained += fmt::format(" {}{}", is_ours ? '+' : '-', id);
          ++classes_[fmt::format("{}{}", is_ours ? '+' : '-', id)];
        } else {
          ++explained;
          ++known_[std::string(reason)];
        }
      }
    }
    // A score follows from the rules that it counts.
    if (explained == 0) {
      for (const std::uint64_t id : derived) unexplained += fmt::format(" ={}", id), ++classes_[fmt::format("={}", id)];
      if (derived.empty() && unexplained.empty() && !counts_differently(exchange.request, fired))
        compare_tx(exchange.request, ours, theirs, unexplained);
    }
    if (unexplained.empty()) return;
    if (++different_ <= 10)
      ADD_FAILURE() << exchange.name << ": only in ours (+), only in libmodsecurity (-):" << unexplained << "\n"
                    << exchange.request.text();
  }

  void compare_tx(const RawRequest& request, const Side& ours, const Side& theirs, std::string& unexplained) {
    ++scores_;
    for (const auto& [name, value] : ours.tx) {
      const std::string& their = theirs.tx.at(name);
      if (value == their) continue;
      // What the last of several values, or the last part of a URI, left behind; see reason_for.
      const std::string_view header = name == "content_type" ? "content-type" : name == "ua_hash" ? "user-agent" : "";
      const auto is_it = [header](const auto& one) { return same_name(one.first, header); };
      if (std::count_if(request.headers.begin(), request.headers.end(), is_it) > 1) continue;
      if (name == "extension" && decodes_differently(request)) continue;
      unexplained += fmt::format(" tx.{} '{}'/'{}'", name, value, their);
      ++classes_["tx." + name];
    }
  }

  const CompiledRule& rule_of(std::uint64_t id) const { return program_->rule(by_id_.at(id)); }
  template <class Predicate>
  bool any_in_chain(std::uint64_t id, Predicate predicate) const {
    for (std::uint32_t at = by_id_.at(id);; at = program_->rule(at).next) {
      const auto& targets = program_->rule(at).targets;
      if (std::any_of(targets.begin(), targets.end(), predicate)) return true;
      if (program_->rule(at).next == 0) return false;
    }
  }
  bool looks_only_at_tx(std::uint64_t id) const {
    return !any_in_chain(id, [](const CompiledTarget& target) { return target.variable != Variable::tx; });
  }
  // With multiMatch the library tests the last value twice ("v2 checks the last entry twice"), and counts it so; and
  // what rules count in a URI depends on its form (see reason_for).
  bool counts_differently(const RawRequest& request, const std::vector<FiredRule>& fired) const {
    return std::any_of(fired.begin(), fired.end(), [&](const FiredRule& rule) {
      return program_->rule(rule.index).source->actions.multi_match || has_broken_lines(request) ||
             chain_asks_for(program_->rule(rule.index), 2, is_of_all_matches) ||
             (rule.id == 200003 && has_type(request, "multipart/")) ||  // it stops at the fault
             (decodes_differently(request) && any_in_chain(rule.id, is_of_uri));
    });
  }
  static bool is_of_uri(const CompiledTarget& target) {
    return target.variable == Variable::request_uri || target.variable == Variable::request_filename ||
           target.variable == Variable::request_basename;
  }
  static bool decodes_differently(const RawRequest& request) {
    return request.uri.find('%') != std::string::npos || !request.uri.starts_with('/');
  }
  static bool has_type(const RawRequest& request, std::string_view type) {
    return std::any_of(request.headers.begin(), request.headers.end(), [type](const auto& header) {
      return same_name(header.first, "content-type") && lower(header.second).find(type) != std::string::npos;
    });
  }
  bool ours_agrees(const RawRequest& request, const Exchange& exchange, const Side& theirs, std::uint64_t id) {
    return run_ours(request, exchange.response).ids.contains(id) == theirs.ids.contains(id);
  }

  // Why the library differs on this rule and is not followed; empty: for no known reason.
  std::string_view reason_for(const Exchange& exchange, const std::vector<FiredRule>& fired, const Side& ours,
                              const Side& theirs, std::uint64_t id) {
    const RawRequest& request = exchange.request;
    const CompiledRule& rule = rule_of(id);
    const bool is_ours = ours.ids.contains(id);
    const auto flagged = [](const Side& side) { return side.ids.contains(200002) || side.ids.contains(200003); };
    // It decodes the URI before it takes it apart and shows the rules the decoded one (CVE-2024-1019). The rule agrees
    // once we are given a decoded URI.
    if (any_in_chain(id, is_of_uri) && request.uri.find('%') != std::string::npos) {
      RawRequest decoded = request;
      decoded.uri = percent_decoded(decoded.uri);
      if (ours_agrees(decoded, exchange, theirs, id)) return "URI decoded first";
    }
    // It keeps scheme and host in the path of an absolute target, and all of an authority or `*`.
    if (any_in_chain(id, is_of_uri) && !request.uri.starts_with('/')) return "target that is no path";
    // It tells of each value that a multiMatch rule matches before the rest of the chain has been looked at.
    if (!is_ours && rule.source->actions.multi_match && rule.next != 0) return "multiMatch told before its chain";
    // It keeps MATCHED_VARS of all rules before in a chain; the manual has those of the rule before.
    if (!is_ours && chain_asks_for(rule, 2, is_of_all_matches)) return "MATCHED_VARS of the whole chain";
    // It keeps values in no order, so that the last one that matched, which a chain's TX:0 is of, is another.
    if (chain_asks_for(rule, 1, is_of_last_match) &&
        (agrees_in_another_order(exchange, theirs, id) || agrees_on_each_alone(exchange, id)))
      return "order of values";
    if (has_type(request, "json") && chain_asks_for(rule, 1, is_of_last_match)) return "order of values in JSON";
    // A NUL ends what its cssDecode gives (transform_oracle_test.cc). Without NULs it agrees.
    const auto& steps = rule.transformations;
    if (is_ours && std::find(steps.begin(), steps.end(), Transformation::css_decode) != steps.end() &&
        run_theirs(without_nuls(request), exchange.response).ids.contains(id))
      return "a NUL ends the value";
    // Its search for phrases misses some that overlap. A plain search finds ours.
    if (is_ours && (rule.op.kind == OperatorKind::pm || rule.op.kind == OperatorKind::pm_from_file) &&
        holds_phrase(fired, id, rule.source->op.phrases))
      return "phrase missed";
    // It takes no part of what holds foreign bytes for base64 (transform_oracle_test.cc).
    if (is_ours && std::find(steps.begin(), steps.end(), Transformation::base64_decode) != steps.end() &&
        run_theirs(without_high_bytes(request), exchange.response).ids.contains(id))
      return "foreign bytes in base64";
    // A boundary that is none is refused by both; it looks at the body nevertheless.
    if (!is_ours && id == 200004 && flagged(ours) && flagged(theirs)) return "body of a refused boundary";
    if (has_type(request, "multipart/") && !has_type(request, "multipart/form-data"))
      return "multipart that is no form";  // the library does not read it
    // What else differs about multipart is listed in body/multipart_test.cc.
    if (is_ours && (id == 200002 || id == 200003) && has_type(request, "multipart/")) return "multipart flagged";
    if (!is_ours && (id == 200002 || id == 200003) && request.body.empty()) return "empty body is no error";
    if (has_broken_lines(request)) return "bytes dropped from a field's lines";
    // It stops at the first fault of a multipart body, where we look at what can be read of it, and goes on behind a
    // fault of an XML body, where we stop. Both flag the fault.
    if (flagged(ours) && is_ours && has_type(request, "multipart/")) return "more read of a body with faults";
    if (flagged(ours) && flagged(theirs) && !is_ours && has_type(request, "xml")) return "less read of XML with faults";
    return {};
  }

  static bool is_of_all_matches(const CompiledTarget& target) {
    return target.variable == Variable::matched_vars || target.variable == Variable::matched_vars_names;
  }
  static bool is_of_last_match(const CompiledTarget& target) {
    return target.variable == Variable::matched_var || target.variable == Variable::matched_var_name ||
           target.variable == Variable::tx;
  }
  // Fields of a form in parts whose values have several lines: the library drops bytes of them (multipart_test.cc).
  static bool has_broken_lines(const RawRequest& request) {
    const std::string* type = request.header("content-type");
    if (!type || !has_type(request, "multipart/form-data")) return false;
    Arena arena(4096);
    Body body;
    read_multipart_body(*type, request.body, {}, arena, body);
    return std::any_of(body.arguments.begin(), body.arguments.end(), [](const NameValue& field) {
      return field.value.find_first_of("\r\n") != std::string_view::npos;
    });
  }

  // Does a rule at least `from` steps down the chain look at these?
  bool chain_asks_for(const CompiledRule& head, int from, bool (*is_meant)(const CompiledTarget&)) const {
    int step = 1;
    for (std::uint32_t at = head.next; at != 0; at = program_->rule(at).next, ++step) {
      const auto& targets = program_->rule(at).targets;
      if (step >= from && std::any_of(targets.begin(), targets.end(), is_meant)) return true;
    }
    return false;
  }

  static bool holds_phrase(const std::vector<FiredRule>& fired, std::uint64_t id,
                           const std::vector<std::string>& phrases) {
    const auto at = std::find_if(fired.begin(), fired.end(), [id](const FiredRule& one) { return one.id == id; });
    if (at == fired.end() || at->matches.empty()) return false;
    const std::string value = lower(at->matches.front().value);
    return std::any_of(phrases.begin(), phrases.end(),
                       [&](const std::string& phrase) { return value.find(lower(phrase)) != std::string::npos; });
  }

  // Whether ours agrees when another of the values comes last: headers and what stands between `&`, turned around by
  // one after the other.
  bool agrees_in_another_order(const Exchange& exchange, const Side& theirs, std::uint64_t id) {
    RawRequest request = exchange.request;
    constexpr int kTurnsMax = 40;
    for (int i = 0; i < kTurnsMax; ++i) {
      if (!request.headers.empty())
        std::rotate(request.headers.begin(), request.headers.begin() + 1, request.headers.end());
      if (const std::size_t mark = request.uri.find('?'); mark != std::string::npos)
        request.uri = request.uri.substr(0, mark + 1) + turned(request.uri.substr(mark + 1));
      request.body = turned(request.body);
      if (ours_agrees(request, exchange, theirs, id)) return true;
    }
    return false;
  }
  // Whether both say the same of a request with one of the arguments, whichever it is, and that the rule matches one.
  bool agrees_on_each_alone(const Exchange& exchange, std::uint64_t id) {
    const auto [path, query] = split_once(exchange.request.uri, '?');
    std::string rest = has_type(exchange.request, "urlencoded") ? query + "&" + exchange.request.body : query;
    bool any = false;
    while (!rest.empty()) {
      RawRequest request = exchange.request;
      std::string argument;
      std::tie(argument, rest) = split_once(rest, '&');
      request.uri = path + "?" + argument;
      request.body = "a=b";
      set_length(request);
      const bool matches = run_ours(request, exchange.response).ids.contains(id);
      if (run_theirs(request, exchange.response).ids.contains(id) != matches) return false;
      any |= matches;
    }
    return any;
  }
  void report(std::string_view what) {
    std::printf("%s at paranoia %d, %s: %zu compared, %zu of them with all TX variables; %zu differ\n", GetParam().name,
                GetParam().paranoia, std::string(what).c_str(), compared_, scores_, different_);
    for (const auto& [name, count] : known_) std::printf("  known: %s %zu\n", name.c_str(), count);
    for (const auto& [name, count] : classes_) std::printf("  %s %zu\n", name.c_str(), count);
    EXPECT_EQ(different_, 0u);
  }

  // Every seventeenth test, unless all are asked for.
  std::vector<Exchange> suite() const {
    const auto folder = crs_main_folder();
    if (!folder || !std::filesystem::exists(*folder / "tests")) return {};
    std::vector<Exchange> all = suite_exchanges(*folder / "tests");
    if (is_long()) return all;
    std::vector<Exchange> some;
    for (std::size_t i = 0; i < all.size(); i += 17) some.push_back(std::move(all[i]));
    return some;
  }

  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Transaction> ours_;
  const Program* program_ = nullptr;
  ModSecurityRules* theirs_ = nullptr;
  Ids actions_;  // SecAction: it matches whenever it is reached, and the library tells only of some
  std::size_t compared_ = 0, different_ = 0, scores_ = 0;
  std::map<std::string, std::size_t> classes_, known_;
  std::map<std::uint64_t, std::uint32_t> by_id_;
  std::uint64_t seed_ = number_from("GATEHOUSE_WAF_SEED", 1);
  std::size_t inputs_ = number_from("GATEHOUSE_WAF_INPUTS", is_long() ? 1000 : 100);
};

TEST_P(AgainstModSecurity, OnTheRulesOwnTestData) {
  const auto exchanges = suite();
  if (exchanges.empty()) GTEST_SKIP() << "the regression tests are not here";
  for (const Exchange& exchange : exchanges) compare(exchange);
  report("regression tests");
}

TEST_P(AgainstModSecurity, OnGeneratedTraffic) {
  TrafficGenerator generator(seed_);
  for (std::size_t i = 0; i < inputs_; ++i) compare(generator.next());
  report("generated");
}

TEST_P(AgainstModSecurity, OnChangedTraffic) {
  const auto exchanges = suite();
  Random random(seed_);
  TrafficGenerator generator(seed_);
  TrafficMutator mutator(seed_);
  for (std::size_t i = 0; i < inputs_; ++i) {
    Exchange exchange = exchanges.empty() || random.one_in(2) ? generator.next() : random.of(exchanges);
    mutator.change(exchange.request);
    exchange.name += fmt::format(", changed {} of seed {}", i, seed_);
    compare(exchange);
  }
  report("changed");
}

INSTANTIATE_TEST_SUITE_P(CoreRuleSet, AgainstModSecurity,
                         testing::Values(RuleSetCase{"crs_main", crs_main, 1}, RuleSetCase{"crs_main", crs_main, 4},
                                         RuleSetCase{"crs_debian", crs_debian, 1},
                                         RuleSetCase{"crs_debian", crs_debian, 4}),
                         [](const auto& tested) {
                           return fmt::format("{}_paranoia_{}", tested.param.name, tested.param.paranoia);
                         });

}  // namespace
}  // namespace gatehouse::waf
