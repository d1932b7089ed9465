#include "identity/pages/messages.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>

namespace gatehouse::identity {
namespace {

struct Entry {
  std::string_view key, text;
};

constexpr Entry kEnglish[] = {
#define MESSAGE(key, text) {#key, text},
#include "identity/pages/messages/en.txt"
#undef MESSAGE
};
constexpr Entry kGerman[] = {
#define MESSAGE(key, text) {#key, text},
#include "identity/pages/messages/de.txt"
#undef MESSAGE
};

constexpr bool same_keys() {
  if (std::size(kEnglish) != std::size(kGerman)) return false;
  for (std::size_t i = 0; i < std::size(kEnglish); ++i) {
    if (kEnglish[i].key != kGerman[i].key) return false;
  }
  return true;
}
static_assert(same_keys(), "messages/de.txt must have the keys of messages/en.txt, in the same order");

std::optional<Language> language_of(std::string_view tag) noexcept {
  const std::string_view primary = tag.substr(0, tag.find('-'));
  for (const Language language : kLanguages) {
    if (std::ranges::equal(primary, tag_of(language), [](char a, char b) { return (a | 0x20) == b; })) return language;
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Thousandths; nullopt for what RFC 9110 §12.4.2 does not allow. ";q=0.8"
std::optional<int> weight_of(std::string_view parameters) noexcept {
  parameters = trimmed(parameters);
  if (parameters.empty()) return 1000;
  if (parameters.size() < 3 || (parameters[0] != 'q' && parameters[0] != 'Q') || parameters[1] != '=')
    return std::nullopt;
  const std::string_view digits = parameters.substr(2);
  if (digits.size() > 5 || (digits[0] != '0' && digits[0] != '1') || (digits.size() > 1 && digits[1] != '.'))
    return std::nullopt;
  int weight = (digits[0] - '0') * 1000, unit = 100;
  for (std::size_t i = 2; i < digits.size(); ++i, unit /= 10) {
    if (digits[i] < '0' || digits[i] > '9') return std::nullopt;
    weight += (digits[i] - '0') * unit;
  }
  return std::min(weight, 1000);
}

}  // namespace

std::string_view tag_of(Language language) noexcept { return language == Language::german ? "de" : "en"; }

Language choose_language(std::string_view ui_locales, std::string_view accept_language) noexcept {
  for (std::string_view rest = ui_locales; !rest.empty();) {
    const std::size_t space = rest.find(' ');
    if (const auto language = language_of(rest.substr(0, space))) return *language;
    rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
  }
  Language best = Language::english;
  int best_weight = 0;
  for (std::string_view rest = accept_language; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trimmed(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const std::size_t semicolon = item.find(';');
    const auto language = language_of(trimmed(item.substr(0, semicolon)));
    const auto weight =
        weight_of(semicolon == std::string_view::npos ? std::string_view{} : item.substr(semicolon + 1));
    if (!language || !weight || *weight <= best_weight) continue;
    best = *language;
    best_weight = *weight;
  }
  return best;
}

std::string_view text_of(Message message, Language language) noexcept {
  const auto index = static_cast<std::size_t>(message);
  return language == Language::german ? kGerman[index].text : kEnglish[index].text;
}

std::string_view key_of(Message message) noexcept { return kEnglish[static_cast<std::size_t>(message)].key; }
std::size_t message_count() noexcept { return std::size(kEnglish); }

namespace {

// Calls `text` and `value` with the pieces of a message, in order. What has no value stays as it is.
template <class OnText, class OnValue>
void walk(std::string_view message, MessageValues values, OnText on_text, OnValue on_value) {
  while (!message.empty()) {
    const std::size_t open = message.find('{');
    const std::size_t close = open == std::string_view::npos ? open : message.find('}', open);
    if (close == std::string_view::npos) return on_text(message);
    on_text(message.substr(0, open));
    const std::string_view name = message.substr(open + 1, close - open - 1);
    const auto* value = std::ranges::find(values, name, [](const auto& pair) { return pair.first; });
    if (value == values.end()) {
      on_text(message.substr(open, close + 1 - open));
    } else {
      on_value(value->second);
    }
    message.remove_prefix(close + 1);
  }
}

}  // namespace

std::string filled(std::string_view text, MessageValues values) {
  std::string out;
  const auto append = [&](std::string_view piece) { out += piece; };
  walk(text, values, append, append);
  return out;
}

Html Words::emphasised(Message message, MessageValues values) const {
  Html out;
  walk((*this)(message), values, [&](std::string_view text) { out.add({text}); },
       [&](std::string_view value) {
         out.add({"<strong>", value, "</strong>"});
       });
  return out;
}

std::string Words::time(std::int64_t at_s) const {
  const std::tm utc = fmt::gmtime(static_cast<std::time_t>(at_s));
  constexpr std::array<Message, 12> kMonths{Message::month_1, Message::month_2,  Message::month_3,  Message::month_4,
                                            Message::month_5, Message::month_6,  Message::month_7,  Message::month_8,
                                            Message::month_9, Message::month_10, Message::month_11, Message::month_12};
  return (*this)(Message::time_format, {{"day", fmt::format("{}", utc.tm_mday)},
                                        {"month", (*this)(kMonths[static_cast<std::size_t>(utc.tm_mon)])},
                                        {"year", fmt::format("{}", utc.tm_year + 1900)},
                                        {"clock", fmt::format("{:%H:%M}", utc)}});
}

std::string Words::duration(std::int64_t seconds) const {
  if (seconds <= 1) return std::string((*this)(Message::duration_second));
  if (seconds < 120) return (*this)(Message::duration_seconds, {{"count", fmt::format("{}", seconds)}});
  if (seconds < 7200) return (*this)(Message::duration_minutes, {{"count", fmt::format("{}", (seconds + 59) / 60)}});
  return (*this)(Message::duration_hours, {{"count", fmt::format("{}", (seconds + 3599) / 3600)}});
}

}  // namespace gatehouse::identity
