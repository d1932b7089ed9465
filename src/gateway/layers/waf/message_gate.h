#pragma once
// Holds back the text messages that a client sends through a WebSocket until they are judged; everything else passes.
//
// Sans-I/O: `http::WebSocketInspector` has checked the frames and shows them; what may go on stands in `ready`, as it
// came, frame by frame. One owner, one tunnel, one direction. Invariants: (1) no byte of a text message is ready before
// it was judged, whole or as much of it as is inspected; (2) control frames wait for nobody (RFC 6455 §5.4 lets them
// stand between fragments); (3) whenever a judge refuses, what was ready ends with a whole frame; (4) at most
// twice the inspected bytes are held, and kFramingBytesMax. permessage-deflate must not have been agreed on.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/websocket.h"

namespace gatehouse::gateway {

class MessageJudge {
 public:
  static constexpr std::uint16_t kPassOn = 1;  // no close code

  // 0, or the code to close with. Not `complete`: the message goes on behind this text, and is not held any longer.
  virtual std::uint16_t judge_message(std::string_view text, bool complete) = 0;
  // The message is longer than is inspected: 0 to have its beginning judged.
  virtual std::uint16_t message_is_longer() = 0;
  // So many bytes more are held: 0, the code to close with, or kPassOn to judge what there is; and none any more.
  virtual std::uint16_t hold_message(std::size_t bytes) = 0;
  virtual void message_released() = 0;

 protected:
  ~MessageJudge() = default;
};

class MessageGate final : public http::WebSocketFrames {
 public:
  static constexpr std::size_t kFramingBytesMax = 64 * 1024;

  MessageGate(MessageJudge& judge, std::uint64_t bytes_max) noexcept : judge_(judge), bytes_max_(bytes_max) {}

  std::uint16_t on_frame(const http::WebSocketFrame& frame, std::string_view header) override;
  std::uint16_t on_payload(std::string_view data, bool ends) override;

  // What may go on since the last call; its own: a long message leaves nothing behind.
  std::string take_ready();

 private:
  enum class Kind : std::uint8_t { other, text };

  std::uint16_t hold(std::string_view bytes);
  std::uint16_t judge(bool complete);

  MessageJudge& judge_;
  const std::uint64_t bytes_max_;
  Kind kind_ = Kind::other;  // of the message that is open
  bool judged_ = false;      // as far as it is inspected: the rest passes
  bool holds_ = false;       // this frame's bytes
  bool last_ = false;        // no fragment follows this frame
  std::array<std::uint8_t, 4> key_{};
  std::size_t at_ = 0;  // in the frame's payload
  std::string held_, text_, ready_;
};

}  // namespace gatehouse::gateway
