// Any bytes, in any pieces, give the same verdict; and after a failure nothing is accepted again.
// Input: one byte of options, then the stream.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "http/websocket.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gatehouse::http::WebSocketInspector;
  if (size == 0) return 0;
  const WebSocketInspector::Options options{(data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) != 0 ? 1000u : 0u,
                                            (data[0] & 8) != 0 ? 3u : 0u};
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const gatehouse::MonotonicTime now(std::chrono::seconds(1000));
  WebSocketInspector whole(options), bytewise(options);
  const std::uint16_t at_once = whole.inspect(stream, now);
  std::uint16_t in_pieces = 0;
  for (std::size_t i = 0; i < stream.size(); ++i) {
    const std::uint16_t step = bytewise.inspect(stream.substr(i, 1), now);
    GH_CHECK(in_pieces == 0 || step == in_pieces);
    in_pieces = step;
  }
  GH_CHECK(at_once == in_pieces);
  GH_CHECK(whole.messages() == bytewise.messages());
  if (at_once == 0) GH_CHECK(whole.at_frame_boundary() == bytewise.at_frame_boundary());
  return 0;
}
