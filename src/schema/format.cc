#include "schema/format.h"

#include <algorithm>
#include <array>

#include "base/ip.h"

namespace gatehouse::schema {
namespace {

struct Name {
  std::string_view name;
  Format format;
};
constexpr std::array<Name, 14> kNames{{{"date", Format::date},
                                       {"date-time", Format::date_time},
                                       {"time", Format::time},
                                       {"uuid", Format::uuid},
                                       {"email", Format::email},
                                       {"hostname", Format::hostname},
                                       {"ipv4", Format::ipv4},
                                       {"ipv6", Format::ipv6},
                                       {"byte", Format::byte},
                                       {"binary", Format::binary},
                                       {"int32", Format::int32},
                                       {"int64", Format::int64},
                                       {"float", Format::single_precision},
                                       {"double", Format::double_precision}}};

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// `count` digits at `at` as a number, -1 when there are none.
int digits(std::string_view text, std::size_t at, std::size_t count) noexcept {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool is_date(std::string_view text) noexcept {
  constexpr std::array<int, 13> kDays{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[static_cast<std::size_t>(month)] + (month == 2 && leap ? 1 : 0);
}

// full-time of RFC 3339 §5.6.
bool is_time(std::string_view text) noexcept {
  const int hour = digits(text, 0, 2), minute = digits(text, 3, 2), second = digits(text, 6, 2);
  if (text.size() < 9 || text[2] != ':' || text[5] != ':') return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
  std::size_t at = 8;
  if (text[at] == '.') {
    const std::size_t begin = ++at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == begin) return false;
  }
  int offset_minutes = 0;
  if (text.substr(at) != "Z" && text.substr(at) != "z") {
    if (text.size() - at != 6 || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':') return false;
    const int hours = digits(text, at + 1, 2), minutes = digits(text, at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
    offset_minutes = (hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
  }
  // §5.7: a leap second is inserted at the end of a day in UTC.
  constexpr int kDay = 24 * 60;
  return second != 60 || (hour * 60 + minute - offset_minutes + kDay) % kDay == kDay - 1;
}

bool is_date_time(std::string_view text) noexcept {
  return text.size() > 11 && (text[10] == 'T' || text[10] == 't') && is_date(text.substr(0, 10)) &&
         is_time(text.substr(11));
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_hostname(std::string_view text) noexcept {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    const bool plain =
        std::all_of(label.begin(), label.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
    if (label.empty() || label.size() > 63 || !plain || label.front() == '-' || label.back() == '-') return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

bool is_email(std::string_view text) noexcept {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const std::string_view local = text.substr(0, at);
  constexpr std::string_view kSpecial = "!#$%&'*+-/=?^_`{|}~.";
  const bool plain = std::all_of(local.begin(), local.end(), [&](char c) {
    return is_letter(c) || is_digit(c) || kSpecial.find(c) != std::string_view::npos;
  });
  const bool dots = local.front() != '.' && local.back() != '.' && local.find("..") == std::string_view::npos;
  return plain && dots && is_hostname(text.substr(at + 1));
}

// Four numbers without leading zeros, which some readers take for octal.
bool is_ipv4(std::string_view text) noexcept {
  for (int i = 0; i < 4; ++i) {
    std::size_t size = 0;
    while (size < text.size() && is_digit(text[size])) ++size;
    if (size == 0 || size > 3 || (size > 1 && text[0] == '0') || digits(text, 0, size) > 255) return false;
    text.remove_prefix(size);
    if (i < 3) {
      if (!text.starts_with('.')) return false;
      text.remove_prefix(1);
    }
  }
  return text.empty();
}

bool is_ipv6(std::string_view text) noexcept {
  const bool alphabet = std::all_of(text.begin(), text.end(), [](char c) { return is_hex(c) || c == ':' || c == '.'; });
  return alphabet && text.find(':') != std::string_view::npos && IpAddress::parse(text).has_value();
}

bool is_base64(std::string_view text) noexcept {
  if (text.size() % 4 != 0) return false;
  std::size_t size = text.size();
  for (int i = 0; i < 2 && size > 0 && text[size - 1] == '='; ++i) --size;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '/'; });
}

}  // namespace

std::optional<Format> format_named(std::string_view name) noexcept {
  for (const Name& known : kNames) {
    if (known.name == name) return known.format;
  }
  return std::nullopt;
}

std::string_view name_of(Format format) noexcept {
  for (const Name& known : kNames) {
    if (known.format == format) return known.name;
  }
  return "";
}

bool has_format(Format format, std::string_view text) noexcept {
  switch (format) {
    case Format::date: return is_date(text);
    case Format::date_time: return is_date_time(text);
    case Format::time: return is_time(text);
    case Format::uuid: return is_uuid(text);
    case Format::email: return is_email(text);
    case Format::hostname: return is_hostname(text);
    case Format::ipv4: return is_ipv4(text);
    case Format::ipv6: return is_ipv6(text);
    case Format::byte: return is_base64(text);
    case Format::none:
    case Format::binary:
    case Format::int32:
    case Format::int64:
    case Format::single_precision:
    case Format::double_precision: return true;
  }
  return true;
}

}  // namespace gatehouse::schema
