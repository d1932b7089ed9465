#include "store/sql_text.h"

#include <algorithm>
#include <charconv>

#include "codec/json_writer.h"

namespace gatehouse::store {
namespace {

enum class Token : std::uint8_t { space, comment, word, quoted, end, other };

struct Piece {
  Token token;
  std::string_view text;
};

constexpr bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
constexpr char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same_word(std::string_view text, std::string_view upper_case) noexcept {
  return std::equal(text.begin(), text.end(), upper_case.begin(), upper_case.end(),
                    [](char a, char b) { return upper(a) == b; });
}

// The length of the piece that begins with `text`, which is not empty.
Piece next_piece(std::string_view text) {
  const auto until = [&](std::size_t end, Token token) { return Piece{token, text.substr(0, end)}; };
  const auto run_of = [&](auto predicate, Token token) {
    const auto* at = std::find_if_not(text.begin(), text.end(), predicate);
    return until(static_cast<std::size_t>(at - text.begin()), token);
  };
  const char first = text.front();
  if (is_space(first)) return run_of(is_space, Token::space);
  if (is_word(first)) return run_of(is_word, Token::word);
  if (first == ';') return until(1, Token::end);
  if (first == '\'' || first == '"') {
    // A doubled quote ends one string and begins the next: the same to whoever only looks for the end.
    const std::size_t end = text.find(first, 1);
    return until(end == std::string_view::npos ? text.size() : end + 1, Token::quoted);
  }
  if (text.starts_with("--")) return until(std::min(text.find('\n'), text.size()), Token::comment);
  if (text.starts_with("/*")) {
    const std::size_t end = text.find("*/", 2);
    return until(end == std::string_view::npos ? text.size() : end + 2, Token::comment);
  }
  return until(1, Token::other);
}

template <class Take>
void for_each_piece(std::string_view sql, const Take& take) {
  while (!sql.empty()) {
    const Piece piece = next_piece(sql);
    take(piece);
    sql.remove_prefix(piece.text.size());
  }
}

bool is_text(std::string_view text) noexcept {
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    std::size_t bad_bytes;
    const std::size_t length = codec::utf8_sequence(at, end, &bad_bytes);
    if (length == 0 || *at == '\0') return false;
    at += length;
  }
  return true;
}

}  // namespace

std::vector<std::string> split_statements(std::string_view script) {
  std::vector<std::string> statements;
  std::string statement;
  const auto finish = [&] {
    while (!statement.empty() && is_space(statement.back())) statement.pop_back();
    if (!statement.empty()) statements.push_back(std::move(statement));
    statement.clear();
  };
  for_each_piece(script, [&](const Piece& piece) {
    if (piece.token == Token::end) return finish();
    if (piece.token == Token::comment || (piece.token == Token::space && statement.empty())) return;
    statement += piece.text;
  });
  finish();
  return statements;
}

std::string replace_words(std::string_view sql, std::span<const WordReplacement> replacements) {
  std::string replaced;
  for_each_piece(sql, [&](const Piece& piece) {
    const auto found = std::find_if(replacements.begin(), replacements.end(), [&](const WordReplacement& replacement) {
      return piece.token == Token::word && same_word(piece.text, replacement.word);
    });
    replaced += found == replacements.end() ? piece.text : found->by;
  });
  return replaced;
}

bool begins_with_words(std::string_view sql, std::string_view words) {
  while (!words.empty()) {
    Piece piece{Token::space, {}};
    while (!sql.empty() && (piece.token == Token::space || piece.token == Token::comment)) {
      piece = next_piece(sql);
      sql.remove_prefix(piece.text.size());
    }
    const std::string_view word = words.substr(0, words.find(' '));
    if (piece.token != Token::word || !same_word(piece.text, word)) return false;
    words.remove_prefix(std::min(word.size() + 1, words.size()));
  }
  return true;
}

std::size_t highest_parameter(std::string_view sql) {
  std::size_t highest = 0;
  for_each_piece(sql, [&](const Piece& piece) {
    std::size_t number = 0;
    if (piece.token == Token::word && piece.text.front() == '$') {
      std::from_chars(piece.text.data() + 1, piece.text.data() + piece.text.size(), number);
    }
    highest = std::max(highest, number);
  });
  return highest;
}

Status check_parameters(const Parameters& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto* text = std::get_if<std::string>(&parameters[i].variant());
    const auto* bytes = std::get_if<Bytes>(&parameters[i].variant());
    if ((text ? text->size() : bytes ? bytes->data.size() : 0) > kValueBytesMax) {
      return fail(ErrorCode::exhausted, fmt::format("${} is longer than {} bytes", i + 1, kValueBytesMax));
    }
    if (text && !is_text(*text)) {
      return fail(ErrorCode::invalid, fmt::format("${} is no text: it has a NUL, or is no UTF-8", i + 1));
    }
  }
  return {};
}

}  // namespace gatehouse::store
