#include "http/websocket.h"

#include <algorithm>

#include "codec/base64.h"
#include "crypto/sha1.h"

namespace gatehouse::http {
namespace {

enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

constexpr std::string_view kDeflate = "permessage-deflate";

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::size_t WebSocketInspector::header_needed() const noexcept {
  if (header_size_ < 2) return 2;
  const std::uint8_t length = header_[1] & 0x7f;
  return 2u + (length == 126 ? 2 : length == 127 ? 8 : 0) + ((header_[1] & 0x80) != 0 ? 4 : 0);
}

std::uint16_t WebSocketInspector::inspect(std::string_view data, MonotonicTime now, WebSocketFrames* frames) noexcept {
  while (failed_ == 0 && !data.empty()) {
    if (payload_left_ > 0) {
      const std::uint64_t step = std::min<std::uint64_t>(payload_left_, data.size());
      payload_left_ -= step;
      if (frames != nullptr)
        failed_ = frames->on_payload(data.substr(0, static_cast<std::size_t>(step)), payload_left_ == 0);
      data.remove_prefix(static_cast<std::size_t>(step));
      continue;
    }
    if (close_seen_) return failed_ = kProtocolError;  // nothing follows a close (§5.5.1)
    const std::size_t missing = header_needed() - header_size_;
    const std::size_t taken = std::min(missing, data.size());
    std::copy_n(data.begin(), taken, header_.begin() + header_size_);
    header_size_ = static_cast<std::uint8_t>(header_size_ + taken);
    data.remove_prefix(taken);
    if (header_size_ < header_needed()) continue;  // also when the second byte just asked for more
    failed_ = begin_frame(now);
    if (failed_ == 0 && frames != nullptr) failed_ = show_frame(*frames);
    header_size_ = 0;
  }
  return failed_;
}

std::uint16_t WebSocketInspector::show_frame(WebSocketFrames& frames) const {
  WebSocketFrame frame;
  frame.opcode = header_[0] & 0x0f;
  frame.final = (header_[0] & 0x80) != 0;
  if ((header_[1] & 0x80) != 0) std::copy_n(header_.begin() + header_size_ - 4, 4, frame.key.begin());
  const std::uint16_t code = frames.on_frame(frame, {reinterpret_cast<const char*>(header_.data()), header_size_});
  return code == 0 && payload_left_ == 0 ? frames.on_payload({}, true) : code;
}

std::uint16_t WebSocketInspector::begin_frame(MonotonicTime now) noexcept {
  const bool final = (header_[0] & 0x80) != 0, rsv1 = (header_[0] & 0x40) != 0;
  const auto opcode = static_cast<std::uint8_t>(header_[0] & 0x0f);
  const bool masked = (header_[1] & 0x80) != 0;
  if ((header_[0] & 0x30) != 0 || masked != options_.from_client) return kProtocolError;

  std::uint64_t length = header_[1] & 0x7f;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (extended != 0) {
    length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | header_[2 + i];
    // The shortest form only, and no sign bit (§5.2).
    if (length < (extended == 2 ? 126u : 65536u) || length >> 63 != 0) return kProtocolError;
  }

  if (opcode >= kClose) {
    if (opcode > kPong || !final || rsv1 || length > 125) return kProtocolError;  // §5.5
    if (opcode == kClose) {
      if (length == 1) return kProtocolError;  // a code has two bytes
      close_seen_ = true;
    } else if (!admit(now)) {
      return kPolicyViolation;
    }
    payload_left_ = length;
    return 0;
  }
  if ((opcode != kContinuation || length < kSmallFragment) && !admit(now)) return kPolicyViolation;
  return begin_data(opcode, final, rsv1, length);
}

std::uint16_t WebSocketInspector::begin_data(std::uint8_t opcode, bool final, bool compressed,
                                             std::uint64_t length) noexcept {
  if (opcode > kBinary || in_message_ != (opcode == kContinuation)) return kProtocolError;  // §5.4
  if (compressed && (!options_.deflate || opcode == kContinuation)) return kProtocolError;  // RFC 7692 §6.1
  if (opcode != kContinuation) message_bytes_ = 0, ++messages_;
  const std::uint64_t max = options_.message_bytes_max;
  if (max != 0 && (length > max || message_bytes_ > max - length)) return kTooBig;
  message_bytes_ += length;
  in_message_ = !final;
  payload_left_ = length;
  return 0;
}

// GCRA: a burst of one second's worth.
bool WebSocketInspector::admit(MonotonicTime now) noexcept {
  if (options_.messages_per_second == 0) return true;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t interval = (kSecond + options_.messages_per_second - 1) / options_.messages_per_second;
  const auto at = static_cast<std::uint64_t>(now.time_since_epoch().count());
  const std::uint64_t next = std::max(tat_, at) + interval;
  if (next - at > interval * options_.messages_per_second) return false;
  tat_ = next;
  return true;
}

void append_close_frame(std::uint16_t code, bool to_server, std::string& out) {
  out += static_cast<char>(0x80 | kClose);
  out += static_cast<char>(to_server ? 0x82 : 0x02);
  if (to_server) out.append(4, '\0');
  out += static_cast<char>(code >> 8);
  out += static_cast<char>(code & 0xff);
}

HandshakeStatus check_handshake(std::string_view method, std::string_view upgrade, const Fields& fields) noexcept {
  if (method != "GET") return HandshakeStatus::bad_method;
  if (!equals_ignoring_case(upgrade, "websocket")) return HandshakeStatus::bad_upgrade;
  if (fields.count("sec-websocket-version") != 1 || fields.get("sec-websocket-version") != "13") {
    return HandshakeStatus::bad_version;
  }
  if (fields.count("sec-websocket-key") != 1) return HandshakeStatus::bad_key;
  const auto key = codec::base64_decode(*fields.get("sec-websocket-key"));
  return key && key->size() == 16 ? HandshakeStatus::ok : HandshakeStatus::bad_key;
}

std::string handshake_accept(std::string_view key) {
  const crypto::Sha1 digest = crypto::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return codec::base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool accept_matches(std::string_view key, const Fields& response) noexcept {
  return response.count("sec-websocket-accept") == 1 && response.get("sec-websocket-accept") == handshake_accept(key);
}

std::optional<bool> negotiated_deflate(const Fields& request, const Fields& response) noexcept {
  bool deflate = false;
  for (const Field& field : response) {
    if (field.name != "sec-websocket-extensions") continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      // Parameters of permessage-deflate have no quoted commas (RFC 7692 §7.1).
      const std::string_view element = list.substr(0, list.find(','));
      list.remove_prefix(std::min(element.size() + 1, list.size()));
      const std::string_view name = trimmed(element.substr(0, element.find(';')));
      if (name != kDeflate || deflate) return std::nullopt;
      deflate = true;
    }
  }
  if (!deflate) return false;
  for (const Field& field : request) {
    if (field.name == "sec-websocket-extensions" && field.value.find(kDeflate) != std::string_view::npos) return true;
  }
  return std::nullopt;
}

}  // namespace gatehouse::http
