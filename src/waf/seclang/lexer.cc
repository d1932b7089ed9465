#include "waf/seclang/lexer.h"

#include <algorithm>

namespace gatehouse::waf {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

}  // namespace

Span Span::trimmed() const noexcept {
  std::size_t begin = 0, end = text.size();
  while (begin < end && is_blank(text[begin])) ++begin;
  while (end > begin && is_blank(text[end - 1])) --end;
  return sub(begin, end - begin);
}

Lexer::Lexer(std::string_view text) : text_(text) {
  if (text_.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
}

// One line with its continuations. False at the end of the text.
bool Lexer::read_line() {
  line_.clear();
  line_offsets_.clear();
  if (position_ >= text_.size()) return false;
  const std::size_t first = std::min(text_.find_first_not_of(" \t", position_), text_.size());
  const bool is_comment = first < text_.size() && text_[first] == '#';
  for (;;) {
    std::size_t end = text_.find('\n', position_);
    const std::size_t following = end == std::string_view::npos ? text_.size() : end + 1;
    if (end == std::string_view::npos) end = text_.size();
    if (end > position_ && text_[end - 1] == '\r') --end;
    const bool continued = !is_comment && end > position_ && text_[end - 1] == '\\';
    if (continued) --end;
    for (; position_ < end; ++position_) {
      line_ += text_[position_];
      line_offsets_.push_back(static_cast<std::uint32_t>(position_));
    }
    position_ = following;
    if (!continued || position_ >= text_.size()) break;
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\t')) ++position_;
  }
  line_offsets_.push_back(static_cast<std::uint32_t>(position_));
  return true;
}

void Lexer::append(std::size_t at) {
  words_ += line_[at];
  word_offsets_.push_back(line_offsets_[at]);
}

void Lexer::finish_word(std::size_t at) {
  ends_.push_back(words_.size());
  words_ += '\0';
  word_offsets_.push_back(line_offsets_[at]);
  word_begin_ = words_.size();
}

// The index behind the closing quote; zero when there is none.
std::size_t Lexer::quoted(std::size_t begin, Failure& failure) {
  const char quote = line_[begin];
  std::size_t at = begin + 1;
  for (; at < line_.size() && line_[at] != quote; ++at) {
    if (line_[at] == '\\' && at + 1 < line_.size()) {
      if (line_[at + 1] != quote) append(at);
      ++at;
    }
    append(at);
  }
  if (at >= line_.size()) {
    failure = {line_offsets_[begin], "this quote is never closed",
               "a line goes on only when its very last character is a backslash"};
    return 0;
  }
  finish_word(at);
  if (at + 1 < line_.size() && !is_blank(line_[at + 1])) {
    failure = {
        line_offsets_[at + 1], "there is text behind the closing quote",
        quote == '"' ? "a quote inside the argument is written \\\"" : "a quote inside the argument is written \\'"};
    return 0;
  }
  return at + 1;
}

bool Lexer::cut(Failure& failure) {
  words_.clear();
  word_offsets_.clear();
  ends_.clear();
  word_begin_ = 0;
  const auto next_word = [this](std::size_t at) {
    while (at < line_.size() && is_blank(line_[at])) ++at;
    return at;
  };
  std::size_t at = next_word(0);
  if (at < line_.size() && line_[at] == '#') return true;
  if (const std::size_t zero = line_.find('\0'); zero != std::string::npos) {
    failure = {line_offsets_[zero], "a zero byte", "rule files are text"};
    return false;
  }
  for (; at < line_.size(); at = next_word(at)) {
    if (line_[at] == '"' || line_[at] == '\'') {
      at = quoted(at, failure);
      if (at == 0) return false;
      continue;
    }
    for (; at < line_.size() && !is_blank(line_[at]); ++at) append(at);
    finish_word(at);
  }
  return true;
}

Lexer::Read Lexer::next(Directive& directive, Failure& failure) {
  while (read_line()) {
    if (!cut(failure)) return Read::failed;
    if (ends_.empty()) continue;
    directive.arguments.clear();
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      const Span word{std::string_view(words_).substr(begin, end - begin), word_offsets_.data() + begin};
      if (begin == 0) {
        directive.name = word;
      } else {
        directive.arguments.push_back(word);
      }
      begin = end + 1;
    }
    return Read::directive;
  }
  return Read::end;
}

}  // namespace gatehouse::waf
