#pragma once
// Looks into a WebSocket tunnel (RFC 6455) without holding anything back: checks the framing of what passes, bounds
// messages in size and number, and says with which code to close when a peer breaks a rule.
//
// One inspector per direction, one owner. Sans-I/O: bytes in, a close code out. No payload is kept: fourteen bytes of
// frame header are all it remembers. Bytes must be passed on only after `inspect` said 0 for them.
// Who wants to see what passes is shown each frame (`WebSocketFrames`).
// With permessage-deflate (RFC 7692) the bound is on compressed bytes. Text is not checked for UTF-8: that is the
// endpoint's duty (§8.1).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace gatehouse::http {

struct WebSocketFrame {
  std::uint8_t opcode = 0;
  bool final = false;                 // the last of its message
  std::array<std::uint8_t, 4> key{};  // that the payload is masked with; zero: it is not

  bool is_control() const noexcept { return opcode >= 8; }
  bool is_text() const noexcept { return opcode == 1; }
  bool continues() const noexcept { return opcode == 0; }
};

// Sees the frames that an inspector has found to be well-formed, in order. Both return 0, or the code to close with.
class WebSocketFrames {
 public:
  virtual std::uint16_t on_frame(const WebSocketFrame& frame, std::string_view header) = 0;  // `header` as it came
  virtual std::uint16_t on_payload(std::string_view data, bool ends) = 0;  // of the frame; once at least

 protected:
  ~WebSocketFrames() = default;
};

class WebSocketInspector {
 public:
  // Close codes of RFC 6455 §7.4.1.
  static constexpr std::uint16_t kProtocolError = 1002;
  static constexpr std::uint16_t kPolicyViolation = 1008;
  static constexpr std::uint16_t kTooBig = 1009;

  struct Options {
    bool from_client = true;                // frames must be masked; from a server they must not be (§5.1)
    bool deflate = false;                   // permessage-deflate was agreed on: RSV1 on the first frame of a message
    std::uint64_t message_bytes_max = 0;    // payload over all fragments; 0: no bound
    std::uint32_t messages_per_second = 0;  // 0: no bound; control frames and small fragments count as messages
  };

  explicit WebSocketInspector(const Options& options) noexcept : options_(options) {}

  // 0 while all is well, else the code to close with; from then on always that.
  std::uint16_t inspect(std::string_view data, MonotonicTime now, WebSocketFrames* frames = nullptr) noexcept;

  // Between two frames: a frame of our own (a close) may be put in here.
  bool at_frame_boundary() const noexcept { return header_size_ == 0 && payload_left_ == 0; }
  bool close_seen() const noexcept { return close_seen_; }
  std::uint64_t messages() const noexcept { return messages_; }

 private:
  static constexpr std::uint64_t kSmallFragment = 128;  // bytes; below it a continuation costs as much as a message

  std::uint16_t begin_frame(MonotonicTime now) noexcept;
  std::uint16_t show_frame(WebSocketFrames& frames) const;
  std::uint16_t begin_data(std::uint8_t opcode, bool final, bool compressed, std::uint64_t length) noexcept;
  bool admit(MonotonicTime now) noexcept;
  std::size_t header_needed() const noexcept;

  const Options options_;
  std::uint64_t payload_left_ = 0;
  std::uint64_t message_bytes_ = 0;  // of the message being sent
  std::uint64_t messages_ = 0;
  std::uint64_t tat_ = 0;  // of the rate, as in RateTable
  std::array<std::uint8_t, 14> header_{};
  std::uint8_t header_size_ = 0;
  bool in_message_ = false;  // a fragmented message is open
  bool close_seen_ = false;
  std::uint16_t failed_ = 0;
};

// A close frame to put into the stream; masked (with a zero key: there is nothing to hide) towards a server.
void append_close_frame(std::uint16_t code, bool to_server, std::string& out);

enum class HandshakeStatus : std::uint8_t {
  ok,
  bad_method,   // 400
  bad_upgrade,  // 400: not "websocket"
  bad_version,  // 426, with `Sec-WebSocket-Version: 13`
  bad_key,      // 400: missing, repeated or not 16 bytes in base64
};
// An HTTP/1.1 opening handshake (§4.2.1). `upgrade` is the value of the Upgrade field.
HandshakeStatus check_handshake(std::string_view method, std::string_view upgrade, const Fields& fields) noexcept;

// The Sec-WebSocket-Accept for a key (§4.2.2).
std::string handshake_accept(std::string_view key);
// Does the upstream's 101 belong to this key? (§4.1)
bool accept_matches(std::string_view key, const Fields& response) noexcept;

// What the upstream agreed to: does permessage-deflate apply? Nothing: the answer names an extension that was not
// offered or that we cannot check frames of; the tunnel must not open.
std::optional<bool> negotiated_deflate(const Fields& request, const Fields& response) noexcept;

}  // namespace gatehouse::http
