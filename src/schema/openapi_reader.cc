#include "schema/openapi_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "schema/parameter_text.h"

namespace gatehouse::schema {

using codec::YamlEntry;
using codec::YamlNode;
using codec::YamlPosition;

namespace {

constexpr std::size_t kBasesMax = 32;
constexpr std::size_t kOperationsMax = 5000;

struct Method {
  std::string_view key, name;
};
constexpr std::array<Method, 8> kMethods{{{"get", "GET"},
                                          {"put", "PUT"},
                                          {"post", "POST"},
                                          {"delete", "DELETE"},
                                          {"options", "OPTIONS"},
                                          {"head", "HEAD"},
                                          {"patch", "PATCH"},
                                          {"trace", "TRACE"}}};

}  // namespace

std::shared_ptr<const OpenApiModel> OpenApiModel::read(std::string_view text, const OpenApiOptions& options,
                                                       std::vector<Problem>& problems) {
  codec::YamlDocument document = codec::parse_yaml(text, {.bytes = kDocumentBytesMax});
  for (codec::YamlError& error : document.errors)
    problems.push_back({Problem::Severity::error, error.position, std::move(error.message), std::move(error.hint)});
  if (!document.complete) return nullptr;
  const bool good = problems.empty();
  OpenApiReader reader(document.root, options, problems);
  auto model = reader.read();
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.position < b.position; });
  return good ? model : nullptr;
}

std::shared_ptr<const OpenApiModel> OpenApiReader::read() {
  const YamlNode& root = document_.root();
  if (!document_.expect_map(root, "an OpenAPI document") || !read_version()) return nullptr;
  constexpr std::array<std::string_view, 10> kKeys{"openapi",  "info", "servers",      "paths",    "components",
                                                   "security", "tags", "externalDocs", "webhooks", "jsonSchemaDialect"};
  document_.report_unknown(root, "an OpenAPI document", kKeys);
  if (const auto dialect = document_.text(root, "jsonSchemaDialect");
      dialect && *dialect != "https://spec.openapis.org/oas/3.1/dialect/base" &&
      *dialect != "https://json-schema.org/draft/2020-12/schema") {
    document_.error(root.find("jsonSchemaDialect")->value.position(), "this dialect of JSON Schema is not supported");
  }
  read_servers();
  read_components();
  read_paths();
  const bool good = schemas_.finish();
  if (good) settle();
  if (document_.has_errors()) return nullptr;
  model_->schemas_ = schemas_.take();
  return model_;
}

bool OpenApiReader::read_version() {
  const YamlNode& root = document_.root();
  const auto version = document_.text(root, "openapi");
  if (version && (version->starts_with("3.0.") || *version == "3.0")) return true;
  if (version && (version->starts_with("3.1.") || *version == "3.1")) {
    document_.set_version(OpenApiVersion::v31);
    return true;
  }
  if (version) {
    document_.error(root.find("openapi")->value.position(),
                    fmt::format("OpenAPI \"{}\" is not supported", version->substr(0, 40)), "3.0.x and 3.1.x are");
  } else if (const YamlEntry* swagger = root.find("swagger"); swagger != nullptr) {
    document_.error(swagger->position, "Swagger 2 is not supported", "convert it to OpenAPI 3: swagger2openapi");
  } else if (root.find("openapi") == nullptr) {
    document_.error(root.position(), "missing key \"openapi\"", "openapi: 3.0.3");
  }
  return false;
}

// The path of a server's URL stands in front of all paths. Where several servers are listed, any of their paths may.
void OpenApiReader::read_servers() {
  if (!options_.base_path.empty()) {
    add_base(options_.base_path, {});
    return;
  }
  const YamlEntry* servers = document_.root().find("servers");
  if (servers == nullptr || servers->value.items().empty()) {
    model_->bases_.emplace_back();
    return;
  }
  if (!document_.expect_list(servers->value, "servers")) return;
  for (const YamlNode& server : servers->value.items()) {
    if (!document_.expect_map(server, "a server")) continue;
    const auto url = document_.text(server, "url");
    if (!url) {
      if (server.find("url") == nullptr) document_.error(server.position(), "missing key \"url\"");
      continue;
    }
    add_base(*url, server.find("url")->value.position());
  }
}

void OpenApiReader::add_base(std::string_view url, YamlPosition position) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    const std::size_t path = url.find('/', scheme + 3);
    url = path == std::string_view::npos ? std::string_view("/") : url.substr(path);
  }
  url = url.substr(0, url.find_first_of("?#"));
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.find('{') != std::string_view::npos) {
    document_.error(position, "variables in the path of a server are not supported",
                    "set base_path of the route's openapi");
    return;
  }
  if (!url.empty() && !url.starts_with('/')) {
    document_.error(position, "the path of the server does not begin with /", "set base_path of the route's openapi");
    return;
  }
  std::vector<std::string> segments;
  for (const std::string_view segment : split_path(url)) segments.emplace_back(segment);
  if (std::find(model_->bases_.begin(), model_->bases_.end(), segments) != model_->bases_.end()) return;
  if (model_->bases_.size() == kBasesMax) {
    document_.error(position, "too many servers");
    return;
  }
  model_->bases_.push_back(std::move(segments));
}

// What no operation refers to is read as well, for its mistakes.
void OpenApiReader::read_components() {
  const YamlEntry* components = document_.root().find("components");
  if (components == nullptr || !document_.expect_map(components->value, "components")) return;
  constexpr std::array<std::string_view, 10> kKeys{"schemas",       "responses",      "parameters", "examples",
                                                   "requestBodies", "headers",        "links",      "callbacks",
                                                   "pathItems",     "securitySchemes"};
  document_.report_unknown(components->value, "components", kKeys);
  const YamlEntry* schemas = components->value.find("schemas");
  if (schemas == nullptr || !document_.expect_map(schemas->value, "components.schemas")) return;
  for (const YamlEntry& entry : schemas->value.entries())
    schemas_.at(entry.value, "/components/schemas" + pointer_step(entry.key));
}

void OpenApiReader::read_paths() {
  const YamlEntry* paths = document_.root().find("paths");
  if (paths == nullptr) {
    document_.error(document_.root().position(), "missing key \"paths\"", "without paths every request is refused");
    return;
  }
  if (!document_.expect_map(paths->value, "paths")) return;
  for (const YamlEntry& entry : paths->value.entries()) {
    if (!entry.key.starts_with("x-")) read_path(entry);
  }
  if (model_->operation_count() > kOperationsMax)
    document_.error(paths->position, fmt::format("more than {} operations", kOperationsMax));
}

void OpenApiReader::read_path(const YamlEntry& entry) {
  const YamlNode* node = document_.follow(entry.value);
  if (node == nullptr || !document_.expect_map(*node, "a path")) return;
  constexpr std::array<std::string_view, 13> kKeys{"$ref", "summary", "description", "servers", "parameters",
                                                   "get",  "put",     "post",        "delete",  "options",
                                                   "head", "patch",   "trace"};
  document_.report_unknown(*node, "a path", kKeys);
  const auto index = static_cast<std::uint32_t>(model_->items_.size());
  const auto names = model_->tree_.add(entry.key, index);
  if (!names) {
    document_.error(entry.position, names.error().message);
    return;
  }
  if (const YamlEntry* servers = node->find("servers"); servers != nullptr)
    document_.error(servers->position, "servers of a single path are not supported");
  PathItem& item = model_->items_.emplace_back();
  const YamlEntry* shared = node->find("parameters");
  for (const Method& method : kMethods) {
    const YamlEntry* operation = node->find(method.key);
    if (operation == nullptr || !document_.expect_map(operation->value, "an operation")) continue;
    auto& [name, into] = item.operations.emplace_back();
    name = method.name;
    read_operation(into, operation->value, shared != nullptr ? &shared->value : nullptr, *names,
                   "/paths" + pointer_step(entry.key) + "/" + std::string(method.key));
    item.allow += (item.allow.empty() ? "" : ", ") + name;
    if (method.name == "GET" && node->find("head") == nullptr) item.allow += ", HEAD";
  }
}

void OpenApiReader::read_operation(Operation& operation, const YamlNode& node, const YamlNode* shared,
                                   const std::vector<std::string>& names, const std::string& place) {
  constexpr std::array<std::string_view, 12> kKeys{"tags",        "summary",    "description", "externalDocs",
                                                   "operationId", "parameters", "requestBody", "responses",
                                                   "callbacks",   "deprecated", "security",    "servers"};
  document_.report_unknown(node, "an operation", kKeys);
  if (const YamlEntry* servers = node.find("servers"); servers != nullptr)
    document_.error(servers->position, "servers of a single operation are not supported");
  const std::size_t errors_before = document_.error_count();
  std::vector<ReadParameter> parameters;
  if (const YamlEntry* own = node.find("parameters"); own != nullptr)
    read_parameters(own->value, place + "/parameters", parameters);
  // The operation's own stand for those of the path that have their name and place.
  std::vector<ReadParameter> of_path;
  if (shared != nullptr) read_parameters(*shared, place.substr(0, place.rfind('/')) + "/parameters", of_path);
  for (ReadParameter& parameter : of_path) {
    const bool overridden = std::any_of(parameters.begin(), parameters.end(), [&](const ReadParameter& own) {
      return own.in == parameter.in && own.parameter.name == parameter.parameter.name;
    });
    if (!overridden) parameters.push_back(std::move(parameter));
  }
  place_parameters(operation, parameters, names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    // One that could not be read has been reported already.
    if (operation.path[i].schema == nullptr && document_.error_count() == errors_before)
      document_.error(node.position(), fmt::format("{{{}}} of the path is no parameter of the operation", names[i]),
                      "describe it under parameters, in: path");
  }
  if (const YamlEntry* body = node.find("requestBody"); body != nullptr)
    read_body(operation, body->value, place + "/requestBody");
}

void OpenApiReader::place_parameters(Operation& operation, std::vector<ReadParameter>& parameters,
                                     const std::vector<std::string>& names) {
  operation.path.resize(names.size());
  for (ReadParameter& read : parameters) {
    Parameter& parameter = read.parameter;
    switch (read.in) {
      case In::path: {
        const auto at = std::find(names.begin(), names.end(), parameter.name);
        if (at == names.end()) {
          document_.error(read.position, fmt::format("the path has no {{{}}}", parameter.name.substr(0, 80)));
          break;
        }
        if (!parameter.required)
          document_.error(read.position, "a parameter of the path must be required", "required: true");
        operation.path[static_cast<std::size_t>(at - names.begin())] = std::move(parameter);
        break;
      }
      case In::query: operation.query.push_back(std::move(parameter)); break;
      case In::header: {
        // "If in is header and the name field is Accept, Content-Type or Authorization, the definition SHALL be
        // ignored": they have their own keys.
        const std::string& name = parameter.name;
        if (name != "accept" && name != "content-type" && name != "authorization")
          operation.headers.push_back(std::move(parameter));
        break;
      }
      case In::cookie: operation.cookies.push_back(std::move(parameter)); break;
    }
  }
}

void OpenApiReader::settle() {
  for (const Deferred& deferred : deferred_) {
    if (!is_object(*deferred.schema)) continue;
    const bool form = deferred.in == In::query && deferred.style == ParameterStyle::form && deferred.explode;
    const bool deep = deferred.style == ParameterStyle::deep_object;
    if (!form && !deep)
      document_.error(deferred.position, "an object as a parameter of this style is not supported",
                      "style: deepObject, or content: application/json");
  }
  for (const Deferred& deferred : deferred_) {
    if (deferred.style == ParameterStyle::deep_object && !is_object(*deferred.schema))
      document_.error(deferred.position, "style deepObject is for objects", "type: object");
    if (deferred.in == In::cookie && deferred.explode && is_array(*deferred.schema))
      document_.error(deferred.position, "an exploded array in a cookie is not supported", "explode: false");
  }
  for (PathItem& item : model_->items_) {
    for (auto& [method, operation] : item.operations) settle_operation(operation);
  }
}

void OpenApiReader::settle_operation(Operation& operation) {
  for (std::uint32_t i = 0; i < operation.query.size(); ++i) {
    const Parameter& parameter = operation.query[i];
    if (parameter.style == ParameterStyle::deep_object) {
      operation.query_objects.push_back(parameter.name);
    } else if (!parameter.is_json && is_object(*parameter.schema)) {
      for (const std::string& name : property_names(*parameter.schema))
        operation.query_names.push_back({name, i, true});
    } else {
      operation.query_names.push_back({parameter.name, i});
    }
  }
  auto& names = operation.query_names;
  std::sort(names.begin(), names.end(), [](const QueryName& a, const QueryName& b) { return a.name < b.name; });
}

}  // namespace gatehouse::schema
