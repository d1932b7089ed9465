// A header never consumes more than there is, a verdict never changes when more bytes come, and every prefix of a good
// header is incomplete.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ProxyHeader whole = parse_proxy_header(bytes, {});
  if (whole.status == ProxyStatus::ok) {
    GH_CHECK(whole.consumed > 0 && whole.consumed <= std::min(size, kProxyHeaderMax));
    GH_CHECK(parse_proxy_header(bytes.substr(0, whole.consumed), {}).status == ProxyStatus::ok);
  }
  if (whole.status == ProxyStatus::incomplete) GH_CHECK(size < kProxyHeaderMax);
  const std::size_t end = whole.status == ProxyStatus::ok ? whole.consumed : std::min<std::size_t>(size, 256);
  for (std::size_t i = 0; i < end; ++i) {
    const ProxyStatus status = parse_proxy_header(bytes.substr(0, i), {}).status;
    if (whole.status != ProxyStatus::bad) GH_CHECK(status == ProxyStatus::incomplete);
  }
  const ProxyHeader v1 = parse_proxy_header(bytes, {true, false}), v2 = parse_proxy_header(bytes, {false, true});
  GH_CHECK(v1.status != ProxyStatus::ok || v2.status != ProxyStatus::ok);
  return 0;
}
