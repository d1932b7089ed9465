#pragma once
// Writes JSON text (RFC 8259) for the places where building a value tree first would cost more than the text itself:
// the access log, the program's log, the admin API's answers. What is written is well-formed only if the caller's
// sequence of calls is: this class escapes, it does not check structure.
//
// Strings may hold any bytes. Bytes that are not UTF-8 are replaced by U+FFFD, one for each maximal subpart (Unicode
// §3.9), because a peer chooses them and a log line that is not JSON is a line that nobody reads.
//
// Thread safety: one owner. `out` grows only when the inner buffer is full, in `flush` and in the destructor.

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace gatehouse::codec {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;
  ~JsonWriter() { flush(); }

  // Text that needs no escaping: punctuation and names that are literals in our code.
  void raw(std::string_view text) {
    if (text.size() > kBufferBytes - used_) [[unlikely]] {
      append_large(text);
      return;
    }
    if (text.empty()) return;  // it may point nowhere, which memcpy forbids even for nothing
    std::memcpy(buffer_ + used_, text.data(), text.size());
    used_ += text.size();
  }

  template <std::integral T>
  void number(T value) {
    make_room(24);
    used_ = static_cast<std::size_t>(std::to_chars(buffer_ + used_, buffer_ + kBufferBytes, value).ptr - buffer_);
  }
  void number(double value);  // what JSON cannot say (NaN, infinity) becomes null
  void boolean(bool value) { raw(value ? "true" : "false"); }

  void string(std::string_view text) {
    raw("\"");
    escaped(text);
    raw("\"");
  }
  // The inside of a string, so that one can be made of several parts.
  void escaped(std::string_view text);

  void flush() {
    out_.append(buffer_, used_);
    used_ = 0;
  }

 private:
  static constexpr std::size_t kBufferBytes = 2048;

  void make_room(std::size_t bytes) {
    if (bytes > kBufferBytes - used_) flush();
  }
  void append_large(std::string_view text);
  bool copy_tail(const char* at, std::size_t size) noexcept;
  const char* escape_special(const char* at, const char* end);

  std::string& out_;
  std::size_t used_ = 0;
  char buffer_[kBufferBytes];
};

// The length of the valid UTF-8 sequence at `at`, or 0 when there is none; `*bad_bytes` is then how many bytes its
// maximal subpart has (at least 1). RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t utf8_sequence(const char* at, const char* end, std::size_t* bad_bytes) noexcept;

// The longest prefix of at most `bytes_max` bytes that does not cut a UTF-8 sequence.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept;

}  // namespace gatehouse::codec
