#include "telemetry/mask.h"

#include <algorithm>

namespace gatehouse::telemetry {
namespace {

constexpr std::size_t kNameBytesMax = 128;  // of a name that is compared; what follows is not looked at
constexpr std::size_t kCardDigitsMin = 13;

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Lower case, without '-' and '_'; `to` has room for kNameBytesMax.
std::string_view fold(std::string_view name, char* to) noexcept {
  std::size_t size = 0;
  for (char c : name) {
    if (c == '-' || c == '_') continue;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    to[size++] = c;
    if (size == kNameBytesMax) break;
  }
  return {to, size};
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// A run of digits with single separators, from its first digit to its last.
struct Run {
  std::size_t end = 0;  // past the last digit
  std::size_t digits = 0;
};

Run run_at(std::string_view text, std::size_t from) noexcept {
  Run run{from, 0};
  for (std::size_t i = from; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      ++run.digits;
      run.end = i + 1;
    } else if ((text[i] != ' ' && text[i] != '-') || i != run.end) {
      break;
    }
  }
  return run;
}

}  // namespace

Masker::Masker(const std::vector<std::string>& names) {
  char buffer[kNameBytesMax];
  for (const std::string& name : names) {
    const std::string_view folded = fold(name, buffer);
    if (folded.empty()) continue;
    if (folded == "cardnumber") cards_ = true;
    names_.emplace_back(folded);
  }
}

bool Masker::masks(std::string_view name) const noexcept {
  char buffer[kNameBytesMax];
  const std::string_view folded = fold(name, buffer);
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& secret) { return folded.find(secret) != std::string_view::npos; });
}

void Masker::append_value(std::string_view name, std::string_view value, std::string& out) const {
  if (masks(name)) {
    out += kMasked;
  } else {
    append_text(value, out);
  }
}

void Masker::append_query(std::string_view query, std::string& out) const {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      append_text(pair, out);
    } else {
      out += pair.substr(0, equals + 1);
      append_value(percent_decoded(pair.substr(0, equals)), pair.substr(equals + 1), out);
    }
    if (end == query.size()) return;
    out += '&';
    query.remove_prefix(end + 1);
  }
}

void Masker::append_text(std::string_view text, std::string& out) const {
  if (cards_) {
    append_cards_masked(text, out);
  } else {
    out += text;
  }
}

bool passes_luhn(std::string_view digits) noexcept {
  int sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const int digit = digits[i] - '0';
    const int value = twice ? digit * 2 : digit;
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

// A number begins and ends with whole groups of digits, and with one of the digits that payment cards begin with (2 to
// 6): a time in nanoseconds passes Luhn as often as not.
std::size_t card_length(std::string_view text, std::size_t group_min) noexcept {
  if (text.empty() || text.front() < '2' || text.front() > '6') return 0;
  char digits[kCardDigitsMax];
  std::size_t count = 0, group = 0, length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i])) {
      if (group < group_min || (text[i] != ' ' && text[i] != '-')) break;
      group = 0;
      if (i + 1 == text.size() || !is_digit(text[i + 1])) break;
      continue;
    }
    if (count == kCardDigitsMax) break;
    digits[count++] = text[i];
    ++group;
    const bool group_ends = i + 1 == text.size() || !is_digit(text[i + 1]);
    if (group_ends && count >= kCardDigitsMin && passes_luhn({digits, count})) length = i + 1;
  }
  return length;
}

void append_cards_masked(std::string_view text, std::string& out) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_digit(text[at])) {
      out += text[at++];
      continue;
    }
    const Run run = run_at(text, at);
    // A card may begin at any digit of a longer run: "0000 4111 1111 1111 1111" and numbers side by side.
    while (at < run.end) {
      const std::size_t length = is_digit(text[at]) ? card_length(text.substr(at, run.end - at)) : 0;
      if (length == 0) {
        out += text[at++];
        continue;
      }
      const std::size_t from = out.size();
      out += text.substr(at, length);
      std::size_t kept = 0;
      for (std::size_t i = out.size(); i-- > from;) {
        if (is_digit(out[i]) && ++kept > 4) out[i] = '*';
      }
      at += length;
    }
  }
}

}  // namespace gatehouse::telemetry
