#pragma once
// The positive model: what requests an OpenAPI document describes. Everything else is refused.
//
// Sans-I/O: a document's text in, an immutable model out; a request's head and then its body in, verdicts out. What a
// request is judged by, and nothing else, is read: operations, parameters, request bodies and their schemas. Responses,
// links, callbacks, webhooks and security schemes have no say here.
//
// Thread safety: a model is immutable; threads share it. Verdicts live as long as the arena given and the model.
// Bounds: the depth, size and number of values of a body, the number of parameters, and the work of validation.
// Source: OpenAPI 3.0.3 and 3.1.0.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "http/message.h"
#include "schema/document.h"
#include "schema/json_schema.h"
#include "schema/path_tree.h"

namespace gatehouse::schema {

inline constexpr std::size_t kDocumentBytesMax = 4 * 1024 * 1024;

struct OpenApiOptions {
  // In front of every path of the document, "/v1"; empty: what its `servers` say.
  std::string base_path;
};

enum class Finding : std::uint8_t {
  none,
  path,               // no path of the document
  method,             // the path has no such operation: 405, see `allow`
  parameter,          // a parameter is missing, repeated, or not what its schema says
  content_type,       // no content type of the operation: 415
  body,               // missing, not wanted, malformed, or not what its schema says
  unknown_parameter,  // a query parameter, form field or member that the document does not know
  work,               // too much to find out
};

struct Verdict {
  Finding finding = Finding::none;
  std::string_view evidence;  // where, and what the document says; never a value
  std::string_view allow;     // for Finding::method: the methods there are
};

enum class ParameterStyle : std::uint8_t { form, simple, deep_object };

struct Parameter {
  std::string name;  // of a header in lower case
  bool required = false;
  bool allow_empty = false;
  bool explode = false;
  bool is_json = false;  // `content: application/json`
  ParameterStyle style = ParameterStyle::simple;
  const Schema* schema = nullptr;
};

// Names that may stand in a query, and whose they are: of an exploded object each of its properties.
struct QueryName {
  std::string name;
  std::uint32_t parameter;
  bool is_property = false;
};

enum class BodyKind : std::uint8_t { json, form, multipart, other };

struct MediaType {
  std::string type;  // lower case; "application/*" and "*/*" are ranges
  BodyKind kind = BodyKind::other;
  const Schema* schema = nullptr;
};

struct RequestBody {
  bool required = false;
  std::vector<MediaType> types;  // the most specific first
};

struct Operation {
  std::vector<Parameter> path, query, headers, cookies;  // `path` in the order of the template
  std::vector<QueryName> query_names;                    // sorted
  std::vector<std::string> query_objects;                // deepObject parameters: what stands before the bracket
  std::optional<RequestBody> body;
};

struct PathItem {
  std::vector<std::pair<std::string, Operation>> operations;  // by method
  std::string allow;                                          // "GET, HEAD, POST"
};

class OpenApiModel {
 public:
  // Null when the document has errors; `problems` then holds all of them, in the order of the document, and in any case
  // its warnings. YAML or JSON.
  static std::shared_ptr<const OpenApiModel> read(std::string_view text, const OpenApiOptions& options,
                                                  std::vector<Problem>& problems);

  struct Head {
    std::string_view method;
    std::string_view path;   // canonical (http/canonical.h), as the service will see it
    std::string_view query;  // without '?'
    const http::Fields& fields;
    bool has_body = false;
  };
  struct HeadVerdict {
    Verdict verdict;
    const Operation* operation = nullptr;  // of the request; null: none
    const MediaType* media = nullptr;      // of its body; null: none, or none that the document knows
    // Query parameters that the document does not know. Empty when there are none.
    std::string_view unknown;
  };
  HeadVerdict validate_head(const Head& head, Arena& arena) const;

  struct BodyVerdict {
    Verdict verdict;
    std::string_view unknown;  // as above, of form fields and members
  };
  // The whole body, without its Content-Encoding. `content_type` is the field's value, for its boundary.
  BodyVerdict validate_body(const MediaType& media, std::string_view content_type, std::string_view bytes,
                            Arena& arena) const;
  // Whether anything about the body beyond its content type is to be judged.
  static bool wants_body(const MediaType& media) noexcept;

  std::size_t operation_count() const noexcept;

 private:
  friend class OpenApiReader;
  OpenApiModel() = default;

  SchemaSet schemas_;
  std::vector<PathItem> items_;
  PathTree tree_;
  std::vector<std::vector<std::string>> bases_;  // segments; one empty base: paths stand as they are
};

}  // namespace gatehouse::schema
