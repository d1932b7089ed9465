#pragma once
// An exchange from a fuzzer's bytes: a request as it stands on the wire, and behind the last zero byte, when there is
// one, the body of an upstream's answer. Bodies of requests may hold other zero bytes. Tests only.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "waf/differential/generated_traffic_for_tests.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {

inline std::optional<Exchange> fuzzed_exchange(std::string_view bytes) {
  const std::size_t split = bytes.rfind('\0');
  auto request = parse_raw_request(bytes.substr(0, split));
  if (!request) return std::nullopt;
  Exchange exchange{"input", std::move(*request), {}};
  if (split != std::string_view::npos) {
    exchange.response.status = 500;
    exchange.response.headers = {{"Content-Type", "text/html"}};
    exchange.response.body = bytes.substr(split + 1);
  }
  return exchange;
}

// Changes to the parts of a request, where changes of bytes seldom leave one that a parser takes; sometimes another
// altogether. In place; the new size.
inline std::size_t change_fuzzed(std::uint8_t* data, std::size_t size, std::size_t size_max, std::uint64_t seed) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t split = bytes.rfind('\0');
  auto request = parse_raw_request(bytes.substr(0, split));
  if (!request || seed % 50 == 0) request = TrafficGenerator(seed).next().request;
  TrafficMutator(seed).change(*request);
  std::string text = request->text();
  if (split != std::string_view::npos) text += bytes.substr(split);
  if (text.size() > size_max) return size;
  std::copy(text.begin(), text.end(), data);
  return text.size();
}

}  // namespace gatehouse::waf

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

extern "C" inline __attribute__((used)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                                            std::size_t size_max, unsigned int seed) {
  return seed % 3 == 0 ? LLVMFuzzerMutate(data, size, size_max)
                       : gatehouse::waf::change_fuzzed(data, size, size_max, seed / 3);
}
#endif
