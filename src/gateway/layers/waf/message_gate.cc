#include "gateway/layers/waf/message_gate.h"

#include <algorithm>
#include <utility>

namespace gatehouse::gateway {

std::uint16_t MessageGate::on_frame(const http::WebSocketFrame& frame, std::string_view header) {
  if (!frame.is_control()) {
    if (!frame.continues()) {
      kind_ = frame.is_text() ? Kind::text : Kind::other;
      judged_ = false;
    }
    last_ = frame.final;
  }
  holds_ = !frame.is_control() && kind_ == Kind::text && !judged_;
  if (!holds_) {
    ready_ += header;
    return 0;
  }
  key_ = frame.key;
  at_ = 0;
  return hold(header);
}

std::uint16_t MessageGate::on_payload(std::string_view data, bool ends) {
  if (!holds_) {
    ready_ += data;
    return 0;
  }
  if (const std::uint16_t code = hold(data); code != 0 || !holds_) return code;
  for (const char c : data) text_ += static_cast<char>(static_cast<std::uint8_t>(c) ^ key_[at_++ % key_.size()]);
  if (text_.size() > bytes_max_ || held_.size() > 2 * bytes_max_ + kFramingBytesMax) {
    if (const std::uint16_t code = judge_.message_is_longer(); code != 0) return code;
    text_.resize(std::min<std::size_t>(text_.size(), bytes_max_));
    return judge(false);
  }
  return ends && last_ ? judge(true) : std::uint16_t{0};
}

std::uint16_t MessageGate::hold(std::string_view bytes) {
  held_ += bytes;
  const std::uint16_t code = judge_.hold_message(bytes.size());
  return code == MessageJudge::kPassOn ? judge(false) : code;
}

std::uint16_t MessageGate::judge(bool complete) {
  const std::uint16_t code = judge_.judge_message(text_, complete);
  judged_ = true;
  holds_ = false;
  if (code == 0) ready_ += held_;
  // One long message must not cost its memory for the rest of a long tunnel.
  text_ = std::string();
  held_ = std::string();
  judge_.message_released();
  return code;
}

std::string MessageGate::take_ready() { return std::exchange(ready_, {}); }

}  // namespace gatehouse::gateway
