#include "waf/seclang/set_var.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "waf/seclang/target.h"
#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

// The first equals sign that is not inside of a macro: `tx.%{matched_var_name}=1`.
std::size_t find_equals(std::string_view text) noexcept {
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '{') inside = true;
    if (text[i] == '}') inside = false;
    if (text[i] == '=' && !inside) return i;
  }
  return std::string_view::npos;
}

struct Name {
  Variable collection;
  MacroText key;
};

// `tx.score`
std::optional<Name> read_name(const Span& span, const Place& place) {
  constexpr std::array<std::string_view, 2> kCollections{"tx", "ip"};
  const std::size_t dot = span.text.find_first_of(".:");
  const Span collection = span.sub(0, std::min(dot, span.text.size()));
  const bool is_tx = same_name(collection.text, "tx");
  if (!is_tx && !same_name(collection.text, "ip")) {
    const std::string hint = guess(collection.text, kCollections);
    place.error(collection, fmt::format("collection {} cannot be set", shown(collection.text)),
                hint.empty() ? "variables live in tx (this request) or ip (this client)" : hint);
    return std::nullopt;
  }
  if (dot == std::string_view::npos || dot + 1 == span.text.size()) {
    place.error(span, "the variable's name is missing", "for example tx.score");
    return std::nullopt;
  }
  return Name{is_tx ? Variable::tx : Variable::ip, lower_case(parse_macros(span.sub(dot + 1), place))};
}

}  // namespace

std::optional<SetVar> parse_setvar(const Span& span, const Place& place) {
  Span rest = span.trimmed();
  SetVar set;
  if (rest.text.starts_with('!')) {
    set.kind = SetVar::Kind::unset;
    rest = rest.sub(1).trimmed();
  }
  const std::size_t equals = find_equals(rest.text);
  auto name = read_name(rest.sub(0, std::min(equals, rest.text.size())).trimmed(), place);
  if (!name) return std::nullopt;
  set.collection = name->collection;
  set.key = std::move(name->key);
  if (equals == std::string_view::npos) {
    if (set.kind == SetVar::Kind::set) set.value = literal_text("1");
    return set;
  }
  Span value = rest.sub(equals + 1);
  if (set.kind == SetVar::Kind::unset) {
    place.error(value, "a variable that is taken away gets no value");
    return std::nullopt;
  }
  if (value.text.starts_with('+') || value.text.starts_with('-')) {
    set.kind = value.text.front() == '+' ? SetVar::Kind::add : SetVar::Kind::subtract;
    value = value.sub(1);
  }
  set.value = parse_macros(value, place);
  return set;
}

std::optional<ExpireVar> parse_expirevar(const Span& span, const Place& place) {
  const Span text = span.trimmed();
  const std::size_t equals = find_equals(text.text);
  if (equals == std::string_view::npos || equals + 1 == text.text.size()) {
    place.error(span, "expirevar needs a number of seconds", "for example expirevar:ip.flag=60");
    return std::nullopt;
  }
  auto name = read_name(text.sub(0, equals).trimmed(), place);
  if (!name) return std::nullopt;
  if (name->collection == Variable::tx)
    place.ignore(span, "expirevar has no effect on a TX variable", "it ends with the request in any case");
  return ExpireVar{name->collection, std::move(name->key), parse_macros(text.sub(equals + 1), place)};
}

}  // namespace gatehouse::waf
