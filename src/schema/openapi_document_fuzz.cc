// Any text is a model or a list of problems, and a model judges requests without harm whatever its schemas say.
#include "base/check.h"
#include "schema/openapi_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  std::vector<schema::Problem> problems;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto model = schema::OpenApiModel::read(text, {}, problems);
  bool errors = false;
  for (const schema::Problem& problem : problems) {
    GH_CHECK(!problem.message.empty());
    errors = errors || problem.severity == schema::Problem::Severity::error;
  }
  GH_CHECK(errors == (model == nullptr));
  if (model == nullptr) return 0;
  Arena arena;
  for (const std::string_view path : {"/a", "/a/1", "/", "/v1/a"}) {
    for (const std::string_view type : {"application/json", "application/x-www-form-urlencoded"}) {
      http::Fields fields;
      fields.add("content-type", type);
      fields.add("cookie", "a=1; b=2");
      const auto head = model->validate_head({"POST", path, "a=1&b=x&c[d]=2&a=2", fields, true}, arena);
      if (head.verdict.finding != schema::Finding::none || head.media == nullptr) continue;
      for (const std::string_view body :
           {R"({"a":[1,{"b":null,"c":"x"}],"b":{"a":1.5}})", R"([[],{},1,"a",1])", "a=1&b=2&a=3"})
        model->validate_body(*head.media, type, body, arena);
    }
  }
  return 0;
}
