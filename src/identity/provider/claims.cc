#include "identity/provider/claims.h"

#include <algorithm>

#include "codec/json_writer.h"

namespace gatehouse::identity {
namespace {

using codec::JsonWriter;

void text(JsonWriter& json, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  json.raw(",");
  json.string(name);
  json.raw(":");
  json.string(value);
}

void list(JsonWriter& json, std::string_view name, const std::vector<std::string>& values) {
  json.raw(",");
  json.string(name);
  json.raw(":[");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) json.raw(",");
    json.string(values[i]);
  }
  json.raw("]");
}

void flag(JsonWriter& json, std::string_view name, bool value) {
  json.raw(",");
  json.string(name);
  json.raw(":");
  json.boolean(value);
}

// OIDC Core §5.1.1
void address(JsonWriter& json, const Profile::Address& a) {
  if (a.empty()) return;
  json.raw(R"(,"address":{)");
  bool first = true;
  const auto part = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (!first) json.raw(",");
    first = false;
    json.string(name);
    json.raw(":");
    json.string(value);
  };
  part("street_address", a.street_address);
  part("locality", a.locality);
  part("region", a.region);
  part("postal_code", a.postal_code);
  part("country", a.country);
  json.raw("}");
}

struct Claim {
  std::string_view name, scope;
  void (*write)(JsonWriter& json, std::string_view name, const User& user);
};

template <std::string Profile::*Member>
void of_profile(JsonWriter& json, std::string_view name, const User& user) {
  text(json, name, user.profile.*Member);
}

const Claim kClaims[] = {
    {"name", "profile", of_profile<&Profile::name>},
    {"given_name", "profile", of_profile<&Profile::given_name>},
    {"family_name", "profile", of_profile<&Profile::family_name>},
    {"middle_name", "profile", of_profile<&Profile::middle_name>},
    {"nickname", "profile", of_profile<&Profile::nickname>},
    {"preferred_username", "profile",
     [](JsonWriter& json, std::string_view name, const User& user) { text(json, name, user.username); }},
    {"picture", "profile", of_profile<&Profile::picture>},
    {"website", "profile", of_profile<&Profile::website>},
    {"gender", "profile", of_profile<&Profile::gender>},
    {"birthdate", "profile", of_profile<&Profile::birthdate>},
    {"zoneinfo", "profile", of_profile<&Profile::zoneinfo>},
    {"locale", "profile", of_profile<&Profile::locale>},
    {"updated_at", "profile",
     [](JsonWriter& json, std::string_view name, const User& user) {
       json.raw(",");
       json.string(name);
       json.raw(":");
       json.number(user.updated_s);
     }},
    {"email", "email", of_profile<&Profile::email>},
    {"email_verified", "email",
     [](JsonWriter& json, std::string_view name, const User& user) {
       if (!user.profile.email.empty()) flag(json, name, user.email_verified);
     }},
    {"address", "address",
     [](JsonWriter& json, std::string_view, const User& user) { address(json, user.profile.address); }},
    {"phone_number", "phone", of_profile<&Profile::phone_number>},
    {"phone_number_verified", "phone",
     [](JsonWriter& json, std::string_view name, const User& user) {
       if (!user.profile.phone_number.empty()) flag(json, name, user.profile.phone_number_verified);
     }},
    {"roles", "roles", [](JsonWriter& json, std::string_view name, const User& user) { list(json, name, user.roles); }},
    {"groups", "groups",
     [](JsonWriter& json, std::string_view name, const User& user) { list(json, name, user.groups); }},
};

template <class Wanted>
std::string write(const User& user, const Wanted& wanted) {
  std::string out;
  JsonWriter json(out);
  for (const Claim& claim : kClaims) {
    if (wanted(claim)) claim.write(json, claim.name, user);
  }
  json.flush();
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

}  // namespace

std::string claims_by_scope(const User& user, const std::vector<std::string>& scopes) {
  return write(user, [&](const Claim& claim) { return contains(scopes, claim.scope); });
}

std::string claims_by_name(const User& user, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  return write(user, [&](const Claim& claim) { return contains(names, claim.name); });
}

const std::vector<std::string_view>& claim_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"};
    for (const Claim& claim : kClaims) all.push_back(claim.name);
    return all;
  }();
  return names;
}

}  // namespace gatehouse::identity
