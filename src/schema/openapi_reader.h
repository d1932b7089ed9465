#pragma once
// Reads an OpenAPI document into a model. One owner; used once.

#include <map>
#include <string>
#include <vector>

#include "schema/document.h"
#include "schema/openapi_model.h"
#include "schema/schema_reader.h"

namespace gatehouse::schema {

class OpenApiReader {
 public:
  OpenApiReader(const codec::YamlNode& root, const OpenApiOptions& options, std::vector<Problem>& problems)
      : document_(root, problems), schemas_(document_), options_(options), model_(new OpenApiModel) {}

  std::shared_ptr<const OpenApiModel> read();

 private:
  bool read_version();
  void read_servers();
  void add_base(std::string_view url, codec::YamlPosition position);
  void read_components();
  void read_paths();
  void read_path(const codec::YamlEntry& entry);
  void read_operation(Operation& operation, const codec::YamlNode& node, const codec::YamlNode* shared,
                      const std::vector<std::string>& names, const std::string& place);
  enum class In : std::uint8_t { path, query, header, cookie };
  struct ReadParameter {
    In in;
    Parameter parameter;
    codec::YamlPosition position;
  };
  void read_parameters(const codec::YamlNode& list, const std::string& place, std::vector<ReadParameter>& into);
  void read_parameter(const codec::YamlNode& node, const std::string& place, std::vector<ReadParameter>& into);
  void read_style(const codec::YamlNode& node, ReadParameter& into);
  bool read_parameter_schema(const codec::YamlNode& node, const std::string& place, ReadParameter& into);
  void place_parameters(Operation& operation, std::vector<ReadParameter>& parameters,
                        const std::vector<std::string>& names);
  void read_body(Operation& operation, const codec::YamlNode& node, const std::string& place);
  void read_media(RequestBody& body, const codec::YamlEntry& entry, const std::string& place);
  void read_encoding(const codec::YamlNode& node);
  // After the schemas are there: what depends on what they say.
  void settle();
  void settle_operation(Operation& operation);

  struct Deferred {  // parameters whose style depends on their schema
    const Schema* schema;
    In in;
    ParameterStyle style;
    bool explode;
    codec::YamlPosition position;
  };
  Document document_;
  SchemaReader schemas_;
  const OpenApiOptions& options_;
  std::shared_ptr<OpenApiModel> model_;
  std::vector<Deferred> deferred_;
};

}  // namespace gatehouse::schema
