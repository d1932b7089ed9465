#include "waf/transform/transform.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::waf {
namespace {

using std::string_literals::operator""s;

TEST(Transform, NamesAreReadInAnyCaseAndBothSpellings) {
  EXPECT_EQ(transformation_of("urlDecodeUni"), Transformation::url_decode_uni);
  EXPECT_EQ(transformation_of("URLDECODEUNI"), Transformation::url_decode_uni);
  EXPECT_EQ(transformation_of("normalisePath"), Transformation::normalize_path);
  EXPECT_EQ(transformation_of("normalizepath"), Transformation::normalize_path);
  EXPECT_EQ(transformation_of("normalisePathWin"), Transformation::normalize_path_win);
  EXPECT_EQ(transformation_of("utf8toUnicode"), Transformation::utf8_to_unicode);
  EXPECT_EQ(transformation_of("none"), std::nullopt);
  EXPECT_EQ(transformation_of(""), std::nullopt);
  EXPECT_EQ(transformation_of("urlDecodeUn"), std::nullopt);
  for (std::size_t i = 0; i < kTransformations; ++i) {
    EXPECT_EQ(transformation_of(name_of(static_cast<Transformation>(i))), static_cast<Transformation>(i));
  }
}

// What is ours alone: results on which transform_oracle_test.cc lets libmodsecurity differ.
TEST(Transform, NothingIsLostWhereLibmodsecurityLosesIt) {
  struct Case {
    const char* name;
    Transformation transformation;
    std::string in, out;
  };
  const Case cases[] = {
      {"CSS: a NUL hides nothing", Transformation::css_decode, "a\0\\62"s, "a\0b"s},
      {"CSS: an escaped NUL hides nothing", Transformation::css_decode, "a\\0 b", "a\0b"s},
      {"base64: a bad byte ends the text", Transformation::base64_decode, "YWJj!YWJj", "abc"},
      {"base64: a blank ends the text", Transformation::base64_decode, "YWJj YWJj", "abc"},
      {"base64: padding may be missing", Transformation::base64_decode, "YWJjZA", "abcd"},
      {"base64: padding ends the text", Transformation::base64_decode, "YQ==YQ==", "a"},
      {"base64: lines", Transformation::base64_decode, "YWJj \r\nYWJj\nYWJj", "abcabcabc"},
      {"base64: not at all", Transformation::base64_decode, "!!!!", ""},
      {"comments: nothing behind the last", Transformation::remove_comments, "a/*b*/", "a"},
      {"comments: nothing behind the last, HTML", Transformation::remove_comments, "a<!--b-->", "a"},
  };
  for (const Case& c : cases) {
    std::string out;
    EXPECT_TRUE(transform(c.transformation, c.in, out)) << c.name;
    EXPECT_EQ(out, c.out) << c.name;
  }
}

TEST(Transform, PlainValuesAreLeftAlone) {
  for (const std::string value : {"42", "date", "7f3c2c1e-0d4b-4c55-9d5e-2f1f3a6b7c8d"}) {
    for (const char* name : {"urlDecodeUni", "urlDecode", "lowercase", "jsDecode", "htmlEntityDecode", "utf8toUnicode",
                             "removeNulls", "cssDecode", "cmdLine", "removeWhitespace", "compressWhitespace",
                             "replaceComments", "normalizePath", "normalizePathWin", "escapeSeqDecode", "trim"}) {
      const Transformation transformation = *transformation_of(name);
      std::string out;
      EXPECT_FALSE(transform(transformation, value, out)) << name;
      EXPECT_FALSE(touched_by(transformation).intersects(bytes_of(value))) << name;
    }
  }
}

TEST(Transform, BytesOfAValue) {
  EXPECT_TRUE(bytes_of("").is_empty());
  EXPECT_EQ(bytes_of("aba\xff\0"s), ByteSet::of("ab\xff\0"s));
  for (unsigned value = 0; value < 256; ++value) {
    for (const std::size_t size : {1u, 80u, 81u}) {
      std::string bytes(size, static_cast<char>(value));
      EXPECT_EQ(bytes_of(bytes), ByteSet::of(bytes)) << value;
      bytes.front() = 'a';
      bytes.back() = '\xff';
      EXPECT_EQ(bytes_of(bytes), ByteSet::of(bytes)) << value;
    }
  }
}

}  // namespace
}  // namespace gatehouse::waf
