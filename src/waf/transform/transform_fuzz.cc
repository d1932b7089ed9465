// A chain of up to eight transformations, told by the first bytes, over the rest. Each step keeps what transform.h
// promises: its bound, the truth of its answer, and its set of touched bytes.
#include "waf/transform/transform.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::waf;
  const std::size_t steps = size == 0 ? 0 : data[0] % 9u;
  if (size < 1 + steps) return 0;
  std::string value(reinterpret_cast<const char*>(data) + 1 + steps, size - 1 - steps);
  std::string out;
  for (std::size_t i = 0; i < steps && value.size() < 1 << 20; ++i) {
    const auto transformation = static_cast<Transformation>(data[1 + i] % kTransformations);
    const bool changed = transform(transformation, value, out);
    if (!changed) continue;
    GH_CHECK(out != value && out.size() <= output_bytes_max(transformation, value.size()));
    GH_CHECK(value.empty() ? changes_empty(transformation) : touched_by(transformation).intersects(bytes_of(value)));
    value.swap(out);
  }
  return 0;
}
