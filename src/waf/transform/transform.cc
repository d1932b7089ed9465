#include "waf/transform/transform.h"

#include <algorithm>
#include <array>

#include "waf/names.h"
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

struct Entry {
  Transformation transformation;  // for the check below
  std::string_view name;
  bool (*apply)(std::string_view in, std::string& out);
  ByteSet touched;
};

constexpr ByteSet kWhitespace = ByteSet::of(" \t\n\v\f\r");
constexpr ByteSet kUppercase = ByteSet::range('A', 'Z');
constexpr ByteSet kNul = ByteSet::range(0, 0);
constexpr ByteSet kAlphanumeric = kUppercase | ByteSet::range('a', 'z') | ByteSet::range('0', '9');

constexpr ByteSet all_but(const ByteSet& kept) noexcept {
  ByteSet set;
  for (unsigned value = 0; value < 256; ++value) {
    if (!kept.contains(static_cast<std::uint8_t>(value))) set.insert(static_cast<std::uint8_t>(value));
  }
  return set;
}

// In the order of the enumeration.
constexpr std::array<Entry, kTransformations> kEntries{{
    {Transformation::base64_decode, "base64Decode", base64_decode, ByteSet::all()},
    {Transformation::base64_decode_ext, "base64DecodeExt", base64_decode_ext, ByteSet::all()},
    {Transformation::cmd_line, "cmdLine", cmd_line, kUppercase | ByteSet::of("\"'\\^ ,;\t\r\n")},
    {Transformation::compress_whitespace, "compressWhitespace", compress_whitespace, kWhitespace},
    {Transformation::css_decode, "cssDecode", css_decode, ByteSet::of("\\")},
    {Transformation::escape_seq_decode, "escapeSeqDecode", escape_seq_decode, ByteSet::of("\\")},
    {Transformation::hex_decode, "hexDecode", hex_decode, ByteSet::all()},
    {Transformation::hex_encode, "hexEncode", hex_encode, ByteSet::all()},
    {Transformation::html_entity_decode, "htmlEntityDecode", html_entity_decode, ByteSet::of("&")},
    {Transformation::js_decode, "jsDecode", js_decode, ByteSet::of("\\")},
    {Transformation::length, "length", length, ByteSet::all()},
    {Transformation::lowercase, "lowercase", lowercase, kUppercase},
    {Transformation::md5, "md5", md5, ByteSet::all()},
    {Transformation::normalize_path, "normalizePath", normalize_path, ByteSet::of("/.")},
    {Transformation::normalize_path_win, "normalizePathWin", normalize_path_win, ByteSet::of("/.\\")},
    {Transformation::remove_comments, "removeComments", remove_comments, ByteSet::of("/<-#")},
    {Transformation::remove_comments_char, "removeCommentsChar", remove_comments_char, ByteSet::of("/*<-#")},
    {Transformation::remove_nulls, "removeNulls", remove_nulls, kNul},
    {Transformation::remove_whitespace, "removeWhitespace", remove_whitespace, kWhitespace | ByteSet::of("\xc2\xa0")},
    {Transformation::replace_comments, "replaceComments", replace_comments, ByteSet::of("/")},
    {Transformation::replace_nulls, "replaceNulls", replace_nulls, kNul},
    {Transformation::sha1, "sha1", sha1, ByteSet::all()},
    {Transformation::trim, "trim", trim, kWhitespace},
    {Transformation::trim_left, "trimLeft", trim_left, kWhitespace},
    {Transformation::trim_right, "trimRight", trim_right, kWhitespace},
    {Transformation::uppercase, "uppercase", uppercase, ByteSet::range('a', 'z')},
    {Transformation::url_decode, "urlDecode", url_decode, ByteSet::of("%+")},
    {Transformation::url_decode_uni, "urlDecodeUni", url_decode_uni, ByteSet::of("%+")},
    {Transformation::url_encode, "urlEncode", url_encode, all_but(kAlphanumeric | ByteSet::of("*"))},
    {Transformation::utf8_to_unicode, "utf8toUnicode", utf8_to_unicode, ByteSet::range(0x80, 0xff) | kNul},
}};

constexpr bool in_order() noexcept {
  for (std::size_t i = 0; i < kEntries.size(); ++i) {
    if (static_cast<std::size_t>(kEntries[i].transformation) != i) return false;
  }
  return true;
}
static_assert(in_order());

const Entry& entry(Transformation transformation) noexcept {
  return kEntries[static_cast<std::size_t>(transformation)];
}

}  // namespace

bool transform(Transformation transformation, std::string_view in, std::string& out) {
  return entry(transformation).apply(in, out);
}

const ByteSet& touched_by(Transformation transformation) noexcept { return entry(transformation).touched; }

ByteSet bytes_of(std::string_view value) noexcept {
  constexpr std::size_t kShort = 80;  // where writing the flags down and gathering them begins to pay
  if (value.size() <= kShort) {
    std::uint64_t a = 0, b = 0, c = 0, d = 0;  // in registers: no store waits for the one before
    for (const char each : value) {
      const auto byte = static_cast<std::uint8_t>(each);
      const std::uint64_t bit = std::uint64_t{1} << (byte & 63);
      a |= byte >> 6 == 0 ? bit : 0;
      b |= byte >> 6 == 1 ? bit : 0;
      c |= byte >> 6 == 2 ? bit : 0;
      d |= byte >> 6 == 3 ? bit : 0;
    }
    return ByteSet::from_words({a, b, c, d});
  }
  alignas(16) std::array<std::uint8_t, 256> seen{};
  for (const char c : value) seen[static_cast<std::uint8_t>(c)] = 0xff;
  return ByteSet::from_flags(seen);
}

bool changes_empty(Transformation transformation) noexcept {
  return transformation == Transformation::length || transformation == Transformation::md5 ||
         transformation == Transformation::sha1;
}

std::size_t output_bytes_max(Transformation transformation, std::size_t in_size) noexcept {
  switch (transformation) {
    case Transformation::hex_encode: return in_size * 2;
    case Transformation::url_encode: return in_size * 3;
    case Transformation::utf8_to_unicode: return in_size * 4;
    case Transformation::length:
    case Transformation::md5:
    case Transformation::sha1: return 20;
    default: return in_size;
  }
}

std::string_view name_of(Transformation transformation) noexcept { return entry(transformation).name; }

std::optional<Transformation> transformation_of(std::string_view name) noexcept {
  if (same_name(name, "normalisePath")) return Transformation::normalize_path;
  if (same_name(name, "normalisePathWin")) return Transformation::normalize_path_win;
  for (const Entry& candidate : kEntries) {
    if (same_name(name, candidate.name)) return candidate.transformation;
  }
  return std::nullopt;
}

}  // namespace gatehouse::waf
