#pragma once
// What is known about a person, by the names of OpenID Connect's standard claims (OIDC Core §5.1). Stored sealed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::identity {

// All texts are UTF-8 without control characters; empty: not known.
struct Profile {
  std::string name, given_name, family_name, middle_name, nickname;
  std::string email;         // User::email_verified says whether it was proved
  std::string phone_number;  // E.164: "+49301234567"
  bool phone_number_verified = false;
  struct Address {  // OIDC Core §5.1.1
    std::string street_address, locality, region, postal_code, country;
    bool operator==(const Address&) const = default;
    bool empty() const noexcept { return *this == Address{}; }
  } address;
  std::string birthdate;         // YYYY-MM-DD, or YYYY
  std::string locale, zoneinfo;  // "de-DE", "Europe/Berlin"
  std::string picture, website;  // https URLs
  std::string gender;
  bool operator==(const Profile&) const = default;

  static constexpr std::size_t kFieldBytesMax = 512;
};

// ErrorCode::invalid with the field's name first: "phone_number: …". The e-mail address is brought into its stored form
// (the domain in lower case).
Status check_profile(Profile& profile);

// An address that mail can be sent to and that no header can be smuggled through: one `@`, an ASCII or UTF-8 local part
// without white space, control characters, quotes or brackets, a domain of letters, digits, `-` and `.`; at most 254
// bytes (RFC 5321 §4.5.3.1). The domain comes back in lower case; nullopt otherwise.
std::optional<std::string> normal_email(std::string_view text);
// What two spellings of one address share: all of it in lower case.
std::string email_key(std::string_view normal_email);
// E.164: `+` and 7 to 15 digits; spaces, `-`, `(`, `)` and `.` between are dropped.
std::optional<std::string> normal_phone_number(std::string_view text);

// A username is 1 to 128 of the ASCII characters a-z 0-9 . _ - + @, beginning and ending with a letter or a digit;
// upper case becomes lower. Anything else is refused (nullopt), so that no two names look alike (Unicode TR39):
// people's real names belong into `Profile::name`, which has no such bound. An e-mail address in ASCII is a good
// username.
std::optional<std::string> normal_username(std::string_view text);

// For the sealed column.
std::string to_form(const Profile& profile);
std::optional<Profile> profile_from_form(std::string_view form);

}  // namespace gatehouse::identity
