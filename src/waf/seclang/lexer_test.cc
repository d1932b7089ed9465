#include "waf/seclang/lexer.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::waf {
namespace {

// `[name][argument]` a directive, `!offset message` a failure.
std::string cut(std::string_view text) {
  Lexer lexer(text);
  Directive directive;
  Lexer::Failure failure;
  std::string result;
  for (;;) {
    const Lexer::Read read = lexer.next(directive, failure);
    if (read == Lexer::Read::end) return result;
    if (!result.empty()) result += ' ';
    if (read == Lexer::Read::failed) {
      result += "!" + std::to_string(failure.offset) + " " + std::string(failure.message);
      continue;
    }
    result += "[" + std::string(directive.name.text) + "]";
    for (const Span& argument : directive.arguments) result += "[" + std::string(argument.text) + "]";
  }
}

TEST(Lexer, Cuts) {
  struct Case {
    std::string_view name, text, result;
  };
  const Case cases[] = {
      {"nothing", "", ""},
      {"blank lines and comments", "\n  \n# a \"b\n\t# c\n", ""},
      {"words", "A b  c\t d \nE", "[A][b][c][d] [E]"},
      {"double quotes", "A \"b c\"", "[A][b c]"},
      {"single quotes", "A 'b \"c'", "[A][b \"c]"},
      {"quotes within a word are its own", "A TX:'/a/'", "[A][TX:'/a/']"},
      {"an empty argument", "A \"\"", "[A][]"},
      {"an escaped quote", R"(A "b\"c")", "[A][b\"c]"},
      {"the other quote's escape stays", R"(A "b\'c")", "[A][b\\'c]"},
      {"other backslashes stay", R"(A "\w\\.\x5c")", R"([A][\w\\.\x5c])"},
      {"an escaped backslash before the closing quote", R"(A "b\\" c)", R"([A][b\\][c])"},
      {"a continued line", "A \"b,\\\n    c\" \\\n d", "[A][b,c][d]"},
      {"a continued line, CRLF", "A \\\r\n b\r\nC\r\n", "[A][b] [C]"},
      {"a backslash before white space does not continue", "A \\ \nB", "[A][\\] [B]"},
      {"a comment is not continued", "# a \\\nB c", "[B][c]"},
      {"a hash inside is text", "A b#c #d", "[A][b#c][#d]"},
      {"the file ends in a continuation", "A b\\", "[A][b]"},
      {"byte order mark", "\xef\xbb\xbfSecRule a", "[SecRule][a]"},
      {"a quote never closed", "A \"b\nC d", "!2 this quote is never closed [C][d]"},
      {"text behind a quote", "A \"b\"c\nD", "!5 there is text behind the closing quote [D]"},
      {"a zero byte", std::string_view("A b\0c\nD", 7), "!3 a zero byte [D]"},
      {"a zero byte in a comment", std::string_view("#\0\nD", 4), "[D]"},
  };
  for (const Case& c : cases) EXPECT_EQ(cut(c.text), c.result) << c.name;
}

TEST(Lexer, OffsetsPointIntoTheFile) {
  const std::string text = "Name  \"a\\\"b\\\n   c\" d";
  Lexer lexer(text);
  Directive directive;
  Lexer::Failure failure;
  ASSERT_EQ(lexer.next(directive, failure), Lexer::Read::directive);
  ASSERT_EQ(directive.arguments.size(), 2u);
  for (const Span& argument : directive.arguments) {
    for (std::size_t i = 0; i < argument.text.size(); ++i) EXPECT_EQ(text[argument.offsets[i]], argument.text[i]);
  }
  EXPECT_EQ(text[directive.arguments[0].offsets[directive.arguments[0].text.size()]], '"');
}

}  // namespace
}  // namespace gatehouse::waf
