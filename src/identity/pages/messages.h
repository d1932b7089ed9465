#pragma once
// What the pages say, in the languages that there are: messages/en.txt and messages/de.txt, compiled in.
//
// A message is named in code by `Message::key`, so one that is not there does not compile; the languages have the same
// keys in the same order, which compiles or doesn't, too. `{name}` in a text is a place for a value.
// Thread safety: pure functions over constants.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "identity/pages/html.h"

namespace gatehouse::identity {

enum class Message : std::uint16_t {
#define MESSAGE(key, text) key,
#include "identity/pages/messages/en.txt"
#undef MESSAGE
};

enum class Language : std::uint8_t { english, german };
inline constexpr Language kLanguages[] = {Language::english, Language::german};
std::string_view tag_of(Language language) noexcept;  // BCP 47: "en"

// The first of `ui_locales` ("de-AT en") that there is, else the best of the Accept-Language field (RFC 9110 §12.5.4),
// else English.
Language choose_language(std::string_view ui_locales, std::string_view accept_language) noexcept;

std::string_view text_of(Message message, Language language) noexcept;
std::string_view key_of(Message message) noexcept;
std::size_t message_count() noexcept;

using MessageValues = std::initializer_list<std::pair<std::string_view, std::string_view>>;
// With the values in their places. Plain text: not escaped.
std::string filled(std::string_view text, MessageValues values);

// A message in one language, as parts of pages.
class Words {
 public:
  explicit Words(Language language) noexcept : language_(language) {}
  Language language() const noexcept { return language_; }
  std::string_view operator()(Message message) const noexcept { return text_of(message, language_); }
  std::string operator()(Message message, MessageValues values) const { return filled((*this)(message), values); }
  // The same as HTML, the values set in bold: names that others chose stand out from our own words.
  Html emphasised(Message message, MessageValues values) const;
  // "29 November 2026, 07:27 UTC"
  std::string time(std::int64_t at_s) const;
  // "12 seconds", "2 minutes": rounded up.
  std::string duration(std::int64_t seconds) const;

 private:
  Language language_;
};

}  // namespace gatehouse::identity
