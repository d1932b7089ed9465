#pragma once
// HTML, so that nothing which somebody typed becomes markup.
//
// What is written is a list of parts. A part made of a string literal is markup; a part made at run time is text and is
// escaped. Only a literal can be markup: the constructor is consteval, so a `char*` or a std::string does not get
// through it, and forgetting to escape does not compile. `Html` is what a list of parts has become.
// Why no template language: there are two dozen pages, one person in a hundred will ever change one, and CSS and a logo
// theme them; a language of our own would be a second parser and a second escaping to get right.
// Text and attribute values are escaped alike, so attributes are always quoted. Whatever becomes a URL goes through
// `web_url` or begins with a literal.

#include <initializer_list>
#include <string>
#include <string_view>

namespace gatehouse::identity {

class Html {
 public:
  class Part {
   public:
    template <std::size_t N>
    consteval Part(const char (&literal)[N]) : text_(literal, N - 1), markup_(true) {}  // NOLINT: a literal is a part
    Part(std::string_view text) : text_(text) {}                                        // NOLINT
    Part(const std::string& text) : text_(text) {}                                      // NOLINT
    Part(const Html& html) : text_(html.text_), markup_(true) {}                        // NOLINT

   private:
    friend class Html;
    std::string_view text_;
    bool markup_ = false;
  };

  Html() = default;
  Html(std::initializer_list<Part> parts) { add(parts); }
  Html& add(std::initializer_list<Part> parts);
  bool empty() const noexcept { return text_.empty(); }
  const std::string& text() const noexcept { return text_; }
  // Markup from another source that is known to be such: a QR code that we drew.
  static Html trusted(std::string markup);

 private:
  std::string text_;
};

// `&`, `<`, `>`, `"` and `'` as references; what is not UTF-8, and control characters, as U+FFFD.
void escape_html(std::string& out, std::string_view text);

// The URL if it is absolute, https, and without user info, white space and control characters; else empty. For links to
// places that clients named.
std::string_view web_url(std::string_view url) noexcept;
// Its host; empty when it has none.
std::string_view host_of(std::string_view url) noexcept;

}  // namespace gatehouse::identity
