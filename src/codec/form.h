#pragma once
// application/x-www-form-urlencoded, strictly (WHATWG URL §5.1 in what it writes, not in what it forgives): the query
// and the body of OAuth requests and of our own pages' forms.
//
// Refused as a whole: a `%` without two hexadecimal digits, text that is not UTF-8, NUL and other control bytes apart
// from tab, CR and LF, more than the bound of parameters. A repeated name is kept apart: OAuth 2.1 §3.1 forbids it for
// most, and allows it for `resource` and `audience`.

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::codec {

class Form {
 public:
  static constexpr std::size_t kParametersMax = 100;

  // nullopt: malformed. An empty text is an empty form.
  static std::optional<Form> parse(std::string_view encoded);

  // The value of a parameter that came exactly once.
  std::optional<std::string_view> get(std::string_view name) const noexcept;
  std::string_view get_or(std::string_view name, std::string_view otherwise) const noexcept {
    return get(name).value_or(otherwise);
  }
  std::vector<std::string_view> all(std::string_view name) const;
  std::size_t count(std::string_view name) const noexcept;
  // The first name, apart from `may_repeat`, that came more than once.
  std::optional<std::string_view> repeated(std::initializer_list<std::string_view> may_repeat = {}) const noexcept;
  // RFC 6749 §3.1: "Parameters sent without a value MUST be treated as if they were omitted from the request."
  void omit_empty() {
    std::erase_if(entries_, [](const auto& entry) { return entry.second.empty(); });
  }
  const std::vector<std::pair<std::string, std::string>>& entries() const noexcept { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

// Builds `a=b&c=d`.
class FormWriter {
 public:
  FormWriter& add(std::string_view name, std::string_view value);
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

// RFC 3986 §2.3: all but unreserved characters are escaped.
std::string percent_encode(std::string_view text);

}  // namespace gatehouse::codec
