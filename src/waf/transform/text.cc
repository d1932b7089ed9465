// Case, NULs and white space.
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

// The no-break space in UTF-8. Each of its bytes is taken for white space, in whatever character it stands, so that the
// one byte of ISO 8859-1 is met as well.
constexpr char kNoBreakSpaceLead = '\xc2';
constexpr char kNoBreakSpace = '\xa0';

// The first white space, or in.size().
std::size_t find_space(std::string_view in, std::size_t from = 0) noexcept {
  return find_any<' ', '\t', '\n', '\v', '\f', '\r'>(in, from);
}

template <class Keep>
bool keep_only(std::string_view in, std::size_t first, std::string& out, Keep keep) {
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  for (const char c : in.substr(first)) {
    if (keep(c)) result.put(c);
  }
  return result.finish();
}

template <class Map>
bool map_each(std::string_view in, std::size_t first, std::string& out, Map map) {
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  for (const char c : in.substr(first)) result.put(map(c));
  return result.finish();
}

bool replaced_by(std::string_view part, std::string_view in, std::string& out) {
  if (part.size() == in.size()) return false;
  out.assign(part);
  return true;
}

std::string_view without_leading_space(std::string_view in) noexcept {
  while (!in.empty() && is_space(in.front())) in.remove_prefix(1);
  return in;
}

std::string_view without_trailing_space(std::string_view in) noexcept {
  while (!in.empty() && is_space(in.back())) in.remove_suffix(1);
  return in;
}

}  // namespace

bool lowercase(std::string_view in, std::string& out) { return map_each(in, find_range<'A', 'Z'>(in), out, to_lower); }
bool uppercase(std::string_view in, std::string& out) { return map_each(in, find_range<'a', 'z'>(in), out, to_upper); }

bool remove_nulls(std::string_view in, std::string& out) {
  return keep_only(in, find_any<'\0'>(in), out, [](char c) { return c != '\0'; });
}

bool replace_nulls(std::string_view in, std::string& out) {
  return map_each(in, find_any<'\0'>(in), out, [](char c) { return c == '\0' ? ' ' : c; });
}

bool remove_whitespace(std::string_view in, std::string& out) {
  const std::size_t first = find_any<' ', '\t', '\n', '\v', '\f', '\r', kNoBreakSpaceLead, kNoBreakSpace>(in);
  return keep_only(in, first, out, [](char c) { return !is_space(c) && c != kNoBreakSpaceLead && c != kNoBreakSpace; });
}

bool compress_whitespace(std::string_view in, std::string& out) {
  // Text has a blank here and there: look for one that is not a blank, or not alone, before copying.
  std::size_t first = find_space(in);
  while (first < in.size() && in[first] == ' ' && (first + 1 == in.size() || !is_space(in[first + 1]))) {
    first = find_space(in, first + 1);
  }
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  bool after_space = false;
  for (const char c : in.substr(first)) {
    const bool space = is_space(c);
    if (!space) {
      result.put(c);
    } else if (!after_space) {
      result.put(' ');
    }
    after_space = space;
  }
  return result.finish();
}

bool trim(std::string_view in, std::string& out) {
  return replaced_by(without_leading_space(without_trailing_space(in)), in, out);
}
bool trim_left(std::string_view in, std::string& out) { return replaced_by(without_leading_space(in), in, out); }
bool trim_right(std::string_view in, std::string& out) { return replaced_by(without_trailing_space(in), in, out); }

}  // namespace gatehouse::waf
