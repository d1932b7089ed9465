// Nothing expands: text and attributes are together no longer than the body, but for its encoding.
#include "waf/body/xml_body.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const waf::BodyLimits limits{.arguments_max = 100, .depth_max = 32};
  Arena arena;
  waf::Body body;
  waf::read_xml_body(text, limits, arena, body);
  GH_CHECK(body.xml_text.size() <= 1 && body.xml_attributes.size() <= limits.arguments_max);
  std::size_t bytes = 0;
  for (const std::string_view value : body.xml_text) bytes += value.size();
  for (const std::string_view value : body.xml_attributes) bytes += value.size();
  GH_CHECK(bytes <= 4 * size);  // a byte of a national encoding can be up to three of UTF-8
  return 0;
}
