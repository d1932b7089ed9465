#pragma once
// SQL as text: what is done to it before a back end sees it. No parser: it knows comments, strings, words and `;`.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace gatehouse::store {

// The statements of a script, without their `;`, comments and what is empty.
std::vector<std::string> split_statements(std::string_view script);

struct WordReplacement {
  std::string_view word;  // upper case
  std::string_view by;
};
// `sql` with every such word, in any case, replaced where it stands outside of strings, quoted names and comments.
std::string replace_words(std::string_view sql, std::span<const WordReplacement> replacements);

// Whether the first words of `sql` are these, upper case and one space apart.
bool begins_with_words(std::string_view sql, std::string_view words);

// The `n` of the highest parameter `$n`; 0 when there is none.
std::size_t highest_parameter(std::string_view sql);

// What neither back end takes: text with NUL or that is no UTF-8 (PostgreSQL has no place for it, SQLite would cut or
// keep it), and values above `kValueBytesMax`. The message names the parameter's number, never its value.
inline constexpr std::size_t kValueBytesMax = std::size_t{16} << 20;
Status check_parameters(const Parameters& parameters);

// What is read of one statement: `Executor::kRowsMax` rows and this many bytes.
inline constexpr std::size_t kResultBytesMax = std::size_t{64} << 20;

}  // namespace gatehouse::store
