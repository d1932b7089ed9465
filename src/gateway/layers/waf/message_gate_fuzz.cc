// A client's side of a tunnel, however it is cut: the same bytes are passed on and the same texts judged; what is
// passed on holds no message that the judge refuses, and ends with a whole frame when he does; and what is held is
// bounded. Input: a byte of options, then the stream.
#include "gateway/layers/waf/message_gate.h"

#include <vector>

#include "base/check.h"

namespace {

using namespace gatehouse;
using gateway::MessageGate;

constexpr std::size_t kInspectedMax = 24;

struct Judge final : gateway::MessageJudge {
  std::uint16_t judge_message(std::string_view text, bool complete) override {
    GH_CHECK(text.size() <= kInspectedMax);
    judged.push_back(std::string(text) + (complete ? "." : "+"));
    return text.find('!') == std::string_view::npos ? 0 : 1008;
  }
  std::uint16_t message_is_longer() override { return partial ? 0 : 1009; }
  std::uint16_t hold_message(std::size_t bytes) override {
    held += bytes;
    return held <= held_max ? 0 : full;
  }
  void message_released() override { held = 0; }

  bool partial = false;
  std::size_t held = 0, held_max = SIZE_MAX;
  std::uint16_t full = kPassOn;
  std::vector<std::string> judged;
};

struct Passed {
  std::string out;
  std::uint16_t code = 0;
  std::vector<std::string> judged;
  bool operator==(const Passed&) const = default;
};

Passed pass(std::string_view stream, std::size_t step, Judge judge) {
  http::WebSocketInspector inspector({.from_client = true, .message_bytes_max = 1 << 20});
  MessageGate gate(judge, kInspectedMax);
  Passed passed;
  for (std::size_t at = 0; at < stream.size() && passed.code == 0; at += step) {
    const std::string_view piece = stream.substr(at, step);
    passed.code = inspector.inspect(piece, MonotonicTime(std::chrono::seconds(1000)), &gate);
    passed.out += gate.take_ready();
    GH_CHECK(judge.held <= 2 * kInspectedMax + MessageGate::kFramingBytesMax + piece.size());
    GH_CHECK(passed.out.size() + judge.held <= at + piece.size());
  }
  passed.judged = std::move(judge.judged);
  return passed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  Judge judge;
  judge.partial = (data[0] & 1) != 0;
  const Passed whole = pass(stream, stream.size(), judge);
  GH_CHECK(pass(stream, 1, judge) == whole);
  GH_CHECK(pass(stream, 2u + (data[0] >> 4), judge) == whole);

  const Passed again = pass(whole.out, whole.out.size(), judge);
  GH_CHECK(again.code == 0 && again.out.size() <= whole.out.size());
  if (whole.code == 1008) {
    GH_CHECK(!whole.judged.empty() && whole.judged.back().find('!') != std::string::npos);
    GH_CHECK(again.out == whole.out);
  }

  // When memory is short, the beginning is judged, or the tunnel closes; which, depends on the pieces.
  judge.held_max = 16;
  judge.full = (data[0] & 2) != 0 ? gateway::MessageJudge::kPassOn : std::uint16_t{1013};
  const Passed shortly = pass(stream, 3, judge);
  GH_CHECK(shortly.out.size() <= stream.size());
  return 0;
}
