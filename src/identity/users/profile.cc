#include "identity/users/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "codec/form.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

struct Field {
  std::string_view name;
  std::string& (*of)(Profile&);
};
constexpr std::array<Field, 18> kFields{{
    {"name", [](Profile& p) -> std::string& { return p.name; }},
    {"given_name", [](Profile& p) -> std::string& { return p.given_name; }},
    {"family_name", [](Profile& p) -> std::string& { return p.family_name; }},
    {"middle_name", [](Profile& p) -> std::string& { return p.middle_name; }},
    {"nickname", [](Profile& p) -> std::string& { return p.nickname; }},
    {"email", [](Profile& p) -> std::string& { return p.email; }},
    {"phone_number", [](Profile& p) -> std::string& { return p.phone_number; }},
    {"street_address", [](Profile& p) -> std::string& { return p.address.street_address; }},
    {"locality", [](Profile& p) -> std::string& { return p.address.locality; }},
    {"region", [](Profile& p) -> std::string& { return p.address.region; }},
    {"postal_code", [](Profile& p) -> std::string& { return p.address.postal_code; }},
    {"country", [](Profile& p) -> std::string& { return p.address.country; }},
    {"birthdate", [](Profile& p) -> std::string& { return p.birthdate; }},
    {"locale", [](Profile& p) -> std::string& { return p.locale; }},
    {"zoneinfo", [](Profile& p) -> std::string& { return p.zoneinfo; }},
    {"picture", [](Profile& p) -> std::string& { return p.picture; }},
    {"website", [](Profile& p) -> std::string& { return p.website; }},
    {"gender", [](Profile& p) -> std::string& { return p.gender; }},
}};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// YYYY, or YYYY-MM-DD with a month and a day that may be; 0000 for a year that is not told (OIDC Core §5.1).
bool is_birthdate(std::string_view text) noexcept {
  if (text.size() != 4 && text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i])) return false;
  }
  if (text.size() == 4) return true;
  const int month = (text[5] - '0') * 10 + text[6] - '0', day = (text[8] - '0') * 10 + text[9] - '0';
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool is_of(std::string_view text, std::string_view also) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || is_digit(c) || also.find(c) != std::string_view::npos; });
}

// Only what a browser may safely be sent to, or be shown as a link.
bool is_web_address(std::string_view text) noexcept {
  const bool web = text.starts_with("https://") || text.starts_with("http://");
  return web && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>' || c == '\\';
         });
}

tl::unexpected<Error> wrong(std::string_view field, std::string_view what) {
  return fail(ErrorCode::invalid, fmt::format("{}: {}", field, what), ErrorSource::downstream);
}

bool is_domain(std::string_view domain) noexcept {
  std::size_t label = 0;
  char last = '.';
  for (const char c : domain) {
    if (c == '.') {
      if (label == 0 || last == '-') return false;
      label = 0;
    } else {
      if (!is_letter(c) && !is_digit(c) && !(c == '-' && label > 0)) return false;
      if (++label > 63) return false;
    }
    last = c;
  }
  return label > 0 && last != '-';
}

}  // namespace

Status check_profile(Profile& profile) {
  for (const Field& field : kFields) {
    const auto feeds = field.name == "street_address" ? LineFeeds::allowed : LineFeeds::refused;
    if (!is_plain_text(field.of(profile), Profile::kFieldBytesMax, feeds)) {
      return wrong(field.name, "text of at most 512 bytes, without control characters");
    }
  }
  if (!profile.email.empty()) {
    auto email = normal_email(profile.email);
    if (!email) return wrong("email", "not an e-mail address");
    profile.email = std::move(*email);
  }
  if (!profile.phone_number.empty()) {
    auto number = normal_phone_number(profile.phone_number);
    if (!number) return wrong("phone_number", "not a number of the form +49301234567");
    profile.phone_number = std::move(*number);
  }
  if (!profile.birthdate.empty() && !is_birthdate(profile.birthdate)) return wrong("birthdate", "not YYYY-MM-DD");
  if (!is_of(profile.locale, "-") || profile.locale.size() > 35) return wrong("locale", "not a language tag");
  if (!is_of(profile.zoneinfo, "/_+-") || profile.zoneinfo.size() > 64) return wrong("zoneinfo", "not a time zone");
  if (!profile.picture.empty() && !is_web_address(profile.picture)) return wrong("picture", "not a web address");
  if (!profile.website.empty() && !is_web_address(profile.website)) return wrong("website", "not a web address");
  return {};
}

std::optional<std::string> normal_email(std::string_view text) {
  constexpr std::size_t kBytesMax = 254, kLocalBytesMax = 64;
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > kLocalBytesMax || !is_plain_text(text, kBytesMax)) {
    return std::nullopt;
  }
  const std::string_view local = text.substr(0, at), domain = text.substr(at + 1);
  // Characters that would need quotes, or that mean something in a header or a command of SMTP.
  if (local.find_first_of(" \"(),:;<>@[\\]") != std::string_view::npos) return std::nullopt;
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos) return std::nullopt;
  if (local.front() == '-' || !is_domain(domain)) return std::nullopt;
  return std::string(local) + '@' + ascii_lower(domain);
}

std::string email_key(std::string_view normal_email) { return ascii_lower(normal_email); }

std::optional<std::string> normal_phone_number(std::string_view text) {
  std::string number;
  for (const char c : text) {
    if (is_digit(c) || (c == '+' && number.empty())) {
      number += c;
    } else if (std::string_view(" -().").find(c) == std::string_view::npos) {
      return std::nullopt;
    }
    if (number.size() > 16) return std::nullopt;
  }
  if (number.size() < 8 || number[0] != '+' || number[1] == '0') return std::nullopt;
  return number;
}

std::optional<std::string> normal_username(std::string_view text) {
  if (text.empty() || text.size() > 128 || !is_of(text, "._-+@")) return std::nullopt;
  for (const char edge : {text.front(), text.back()}) {
    if (!is_letter(edge) && !is_digit(edge)) return std::nullopt;
  }
  return ascii_lower(text);
}

std::string to_form(const Profile& profile) {
  codec::FormWriter form;
  Profile copy = profile;
  for (const Field& field : kFields) {
    if (const std::string& value = field.of(copy); !value.empty()) form.add(field.name, value);
  }
  if (profile.phone_number_verified) form.add("phone_number_verified", "1");
  return form.text();
}

std::optional<Profile> profile_from_form(std::string_view text) {
  const auto form = codec::Form::parse(text);
  if (!form) return std::nullopt;
  Profile profile;
  for (const Field& field : kFields) {
    field.of(profile) = form->get_or(field.name, "");
  }
  profile.phone_number_verified = form->get_or("phone_number_verified", "") == "1";
  return profile;
}

}  // namespace gatehouse::identity
