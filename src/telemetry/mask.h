#pragma once
// Keeps secrets out of evidence, logs and answers. What is configured under `telemetry.mask` is a list of names; a
// header, query parameter or form field whose name contains one of them (without regard to case, '-' and '_') has its
// value replaced. "password" therefore also covers `new_password` and `X-Password`, "cookie" also `set-cookie`: a mask
// that is too wide costs a glance, one that is too narrow costs a secret. The name `card_number` also turns on the
// search for payment card numbers in any other value.
//
// Thread safety: immutable once built; shared by all shards.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::telemetry {

inline constexpr std::string_view kMasked = "***";

class Masker {
 public:
  Masker() = default;
  explicit Masker(const std::vector<std::string>& names);

  bool masks(std::string_view name) const noexcept;

  // The value of `name` as it may be shown: masked whole, or with card numbers masked in it.
  void append_value(std::string_view name, std::string_view value, std::string& out) const;
  // "a=1&password=x" as "a=1&password=***". Names are compared after percent-decoding; the rest stays as it came.
  void append_query(std::string_view query, std::string& out) const;
  // Free text: only card numbers are found in it.
  void append_text(std::string_view text, std::string& out) const;

 private:
  std::vector<std::string> names_;  // lower case, without '-' and '_'
  bool cards_ = false;
};

// Appends `text` with every payment card number in it reduced to its last four digits: runs of 13 to 19 digits, alone
// or in groups parted by single spaces or dashes, that begin with 2 to 6 and pass the Luhn check (ISO/IEC 7812-1).
// Linear in the text.
void append_cards_masked(std::string_view text, std::string& out);

inline constexpr std::size_t kCardDigitsMax = 19;
inline constexpr std::size_t kCardBytesMax = 2 * kCardDigitsMax - 1;  // with a separator behind each digit but the last

// The bytes of the longest such number that begins where `text` does; 0: none. What is behind kCardBytesMax and one
// byte more makes no difference. Groups of fewer than `group_min` digits can only be the last.
std::size_t card_length(std::string_view text, std::size_t group_min = 1) noexcept;

// `digits`: only '0' to '9'.
bool passes_luhn(std::string_view digits) noexcept;

}  // namespace gatehouse::telemetry
