#pragma once
// What is known to differ between the engine and libmodsecurity 3.0.9, each class with its reason, and what must hold
// of an exchange for a difference to be of it. Wherever it can be done, that is shown by another run: of us on the
// request as the library reads it, or of the library on the request as we do. Tests only.

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/arena.h"
#include "waf/body/multipart.h"
#include "waf/body/multipart_strictness_for_tests.h"
#include "waf/differential/both_engines_for_tests.h"
#include "waf/differential/request_forms_for_tests.h"
#include "waf/transform/transform.h"

namespace gatehouse::waf {

class KnownDifferences {
 public:
  using Side = BothEngines::Side;

  KnownDifferences(BothEngines& both, const Exchange& exchange, const Side& ours, const Side& theirs)
      : both_(both), exchange_(exchange), request_(exchange.request), ours_(ours), theirs_(theirs) {
    const std::string* type = request_.header("content-type");
    is_form_in_parts_ = type != nullptr && lower(*type).starts_with("multipart/form-data");
    if (is_form_in_parts_) read_multipart_body(*type, request_.body, {}, arena_, parts_);
  }

  // Why the library differs on this rule and is not followed; empty: for no known reason.
  std::string_view reason_for(std::uint64_t id) {
    using Class = std::string_view (KnownDifferences::*)(std::uint64_t);
    for (const Class reason :
         {&KnownDifferences::of_the_target, &KnownDifferences::of_chains, &KnownDifferences::of_transformations,
          &KnownDifferences::of_flags, &KnownDifferences::of_parts, &KnownDifferences::of_other_bodies}) {
      if (const std::string_view known = (this->*reason)(id); !known.empty()) return known;
    }
    return {};
  }

  // Whether what rules count is not to be compared. With multiMatch the library tests the last value twice ("v2 checks
  // the last entry twice"), and counts it so; the rest as in the classes.
  bool counts_differently() const {
    return std::any_of(ours_.fired.begin(), ours_.fired.end(), [&](const FiredRule& fired) {
      const CompiledRule& rule = both_.program().rule(fired.index);
      return rule.source->actions.multi_match || has_lines() || both_.any_behind(rule, is_of_all_matches, 2) ||
             (is_form_in_parts_ && parts_.error != BodyError::none) ||
             (has_target_of_its_own() && both_.any_in_chain(fired.id, is_of_target));
    });
  }
  // What the last of several values, or the last part of a target, left behind.
  bool is_left_behind(std::string_view tx_name) const {
    if (tx_name == "extension") return has_target_of_its_own();
    const std::string_view header = tx_name == "content_type" ? "content-type"
                                    : tx_name == "ua_hash"    ? "user-agent"
                                                              : "";
    return std::count_if(request_.headers.begin(), request_.headers.end(),
                         [header](const auto& one) { return same_name(one.first, header); }) > 1;
  }

 private:
  bool is_ours(std::uint64_t id) const { return ours_.ids.contains(id); }
  bool ours_fires(const RawRequest& request, std::uint64_t id) {
    return both_.run_ours(request, exchange_.response).ids.contains(id);
  }
  bool theirs_fires(const RawRequest& request, std::uint64_t id) {
    return both_.run_theirs(request, exchange_.response).ids.contains(id);
  }
  bool ours_would_agree(const RawRequest& request, std::uint64_t id) { return ours_fires(request, id) != is_ours(id); }
  bool theirs_would_agree(const RawRequest& request, std::uint64_t id) {
    return theirs_fires(request, id) == is_ours(id);
  }

  static bool is_of_target(const CompiledTarget& target) {
    return target.variable == Variable::request_uri || target.variable == Variable::request_filename ||
           target.variable == Variable::request_basename;
  }
  static bool is_of_all_matches(const CompiledTarget& target) {
    return target.variable == Variable::matched_vars || target.variable == Variable::matched_vars_names;
  }
  static bool is_of_last_match(const CompiledTarget& target) {
    return target.variable == Variable::matched_var || target.variable == Variable::matched_var_name ||
           target.variable == Variable::tx;
  }
  static bool is_of_xml(const CompiledTarget& target) { return target.variable == Variable::xml; }
  bool has_target_of_its_own() const {
    return request_.uri.find('%') != std::string::npos || !request_.uri.starts_with('/');
  }
  bool has_type(std::string_view type) const {
    return std::any_of(request_.headers.begin(), request_.headers.end(), [type](const auto& header) {
      return same_name(header.first, "content-type") && lower(header.second).find(type) != std::string::npos;
    });
  }
  bool has_other_parts() const { return has_type("multipart/") && !has_type("multipart/form-data"); }
  bool has_lines() const {
    return std::any_of(parts_.arguments.begin(), parts_.arguments.end(),
                       [](const NameValue& field) { return field.value.find('\n') != std::string_view::npos; });
  }

  std::string_view of_the_target(std::uint64_t id) {
    if (!both_.any_in_chain(id, is_of_target)) return {};
    // It decodes the target before it takes it apart and shows the rules the decoded one (CVE-2024-1019).
    RawRequest decoded = request_;
    decoded.uri = percent_decoded(request_.uri);
    if (decoded.uri != request_.uri && ours_would_agree(decoded, id)) return "target decoded first";
    if (request_.uri.starts_with('/')) return {};
    // It keeps scheme and host in the path of an absolute target.
    RawRequest path = request_;
    path.uri = origin_form(request_.uri);
    decoded.uri = percent_decoded(path.uri);
    if (theirs_would_agree(path, id) || ours_fires(decoded, id) == theirs_fires(path, id))
      return "target with scheme and host";
    return {};
  }

  std::string_view of_chains(std::uint64_t id) {
    const CompiledRule& rule = both_.rule(id);
    // It tells of each value that a multiMatch rule matches before the rest of the chain has been looked at.
    if (!is_ours(id) && rule.source->actions.multi_match && rule.next != 0) return "multiMatch told before its chain";
    // It keeps MATCHED_VARS of all rules before in a chain; the manual has those of the rule before. So one of its
    // values can match one rule and another the next.
    if (!is_ours(id) && both_.any_behind(rule, is_of_all_matches, 2) && agree_on_each_value(id))
      return "MATCHED_VARS of the whole chain";
    // It keeps values in no order, so that the last one that matched, which a chain's TX:0 is of, is another.
    if (both_.any_behind(rule, is_of_last_match)) {
      for (const RawRequest& ordered : in_their_order(request_, *theirs_.transaction)) {
        if (ours_would_agree(ordered, id)) return "order of values";
      }
    }
    return {};
  }

  std::string_view of_transformations(std::uint64_t id) {
    if (!is_ours(id)) return {};
    const CompiledRule& rule = both_.rule(id);
    const auto& steps = rule.transformations;
    const auto has = [&steps](Transformation step) {
      return std::find(steps.begin(), steps.end(), step) != steps.end();
    };
    // A NUL ends what its cssDecode gives (transform_oracle_test.cc).
    if (has(Transformation::css_decode) && theirs_fires(without_nuls(request_), id)) return "a NUL ends the value";
    // It makes nothing of a text with one bad byte, which we decode up to that byte (transform_oracle_test.cc).
    if (has(Transformation::base64_decode) && decodes_another_base64(steps)) return "bad bytes in base64";
    // Its search for phrases misses some that overlap. A plain search finds ours.
    if ((rule.op.kind == OperatorKind::pm || rule.op.kind == OperatorKind::pm_from_file) &&
        holds_phrase(id, rule.source->op.phrases))
      return "phrase missed";
    return {};
  }
  // Of any value of the request, when it comes to that step.
  template <class Steps>
  bool decodes_another_base64(const Steps& steps) const {
    static ModSecurityPeer peer;
    modsecurity::Transaction& seen = *theirs_.transaction;
    for (const auto* values : {&seen.m_variableArgs, &seen.m_variableRequestCookies, &seen.m_variableRequestHeaders}) {
      for (const auto& [name, value] : *values) {
        for (std::string text : {name, value->getValue()}) {
          for (const Transformation step : steps) {
            std::string next;
            const bool changed = transform(step, text, next);
            const std::string& ours = changed ? next : text;
            if (step == Transformation::base64_decode && peer.transform("base64Decode", text) != ours) return true;
            if (changed) text = next;
          }
        }
      }
    }
    return false;
  }
  bool holds_phrase(std::uint64_t id, const std::vector<std::string>& phrases) const {
    const auto at =
        std::find_if(ours_.fired.begin(), ours_.fired.end(), [id](const FiredRule& one) { return one.id == id; });
    if (at == ours_.fired.end() || at->matches.empty()) return false;
    const std::string value = lower(at->matches.front().value);
    return std::any_of(phrases.begin(), phrases.end(),
                       [&](const std::string& phrase) { return value.find(lower(phrase)) != std::string::npos; });
  }

  // REQBODY_ERROR, MULTIPART_STRICT_ERROR and MULTIPART_UNMATCHED_BOUNDARY themselves.
  static constexpr std::uint64_t kBodyError = 200002, kStrictError = 200003, kUnmatchedBoundary = 200004;
  bool both_flag_an_error() const { return ours_.ids.contains(kBodyError) && theirs_.ids.contains(kBodyError); }

  std::string_view of_flags(std::uint64_t id) {
    if (id != kBodyError && id != kStrictError && id != kUnmatchedBoundary) return {};
    if (!is_ours(id) && request_.body.empty()) return "empty body is no error";
    if (id == kUnmatchedBoundary) {
      if (!both_flag_an_error()) return {};
      // A boundary that is none is refused by both; it looks at the body nevertheless.
      Body head;
      const std::string* type = request_.header("content-type");
      if (!is_ours(id) && type != nullptr && !parse_boundary(*type, head)) return "body of a refused boundary";
      return is_ours(id) ? "a line behind the first fault" : std::string_view();
    }
    if (!is_ours(id)) {
      if (!is_form_in_parts_ || parts_.error != BodyError::none) return {};
      return why_error_of_theirs_alone(theirs_.transaction->m_variableReqbodyErrorMsg.m_value, request_.body);
    }
    // Forms in parts alone are read by it.
    if (has_other_parts()) return "parts that are no form";
    if (is_form_in_parts_ && is_stricter_about_parts(parts_.message)) return "stricter about parts";
    return is_form_in_parts_ && id == kStrictError && both_flag_an_error() ? "a flag behind the first fault"
                                                                           : std::string_view();
  }

  // Forms in parts.
  std::string_view of_parts(std::uint64_t id) {
    if (!is_form_in_parts_) return {};
    // It drops the line ends of a field's value.
    if (has_lines()) {
      RawRequest joined = request_;
      joined.body = without_lines_in_fields(request_.body, parts_);
      set_length(joined);
      if (ours_would_agree(joined, id)) return "line ends dropped from a field";
    }
    // It shows nothing of a body with a fault, where we show what can be read of it: it agrees once that is
    // well-formed.
    if (is_ours(id) && parts_.error != BodyError::none) {
      RawRequest mended = request_;
      mended.body = in_parts(parts_, mended);
      set_length(mended);
      if (theirs_fires(mended, id)) return "more read of parts with a fault";
    }
    return {};
  }

  std::string_view of_other_bodies(std::uint64_t id) {
    // Of parts that are no form it names no processor.
    const auto is_of_processor = [](const CompiledTarget& target) {
      return target.variable == Variable::reqbody_processor;
    };
    if (has_other_parts() && both_.any_in_chain(id, is_of_processor)) return "parts that are no form";
    // It goes on behind a fault of an XML body, where we stop. Both flag the fault.
    if (!is_ours(id) && both_flag_an_error() && has_type("xml") && both_.any_in_chain(id, is_of_xml))
      return "less read of XML with a fault";
    return {};
  }

  // Whether both say the same of a request with one of the arguments alone, whichever it is.
  bool agree_on_each_value(std::uint64_t id) {
    for (const auto& [name, value] : in_their_order(theirs_.transaction->m_variableArgs, true)) {
      RawRequest request = request_;
      request.uri = split_once(request.uri, '?').first + "?" + percent_encoded(name) + "=" + percent_encoded(value);
      request.body.clear();
      set_length(request);
      if (ours_fires(request, id) != theirs_fires(request, id)) return false;
    }
    return true;
  }

  BothEngines& both_;
  const Exchange& exchange_;
  const RawRequest& request_;
  const Side& ours_;
  const Side& theirs_;
  bool is_form_in_parts_ = false;
  Arena arena_{4096};
  Body parts_;
};

// What comparing both sides of an exchange came to.
struct Comparison {
  std::string unexplained;           // ` +942100 -920350 =949110 tx.extension 'a'/'b'`, + only in ours; empty: nothing
  std::vector<std::string> classes;  // of what is unexplained: `+942100`
  std::vector<std::string_view> known;  // reasons, one for each rule that differs
  bool with_tx = false;                 // what rules count and keep was compared, too
};

inline Comparison compare_both(BothEngines& both, Exchange exchange) {
  // The library runs phase 4 for the types of SecResponseBodyMimeType only; in the gateway that is the route's choice.
  auto& headers = exchange.response.headers;
  std::erase_if(headers, [](const auto& header) { return same_name(header.first, "content-type"); });
  headers.emplace_back("Content-Type", "text/html");
  const BothEngines::Side ours = both.run_ours(exchange.request, exchange.response);
  const BothEngines::Side theirs = both.run_theirs(exchange.request, exchange.response);
  KnownDifferences differences(both, exchange, ours, theirs);

  Comparison result;
  const auto unexplained = [&](std::string name, const std::string& detail = {}) {
    result.unexplained += " " + name + detail;
    result.classes.push_back(std::move(name));
  };
  const auto is_no_variable = [](const CompiledTarget& target) { return target.variable != Variable::tx; };
  BothEngines::Ids different, derived;
  std::set_symmetric_difference(ours.ids.begin(), ours.ids.end(), theirs.ids.begin(), theirs.ids.end(),
                                std::inserter(different, different.end()));
  for (const std::uint64_t id : different) {
    if (!both.any_in_chain(id, is_no_variable)) {
      derived.insert(id);
      continue;
    }
    const std::string_view reason = differences.reason_for(id);
    if (!reason.empty()) {
      result.known.push_back(reason);
    } else {
      unexplained(fmt::format("{}{}", ours.ids.contains(id) ? '+' : '-', id));
    }
  }
  // A score follows from the rules that it counts.
  if (!result.known.empty()) return result;
  for (const std::uint64_t id : derived) unexplained(fmt::format("={}", id));
  if (!result.unexplained.empty() || differences.counts_differently()) return result;
  result.with_tx = true;
  for (const auto& [name, value] : ours.tx) {
    const std::string& their = theirs.tx.at(name);
    if (value != their && !differences.is_left_behind(name))
      unexplained("tx." + name, fmt::format(" '{}'/'{}'", value, their));
  }
  return result;
}

}  // namespace gatehouse::waf
