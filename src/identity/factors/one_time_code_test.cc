#include "identity/factors/one_time_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kKey = "a key of the deployment, derived";
const WallTime kNow(1'750'000'000s);

CodeVerdict check(OneTimeCode& stored, std::string_view code, WallTime now = kNow,
                  std::string_view subject = "login/ann") {
  return verify_one_time_code(kKey, subject, code, now, stored);
}

TEST(OneTimeCode, IsGoodOnceForItsSubjectUntilItExpires) {
  OneTimeCode stored;
  const std::string code = new_one_time_code(kKey, "login/ann", kNow, stored);
  EXPECT_THAT(code, testing::MatchesRegex("[0-9]{6}"));
  EXPECT_EQ(stored.hash.find(code), std::string::npos);
  const OneTimeCode fresh = stored;
  OneTimeCode copy = fresh;
  EXPECT_EQ(check(copy, code, kNow, "login/bob"), CodeVerdict::mismatch) << "somebody else's";
  copy = fresh;
  EXPECT_EQ(verify_one_time_code("another key", "login/ann", code, kNow, copy), CodeVerdict::mismatch);
  copy = fresh;
  EXPECT_EQ(check(copy, code, kNow + 599s), CodeVerdict::match);
  copy = fresh;
  EXPECT_EQ(check(copy, code, kNow + 600s), CodeVerdict::expired);
  EXPECT_EQ(copy.tries, 0) << "no try";
  copy = fresh;
  EXPECT_EQ(check(copy, code.substr(0, 3) + " " + code.substr(3)), CodeVerdict::match);
  EXPECT_EQ(check(copy, code), CodeVerdict::expired) << "used";
}

TEST(OneTimeCode, EndsWithTheFifthTry) {
  OneTimeCode stored;
  const std::string code = new_one_time_code(kKey, "login/ann", kNow, stored);
  const std::string wrong = code == "000000" ? "000001" : "000000";
  for (const std::string& text : {wrong, std::string(), std::string("abcdef"), code + "0"}) {
    EXPECT_EQ(check(stored, text), CodeVerdict::mismatch) << text;
  }
  OneTimeCode fifth = stored;
  EXPECT_EQ(check(fifth, code), CodeVerdict::match);
  EXPECT_EQ(check(stored, wrong), CodeVerdict::mismatch);
  EXPECT_EQ(check(stored, code), CodeVerdict::exhausted) << "the sixth";
}

TEST(OneTimeCode, EveryFirstDigitComes) {
  std::set<char> first;
  OneTimeCode stored;
  for (int i = 0; i < 1000; ++i) first.insert(new_one_time_code(kKey, "x", kNow, stored).front());
  EXPECT_EQ(first.size(), 10U);
}

TEST(RecoveryCodes, AreUsedOnceHoweverTheyAreTyped) {
  const auto codes = new_recovery_codes();
  ASSERT_EQ(codes.size(), kRecoveryCodes);
  EXPECT_EQ(std::set<std::string>(codes.begin(), codes.end()).size(), kRecoveryCodes);
  for (const std::string& code : codes) {
    EXPECT_THAT(code, testing::MatchesRegex("[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}"));
  }
  std::string hashes = recovery_code_hashes(kKey, "ann", codes);
  EXPECT_EQ(recovery_codes_left(hashes), 10U);
  EXPECT_EQ(hashes.find(codes[0]), std::string::npos);
  std::string others = hashes;
  EXPECT_FALSE(use_recovery_code(kKey, "bob", codes[3], others));
  for (const std::size_t i : {3U, 0U, 9U, 1U, 2U, 4U, 5U, 6U, 7U, 8U}) {
    std::string typed;
    for (const char c : codes[i]) {
      if (c == '-') continue;
      typed += c == '0' ? 'o' : c == '1' ? 'l' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    const std::size_t left = recovery_codes_left(hashes);
    EXPECT_TRUE(use_recovery_code(kKey, "ann", typed, hashes)) << codes[i];
    EXPECT_EQ(recovery_codes_left(hashes), left - 1);
    EXPECT_FALSE(use_recovery_code(kKey, "ann", codes[i], hashes)) << "a second time";
  }
  EXPECT_EQ(hashes, "");
  EXPECT_EQ(recovery_codes_left(""), 0U);
}

TEST(RecoveryCodes, RefusesWhatIsNone) {
  std::string hashes = recovery_code_hashes(kKey, "ann", new_recovery_codes());
  for (const std::string_view text :
       {"", "-", "AAAAA-AAAA", "AAAAA-AAAAAA", "UUUUU-UUUUU", "AAAAA-AAAA\xc3", "AAAAAAAAAA"}) {
    EXPECT_FALSE(use_recovery_code(kKey, "ann", text, hashes)) << text;
  }
  EXPECT_EQ(recovery_codes_left(hashes), 10U);
}

}  // namespace
}  // namespace gatehouse::identity
