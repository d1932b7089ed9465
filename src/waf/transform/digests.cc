// Encodings and digests.
#include <array>
#include <charconv>

#include "crypto/md5.h"
#include "crypto/sha1.h"
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

constexpr std::uint8_t kNotBase64 = 64;

constexpr std::array<std::uint8_t, 256> kBase64Values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNotBase64);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) values[byte_at(kAlphabet, i)] = static_cast<std::uint8_t>(i);
  return values;
}();

// Six bits at a time; whole bytes come out, the rest of an incomplete group is dropped.
class Base64Bits {
 public:
  explicit Base64Bits(Rewriter& result) noexcept : result_(result) {}
  void add(std::uint8_t value) noexcept {
    bits_ = bits_ << 6 | value;
    if (count_++ % 4 != 0) result_.put(static_cast<char>(bits_ >> (6 - 2 * ((count_ - 1) % 4))));
  }

 private:
  Rewriter& result_;
  std::uint32_t bits_ = 0;
  std::size_t count_ = 0;
};

template <class Digest>
bool assign_digest(const Digest& digest, std::string& out) {
  out.assign(reinterpret_cast<const char*>(digest.data()), digest.size());
  return true;
}

// A digit's value by arithmetic alone: other bytes get one too, as in every decoder that trusts its input.
constexpr unsigned lenient_hex_value(std::uint8_t c) noexcept { return c >= 'A' ? (c & 0xdfu) - 'A' + 10u : c - '0'; }

}  // namespace

bool base64_decode(std::string_view in, std::string& out) {
  Rewriter result(in, 0, in.size(), out);
  Base64Bits bits(result);
  for (std::size_t at = 0; at < in.size(); ++at) {
    if (const std::uint8_t value = kBase64Values[byte_at(in, at)]; value != kNotBase64) {
      bits.add(value);
      continue;
    }
    // A line's end may stand between, blanks before it included; anything else is the end of the text.
    while (at < in.size() && in[at] == ' ') ++at;
    if (at < in.size() && in[at] == '\r') ++at;
    if (at == in.size() || in[at] != '\n') break;
  }
  return result.finish();
}

bool base64_decode_ext(std::string_view in, std::string& out) {
  Rewriter result(in, 0, in.size(), out);
  Base64Bits bits(result);
  for (const char c : in) {
    if (const std::uint8_t value = kBase64Values[static_cast<std::uint8_t>(c)]; value != kNotBase64) bits.add(value);
  }
  return result.finish();
}

bool hex_decode(std::string_view in, std::string& out) {
  Rewriter result(in, 0, in.size() / 2, out);
  for (std::size_t at = 0; at + 1 < in.size(); at += 2) {
    result.put(static_cast<char>(lenient_hex_value(byte_at(in, at)) * 16 + lenient_hex_value(byte_at(in, at + 1))));
  }
  return result.finish();
}

bool hex_encode(std::string_view in, std::string& out) {
  if (in.empty()) return false;
  Rewriter result(in, 0, in.size() * 2, out);
  for (const char c : in) {
    result.put("0123456789abcdef"[static_cast<std::uint8_t>(c) >> 4]);
    result.put("0123456789abcdef"[static_cast<std::uint8_t>(c) & 15]);
  }
  return result.finish();
}

bool length(std::string_view in, std::string& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, in.size()).ptr;
  out.assign(digits, end);
  return out != in;
}

bool md5(std::string_view in, std::string& out) { return assign_digest(crypto::md5(in), out); }
bool sha1(std::string_view in, std::string& out) { return assign_digest(crypto::sha1(in), out); }

}  // namespace gatehouse::waf
