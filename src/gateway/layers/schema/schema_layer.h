#pragma once
// The positive model of a route: requests that its OpenAPI document does not describe are refused.
//
// The head is judged by `decide`, the body by `decide_body` once it has come whole. Both see the path as the service
// will, behind the route's rewrite.
// Thread safety: as Layer; it keeps nothing. Invariant: a route whose document could not be read lets nothing pass.

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class SchemaLayer final : public Layer {
 public:
  // Whether some route has a document.
  static bool wanted(const Config& config) noexcept;

  telemetry::Layer id() const noexcept override { return telemetry::Layer::schema; }
  Decision decide(Request& request) const override;

  // Whether `decide` let pass a request of whose body more than the content type is to be judged.
  static bool wants_body(const Request& request) noexcept { return request.schema_note != nullptr; }
  // All of the body, without its Content-Encoding.
  Decision decide_body(Request& request, std::string_view body) const;
};

}  // namespace gatehouse::gateway
