// The vectorised scanners against what they mean, byte by byte.
#include "http/http1_syntax.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::http {
namespace {

using Scan = const char* (*)(const char*, const char*);

std::size_t naive(const std::string& text, bool (*good)(unsigned char)) {
  std::size_t at = 0;
  while (at < text.size() && good(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

struct Scanner {
  const char* name;
  Scan scan;
  bool (*good)(unsigned char);
};

constexpr Scanner kScanners[] = {
    {"find_control", find_control, [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); }},
    {"find_target_end", find_target_end, [](unsigned char c) { return c > 0x20 && c != 0x7f; }},
    {"find_token_end", find_token_end,
     [](unsigned char c) {
       return is_token({reinterpret_cast<char*>(&c), 1});
     }},
};

// Every byte at every place of inputs of every length up to three vectors, in memory of exactly that size, at every
// alignment.
TEST(Http1Syntax, ScannersStopWhereTheyShould) {
  alignas(16) char memory[80];
  for (const Scanner& scanner : kScanners) {
    SCOPED_TRACE(scanner.name);
    for (int byte = 0; byte < 256; ++byte) {
      for (std::size_t length = 1; length <= 49; length += length < 18 ? 1 : 5) {
        for (std::size_t at = 0; at < length; ++at) {
          std::string text(length, 'a');
          text[at] = static_cast<char>(byte);
          const std::size_t offset = (at + length) % 16;
          std::copy(text.begin(), text.end(), memory + offset);
          const char* const from = memory + offset;
          ASSERT_EQ(scanner.scan(from, from + length) - from, static_cast<std::ptrdiff_t>(naive(text, scanner.good)))
              << "byte " << byte << " at " << at << " of " << length;
        }
      }
    }
  }
}

TEST(Http1Syntax, ScannersFindTheFirstOfMany) {
  for (const Scanner& scanner : kScanners) {
    for (std::size_t first = 0; first < 40; ++first) {
      for (std::size_t second = first; second < 40; ++second) {
        std::string text(40, 'a');
        text[first] = text[second] = '\0';
        ASSERT_EQ(scanner.scan(text.data(), text.data() + 40) - text.data(), static_cast<std::ptrdiff_t>(first));
      }
    }
    EXPECT_EQ(scanner.scan(nullptr, nullptr), nullptr);
  }
}

// The vectorised path of names against the plain one: every byte at every place of names around a vector's length.
TEST(Http1Syntax, NamesAreTokensInLowerCase) {
  const FieldRules rules{10, false};
  for (const std::size_t length : {1, 2, 7, 14, 15, 16, 17, 31, 33}) {
    for (std::size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string name(length, 'a');
        name[place] = static_cast<char>(byte);
        if (byte == ':') continue;  // then the name ends there
        // With much behind it, and with as little as a name may have.
        for (const std::size_t value_bytes : {0, 40}) {
          const std::string line = name + ":" + std::string(value_bytes, 'v') + "\r\n\r\n";
          Arena arena;
          Fields fields;
          const char* at = line.data();
          const ParseResult result = parse_field_lines(at, line.data() + line.size(), rules, arena, fields);
          const bool good = is_token(name) && byte != '_';
          ASSERT_EQ(result.status == ParseStatus::complete, good) << "byte " << byte << " at " << place;
          if (!good) continue;
          if (byte >= 'A' && byte <= 'Z') name[place] = static_cast<char>(byte + 32);
          ASSERT_EQ(fields.begin()->name, name);
          ASSERT_EQ(fields.begin()->value.size(), value_bytes);
          name[place] = static_cast<char>(byte);
        }
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::http
