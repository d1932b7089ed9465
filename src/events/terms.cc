#include "events/terms.h"

#include <array>
#include <string>

namespace gatehouse::events {
namespace {

// What a byte is in a word: itself, its lower case, or 0: it ends one.
constexpr std::array<char, 256> kInWord = [] {
  std::array<char, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = static_cast<char>(c);
  for (int c = 'a'; c <= 'z'; ++c) {
    table[static_cast<std::size_t>(c)] = static_cast<char>(c);
    table[static_cast<std::size_t>(c - 32)] = static_cast<char>(c);
  }
  for (int c = 0x80; c <= 0xff; ++c) table[static_cast<std::size_t>(c)] = static_cast<char>(c);
  return table;
}();

}  // namespace

// A name has no NUL in it, and words have none in front: no word is a field.
Term Terms::field(std::string_view name, std::string_view value) const {
  std::string text;
  text.reserve(name.size() + value.size() + 2);
  text += '\0';
  text += name;
  text += '\0';
  text += value;
  return crypto::keyed_hash(text, key_);
}

void Terms::add_words(std::string_view text, std::vector<Term>& terms) const {
  std::array<char, kWordBytesMax> word;
  std::size_t size = 0, seen = 0;
  const auto end_word = [&] {
    if (seen >= 2) terms.push_back(crypto::keyed_hash({word.data(), size}, key_));
    size = seen = 0;
  };
  for (const char c : text) {
    const char in_word = kInWord[static_cast<unsigned char>(c)];
    if (in_word == 0) {
      end_word();
      continue;
    }
    if (size < word.size()) word[size++] = in_word;
    ++seen;
  }
  end_word();
}

}  // namespace gatehouse::events
