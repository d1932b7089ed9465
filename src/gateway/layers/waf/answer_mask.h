#pragma once
// Takes card numbers and keys out of the text of an answer while it streams: what is secret of them becomes asterisks,
// byte for byte, so that the length stays what was announced.
//
// Sans-I/O: bytes in, bytes out, in pieces of any size; however the text is cut, the same bytes come out. Invariants:
// (1) no byte is held back but those at the end of a piece that may begin a secret, at most kHeldBytesMax; (2) linear
// in the text; (3) JSON stays JSON, and a script a script: outside of strings a digit of a number becomes a digit. One
// owner, one shard.
//
// Cards: 13 to 19 digits as telemetry/mask.h finds them in logs, but never within a longer word or number; groups of
// one or two digits are no part of one. The last four digits stay (PCI DSS 3.4). Keys: private keys in PEM (RFC 7468)
// and OpenSSH's form, and tokens that can be told by how they begin; see kTokens.

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"

namespace gatehouse::gateway {

class AnswerMask {
 public:
  static constexpr std::size_t kHeldBytesMax = 2048;

  // Where numbers can stand that are none of a reader's. script: JavaScript, and events, whose data may be anything; a
  // string ends with its line at the latest, so that an apostrophe in a comment shifts no more than that.
  enum class Syntax : std::uint8_t { text, json, script };
  struct What {
    bool cards = false, keys = false;
    Syntax syntax = Syntax::text;
  };
  explicit AnswerMask(const What& what) noexcept : what_(what) {}

  // Appends to `out` what is decided of the text so far; with End::yes that is all of it.
  void mask(std::string_view text, http::End end, std::string& out);

  std::uint64_t cards() const noexcept { return cards_; }
  std::uint64_t keys() const noexcept { return keys_; }

 private:
  enum class In : std::uint8_t { text, token, pem };
  enum class Look : std::uint8_t { nothing, found, undecided };

  std::size_t scan(char* text, std::size_t size, bool whole);
  std::size_t skip(std::string_view text) noexcept;
  Look look_for_card(char* text, std::size_t size, bool whole, std::size_t& taken);
  Look look_for_token(std::string_view text, bool whole, std::size_t& taken);
  Look look_for_jwt(std::string_view text, bool whole, std::size_t& taken);
  Look look_for_pem(std::string_view text, bool whole, std::size_t& taken);
  void begin_token(std::size_t prefix, const std::bitset<256>& alphabet, std::size_t& taken);
  bool in_pem(char& c) noexcept;
  bool is_number(std::string_view card) const noexcept;
  void pass(char c) noexcept;

  const What what_;
  In in_ = In::text;
  const std::bitset<256>* alphabet_ = nullptr;  // of the token that is being masked
  std::size_t pem_left_ = 0;                    // bytes that the key may still have
  char before_ = '\n', before_that_ = '\n';     // the last two bytes of what is behind us, as they came
  char quote_ = '\0';                           // of the string around us, in JSON and scripts
  bool escaped_ = false;
  std::uint8_t hex_left_ = 0;  // digits of `\u0041`
  bool in_tag_ = false;        // of HTML, between the lines of a key
  std::string held_;
  std::uint64_t cards_ = 0, keys_ = 0;
};

}  // namespace gatehouse::gateway
