#include "waf/seclang/actions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "waf/seclang/ctl.h"
#include "waf/seclang/set_var.h"
#include "waf/seclang/target.h"
#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

struct TransformationEntry {
  std::string_view name;
  Transformation transformation;
};
constexpr std::array<TransformationEntry, 32> kTransformations{{
    {"base64Decode", Transformation::base64_decode},
    {"base64DecodeExt", Transformation::base64_decode_ext},
    {"cmdLine", Transformation::cmd_line},
    {"compressWhitespace", Transformation::compress_whitespace},
    {"cssDecode", Transformation::css_decode},
    {"escapeSeqDecode", Transformation::escape_seq_decode},
    {"hexDecode", Transformation::hex_decode},
    {"hexEncode", Transformation::hex_encode},
    {"htmlEntityDecode", Transformation::html_entity_decode},
    {"jsDecode", Transformation::js_decode},
    {"length", Transformation::length},
    {"lowercase", Transformation::lowercase},
    {"md5", Transformation::md5},
    {"normalisePath", Transformation::normalize_path},
    {"normalisePathWin", Transformation::normalize_path_win},
    {"normalizePath", Transformation::normalize_path},
    {"normalizePathWin", Transformation::normalize_path_win},
    {"removeComments", Transformation::remove_comments},
    {"removeCommentsChar", Transformation::remove_comments_char},
    {"removeNulls", Transformation::remove_nulls},
    {"removeWhitespace", Transformation::remove_whitespace},
    {"replaceComments", Transformation::replace_comments},
    {"replaceNulls", Transformation::replace_nulls},
    {"sha1", Transformation::sha1},
    {"trim", Transformation::trim},
    {"trimLeft", Transformation::trim_left},
    {"trimRight", Transformation::trim_right},
    {"uppercase", Transformation::uppercase},
    {"urlDecode", Transformation::url_decode},
    {"urlDecodeUni", Transformation::url_decode_uni},
    {"urlEncode", Transformation::url_encode},
    {"utf8toUnicode", Transformation::utf8_to_unicode},
}};
constexpr std::array<std::string_view, 5> kUnsupportedTransformations{"base64Encode", "parityEven7bit", "parityOdd7bit",
                                                                      "parityZero7bit", "sqlHexDecode"};
constexpr std::size_t kTransformationsMax = 64;

// In the order of Severity, so that the number is the place.
constexpr std::array<std::string_view, 8> kSeverities{"EMERGENCY", "ALERT",  "CRITICAL", "ERROR",
                                                      "WARNING",   "NOTICE", "INFO",     "DEBUG"};

class Reader;

enum class Value : std::uint8_t { none, optional, required };

struct Entry {
  std::string_view name;
  Value value;
  bool in_defaults;  // whether SecDefaultAction may have it
  void (Reader::*apply)(const Span& name, const Span& value);
};

class Reader {
 public:
  Reader(ActionContext context, ActionDraft& draft, const Place& place)
      : context_(context), draft_(draft), actions_(draft.actions), place_(place) {}

  void read(const Span& span);
  ActionPlaces places() const noexcept { return places_; }

  void accuracy(const Span&, const Span& v) { small(v, 9, actions_.accuracy); }
  void maturity(const Span&, const Span& v) { small(v, 9, actions_.maturity); }
  void allow(const Span& name, const Span& v);
  void audit_log(const Span&, const Span&) { draft_.audit_log = true; }
  void block(const Span& name, const Span&) { disruptive(name, Disruptive::pass), draft_.block = true; }
  void capture(const Span&, const Span&) { actions_.capture = true; }
  void chain(const Span& name, const Span&);
  void ctl(const Span&, const Span& v);
  void deny(const Span& name, const Span&) { disruptive(name, Disruptive::deny); }
  void drop(const Span& name, const Span&) { disruptive(name, Disruptive::drop); }
  void expirevar(const Span&, const Span& v);
  void id(const Span& name, const Span& v);
  void initcol(const Span&, const Span& v);
  void log(const Span&, const Span&) { draft_.log = true; }
  void logdata(const Span&, const Span& v) { actions_.logdata = parse_macros(v, place_); }
  void msg(const Span&, const Span& v) { actions_.msg = parse_macros(v, place_), draft_.msg = v.text; }
  void multi_match(const Span&, const Span&) { actions_.multi_match = true; }
  void no_audit_log(const Span&, const Span&) { draft_.audit_log = false; }
  // In neither log; `nolog,auditlog` is how to have it in one.
  void no_log(const Span&, const Span&) { draft_.log = false, draft_.audit_log = false; }
  void no_effect(const Span& name, const Span&);
  void pass(const Span& name, const Span&) { disruptive(name, Disruptive::pass); }
  void phase(const Span& name, const Span& v);
  void redirect(const Span& name, const Span& v);
  void rev(const Span&, const Span& v) { actions_.revision = v.text; }
  void setvar(const Span&, const Span& v);
  void severity(const Span&, const Span& v);
  void skip(const Span& name, const Span& v);
  void skip_after(const Span& name, const Span& v);
  void status(const Span& name, const Span& v);
  void tag(const Span&, const Span& v) { actions_.tags.emplace_back(v.text); }
  void transformation(const Span&, const Span& v);
  void unsupported(const Span& name, const Span&);
  void ver(const Span&, const Span& v) { actions_.version = v.text; }

 private:
  void one(const Span& name, const Span* value);
  Span quoted_value(const Span& rest, std::size_t& used);
  void disruptive(const Span& name, Disruptive kind);
  void small(const Span& v, std::uint64_t max, std::uint8_t& field);
  Position at(const Span& span) const { return place_.source.position(span.offset()); }

  ActionContext context_;
  ActionDraft& draft_;
  Actions& actions_;
  const Place& place_;
  ActionPlaces places_;
  std::string unescaped_;  // the value of an action with `\'` inside
  std::vector<std::uint32_t> unescaped_offsets_;
};

constexpr std::array<Entry, 47> kActions{{
    {"accuracy", Value::required, false, &Reader::accuracy},
    {"allow", Value::optional, true, &Reader::allow},
    {"append", Value::optional, false, &Reader::unsupported},
    {"auditlog", Value::none, true, &Reader::audit_log},
    {"block", Value::none, false, &Reader::block},
    {"capture", Value::none, false, &Reader::capture},
    {"chain", Value::none, false, &Reader::chain},
    {"ctl", Value::required, false, &Reader::ctl},
    {"deny", Value::none, true, &Reader::deny},
    {"deprecatevar", Value::optional, false, &Reader::unsupported},
    {"drop", Value::none, true, &Reader::drop},
    {"exec", Value::optional, false, &Reader::unsupported},
    {"expirevar", Value::required, false, &Reader::expirevar},
    {"id", Value::required, false, &Reader::id},
    {"initcol", Value::required, false, &Reader::initcol},
    {"log", Value::none, true, &Reader::log},
    {"logdata", Value::required, false, &Reader::logdata},
    {"maturity", Value::required, false, &Reader::maturity},
    {"msg", Value::required, false, &Reader::msg},
    {"multiMatch", Value::none, false, &Reader::multi_match},
    {"noauditlog", Value::none, true, &Reader::no_audit_log},
    {"nolog", Value::none, true, &Reader::no_log},
    {"pass", Value::none, true, &Reader::pass},
    {"pause", Value::optional, false, &Reader::unsupported},
    {"phase", Value::required, true, &Reader::phase},
    {"prepend", Value::optional, false, &Reader::unsupported},
    {"proxy", Value::optional, false, &Reader::unsupported},
    {"redirect", Value::required, true, &Reader::redirect},
    {"rev", Value::required, false, &Reader::rev},
    {"sanitiseArg", Value::optional, false, &Reader::unsupported},
    {"sanitiseMatched", Value::optional, false, &Reader::unsupported},
    {"sanitiseMatchedBytes", Value::optional, false, &Reader::unsupported},
    {"sanitiseRequestHeader", Value::optional, false, &Reader::unsupported},
    {"sanitiseResponseHeader", Value::optional, false, &Reader::unsupported},
    {"setenv", Value::required, false, &Reader::no_effect},
    {"setrsc", Value::optional, false, &Reader::unsupported},
    {"setsid", Value::optional, false, &Reader::unsupported},
    {"setuid", Value::optional, false, &Reader::unsupported},
    {"setvar", Value::required, false, &Reader::setvar},
    {"severity", Value::required, false, &Reader::severity},
    {"skip", Value::required, false, &Reader::skip},
    {"skipAfter", Value::required, false, &Reader::skip_after},
    {"status", Value::required, true, &Reader::status},
    {"t", Value::required, true, &Reader::transformation},
    {"tag", Value::required, false, &Reader::tag},
    {"ver", Value::required, false, &Reader::ver},
    {"xmlns", Value::required, false, &Reader::no_effect},
}};

void Reader::no_effect(const Span& name, const Span&) {
  place_.ignore(name, fmt::format("{} has no effect in a gateway", name.text));
}

void Reader::unsupported(const Span& name, const Span&) {
  place_.error(name, fmt::format("action {} is not supported", name.text));
}

void Reader::disruptive(const Span& name, Disruptive kind) {
  actions_.disruptive = kind;
  draft_.block = false;
  draft_.has_disruptive = true;
  places_.disruptive = at(name);
}

void Reader::small(const Span& v, std::uint64_t max, std::uint8_t& field) {
  const auto value = number(v.text);
  if (!value || *value > max) {
    place_.error(v, fmt::format("{} is not a number from 0 to {}", shown(v.text), max));
  } else {
    field = static_cast<std::uint8_t>(*value);
  }
}

void Reader::allow(const Span& name, const Span& v) {
  disruptive(name, Disruptive::allow);
  if (v.text.empty()) return;
  if (same_name(v.text, "phase")) {
    actions_.disruptive = Disruptive::allow_phase;
  } else if (same_name(v.text, "request")) {
    actions_.disruptive = Disruptive::allow_request;
  } else {
    place_.error(v, fmt::format("allow:{} is not known", v.text), "it is allow, allow:phase or allow:request");
  }
}

void Reader::chain(const Span& name, const Span&) {
  draft_.chain = true;
  places_.chain = at(name);
}

void Reader::ctl(const Span&, const Span& v) {
  if (auto ctl = parse_ctl(v, place_)) actions_.ctls.push_back(std::move(*ctl));
}

void Reader::expirevar(const Span&, const Span& v) {
  if (auto expire = parse_expirevar(v, place_)) actions_.expirevars.push_back(std::move(*expire));
}

void Reader::setvar(const Span&, const Span& v) {
  if (auto set = parse_setvar(v, place_)) actions_.setvars.push_back(std::move(*set));
}

void Reader::id(const Span& name, const Span& v) {
  places_.id = at(name);
  const auto value = number(v.text);
  // The largest that libmodsecurity, and every log reader with signed integers, can hold.
  if (!value || *value == 0 || *value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    place_.error(v, fmt::format("{} is not an id", shown(v.text)), "an id is a number from 1");
  } else {
    actions_.id = *value;
  }
}

void Reader::initcol(const Span&, const Span& v) {
  const std::size_t equals = v.text.find('=');
  const Span collection = v.sub(0, std::min(equals, v.text.size())).trimmed();
  if (equals == std::string_view::npos || equals + 1 == v.text.size()) {
    place_.error(v, "initcol needs a key", "for example initcol:ip=%{REMOTE_ADDR}");
  } else if (same_name(collection.text, "ip")) {
    actions_.initcol_ip = parse_macros(v.sub(equals + 1), place_);
  } else if (same_name(collection.text, "global")) {
    place_.ignore(collection, "the collection GLOBAL is not kept", "rules that read or set it are errors");
  } else {
    place_.error(collection, fmt::format("collection {} is not supported", shown(collection.text)),
                 "only ip is kept between requests");
  }
}

void Reader::phase(const Span& name, const Span& v) {
  places_.phase = at(name);
  draft_.has_phase = true;
  const auto value = number(v.text);
  if (value && *value >= 1 && *value <= 5) {
    actions_.phase = static_cast<std::uint8_t>(*value);
  } else if (same_name(v.text, "request")) {
    actions_.phase = 2;
  } else if (same_name(v.text, "response")) {
    actions_.phase = 4;
  } else if (same_name(v.text, "logging")) {
    actions_.phase = 5;
  } else {
    place_.error(v, fmt::format("{} is not a phase", shown(v.text)), "it is 1 to 5, request, response or logging");
  }
}

void Reader::redirect(const Span& name, const Span& v) {
  disruptive(name, Disruptive::redirect);
  actions_.redirect = parse_macros(v, place_);
}

void Reader::severity(const Span&, const Span& v) {
  for (std::size_t i = 0; i < kSeverities.size(); ++i) {
    if (same_name(kSeverities[i], v.text) || number(v.text) == i) {
      actions_.severity = static_cast<Severity>(i);
      return;
    }
  }
  const std::string hint = guess(v.text, kSeverities);
  place_.error(v, fmt::format("{} is not a severity", shown(v.text)),
               hint.empty() ? fmt::format("it is 0 to 7 or {}", fmt::join(kSeverities, ", ")) : hint);
}

void Reader::skip(const Span& name, const Span& v) {
  places_.skip = at(name);
  const auto value = number(v.text);
  if (!value || *value == 0 || *value > 1'000'000) {
    place_.error(v, fmt::format("{} is not a number of rules", shown(v.text)));
  } else {
    actions_.skip = static_cast<std::uint32_t>(*value);
  }
}

void Reader::skip_after(const Span& name, const Span& v) {
  places_.skip = at(name);
  actions_.skip_after = v.text;
}

void Reader::status(const Span& name, const Span& v) {
  places_.status = at(name);
  const auto value = number(v.text);
  if (!value || *value > 999) {
    place_.error(v, fmt::format("{} is not a status code", shown(v.text)), "it is 100 to 599");
  } else if (*value < 100 || *value > 599) {
    // ModSecurity's own recommended configuration has status:44 in two rules.
    place_.ignore(v, fmt::format("{} is not a status code of HTTP; the default is used", *value));
  } else {
    draft_.status = static_cast<std::uint16_t>(*value);
  }
}

void Reader::transformation(const Span&, const Span& v) {
  if (same_name(v.text, "none")) {
    if (context_ == ActionContext::defaults) {
      place_.error(v, "t:none has no meaning in SecDefaultAction");
      return;
    }
    actions_.transformations.clear();
    draft_.no_defaults = true;
    return;
  }
  const auto* entry = find_word(std::span<const TransformationEntry>(kTransformations), v.text);
  if (!entry) {
    const bool known = std::any_of(kUnsupportedTransformations.begin(), kUnsupportedTransformations.end(),
                                   [&](auto u) { return same_name(u, v.text); });
    if (known) {
      place_.error(v, fmt::format("transformation {} is not supported", v.text));
    } else {
      place_.error(v, fmt::format("unknown transformation {}", shown(v.text)),
                   guess(v.text, names_of(std::span<const TransformationEntry>(kTransformations))));
    }
    return;
  }
  if (actions_.transformations.size() >= kTransformationsMax) {
    place_.error(v, fmt::format("more than {} transformations", kTransformationsMax));
    return;
  }
  actions_.transformations.push_back(entry->transformation);
}

void Reader::one(const Span& name, const Span* value) {
  const Entry* entry = find_word(std::span<const Entry>(kActions), name.text);
  if (!entry) {
    if (name.text.empty()) {
      place_.error(name, "an action is expected here", "there is a comma too many");
    } else {
      place_.error(name, fmt::format("unknown action {}", shown(name.text)),
                   guess(name.text, names_of(std::span<const Entry>(kActions))));
    }
    return;
  }
  if (context_ == ActionContext::defaults && !entry->in_defaults) {
    place_.error(name, fmt::format("{} cannot be a default action", entry->name));
  } else if (context_ == ActionContext::update &&
             (same_name(name.text, "id") || same_name(name.text, "phase") || same_name(name.text, "chain"))) {
    place_.error(name, fmt::format("{} of a rule cannot be changed", entry->name));
  } else if (entry->value == Value::required && (!value || value->text.empty())) {
    place_.error(name, fmt::format("{} needs a value", entry->name));
  } else if (entry->value == Value::none && value) {
    place_.error(*value, fmt::format("{} takes no value", entry->name));
  } else {
    (this->*entry->apply)(name, value ? *value : name.sub(name.text.size()));
  }
}

// A value in single quotes, `\'` for a quote inside. `used` is where it ends.
Span Reader::quoted_value(const Span& rest, std::size_t& used) {
  unescaped_.clear();
  unescaped_offsets_.clear();
  std::size_t i = 1;
  for (; i < rest.text.size() && rest.text[i] != '\''; ++i) {
    if (rest.text[i] == '\\' && i + 1 < rest.text.size()) {
      if (rest.text[i + 1] != '\'') {
        unescaped_ += rest.text[i];
        unescaped_offsets_.push_back(rest.offsets[i]);
      }
      ++i;
    }
    unescaped_ += rest.text[i];
    unescaped_offsets_.push_back(rest.offsets[i]);
  }
  unescaped_offsets_.push_back(rest.offsets[std::min(i, rest.text.size())]);
  if (i >= rest.text.size()) place_.error(rest, "this quote is never closed");
  used = std::min(i + 1, rest.text.size());
  return {unescaped_, unescaped_offsets_.data()};
}

void Reader::read(const Span& span) {
  if (span.trimmed().text.empty()) return;
  for (std::size_t at_byte = 0; at_byte <= span.text.size() && !place_.findings.full();) {
    const Span rest = span.sub(at_byte);
    const std::size_t name_end = std::min(rest.text.find_first_of(",:"), rest.text.size());
    const Span name = rest.sub(0, name_end).trimmed();
    std::size_t end = name_end;
    if (name_end < rest.text.size() && rest.text[name_end] == ':') {
      std::size_t begin = name_end + 1;
      while (begin < rest.text.size() && (rest.text[begin] == ' ' || rest.text[begin] == '\t')) ++begin;
      std::size_t used = 0;
      Span value;
      if (rest.sub(begin).text.starts_with('\'')) {
        value = quoted_value(rest.sub(begin), used);
        end = std::min(rest.text.find(',', begin + used), rest.text.size());
        const Span between = rest.sub(begin + used, end - begin - used).trimmed();
        if (!between.text.empty())
          place_.error(between, fmt::format("{} behind the closing quote", shown(between.text)));
      } else {
        end = std::min(rest.text.find(',', begin), rest.text.size());
        value = rest.sub(begin, end - begin).trimmed();
      }
      one(name, &value);
    } else {
      one(name, nullptr);
    }
    at_byte += end + 1;
  }
}

}  // namespace

ActionPlaces parse_actions(const Span& span, ActionContext context, ActionDraft& draft, const Place& place) {
  Reader reader(context, draft, place);
  reader.read(span);
  return reader.places();
}

Actions resolved(const ActionDraft& draft, const ActionDraft* defaults) {
  Actions actions = draft.actions;
  const auto either = [](const auto& own, const auto& other, auto otherwise) {
    return own ? *own : other.value_or(otherwise);
  };
  static const ActionDraft kNothing;
  const ActionDraft& base = defaults ? *defaults : kNothing;
  actions.log = either(draft.log, base.log, true);
  actions.audit_log = either(draft.audit_log, base.audit_log, true);
  if (draft.block) {
    actions.disruptive = base.actions.disruptive;
    actions.redirect = base.actions.redirect;
  }
  const std::uint16_t usual = actions.disruptive == Disruptive::redirect ? 302 : 403;
  actions.status = either(draft.status, base.status, usual);
  if (!draft.no_defaults) {
    const auto& first = base.actions.transformations;
    actions.transformations.insert(actions.transformations.begin(), first.begin(), first.end());
  }
  return actions;
}

std::vector<IdRange> merged(std::vector<IdRange> ids) {
  std::sort(ids.begin(), ids.end(), [](const IdRange& a, const IdRange& b) { return a.first < b.first; });
  std::vector<IdRange> result;
  for (const IdRange& range : ids) {
    if (result.empty() || range.first > result.back().last) {
      result.push_back(range);
    } else {
      result.back().last = std::max(result.back().last, range.last);
    }
  }
  return result;
}

std::vector<IdRange> parse_ids(const Span& span, const Place& place) {
  std::vector<IdRange> ids;
  for (std::size_t at = 0; at < span.text.size();) {
    const std::size_t begin = span.text.find_first_not_of(", \t", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(span.text.find_first_of(", \t", begin), span.text.size());
    const Span word = span.sub(begin, end - begin);
    const std::size_t dash = word.text.find('-');
    const auto first = number(word.text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(word.text.substr(dash + 1));
    if (!first || !last || *first > *last) {
      place.error(word, fmt::format("{} is not an id or a range of ids", shown(word.text)),
                  "for example 942100 or 942100-942999");
      return {};
    }
    ids.push_back({*first, *last});
    at = end;
  }
  if (ids.empty()) place.error(span, "an id is expected here");
  return merged(std::move(ids));
}

}  // namespace gatehouse::waf
