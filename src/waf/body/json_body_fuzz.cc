// Names and values stay inside their bounds, and what codec's strict reader takes is no error here.
#include "waf/body/json_body.h"

#include "base/check.h"
#include "codec/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const waf::BodyLimits limits{.arguments_max = 200, .depth_max = 32, .decoded_bytes_max = 16 * 1024};
  Arena arena;
  waf::Body body;
  waf::read_json_body(text, limits, arena, body);
  GH_CHECK(body.arguments.size() <= limits.arguments_max);
  std::size_t names = 0, values = 0;
  for (const waf::NameValue& argument : body.arguments) {
    GH_CHECK(argument.name.starts_with("json"));
    names += argument.name.size();
    values += argument.value.size();
  }
  GH_CHECK(names <= limits.decoded_bytes_max && values <= size);
  GH_CHECK(body.error_offset <= size);
  if (codec::Json::parse(text, {.bytes_max = 4096, .depth_max = 32, .values_max = 200})) {
    GH_CHECK(body.error == waf::BodyError::none || body.error == waf::BodyError::too_large);
  }
  return 0;
}
