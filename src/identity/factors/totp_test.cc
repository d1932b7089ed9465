#include "identity/factors/totp.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "crypto/digest.h"
#include "identity/factors/qr_code.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kSecret = "12345678901234567890";

TEST(Totp, PublishedCodes) {
  // RFC 4226 appendix D; RFC 6238 appendix B, the last six of its eight digits.
  const char* hotp[] = {"755224", "287082", "359152", "969429", "338314",
                        "254676", "287922", "162583", "399871", "520489"};
  for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(totp_code(kSecret, i), hotp[i]);
  const std::pair<std::chrono::seconds, const char*> totp[] = {{59s, "287082"},
                                                               {1111111109s, "081804"},
                                                               {1111111111s, "050471"},
                                                               {1234567890s, "005924"},
                                                               {2000000000s, "279037"}};
  for (const auto& [at, code] : totp) EXPECT_EQ(totp_code(kSecret, totp_step(WallTime(at))), code);
}

// The second opinion: oathtool, over secrets and times drawn here.
TEST(Totp, AgreesWithOathtool) {
  if (std::system("command -v oathtool >/dev/null") != 0) GTEST_SKIP() << "oathtool is not installed";
  std::mt19937_64 random(20250615);
  for (int i = 0; i < 20; ++i) {
    const SecretBytes secret = new_totp_secret();
    const auto at = static_cast<std::int64_t>(random() % 4'000'000'000);
    const std::string command = fmt::format("oathtool --totp --now '1970-01-01 00:00:00 UTC + {} seconds' {}", at,
                                            crypto::to_hex(secret.expose()));
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char line[16] = "";
    EXPECT_NE(std::fgets(line, sizeof line, pipe), nullptr);
    ::pclose(pipe);
    EXPECT_EQ(totp_code(secret.expose(), totp_step(WallTime(std::chrono::seconds(at)))) + "\n", line) << command;
  }
}

TEST(Totp, AcceptsOneStepToEitherSideOnce) {
  const WallTime now(1'750'000'000s);
  const std::int64_t step = totp_step(now);
  for (std::int64_t drift = -3; drift <= 3; ++drift) {
    const auto found = verify_totp(kSecret, totp_code(kSecret, step + drift), now, 0);
    EXPECT_EQ(found, drift >= -1 && drift <= 1 ? std::optional(step + drift) : std::nullopt) << drift;
  }
  EXPECT_FALSE(verify_totp(kSecret, totp_code(kSecret, step), now, step)) << "used";
  EXPECT_FALSE(verify_totp(kSecret, totp_code(kSecret, step - 1), now, step)) << "older than one that was used";
  EXPECT_EQ(verify_totp(kSecret, totp_code(kSecret, step + 1), now, step), step + 1);
  const std::string code = totp_code(kSecret, step);
  EXPECT_EQ(verify_totp(kSecret, code.substr(0, 3) + " " + code.substr(3), now, 0), step);
  const std::string refused[] = {"",
                                 code.substr(1),
                                 code + "0",
                                 "0" + code,
                                 code.substr(0, 5) + "x",
                                 "abcdef",
                                 std::string(100000, ' '),
                                 code + std::string(1, '\0')};
  for (const std::string& text : refused) EXPECT_FALSE(verify_totp(kSecret, text, now, 0)) << text.substr(0, 20);
  EXPECT_FALSE(verify_totp("another secret", code, now, 0));
}

TEST(Totp, TellsItsSecretToApps) {
  EXPECT_EQ(totp_uri("Sh\xc3\xb6p & Co", "ann@shop.example", kSecret),
            "otpauth://totp/Sh%C3%B6p%20%26%20Co:ann%40shop.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
            "&issuer=Sh%C3%B6p%20%26%20Co&algorithm=SHA1&digits=6&period=30");
  EXPECT_EQ(totp_secret_text(kSecret), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
  EXPECT_EQ(new_totp_secret().size(), 20U);
  EXPECT_NE(new_totp_secret().expose(), new_totp_secret().expose());
}

TEST(QrCode, IsOnePathWithoutStyles) {
  const auto svg = qr_code_svg(totp_uri("Shop", "ann", kSecret), "Scan \"this\" <now>");
  ASSERT_TRUE(svg);
  EXPECT_NE(svg->find("aria-label=\"Scan &quot;this&quot; &lt;now&gt;\""), std::string::npos);
  EXPECT_EQ(svg->find("style"), std::string::npos);
  EXPECT_EQ(svg->find("<script"), std::string::npos);
  // The finder pattern's first rows, behind the quiet zone: seven dark, then one, five white, one.
  EXPECT_NE(svg->find("d=\"M4 4h7v1h-7z"), std::string::npos);
  EXPECT_NE(svg->find("M4 5h1v1h-1zM10 5h1v1h-1z"), std::string::npos);
  EXPECT_FALSE(qr_code_svg("", "x"));
  EXPECT_TRUE(qr_code_svg(std::string(kQrTextBytesMax, 'x'), "x"));
  EXPECT_FALSE(qr_code_svg(std::string(kQrTextBytesMax + 1, 'x'), "x"));
  EXPECT_FALSE(qr_code_svg(std::string("a\0b", 3), "x"));
}

}  // namespace
}  // namespace gatehouse::identity
