#pragma once
// SecLang's text cut into directives and their arguments: comments, continued lines, quotes.
//
// A line whose last character is a backslash goes on in the next one, whose leading white space is dropped. A comment
// ends with its line, as in libmodsecurity: in Apache it would go on too, and take the next rule with it. An argument
// ends at white space, or stands in quotes, double or single, in which `\"` is a quote; every other backslash stays,
// because regular expressions need them.
//
// Values; no shared state. Invariant: every byte of an argument knows where in the file it stood.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::waf {

// A piece of the text with the offset in the file of each byte, and of what follows the last one.
struct Span {
  std::string_view text;
  const std::uint32_t* offsets = nullptr;  // text.size() + 1

  std::uint32_t offset() const noexcept { return *offsets; }
  Span sub(std::size_t begin, std::size_t count = std::string_view::npos) const noexcept {
    return {text.substr(begin, count), offsets + begin};
  }
  Span trimmed() const noexcept;  // without white space at both ends
};

struct Directive {
  Span name;
  std::vector<Span> arguments;
};

class Lexer {
 public:
  enum class Read : std::uint8_t { directive, failed, end };
  struct Failure {
    std::uint32_t offset = 0;
    std::string_view message, hint;
  };

  // `text` must outlive the lexer.
  explicit Lexer(std::string_view text);

  // The next directive; its spans live until the next call. After `failed`, reading goes on behind the broken line.
  Read next(Directive& directive, Failure& failure);

 private:
  bool read_line();
  bool cut(Failure& failure);
  std::size_t quoted(std::size_t begin, Failure& failure);
  void append(std::size_t at);
  void finish_word(std::size_t at);

  std::string_view text_;
  std::size_t position_ = 0;
  std::string line_;
  std::vector<std::uint32_t> line_offsets_;
  std::string words_;  // each with a zero behind it, so that its offsets have an end
  std::vector<std::uint32_t> word_offsets_;
  std::vector<std::size_t> ends_;
  std::size_t word_begin_ = 0;
};

}  // namespace gatehouse::waf
