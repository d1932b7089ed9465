#include "gateway/layers/schema/schema_layer.h"

#include <algorithm>

#include "gateway/evidence.h"
#include "gateway/routing/rewrite.h"
#include "schema/openapi_model.h"

namespace gatehouse::gateway {

// What the body is to be judged by.
struct SchemaNote {
  const schema::MediaType* media = nullptr;
};

namespace {

Decision deny(std::string_view reason, std::uint16_t status, const schema::Verdict& verdict) {
  return {.verdict = Verdict::deny,
          .reason = reason,
          .evidence = verdict.evidence,
          .status = status,
          .allow = verdict.allow};
}

Decision decision_of(const schema::Verdict& verdict, std::string_view unknown, const OpenApiConfig& openapi) {
  switch (verdict.finding) {
    case schema::Finding::path: return deny("schema.path", 404, verdict);
    case schema::Finding::method: return deny("schema.method", 405, verdict);
    case schema::Finding::parameter: return deny("schema.parameter", 400, verdict);
    case schema::Finding::content_type: return deny("schema.content_type", 415, verdict);
    case schema::Finding::body: return deny("schema.body", 400, verdict);
    case schema::Finding::work: return deny("schema.work", 400, verdict);
    case schema::Finding::unknown_parameter:
    case schema::Finding::none: break;
  }
  if (unknown.empty()) return {};
  const bool refuses = openapi.unknown_parameters == UnknownParameters::refuse;
  return {.verdict = refuses ? Verdict::deny : Verdict::pass,
          .reason = "schema.unknown_parameter",
          .evidence = unknown,
          .status = 400};
}

}  // namespace

bool SchemaLayer::wanted(const Config& config) noexcept {
  return std::any_of(config.routes.begin(), config.routes.end(),
                     [](const RouteConfig& route) { return route.openapi.has_value(); });
}

Decision SchemaLayer::decide(Request& request) const {
  if (request.route == nullptr || !request.route->openapi) return {};
  const OpenApiConfig& openapi = *request.route->openapi;
  if (!openapi.model)
    return {.verdict = Verdict::deny, .reason = "schema.path", .evidence = "no document", .status = 404};
  std::string_view path;
  if (rewrite_path(request.route->rewrite, request.message.path, request.arena, path) != http::Reason::none)
    return {.verdict = Verdict::deny, .reason = "schema.path", .evidence = "the rewritten path is none", .status = 404};
  const auto& message = request.message;
  const auto head = openapi.model->validate_head(
      {message.method, path, message.query, message.fields, request.has_body}, request.arena);
  const Decision decision = decision_of(head.verdict, head.unknown, openapi);
  if (decision.verdict == Verdict::pass && head.media != nullptr && schema::OpenApiModel::wants_body(*head.media)) {
    request.schema_note = &request.arena.array<SchemaNote>(1)[0];
    request.schema_note->media = head.media;
  }
  return decision;
}

Decision SchemaLayer::decide_body(Request& request, std::string_view body) const {
  const OpenApiConfig& openapi = *request.route->openapi;
  const auto type = request.message.fields.get("content-type").value_or(std::string_view());
  const auto judged = openapi.model->validate_body(*request.schema_note->media, type, body, request.arena);
  return decision_of(judged.verdict, judged.unknown, openapi);
}

}  // namespace gatehouse::gateway
