// Every transformation against libmodsecurity: named edge cases, and random values biased to the bytes that matter.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <random>
#include <string>

#include "waf/modsecurity_test_peer.h"
#include "waf/transform/transform.h"
#include "waf/transform/transform_test_values.h"

namespace gatehouse::waf {
namespace {

// Where we differ from libmodsecurity 3.0.9 on purpose: what its result must be, given ours.
struct Difference {
  Transformation transformation;
  const char* reason;
  bool (*accounts_for)(std::string_view in, std::string_view ours, std::string_view peer, ModSecurityPeer& library);
};

const Difference kDifferences[] = {
    {Transformation::base64_decode,
     "libmodsecurity makes nothing of a text with one bad byte or without padding, which hides it all from the "
     "operator; ModSecurity 2 decodes up to that byte, and so do we",
     [](std::string_view, std::string_view ours, std::string_view peer, ModSecurityPeer&) {
       return ours.starts_with(peer);
     }},
    {Transformation::base64_decode_ext,
     "made to skip what is not base64, yet libmodsecurity makes nothing of a text whose last group, or the one "
     "before a `=`, has one digit: one digit more would hide the rest",
     [](std::string_view in, std::string_view, std::string_view peer, ModSecurityPeer&) {
       const auto digits_until = [in](std::size_t end) {
         return std::count_if(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(end),
                              [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '/'; });
       };
       bool cut = digits_until(in.size()) % 4 == 1;
       for (std::size_t i = 0; i < in.size(); ++i) cut |= in[i] == '=' && digits_until(i) % 4 == 1;
       return cut && peer.empty();
     }},
    {Transformation::normalize_path_win,
     "libmodsecurity overlooks some backslashes behind other separators and references: `/./\\\\` stays `\\\\`; ours "
     "is what its normalizePath makes with slashes for them",
     [](std::string_view in, std::string_view ours, std::string_view, ModSecurityPeer& library) {
       std::string slashes(in);
       std::replace(slashes.begin(), slashes.end(), '\\', '/');
       return in.find('\\') != std::string_view::npos && ours == library.transform("normalizePath", slashes);
     }},
    {Transformation::css_decode,
     "libmodsecurity cuts the result at the first NUL, so that `\\0` hides the rest; fixed in its later releases",
     [](std::string_view, std::string_view ours, std::string_view peer, ModSecurityPeer&) {
       return peer == ours.substr(0, ours.find('\0'));
     }},
    {Transformation::remove_comments,
     "when a comment's end is the value's end, libmodsecurity copies the byte behind the buffer, a NUL",
     [](std::string_view in, std::string_view ours, std::string_view peer, ModSecurityPeer&) {
       return (in.ends_with("*/") || in.ends_with("-->")) && peer == std::string(ours) + '\0';
     }},
};

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c > ' ' && c < 0x7f && c != '\\') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
    }
  }
  return text;
}

// libmodsecurity's factory knows one of them under an old name only.
std::string_view peer_name(Transformation transformation) {
  return transformation == Transformation::cmd_line ? "cmd_line" : name_of(transformation);
}

class TransformOracle : public testing::TestWithParam<Transformation> {
 protected:
  void compare(std::string_view in) {
    const Transformation transformation = GetParam();
    std::string out = "left from before";
    const bool changed = transform(transformation, in, out);
    const std::string_view ours = changed ? std::string_view(out) : in;
    EXPECT_EQ(changed, ours != in) << escaped(in);
    EXPECT_LE(ours.size(), output_bytes_max(transformation, in.size()));
    if (changed) {
      EXPECT_TRUE(in.empty() ? changes_empty(transformation) : touched_by(transformation).intersects(bytes_of(in)))
          << escaped(in);
    }
    const std::string peer = peer_.transform(peer_name(transformation), in);
    if (ours == peer) return;
    for (const Difference& difference : kDifferences) {
      if (difference.transformation == transformation && difference.accounts_for(in, ours, peer, peer_)) {
        return;
      }
    }
    ADD_FAILURE() << name_of(transformation) << " of " << escaped(in) << "\n  is " << escaped(ours)
                  << "\n  libmodsecurity: " << escaped(peer);
  }

  ModSecurityPeer peer_;
};

TEST_P(TransformOracle, NamedValues) {
  for (const std::string& value : kHostileValues) {
    compare(value);
    compare("x" + value + "y");
    compare("16 plain bytes, then " + value);
  }
}

TEST_P(TransformOracle, RandomValues) {
  constexpr std::string_view kFragments[] = {
      "%",
      "u",
      "U",
      "x",
      "X",
      "0",
      "4",
      "1",
      "f",
      "F",
      "ff",
      "+",
      " ",
      "\\",
      "\\u",
      "&",
      "&#",
      ";",
      "lt",
      "quot",
      "/*",
      "*/",
      "*",
      "/",
      "-",
      "--",
      "-->",
      "<!--",
      "#",
      "..",
      ".",
      "/../",
      "\\",
      "'",
      "\"",
      "^",
      ",",
      "\t",
      "\n",
      "\r",
      "\v",
      "=",
      "Y",
      "WJj",
      "A",
      "z",
      "\xa0",
      "\xc3",
      "\x80",
      "\xa9",
      "\xe2\x82\xac",
      "\xed",
      "\xf0\x9f",
      "\xf5",
      "a",
      "(",
      "7",
      "8",
      "12",
      "nbsp",
      "amp;",
      std::string_view("\0", 1),
  };
  const unsigned seed = 20261122u + static_cast<unsigned>(GetParam());
  std::mt19937 random(seed);
  for (int round = 0; round < 4000; ++round) {
    std::string value;
    if (round % 8 == 0) {
      for (std::size_t n = random() % 40; n > 0; --n) value += static_cast<char>(random());
    } else {
      for (std::size_t n = random() % 14; n > 0; --n) value += kFragments[random() % std::size(kFragments)];
      if (round % 4 == 0) value.insert(0, random() % 40, 'a');
    }
    compare(value);
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed << ", round " << round;
      return;
    }
  }
}

// Paths by themselves: the rules of references need longer runs of few different bytes.
TEST_P(TransformOracle, ShortValuesOfFewBytes) {
  std::string_view alphabet;
  switch (GetParam()) {
    case Transformation::normalize_path: alphabet = "a./"; break;
    case Transformation::normalize_path_win: alphabet = "a./\\"; break;
    case Transformation::cmd_line: alphabet = "A /^"; break;
    case Transformation::remove_comments:
    case Transformation::remove_comments_char:
    case Transformation::replace_comments: alphabet = "a/*-"; break;
    case Transformation::base64_decode:
    case Transformation::base64_decode_ext: alphabet = "Yz=\n"; break;
    case Transformation::html_entity_decode: alphabet = "&#x3"; break;
    case Transformation::url_decode_uni: alphabet = "%u4"; break;
    default: return;
  }
  const std::size_t length_max = alphabet.size() == 3 ? 9 : 7;
  for (std::size_t length = 0; length <= length_max; ++length) {
    std::size_t values = 1;
    for (std::size_t i = 0; i < length; ++i) values *= alphabet.size();
    for (std::size_t n = 0; n < values && !HasFailure(); ++n) {
      std::string value;
      for (std::size_t rest = n, i = 0; i < length; ++i, rest /= alphabet.size())
        value += alphabet[rest % alphabet.size()];
      compare(value);
    }
  }
}

std::vector<Transformation> all() {
  std::vector<Transformation> transformations;
  for (std::size_t i = 0; i < kTransformations; ++i) transformations.push_back(static_cast<Transformation>(i));
  return transformations;
}

INSTANTIATE_TEST_SUITE_P(All, TransformOracle, testing::ValuesIn(all()),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

}  // namespace
}  // namespace gatehouse::waf
