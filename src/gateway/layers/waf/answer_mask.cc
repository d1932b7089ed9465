#include "gateway/layers/waf/answer_mask.h"

#include <algorithm>
#include <array>

#include "telemetry/mask.h"

namespace gatehouse::gateway {
namespace {

using Alphabet = std::bitset<256>;

Alphabet alphabet(std::string_view ranges) {
  Alphabet set;
  for (std::size_t i = 0; i + 1 < ranges.size(); i += 2) {
    for (int c = static_cast<unsigned char>(ranges[i]); c <= static_cast<unsigned char>(ranges[i + 1]); ++c)
      set.set(static_cast<std::size_t>(c));
  }
  return set;
}

const Alphabet kUpper = alphabet("AZ09"), kAlnum = alphabet("azAZ09"), kWord = alphabet("azAZ09__"),
               kUrlSafe = alphabet("azAZ09__--"), kJwt = alphabet("azAZ09__--.."), kBase64 = alphabet("azAZ09++//==");

bool has(const Alphabet& set, char c) noexcept { return set[static_cast<unsigned char>(c)]; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Tokens whose issuers gave them a beginning to be found by. `min` characters of the alphabet follow it, and with `max`
// no more than that.
struct Token {
  std::string_view prefix;
  const Alphabet* alphabet;
  std::size_t min, max = 0;
};
const std::array kTokens{
    Token{"AKIA", &kUpper, 16, 16},  // Amazon: access key ids, of a user and temporary
    Token{"ASIA", &kUpper, 16, 16}, Token{"AIza", &kUrlSafe, 35, 35},  // Google
    Token{"ghp_", &kAlnum, 36},  // GitHub: personal, OAuth, user to server, server to server, refresh
    Token{"gho_", &kAlnum, 36},     Token{"ghu_", &kAlnum, 36},       Token{"ghs_", &kAlnum, 36},
    Token{"ghr_", &kAlnum, 36},     Token{"github_pat_", &kWord, 22}, Token{"glpat-", &kUrlSafe, 20},  // GitLab
    Token{"npm_", &kAlnum, 36},     Token{"sk_live_", &kAlnum, 16},                                    // Stripe
    Token{"rk_live_", &kAlnum, 16}, Token{"xoxa-", &kUrlSafe, 10},                                     // Slack
    Token{"xoxb-", &kUrlSafe, 10},  Token{"xoxp-", &kUrlSafe, 10},    Token{"xoxr-", &kUrlSafe, 10},
    Token{"xoxs-", &kUrlSafe, 10},
};
const Alphabet kTokenStarts = [] {
  Alphabet starts;
  for (const Token& token : kTokens) starts.set(static_cast<unsigned char>(token.prefix.front()));
  return starts;
}();

constexpr std::string_view kShapesScripts = "\"\\'`\n";

// What a byte may be the beginning of, so that most are passed by at a glance.
enum Class : std::uint8_t { kIsWord = 1, kStarts = 2, kShapesJson = 4, kShapesScript = 8 };
const std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const char byte = static_cast<char>(c);
    const bool starts = kTokenStarts[c] || (byte >= '2' && byte <= '6') || byte == 'e' || byte == '-';
    classes[c] = static_cast<std::uint8_t>((kWord[c] ? kIsWord : 0) | (starts ? kStarts : 0) |
                                           (byte == '"' || byte == '\\' ? kShapesJson : 0) |
                                           (kShapesScripts.find(byte) != std::string_view::npos ? kShapesScript : 0));
  }
  return classes;
}();
std::uint8_t class_of(char c) noexcept { return kClasses[static_cast<unsigned char>(c)]; }

constexpr std::string_view kJwtStart = "eyJ";             // base64 of `{"`
constexpr std::size_t kJwtHeaderMax = 1024, kJwtMin = 8;  // characters of the header; of each part at least
constexpr std::string_view kPemStart = "-----BEGIN ", kPemLabel = "PRIVATE KEY", kPemEnd = "-----";
constexpr std::size_t kPemLabelMax = 48;
constexpr std::size_t kPemBytesMax = 32 * 1024;
constexpr std::size_t kGroupMin = 3;

std::size_t run_of(const Alphabet& set, std::string_view text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && has(set, text[size])) ++size;
  return size;
}

}  // namespace

void AnswerMask::mask(std::string_view text, http::End end, std::string& out) {
  const std::size_t from = out.size();
  out += held_;
  out += text;
  held_.clear();
  const std::size_t decided = scan(out.data() + from, out.size() - from, end == http::End::yes);
  held_.assign(out, from + decided);
  out.resize(from + decided);
}

// What is behind us, and with it whether a word goes on.
void AnswerMask::pass(char c) noexcept {
  if (what_.syntax != Syntax::text) {
    const bool script = what_.syntax == Syntax::script;
    if (escaped_) {
      escaped_ = false;
      if (c == 'u') hex_left_ = 4;
      if (c == 'x' && script) hex_left_ = 2;
      c = ' ';  // `\n` ends a word, and its letter is no part of the next
    } else if (hex_left_ != 0) {
      --hex_left_;
      c = ' ';
    } else if (c == '\\') {
      escaped_ = quote_ != '\0';
    } else if (c == quote_ || (c == '\n' && script)) {
      quote_ = '\0';
    } else if (quote_ == '\0' && (c == '"' || (script && (c == '\'' || c == '`')))) {
      quote_ = c;
    }
  }
  before_that_ = before_;
  before_ = c;
}

// Past what begins nothing.
std::size_t AnswerMask::skip(std::string_view text) noexcept {
  const std::uint8_t shapes = what_.syntax == Syntax::json     ? kShapesJson
                              : what_.syntax == Syntax::script ? kShapesScript
                                                               : 0;
  std::size_t at = 0;
  char before = before_, before_that = before_that_;
  for (; at < text.size(); ++at) {
    const std::uint8_t is = class_of(text[at]);
    if ((is & kStarts) != 0 && (class_of(before) & kIsWord) == 0) break;
    if ((is & shapes) != 0) break;
    before_that = before;
    before = text[at];
  }
  before_ = before;
  before_that_ = before_that;
  return at;
}

// How much of the text is decided. What begins there has to wait for more.
std::size_t AnswerMask::scan(char* text, std::size_t size, bool whole) {
  for (std::size_t at = 0; at < size;) {
    if (in_ == In::text && !escaped_ && hex_left_ == 0) {
      at += skip({text + at, size - at});
      if (at == size) break;
    }
    const char c = text[at];
    if (in_ == In::token && has(*alphabet_, c)) {
      pass(c);
      text[at++] = '*';
      continue;
    }
    if (in_ == In::token) in_ = In::text;
    if (in_ == In::pem) {
      if (in_pem(text[at])) ++at;
      continue;
    }
    Look look = Look::nothing;
    std::size_t taken = 0;
    if (!escaped_ && hex_left_ == 0 && !has(kWord, before_)) {
      const std::string_view rest(text + at, size - at);
      if (what_.cards && c >= '2' && c <= '6') {
        look = look_for_card(text + at, size - at, whole, taken);
      } else if (what_.keys && has(kTokenStarts, c)) {
        look = look_for_token(rest, whole, taken);
      } else if (what_.keys && c == kJwtStart.front() && before_ != '-') {
        look = look_for_jwt(rest, whole, taken);
      } else if (what_.keys && c == '-' && before_ != '-') {
        look = look_for_pem(rest, whole, taken);
      }
    }
    if (look == Look::undecided) return at;
    for (const std::size_t end = at + std::max<std::size_t>(taken, 1); at < end; ++at) pass(text[at]);
  }
  return size;
}

AnswerMask::Look AnswerMask::look_for_card(char* text, std::size_t size, bool whole, std::size_t& taken) {
  if (before_ == '.' && is_digit(before_that_)) return Look::nothing;  // the digits of a fraction
  const std::string_view rest(text, std::min(size, telemetry::kCardBytesMax + 1));
  if (!whole && size <= telemetry::kCardBytesMax && rest.find_first_not_of("0123456789 -") == std::string_view::npos)
    return Look::undecided;
  const std::size_t length = telemetry::card_length(rest, kGroupMin);
  if (length == 0) return Look::nothing;
  if (length < size && has(kWord, text[length])) return Look::nothing;
  if (length < size && text[length] == '.') {  // what follows tells a number from the end of a sentence
    if (length + 1 == size && !whole) return Look::undecided;
    if (length + 1 < size && is_digit(text[length + 1])) return Look::nothing;
  }
  const bool number = is_number(rest.substr(0, length));
  std::size_t kept = 0;
  for (std::size_t i = length; i-- > (number ? 1 : 0);) {
    if (is_digit(text[i]) && ++kept > 4) text[i] = number ? '0' : '*';
  }
  taken = length;
  ++cards_;
  return Look::found;
}

// `**` would be no JSON, and no script; what stands in groups is no number there.
bool AnswerMask::is_number(std::string_view card) const noexcept {
  return what_.syntax != Syntax::text && quote_ == '\0' && std::all_of(card.begin(), card.end(), is_digit);
}

void AnswerMask::begin_token(std::size_t prefix, const Alphabet& alphabet, std::size_t& taken) {
  taken = prefix;
  in_ = In::token;
  alphabet_ = &alphabet;
  ++keys_;
}

AnswerMask::Look AnswerMask::look_for_token(std::string_view text, bool whole, std::size_t& taken) {
  Look look = Look::nothing;
  for (const Token& token : kTokens) {
    if (!text.starts_with(token.prefix)) {
      if (!whole && token.prefix.starts_with(text)) look = Look::undecided;
      continue;
    }
    const std::size_t enough = token.max != 0 ? token.max + 1 : token.min;
    const std::size_t run = run_of(*token.alphabet, text.substr(token.prefix.size(), enough));
    if (token.prefix.size() + run == text.size() && run < enough && !whole) return Look::undecided;
    if (run < token.min || (token.max != 0 && run > token.max)) return Look::nothing;
    begin_token(token.prefix.size(), *token.alphabet, taken);
    return Look::found;
  }
  return look;
}

// RFC 7519: header and payload are JSON objects, in base64url.
AnswerMask::Look AnswerMask::look_for_jwt(std::string_view text, bool whole, std::size_t& taken) {
  const auto at_end = [&](std::size_t size) { return size == text.size() && !whole; };
  if (!text.starts_with(kJwtStart)) return kJwtStart.starts_with(text) && !whole ? Look::undecided : Look::nothing;
  const std::size_t header = run_of(kUrlSafe, text.substr(0, kJwtHeaderMax));
  if (header == kJwtHeaderMax) return Look::nothing;
  if (at_end(header)) return Look::undecided;
  if (header < kJwtMin || header == text.size() || text[header] != '.') return Look::nothing;
  const std::string_view payload = text.substr(header + 1, kJwtMin);
  const std::size_t run = run_of(kUrlSafe, payload);
  if (!kJwtStart.starts_with(payload.substr(0, std::min(run, kJwtStart.size())))) return Look::nothing;
  if (run < kJwtMin) return at_end(header + 1 + run) ? Look::undecided : Look::nothing;
  begin_token(kJwtStart.size(), kJwt, taken);
  return Look::found;
}

AnswerMask::Look AnswerMask::look_for_pem(std::string_view text, bool whole, std::size_t& taken) {
  const Look more = whole ? Look::nothing : Look::undecided;
  if (!text.starts_with(kPemStart)) return kPemStart.starts_with(text) ? more : Look::nothing;
  const std::string_view behind = text.substr(kPemStart.size());
  const std::size_t label = behind.substr(0, kPemLabelMax).find('-');
  if (label == std::string_view::npos) return behind.size() < kPemLabelMax ? more : Look::nothing;
  if (behind.substr(0, label).find(kPemLabel) == std::string_view::npos) return Look::nothing;
  const std::string_view end = behind.substr(label, kPemEnd.size());
  if (end != kPemEnd) return kPemEnd.starts_with(end) ? more : Look::nothing;
  taken = kPemStart.size() + label + kPemEnd.size();
  in_ = In::pem;
  pem_left_ = kPemBytesMax;
  in_tag_ = false;
  ++keys_;
  return Look::found;
}

// Up to the line that ends the key; to the end of the string of JSON; or to a blank behind a word, as text has them
// that only speaks of keys. Tags and quotes may stand between the lines (`<br />`). False: the byte is no part of it.
bool AnswerMask::in_pem(char& c) noexcept {
  const bool literal = escaped_ || hex_left_ != 0 || before_ == '\\';  // of `\n` the letter stays
  const bool ends = (c == '"' && what_.syntax == Syntax::json && !literal) || c == '\0' ||
                    (c == ' ' && has(kWord, before_) && !in_tag_) ||
                    (c == '-' && before_ == '-' && pem_left_ != kPemBytesMax);
  if (pem_left_ == 0 || ends) {
    in_ = In::text;
    return false;
  }
  --pem_left_;
  in_tag_ = c == '<' || (in_tag_ && c != '>');
  const char came = c;
  if (has(kBase64, c) && !literal && !in_tag_) c = '*';
  pass(came);
  return true;
}

}  // namespace gatehouse::gateway
