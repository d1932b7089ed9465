#include "schema/openapi_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/model_text.h"
#include "schema/parameter_text.h"
#include "schema/validator.h"
#include "waf/body/text.h"
#include "waf/body/urlencoded.h"

namespace gatehouse::schema {

using codec::Json;

namespace {

constexpr std::size_t kArgumentsMax = 1000;  // of a query, and cookies
constexpr std::uint64_t kHeadWorkMax = 50'000;

// One request's head on its way through the model.
class HeadCheck {
 public:
  HeadCheck(const OpenApiModel::Head& head, Arena& arena)
      : head_(head), arena_(arena), validator_(Validator::Unknown::collect, kHeadWorkMax) {}

  bool check(const Operation& operation, const std::vector<std::string_view>& path_values) {
    for (std::size_t i = 0; i < operation.path.size(); ++i) {
      if (!judge("path", operation.path[i], {&path_values[i], 1})) return false;
    }
    return check_query(operation) && check_headers(operation) && check_cookies(operation);
  }
  const Verdict& verdict() const noexcept { return verdict_; }
  std::string_view unknown() const { return arena_.copy(unknown_); }

 private:
  bool refuse(std::string_view in, std::string_view name, std::string_view why) {
    verdict_.finding = Finding::parameter;
    verdict_.evidence = keep(arena_, fmt::format("{} parameter \"{}\": {}", in, shown(name), why));
    return false;
  }

  bool judge(std::string_view in, const Parameter& parameter, std::span<const std::string_view> values) {
    if (values.empty()) return !parameter.required || refuse(in, parameter.name, "missing");
    for (const std::string_view value : values) {
      if (!is_utf8(value)) return refuse(in, parameter.name, "not UTF-8");
    }
    if (parameter.allow_empty && values.size() == 1 && values[0].empty()) return true;
    const ParameterValue read = value_of_parameter(parameter, values, validator_);
    if (read.problem != nullptr) return refuse(in, parameter.name, read.problem);
    return judge(in, parameter, read.value);
  }

  bool judge(std::string_view in, const Parameter& parameter, const Json& value) {
    const auto verdict = validator_.validate(*parameter.schema, value);
    if (verdict == Validator::Verdict::exhausted) {
      verdict_ = {Finding::work, keep(arena_, fmt::format("{} parameter \"{}\"", in, shown(parameter.name))), {}};
      return false;
    }
    if (verdict == Validator::Verdict::invalid) return refuse(in, parameter.name, failure_text(validator_.failure()));
    for (const std::string& name : validator_.unknown()) add_unknown(in, parameter.name + name);
    return true;
  }

  void add_unknown(std::string_view in, std::string_view name) {
    if (unknown_.size() < kEvidenceMax)
      unknown_ += fmt::format("{}{} \"{}\"", unknown_.empty() ? "" : ", ", in, shown(name));
  }

  struct Object {  // a parameter that is put together from several
    std::uint32_t parameter;
    std::string_view member;
    std::string_view value;
  };

  bool check_query(const Operation& operation) {
    std::vector<waf::NameValue> arguments;
    const auto result = waf::parse_urlencoded(head_.query, kArgumentsMax, arena_, arguments);
    if (result.too_many) return refuse("query", "", "more parameters than are looked at");
    if (result.invalid_escape) return refuse("query", "", "a broken percent-escape");
    std::vector<std::vector<std::string_view>> values(operation.query.size());
    std::vector<Object> members;
    for (const waf::NameValue& argument : arguments) {
      if (argument.name.empty() && argument.value.empty()) continue;  // "a=1&&b=2"
      if (const QueryName* known = find_name(operation, argument.name)) {
        known->is_property ? members.push_back({known->parameter, argument.name, argument.value})
                           : values[known->parameter].push_back(argument.value);
      } else if (!find_member(operation, argument, members)) {
        if (!is_utf8(argument.name)) return refuse("query", "", "a name that is not UTF-8");
        add_unknown("query", argument.name);
      }
    }
    for (std::uint32_t i = 0; i < operation.query.size(); ++i) {
      const Parameter& parameter = operation.query[i];
      const bool put_together = parameter.style == ParameterStyle::deep_object ||
                                (!parameter.is_json && parameter.explode && is_object(*parameter.schema));
      if (put_together ? !check_object(parameter, i, members) : !judge("query", parameter, values[i])) return false;
    }
    return true;
  }

  static const QueryName* find_name(const Operation& operation, std::string_view name) noexcept {
    const auto& names = operation.query_names;
    const auto at =
        std::lower_bound(names.begin(), names.end(), name,
                         [](const QueryName& known, std::string_view wanted) { return known.name < wanted; });
    return at != names.end() && at->name == name ? &*at : nullptr;
  }

  // "filter[colour]": a member of the deepObject parameter `filter`.
  static bool find_member(const Operation& operation, const waf::NameValue& argument, std::vector<Object>& members) {
    const std::size_t open = argument.name.find('[');
    if (open == std::string_view::npos || !argument.name.ends_with(']')) return false;
    for (std::uint32_t i = 0; i < operation.query.size(); ++i) {
      const Parameter& parameter = operation.query[i];
      if (parameter.style != ParameterStyle::deep_object || parameter.name != argument.name.substr(0, open)) continue;
      const std::string_view member = argument.name.substr(open + 1, argument.name.size() - open - 2);
      if (member.find_first_of("[]") != std::string_view::npos) return false;
      members.push_back({i, member, argument.value});
      return true;
    }
    return false;
  }

  bool check_object(const Parameter& parameter, std::uint32_t index, const std::vector<Object>& members) {
    std::vector<waf::NameValue> fields;
    for (const Object& member : members) {
      if (member.parameter != index) continue;
      if (!is_utf8(member.member) || !is_utf8(member.value)) return refuse("query", parameter.name, "not UTF-8");
      fields.push_back({member.member, member.value});
    }
    if (fields.empty()) return !parameter.required || refuse("query", parameter.name, "missing");
    const FormValue object = value_of_form(*parameter.schema, fields, {}, validator_);
    if (object.problem != nullptr)
      return refuse("query", parameter.name, fmt::format("\"{}\" {}", shown(object.field), object.problem));
    return judge("query", parameter, object.value);
  }

  bool check_headers(const Operation& operation) {
    for (const Parameter& parameter : operation.headers) {
      std::vector<std::string_view> values;
      for (const http::Field& field : head_.fields) {
        if (field.name == parameter.name) values.push_back(field.value);
      }
      if (!judge("header", parameter, values)) return false;
    }
    return true;
  }

  bool check_cookies(const Operation& operation) {
    if (operation.cookies.empty()) return true;
    std::vector<waf::NameValue> cookies;
    if (const auto field = head_.fields.get("cookie"); field && !waf::parse_cookies(*field, kArgumentsMax, cookies))
      return refuse("cookie", "", "more than are looked at");
    for (const Parameter& parameter : operation.cookies) {
      std::vector<std::string_view> values;
      bool broken = false;
      for (const waf::NameValue& cookie : cookies) {
        if (cookie.name == parameter.name)
          values.push_back(waf::percent_decode(cookie.value, waf::PlusSign::plus, arena_, broken));
      }
      if (broken) return refuse("cookie", parameter.name, "a broken percent-escape");
      if (!judge("cookie", parameter, values)) return false;
    }
    return true;
  }

  const OpenApiModel::Head& head_;
  Arena& arena_;
  Validator validator_;
  Verdict verdict_;
  std::string unknown_;
};

// The most specific of the operation's content types that is this one.
const MediaType* find_media(const RequestBody& body, std::string_view type) noexcept {
  for (const MediaType& media : body.types) {
    const std::string_view known = media.type;
    if (known == type || known == "*/*") return &media;
    if (known.ends_with("/*") && type.starts_with(known.substr(0, known.size() - 1))) return &media;
  }
  return nullptr;
}

Verdict check_content_type(const OpenApiModel::Head& head, const RequestBody& body, Arena& arena,
                           const MediaType*& media) {
  const auto field = head.fields.get("content-type");
  if (!field) return {Finding::content_type, "no content type", {}};
  const ContentType type = parse_content_type(*field, arena);
  media = find_media(body, type.type);
  if (media == nullptr) return {Finding::content_type, keep(arena, fmt::format("\"{}\"", shown(type.type))), {}};
  if (media->kind == BodyKind::json && !type.charset.empty() && type.charset != "utf-8")
    return {Finding::content_type, "JSON in another charset than UTF-8", {}};
  return {};
}

}  // namespace

OpenApiModel::HeadVerdict OpenApiModel::validate_head(const Head& head, Arena& arena) const {
  HeadVerdict out;
  bool broken = false;
  std::vector<std::string_view> segments;
  for (const std::string_view segment : split_path(head.path))
    segments.push_back(waf::percent_decode(segment, waf::PlusSign::plus, arena, broken));
  std::optional<PathTree::Match> match;
  for (const std::vector<std::string>& base : bases_) {
    if (segments.size() < base.size() || !std::equal(base.begin(), base.end(), segments.begin())) continue;
    const auto rest = segments.begin() + static_cast<std::ptrdiff_t>(base.size());
    match = tree_.find({rest, segments.end()});
    if (match) break;
  }
  if (!match) {
    out.verdict = {Finding::path, "no path of the document", {}};
    return out;
  }
  const PathItem& item = items_[match->item];
  const auto named = [&](std::string_view method) {
    return std::find_if(item.operations.begin(), item.operations.end(),
                        [&](const auto& o) { return o.first == method; });
  };
  auto at = named(head.method);
  if (at == item.operations.end() && head.method == "HEAD") at = named("GET");
  if (at == item.operations.end()) {
    out.verdict = {Finding::method, "no such operation of the path", item.allow};
    return out;
  }
  const Operation& operation = at->second;
  out.operation = &operation;
  HeadCheck check(head, arena);
  if (!check.check(operation, match->values)) {
    out.verdict = check.verdict();
    return out;
  }
  out.unknown = check.unknown();
  if (!head.has_body) {
    if (operation.body && operation.body->required) out.verdict = {Finding::body, "missing", {}};
  } else if (!operation.body) {
    out.verdict = {Finding::body, "the operation takes no body", {}};
  } else {
    out.verdict = check_content_type(head, *operation.body, arena, out.media);
  }
  return out;
}

bool OpenApiModel::wants_body(const MediaType& media) noexcept {
  return media.schema != nullptr && (media.kind != BodyKind::other || media.type.ends_with('*'));
}

std::size_t OpenApiModel::operation_count() const noexcept {
  std::size_t count = 0;
  for (const PathItem& item : items_) count += item.operations.size();
  return count;
}

}  // namespace gatehouse::schema
