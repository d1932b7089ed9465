#include "gateway/layers/waf/message_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9 };

std::string frame(std::uint8_t opcode, std::string_view payload, bool final = true) {
  const std::string key = "\x11\x22\x33\x44";
  std::string out(1, static_cast<char>(opcode | (final ? 0x80 : 0)));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xff);
  }
  out += key;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}

// Refuses what holds "bad"; what is longer than is inspected if told so.
class Gate : public testing::Test, public MessageJudge {
 protected:
  std::uint16_t judge_message(std::string_view text, bool complete) override {
    judged_.push_back(std::string(text) + (complete ? "" : "…"));
    return text.find("bad") == std::string_view::npos ? 0 : 1008;
  }
  std::uint16_t message_is_longer() override { return longer_; }
  std::uint16_t hold_message(std::size_t bytes) override {
    held_ += bytes;
    held_max_ = std::max(held_max_, held_);
    return held_ > memory_ ? full_ : 0;
  }
  void message_released() override { held_ = 0; }

  // What is passed on of these bytes when they come in pieces of `step`.
  std::string pass(std::string_view bytes, std::size_t step, std::uint64_t bytes_max = 16) {
    MessageGate gate(*this, bytes_max);
    http::WebSocketInspector inspector({.from_client = true, .message_bytes_max = 1 << 20});
    judged_.clear();
    held_ = held_max_ = 0;
    std::string out;
    code_ = 0;
    for (std::size_t at = 0; at < bytes.size() && code_ == 0; at += step) {
      code_ = inspector.inspect(bytes.substr(at, step), MonotonicTime(), &gate);
      out += gate.take_ready();
    }
    return out;
  }

  std::uint16_t longer_ = 0, code_ = 0, full_ = 1013;
  std::size_t held_ = 0, held_max_ = 0, memory_ = SIZE_MAX;
  std::vector<std::string> judged_;
};

TEST_F(Gate, MessagesPassOrDoNot) {
  const std::string ping = frame(kPing, "bad"), binary = frame(kBinary, "bad");
  struct Case {
    const char* name;
    std::string in, out;
    std::vector<std::string> judged;
    std::uint16_t code = 0;
  };
  for (const Case& c : {
           Case{"one", frame(kText, "good"), frame(kText, "good"), {"good"}},
           Case{"empty", frame(kText, ""), frame(kText, ""), {""}},
           Case{"refused",
                frame(kText, "good") + frame(kText, "bad") + frame(kText, "more"),
                frame(kText, "good"),
                {"good", "bad"},
                1008},
           Case{"fragments",
                frame(kText, "b", false) + frame(kContinuation, "", false) + frame(kContinuation, "ad"),
                "",
                {"bad"},
                1008},
           Case{"a ping between",
                frame(kText, "go", false) + ping + frame(kContinuation, "od"),
                ping + frame(kText, "go", false) + frame(kContinuation, "od"),
                {"good"}},
           Case{"binary", binary + frame(kText, "good") + binary, binary + frame(kText, "good") + binary, {"good"}},
           Case{"binary in fragments",
                frame(kBinary, "bad", false) + frame(kContinuation, "bad"),
                frame(kBinary, "bad", false) + frame(kContinuation, "bad"),
                {}},
           Case{"the end", frame(kText, "never", false) + frame(kClose, "\x03\xe8"), frame(kClose, "\x03\xe8"), {}},
           Case{"long", frame(kText, "0123456789abcdef"), frame(kText, "0123456789abcdef"), {"0123456789abcdef"}},
           Case{"longer",
                frame(kText, "0123456789abcdefbad") + frame(kText, "good"),
                frame(kText, "0123456789abcdefbad") + frame(kText, "good"),
                {"0123456789abcdef…", "good"}},
           Case{"longer in fragments",
                frame(kText, "0123456789", false) + frame(kContinuation, "abcdefghi", false) +
                    frame(kContinuation, "bad"),
                frame(kText, "0123456789", false) + frame(kContinuation, "abcdefghi", false) +
                    frame(kContinuation, "bad"),
                {"0123456789abcdef…"}},
           Case{"bad in the beginning", frame(kText, "bad 0123456789abcdef"), "", {"bad 0123456789ab…"}, 1008},
       }) {
    for (const std::size_t step : {1u, 2u, 3u, 7u, 1000u}) {
      EXPECT_EQ(pass(c.in, step), c.out) << c.name << ", by " << step;
      EXPECT_EQ(judged_, c.judged) << c.name << ", by " << step;
      EXPECT_EQ(code_, c.code) << c.name;
    }
  }
}

TEST_F(Gate, LongerOnesMayBeRefused) {
  longer_ = 1009;
  EXPECT_EQ(pass(frame(kText, "0123456789abcdef"), 5), frame(kText, "0123456789abcdef"));
  EXPECT_EQ(pass(frame(kText, "0123456789abcdefg"), 5), "");
  EXPECT_EQ(code_, 1009);
  EXPECT_TRUE(judged_.empty());
}

TEST_F(Gate, WhatIsHeldIsBounded) {
  std::string flood = frame(kText, "x", false);
  for (int i = 0; i < 100'000; ++i) flood += frame(kContinuation, "", false);
  pass(flood, 1000);
  EXPECT_LE(held_max_, MessageGate::kFramingBytesMax + 2000);
  longer_ = 1009;
  pass(flood, 1000);
  EXPECT_EQ(code_, 1009);
  memory_ = 100;
  pass(frame(kText, std::string(200, 'x')), 50, 1000);
  EXPECT_EQ(code_, 1013);
  full_ = kPassOn;
  const std::string long_one = frame(kText, std::string(200, 'x')) + frame(kText, "good");
  EXPECT_EQ(pass(long_one, 50, 1000), long_one);
  ASSERT_EQ(judged_.size(), 2u);
  EXPECT_TRUE(judged_[0].ends_with("…"));
}

}  // namespace
}  // namespace gatehouse::gateway
