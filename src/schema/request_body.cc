// Request bodies against the schema of their content type.
#include "codec/json.h"
#include "schema/model_text.h"
#include "schema/openapi_model.h"
#include "schema/parameter_text.h"
#include "schema/validator.h"
#include "waf/body/multipart.h"
#include "waf/body/urlencoded.h"

namespace gatehouse::schema {

using codec::Json;

namespace {

constexpr std::size_t kBodyBytesMax = 16 << 20;  // whoever buffers bodies has a smaller bound
constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kValuesMax = 200'000;
constexpr std::size_t kFieldsMax = 10'000;
// One unit is some 20 ns. An ordinary value takes three to ten; the more values, the more work there may be.
constexpr std::uint64_t kWorkMin = 20'000, kWorkPerByte = 10, kWorkMax = 2'000'000;

OpenApiModel::BodyVerdict refuse(Finding finding, std::string_view evidence) { return {{finding, evidence, {}}, {}}; }

OpenApiModel::BodyVerdict judge(const Schema& schema, const Json& value, Validator& validator, Arena& arena) {
  switch (validator.validate(schema, value)) {
    case Validator::Verdict::exhausted: return refuse(Finding::work, "the body's schema");
    case Validator::Verdict::invalid:
      return refuse(Finding::body, keep(arena, "body " + failure_text(validator.failure())));
    case Validator::Verdict::valid: break;
  }
  std::string unknown;
  for (const std::string& pointer : validator.unknown()) unknown += (unknown.empty() ? "body " : ", ") + pointer;
  return {{}, keep(arena, unknown)};
}

}  // namespace

OpenApiModel::BodyVerdict OpenApiModel::validate_body(const MediaType& media, std::string_view content_type,
                                                      std::string_view bytes, Arena& arena) const {
  if (!wants_body(media)) return {};
  const std::uint64_t work = std::min<std::uint64_t>(kWorkMin + kWorkPerByte * bytes.size(), kWorkMax);
  Validator validator(Validator::Unknown::collect, work);
  const ContentType type = parse_content_type(content_type, arena);
  // A range has a schema for whatever comes; of what comes we read JSON.
  const bool json = media.kind == BodyKind::json || (media.kind == BodyKind::other &&
                                                     (type.type == "application/json" || type.type.ends_with("+json")));
  if (json) {
    const auto value =
        Json::parse(bytes, {.bytes_max = kBodyBytesMax, .depth_max = kDepthMax, .values_max = kValuesMax});
    if (!value) return refuse(Finding::body, "not JSON, or beyond its limits");
    return judge(*media.schema, *value, validator, arena);
  }
  if (media.kind == BodyKind::other) return {};
  waf::Body body;
  const waf::BodyLimits limits{.arguments_max = kFieldsMax};
  if (media.kind == BodyKind::form) {
    waf::read_urlencoded_body(bytes, limits, arena, body);
    if (body.invalid_escape) return refuse(Finding::body, "a broken percent-escape in the form");
  } else {
    waf::read_multipart_body(content_type, bytes, limits, arena, body);
    if (body.multipart.strict_error) return refuse(Finding::body, "the form's parts can be read in two ways");
  }
  if (body.error != waf::BodyError::none) return refuse(Finding::body, keep(arena, body.message));
  for (const waf::NameValue& field : body.arguments) {
    if (!is_utf8(field.name) || !is_utf8(field.value)) return refuse(Finding::body, "a field that is not UTF-8");
  }
  for (const waf::File& file : body.files) {
    if (!is_utf8(file.field)) return refuse(Finding::body, "a field that is not UTF-8");
  }
  const FormValue form = value_of_form(*media.schema, body.arguments, body.files, validator);
  if (form.problem != nullptr)
    return refuse(Finding::body, keep(arena, fmt::format("field \"{}\" {}", shown(form.field), form.problem)));
  return judge(*media.schema, form.value, validator, arena);
}

}  // namespace gatehouse::schema
