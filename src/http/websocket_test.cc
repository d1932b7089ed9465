#include "http/websocket.h"

#include <gtest/gtest.h>

namespace gatehouse::http {
namespace {

using namespace std::chrono_literals;
using Options = WebSocketInspector::Options;

const MonotonicTime kNow(1000s);
constexpr std::uint16_t kOk = 0;

// One frame; `first` is FIN, RSV and opcode. Masked unless from a server.
std::string frame(int first, std::size_t length, bool masked = true) {
  std::string out(1, static_cast<char>(first));
  const int mask_bit = masked ? 0x80 : 0;
  if (length < 126) {
    out += static_cast<char>(mask_bit | static_cast<int>(length));
  } else if (length < 65536) {
    out += static_cast<char>(mask_bit | 126);
    out += static_cast<char>(length >> 8), out += static_cast<char>(length);
  } else {
    out += static_cast<char>(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(length >> shift);
  }
  if (masked) out += "mask";
  return out + std::string(length, 'x');
}
std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

struct Case {
  const char* name;
  std::string stream;
  std::uint16_t code;
  Options options{};
};

class Inspect : public testing::TestWithParam<Case> {};

TEST_P(Inspect, WholeAndInEverySplit) {
  const Case& c = GetParam();
  WebSocketInspector whole(c.options);
  EXPECT_EQ(whole.inspect(c.stream, kNow), c.code);
  const std::size_t splits = std::min<std::size_t>(c.stream.size(), 300);
  for (std::size_t at = 0; at < splits; ++at) {
    WebSocketInspector halves(c.options);
    const std::uint16_t first = halves.inspect(std::string_view(c.stream).substr(0, at), kNow);
    const std::uint16_t second = halves.inspect(std::string_view(c.stream).substr(at), kNow);
    ASSERT_EQ(second, c.code) << at;
    ASSERT_TRUE(first == 0 || first == c.code) << at;
  }
  WebSocketInspector bytewise(c.options);
  std::uint16_t code = 0;
  for (const char byte : c.stream) code = bytewise.inspect({&byte, 1}, kNow);
  EXPECT_EQ(code, c.code);
}

constexpr Options kServer{.from_client = false};
constexpr Options kDeflate{.deflate = true};
constexpr Options kBounded{.message_bytes_max = 1000};
constexpr Options kPaced{.messages_per_second = 2};

INSTANTIATE_TEST_SUITE_P(
    Streams, Inspect,
    testing::Values(
        Case{"text", frame(0x81, 5), kOk}, Case{"binary_empty", frame(0x82, 0), kOk},
        Case{"medium", frame(0x81, 126), kOk}, Case{"long", frame(0x82, 70000), kOk},
        Case{"fragments_with_ping_between", frame(0x01, 3) + frame(0x00, 3) + frame(0x89, 2) + frame(0x80, 3), kOk},
        Case{"close", frame(0x88, 2), kOk}, Case{"close_without_code", frame(0x88, 0), kOk},
        Case{"from_server", frame(0x81, 5, false), kOk, kServer},
        Case{"compressed", frame(0xc1, 5) + frame(0x41, 5) + frame(0x80, 5), kOk, kDeflate},
        Case{"unmasked_from_client", frame(0x81, 5, false), 1002},
        Case{"masked_from_server", frame(0x81, 5), 1002, kServer}, Case{"rsv1_not_agreed", frame(0xc1, 5), 1002},
        Case{"rsv2", frame(0xa1, 5), 1002, kDeflate}, Case{"rsv3", frame(0x91, 5), 1002, kDeflate},
        Case{"rsv1_on_continuation", frame(0x41, 5) + frame(0xc0, 5), 1002, kDeflate},
        Case{"rsv1_on_ping", frame(0xc9, 0), 1002, kDeflate}, Case{"opcode_3", frame(0x83, 0), 1002},
        Case{"opcode_11", frame(0x8b, 0), 1002}, Case{"fragmented_ping", frame(0x09, 0), 1002},
        Case{"long_ping", frame(0x89, 126), 1002}, Case{"close_of_one_byte", frame(0x88, 1), 1002},
        Case{"frame_after_close", frame(0x88, 0) + frame(0x81, 1), 1002},
        Case{"continuation_of_nothing", frame(0x80, 1), 1002},
        Case{"new_message_inside_one", frame(0x01, 1) + frame(0x81, 1), 1002},
        Case{"padded_16_bit_length", raw({0x81, 0xfe, 0, 125, 0, 0, 0, 0}), 1002},
        Case{"padded_64_bit_length", raw({0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}), 1002},
        Case{"sign_bit", raw({0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 1002},
        Case{"at_the_bound", frame(0x82, 1000) + frame(0x82, 1000), kOk, kBounded},
        Case{"above_the_bound", frame(0x82, 1001), 1009, kBounded},
        Case{"above_it_in_fragments", frame(0x02, 600) + frame(0x00, 400) + frame(0x80, 1), 1009, kBounded},
        Case{"huge_length_does_not_wrap",
             frame(0x02, 1) + raw({0x80, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}), 1009, kBounded},
        Case{"two_in_a_second", frame(0x81, 1) + frame(0x81, 1), kOk, kPaced},
        Case{"three_in_a_second", frame(0x81, 1) + frame(0x81, 1) + frame(0x81, 1), 1008, kPaced},
        Case{"ping_flood", frame(0x89, 0) + frame(0x89, 0) + frame(0x89, 0), 1008, kPaced},
        Case{"empty_fragment_flood", frame(0x01, 0) + frame(0x00, 0) + frame(0x00, 0), 1008, kPaced},
        Case{"large_fragments_are_one_message", frame(0x01, 500) + frame(0x00, 500) + frame(0x80, 500), kOk, kPaced},
        Case{"close_is_always_free", frame(0x81, 1) + frame(0x81, 1) + frame(0x88, 0), kOk, kPaced}),
    [](const auto& test) { return test.param.name; });

TEST(Inspector, RateRecovers) {
  WebSocketInspector inspector(kPaced);
  MonotonicTime now = kNow;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(inspector.inspect(frame(0x81, 10), now), kOk) << i;
    now += 500ms;
  }
  EXPECT_EQ(inspector.messages(), 20u);
}

TEST(Inspector, KnowsItsBoundary) {
  WebSocketInspector inspector({});
  const std::string bytes = frame(0x81, 5);
  EXPECT_TRUE(inspector.at_frame_boundary());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    inspector.inspect(bytes.substr(i, 1), kNow);
    EXPECT_EQ(inspector.at_frame_boundary(), i + 1 == bytes.size()) << i;
  }
  std::string close;
  append_close_frame(1009, true, close);
  EXPECT_EQ(inspector.inspect(close, kNow), kOk);
  EXPECT_TRUE(inspector.close_seen());
}

TEST(Inspector, CloseFrameForClients) {
  std::string close;
  append_close_frame(1008, false, close);
  EXPECT_EQ(close, raw({0x88, 0x02, 0x03, 0xf0}));
  WebSocketInspector inspector(kServer);
  EXPECT_EQ(inspector.inspect(close, kNow), kOk);
}

Fields handshake(std::string_view key, std::string_view version = "13") {
  Fields fields;
  if (!key.empty()) fields.add("sec-websocket-key", key);
  if (!version.empty()) fields.add("sec-websocket-version", version);
  return fields;
}
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 §1.3

TEST(Handshake, Requests) {
  EXPECT_EQ(check_handshake("GET", "websocket", handshake(kKey)), HandshakeStatus::ok);
  EXPECT_EQ(check_handshake("GET", "WebSocket", handshake(kKey)), HandshakeStatus::ok);
  EXPECT_EQ(check_handshake("POST", "websocket", handshake(kKey)), HandshakeStatus::bad_method);
  EXPECT_EQ(check_handshake("GET", "h2c", handshake(kKey)), HandshakeStatus::bad_upgrade);
  EXPECT_EQ(check_handshake("GET", "websocket, h2c", handshake(kKey)), HandshakeStatus::bad_upgrade);
  EXPECT_EQ(check_handshake("GET", "websocket", handshake(kKey, "8")), HandshakeStatus::bad_version);
  EXPECT_EQ(check_handshake("GET", "websocket", handshake(kKey, "")), HandshakeStatus::bad_version);
  EXPECT_EQ(check_handshake("GET", "websocket", handshake("")), HandshakeStatus::bad_key);
  EXPECT_EQ(check_handshake("GET", "websocket", handshake("c2hvcnQ=")), HandshakeStatus::bad_key);
  EXPECT_EQ(check_handshake("GET", "websocket", handshake("!!!!IHNhbXBsZSBub25jZQ==")), HandshakeStatus::bad_key);
  Fields twice = handshake(kKey);
  twice.add("sec-websocket-key", kKey);
  EXPECT_EQ(check_handshake("GET", "websocket", twice), HandshakeStatus::bad_key);
}

TEST(Handshake, AcceptOfTheRfc) {
  EXPECT_EQ(handshake_accept(kKey), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  Fields response;
  EXPECT_FALSE(accept_matches(kKey, response));
  response.add("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_TRUE(accept_matches(kKey, response));
  EXPECT_FALSE(accept_matches("AAAAAAAAAAAAAAAAAAAAAA==", response));
}

TEST(Handshake, Extensions) {
  const auto with = [](std::string_view value) {
    Fields fields;
    if (!value.empty()) fields.add("sec-websocket-extensions", value);
    return fields;
  };
  const Fields offer = with("permessage-deflate; client_max_window_bits");
  EXPECT_EQ(negotiated_deflate(offer, with("")), false);
  EXPECT_EQ(negotiated_deflate(offer, with("permessage-deflate; server_no_context_takeover")), true);
  EXPECT_EQ(negotiated_deflate(with(""), with("permessage-deflate")), std::nullopt);
  EXPECT_EQ(negotiated_deflate(offer, with("x-unknown")), std::nullopt);
  EXPECT_EQ(negotiated_deflate(offer, with("permessage-deflate, permessage-deflate")), std::nullopt);
}

}  // namespace
}  // namespace gatehouse::http
