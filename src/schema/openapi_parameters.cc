// Parameters and request bodies of an OpenAPI document.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "schema/openapi_reader.h"
#include "schema/parameter_text.h"

namespace gatehouse::schema {

using codec::YamlEntry;
using codec::YamlNode;

namespace {

constexpr std::size_t kParametersMax = 500;  // of an operation

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

bool is_json_type(std::string_view type) noexcept {
  return type == "application/json" || (type.ends_with("+json") && type.find('/') != std::string_view::npos);
}

// How exactly a type or range says what it means.
int exactness(std::string_view type) noexcept { return type == "*/*" ? 0 : type.ends_with("/*") ? 1 : 2; }

}  // namespace

void OpenApiReader::read_parameters(const YamlNode& list, const std::string& place, std::vector<ReadParameter>& into) {
  if (!document_.expect_list(list, "parameters")) return;
  if (list.items().size() > kParametersMax) {
    document_.error(list.position(), fmt::format("more than {} parameters", kParametersMax));
    return;
  }
  for (std::size_t i = 0; i < list.items().size(); ++i) {
    const YamlNode* node = document_.follow(list.items()[i]);
    if (node != nullptr && document_.expect_map(*node, "a parameter"))
      read_parameter(*node, fmt::format("{}/{}", place, i), into);
  }
}

void OpenApiReader::read_parameter(const YamlNode& node, const std::string& place, std::vector<ReadParameter>& into) {
  constexpr std::array<std::string_view, 13> kKeys{
      "name",          "in",     "description", "required", "deprecated", "allowEmptyValue", "style", "explode",
      "allowReserved", "schema", "example",     "examples", "content"};
  document_.report_unknown(node, "a parameter", kKeys);
  const auto name = document_.text(node, "name"), in = document_.text(node, "in");
  if (!name || name->empty() || !in) {
    for (const char* key : {"name", "in"})
      if (node.find(key) == nullptr) document_.error(node.position(), fmt::format("missing key \"{}\"", key));
    return;
  }
  ReadParameter read{};
  read.position = node.position();
  read.parameter.name = *name;
  if (*in == "path") {
    read.in = In::path;
  } else if (*in == "query") {
    read.in = In::query;
  } else if (*in == "header") {
    read.in = In::header;
    read.parameter.name = lower_case(*name);
  } else if (*in == "cookie") {
    read.in = In::cookie;
  } else {
    document_.error(node.find("in")->value.position(),
                    fmt::format("\"{}\" is no place of a parameter", in->substr(0, 40)),
                    "path, query, header or cookie");
    return;
  }
  for (const ReadParameter& other : into) {
    if (other.in == read.in && other.parameter.name == read.parameter.name)
      document_.error(node.position(), fmt::format("the parameter \"{}\" is there twice", name->substr(0, 80)));
  }
  read.parameter.required = document_.flag(node, "required", false);
  read.parameter.allow_empty = document_.flag(node, "allowEmptyValue", false);
  read_style(node, read);
  if (read_parameter_schema(node, place, read)) into.push_back(std::move(read));
}

void OpenApiReader::read_style(const YamlNode& node, ReadParameter& into) {
  const bool form = into.in == In::query || into.in == In::cookie;
  into.parameter.style = form ? ParameterStyle::form : ParameterStyle::simple;
  const auto style = document_.text(node, "style");
  if (style && *style == "deepObject" && into.in == In::query) {
    into.parameter.style = ParameterStyle::deep_object;
  } else if (style && *style != (form ? "form" : "simple")) {
    document_.error(node.find("style")->value.position(),
                    fmt::format("the style \"{}\" is not supported here", style->substr(0, 40)),
                    into.in == In::query ? "form or deepObject"
                    : form               ? "form"
                                         : "simple");
  }
  into.parameter.explode = document_.flag(node, "explode", into.parameter.style == ParameterStyle::form);
}

bool OpenApiReader::read_parameter_schema(const YamlNode& node, const std::string& place, ReadParameter& into) {
  const YamlEntry* schema = node.find("schema");
  const YamlEntry* content = node.find("content");
  if ((schema == nullptr) == (content == nullptr)) {
    document_.error(node.position(), "a parameter has either a schema or a content");
    return false;
  }
  if (schema != nullptr) {
    into.parameter.schema = schemas_.at(schema->value, place + "/schema");
    deferred_.push_back(
        {into.parameter.schema, into.in, into.parameter.style, into.parameter.explode, node.position()});
    return true;
  }
  if (!document_.expect_map(content->value, "content")) return false;
  if (content->value.entries().size() != 1 || !is_json_type(content->value.entries()[0].key)) {
    document_.error(content->position,
                    "the content of a parameter must be application/json, nothing else is supported");
    return false;
  }
  const YamlNode& media = content->value.entries()[0].value;
  const YamlEntry* described = media.find("schema");
  if (described == nullptr) {
    document_.error(content->position, "the content of the parameter has no schema");
    return false;
  }
  into.parameter.is_json = true;
  into.parameter.schema = schemas_.at(described->value, place + "/content/schema");
  return true;
}

void OpenApiReader::read_body(Operation& operation, const YamlNode& reference, const std::string& place) {
  const YamlNode* node = document_.follow(reference);
  if (node == nullptr || !document_.expect_map(*node, "requestBody")) return;
  constexpr std::array<std::string_view, 3> kKeys{"description", "content", "required"};
  document_.report_unknown(*node, "requestBody", kKeys);
  RequestBody& body = operation.body.emplace();
  body.required = document_.flag(*node, "required", false);
  const YamlEntry* content = node->find("content");
  if (content == nullptr || content->value.entries().empty()) {
    document_.error(node->position(), "requestBody needs content: no body could be sent");
    return;
  }
  if (!document_.expect_map(content->value, "content")) return;
  for (const YamlEntry& entry : content->value.entries()) read_media(body, entry, place + "/content");
  std::stable_sort(body.types.begin(), body.types.end(),
                   [](const MediaType& a, const MediaType& b) { return exactness(a.type) > exactness(b.type); });
}

void OpenApiReader::read_media(RequestBody& body, const YamlEntry& entry, const std::string& place) {
  MediaType media;
  media.type = lower_case(std::string_view(entry.key).substr(0, entry.key.find(';')));
  while (media.type.ends_with(' ')) media.type.pop_back();
  if (media.type.find('/') == std::string::npos) {
    document_.error(entry.position, fmt::format("\"{}\" is no content type", entry.key.substr(0, 80)));
    return;
  }
  media.kind = is_json_type(media.type)                            ? BodyKind::json
               : media.type == "application/x-www-form-urlencoded" ? BodyKind::form
               : media.type == "multipart/form-data"               ? BodyKind::multipart
                                                                   : BodyKind::other;
  const YamlNode& node = entry.value;
  if (!node.is(YamlNode::Kind::null) && document_.expect_map(node, "a content type")) {
    constexpr std::array<std::string_view, 4> kKeys{"schema", "example", "examples", "encoding"};
    document_.report_unknown(node, "a content type", kKeys);
    if (const YamlEntry* schema = node.find("schema"); schema != nullptr)
      media.schema = schemas_.at(schema->value, place + pointer_step(entry.key) + "/schema");
    if (const YamlEntry* encoding = node.find("encoding"); encoding != nullptr) read_encoding(encoding->value);
  }
  if (media.kind == BodyKind::other && media.schema != nullptr && exactness(media.type) == 2)
    document_.warning(entry.position, fmt::format("bodies of type {} are judged by their type only", media.type));
  body.types.push_back(std::move(media));
}

// How the fields of a form are written. What differs from the default would be read wrongly.
void OpenApiReader::read_encoding(const YamlNode& node) {
  if (!document_.expect_map(node, "encoding")) return;
  for (const YamlEntry& field : node.entries()) {
    if (!document_.expect_map(field.value, "an encoding")) continue;
    constexpr std::array<std::string_view, 5> kKeys{"contentType", "headers", "style", "explode", "allowReserved"};
    document_.report_unknown(field.value, "an encoding", kKeys);
    const auto style = document_.text(field.value, "style");
    if (style && *style != "form")
      document_.error(field.position,
                      fmt::format("the style \"{}\" of a field is not supported", style->substr(0, 40)));
    if (!document_.flag(field.value, "explode", true))
      document_.error(field.position, "explode: false of a field is not supported");
    for (const char* key : {"contentType", "headers"}) {
      if (const YamlEntry* said = field.value.find(key); said != nullptr)
        document_.warning(said->position, fmt::format("{} of a part is not checked", key));
    }
  }
}

}  // namespace gatehouse::schema
