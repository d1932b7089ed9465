// The first byte chooses the coding; the output stays inside its bound.
#include "waf/body/content_coding.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  if (size == 0) return 0;
  const auto coding = static_cast<waf::ContentCoding>(data[0] % 5);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const waf::DecodingLimits limits{.bytes_max = 256 * 1024, .ratio_max = 50, .bytes_without_ratio = 4096};
  std::string out;
  const waf::DecodedContent result = waf::decode_content(coding, bytes, limits, out);
  GH_CHECK(out.size() <= limits.bytes_max);
  if (coding != waf::ContentCoding::identity) {
    GH_CHECK(out.size() <= 4096 || out.size() <= 50 * bytes.size());
  }
  GH_CHECK(result.error == waf::BodyError::none || *result.message != '\0');
  return 0;
}
