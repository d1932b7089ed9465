#pragma once
// libinjection's verdicts: does a value read as a piece of SQL, or of HTML that runs a script?
//
// Linear in the value, but dear: up to 0.2 us a byte for the first. Values hold any bytes.
// Thread safety: pure functions; a memo belongs to one thread.

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::waf {

// The kinds of the tokens that it knows as an attack, for the log line.
struct SqliFingerprint {
  std::array<char, 8> text{};  // ends with NUL
  std::string_view view() const noexcept { return text.data(); }
};
std::optional<SqliFingerprint> detect_sqli(std::string_view value) noexcept;
bool detect_xss(std::string_view value) noexcept;

// Of one request: rules are asked for evidence of the values in which a scan has found an attack. The last few attacks
// are kept apart from the last few others, for with multiMatch a rule sees a value before and after each
// transformation.
class SqliMemo {
 public:
  std::optional<SqliFingerprint> detect(std::string_view value);
  void forget() noexcept { attacks_.used = others_.used = 0; }  // at the begin of a request; keeps its memory

 private:
  static constexpr std::size_t kBytesMin = 32, kBytesMax = 16 * 1024;  // shorter ones cost little, longer ones space
  struct Known {
    std::string value;
    std::optional<SqliFingerprint> verdict;
  };
  struct Ring {
    std::array<Known, 16> known;
    std::size_t used = 0;
  } attacks_, others_;
};

}  // namespace gatehouse::waf
