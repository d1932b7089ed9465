// The first line is the Content-Type, the rest the body. Views stay inside the body or the arena, counts inside the
// limits, and what is unread is an error.
#include "waf/body/multipart.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const std::string_view bytes = text.substr(line + 1);
  const waf::BodyLimits limits{.arguments_max = 20, .parts_max = 30, .files_max = 5, .part_header_bytes_max = 256};
  Arena arena;
  waf::Body body;
  waf::read_multipart_body(text.substr(0, line), bytes, limits, arena, body);
  GH_CHECK(body.arguments.size() <= limits.arguments_max);
  GH_CHECK(body.arguments.size() + body.files.size() / 2 <= limits.parts_max);
  std::size_t kept = 0;
  for (const waf::NameValue& argument : body.arguments) kept += argument.value.size();
  for (const waf::File& file : body.files) kept += file.bytes;
  GH_CHECK(kept <= bytes.size());
  for (const waf::NameValue& header : body.part_headers) {
    GH_CHECK(header.value.size() <= limits.part_header_bytes_max);
    GH_CHECK(header.value.find('\n') == std::string_view::npos);
  }
  GH_CHECK(body.error == waf::BodyError::none || (body.multipart.strict_error && *body.message != '\0'));
  GH_CHECK(body.error_offset <= bytes.size());
  return 0;
}
