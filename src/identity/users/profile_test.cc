#include "identity/users/profile.h"

#include <gtest/gtest.h>

#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

TEST(Username, HasOneSpelling) {
  for (const auto& [written, normal] : {std::pair{"alice", "alice"},
                                        {"Alice", "alice"},
                                        {"a", "a"},
                                        {"7", "7"},
                                        {"A.b-c_d+e@Example.ORG", "a.b-c_d+e@example.org"}}) {
    EXPECT_EQ(normal_username(written), normal);
  }
  // What looks like another name, or is none.
  for (const std::string& refused :
       {std::string(""), std::string("-a"), std::string("a."), std::string("a b"), std::string("аlice"),  // Cyrillic а
        std::string("alicé"), std::string("a\0b", 3), std::string("a\nb"), std::string("ａlice"), std::string(129, 'a'),
        std::string("a/b"), std::string("a%b")}) {
    EXPECT_EQ(normal_username(refused), std::nullopt) << refused;
  }
  EXPECT_TRUE(normal_username(std::string(128, 'a')));
}

TEST(Email, IsOneAddressAndCannotCarryAHeader) {
  for (const auto& [written, normal] : {std::pair{"a@example.org", "a@example.org"},
                                        {"A.B+c@EXAMPLE.org", "A.B+c@example.org"},
                                        {"jürgen@example.org", "jürgen@example.org"},
                                        {"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"}}) {
    EXPECT_EQ(normal_email(written), normal);
  }
  for (const std::string& refused : {std::string(""),
                                     std::string("a"),
                                     std::string("@b"),
                                     std::string("a@"),
                                     std::string("a@b@c"),
                                     std::string("a@-b.example"),
                                     std::string("a@b..example"),
                                     std::string("a@b.example."),
                                     std::string("a b@c.example"),
                                     std::string("a@b.example\r\nBcc: c@d.example"),
                                     std::string("\"a\"@b.example"),
                                     std::string("a@[192.0.2.1]"),
                                     std::string("a,b@c.example"),
                                     std::string("<a@b.example>"),
                                     std::string("-oQ@b.example"),
                                     std::string("a@b.exa\0mple", 12),
                                     std::string(65, 'a') + "@b.example",
                                     std::string("a..b@c.example"),
                                     "a@" + std::string(64, 'b') + ".example",
                                     std::string("a@b.example\n"),
                                     std::string("\xff@b.example")}) {
    EXPECT_EQ(normal_email(refused), std::nullopt) << refused;
  }
}

TEST(PhoneNumber, IsE164) {
  EXPECT_EQ(normal_phone_number("+49 (30) 123-45.67"), "+49301234567");
  for (const char* refused :
       {"", "+", "030123456", "+49", "+0301234567", "+4930123456789012", "+49301x34567", "49+301234567"}) {
    EXPECT_EQ(normal_phone_number(refused), std::nullopt) << refused;
  }
}

TEST(ProfileForm, ComesBackAsItWent) {
  Profile profile;
  profile.name = "Jürgen & Söhne = 100%";
  profile.email = "j@example.org";
  profile.phone_number = "+49301234567";
  profile.phone_number_verified = true;
  profile.address.street_address = "Weg 1\nHinterhaus";
  profile.birthdate = "1970-02-03";
  profile.locale = "de-AT";
  ASSERT_TRUE(check_profile(profile));
  EXPECT_EQ(profile_from_form(to_form(profile)), profile);
  EXPECT_EQ(profile_from_form(""), Profile{});
  EXPECT_EQ(profile_from_form("name=%zz"), std::nullopt);
}

TEST(ProfileCheck, NamesTheFieldThatIsWrong) {
  const auto refused = [](auto&& change) {
    Profile profile;
    change(profile);
    const Status status = check_profile(profile);
    return status ? std::string("accepted") : status.error().message.substr(0, status.error().message.find(':'));
  };
  EXPECT_EQ(refused([](Profile& p) { p.name = "a\nb"; }), "name");
  EXPECT_EQ(refused([](Profile& p) { p.name = "\u202egro.evil"; }), "name") << "turns the direction";
  EXPECT_EQ(refused([](Profile& p) { p.nickname = std::string(513, 'a'); }), "nickname");
  EXPECT_EQ(refused([](Profile& p) { p.nickname = "\xc3"; }), "nickname");
  EXPECT_EQ(refused([](Profile& p) { p.email = "a"; }), "email");
  EXPECT_EQ(refused([](Profile& p) { p.phone_number = "1"; }), "phone_number");
  EXPECT_EQ(refused([](Profile& p) { p.birthdate = "1970-13-01"; }), "birthdate");
  EXPECT_EQ(refused([](Profile& p) { p.picture = "javascript:alert(1)"; }), "picture");
  EXPECT_EQ(refused([](Profile& p) { p.website = "https://a\"b"; }), "website");
  EXPECT_EQ(refused([](Profile& p) { p.locale = "de_DE"; }), "locale");
  EXPECT_EQ(refused([](Profile& p) { p.zoneinfo = "Europe/../x y"; }), "zoneinfo");
  EXPECT_EQ(refused([](Profile& p) { p.zoneinfo = "Europe/Berlin"; }), "accepted");
}

TEST(PlainText, ReplacesWhatIsNotAllowed) {
  EXPECT_EQ(as_plain_text("a\r\nb\xff"
                          "c\u2028d",
                          100),
            "a  b c d");
  EXPECT_EQ(as_plain_text("aé", 2), "a") << "no half characters";
  EXPECT_EQ(characters_of("aé€"), 3u);
}

}  // namespace
}  // namespace gatehouse::identity
