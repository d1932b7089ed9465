// What decodes is the encoding of what it decodes to.
#include "codec/base64.h"

#include "base/check.h"
#include "codec/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = base64_decode(text)) GH_CHECK(base64_encode(*bytes) == text);
  if (const auto bytes = base64url_decode(text)) GH_CHECK(base64url_encode(*bytes) == text);
  GH_CHECK(base64_decode(base64_encode(text)) == text);
  GH_CHECK(base64url_decode(base64url_encode(text)) == text);
  if (const auto json = Json::parse(text, {.bytes_max = 4096, .depth_max = 8, .values_max = 256})) {
    GH_CHECK(!json->is_object() || json->size() == 0 || json->find(json->name(0)) == &json->value(0));
  }
  return 0;
}
