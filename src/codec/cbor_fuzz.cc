// Any bytes as CBOR. What is read at the front is the same when it stands alone, and ends earlier in no other reading.
#include "codec/cbor.h"

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gatehouse::codec::Cbor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t used = 0;
  const auto front = Cbor::parse_front(text, used);
  GH_CHECK(Cbor::parse(text).has_value() == (front.has_value() && used == size));
  if (!front) return 0;
  GH_CHECK(used > 0 && used <= size);
  const auto alone = Cbor::parse(text.substr(0, used));
  GH_CHECK(alone && alone->kind() == front->kind() && alone->size() == front->size());
  for (std::size_t shorter = 0; shorter < used && used < 256; ++shorter)
    GH_CHECK(!Cbor::parse(text.substr(0, shorter)));
  return 0;
}
