// The settings of a client as JSON, under RFC 7591's names where it has one.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "codec/json.h"
#include "identity/provider/client.h"

namespace gatehouse::identity {
namespace {

using codec::Json;

Error bad(std::string_view name, std::string_view what) {
  return Error{ErrorCode::invalid, ErrorSource::configuration, Retry::no, fmt::format("{}: {}", name, what)};
}

// Reads members, and knows which ones were asked for: what nobody asked for is a mistake of the caller.
class Members {
 public:
  explicit Members(const Json& object) : object_(object), seen_(object.size()) {}

  void text(std::string_view name, std::string& into) {
    if (const Json* member = take(name)) {
      if (const auto value = member->string()) {
        into = *value;
      } else {
        refuse(name, "must be text");
      }
    }
  }
  void flag(std::string_view name, bool& into) {
    if (const Json* member = take(name)) {
      if (const auto value = member->boolean()) {
        into = *value;
      } else {
        refuse(name, "must be true or false");
      }
    }
  }
  template <class Number>
  void number(std::string_view name, Number& into) {
    if (const Json* member = take(name)) {
      const auto value = member->integer();
      if (value && *value >= 0 && *value <= UINT32_MAX) {
        into = static_cast<std::uint32_t>(*value);
      } else {
        refuse(name, "must be a number of seconds");
      }
    }
  }
  void list(std::string_view name, std::vector<std::string>& into) {
    if (const Json* member = take(name)) {
      if (!member->is_array() || member->size() > 100) return refuse(name, "must be a list of at most 100");
      into.clear();
      for (const Json& item : member->items()) {
        const auto value = item.string();
        if (!value) return refuse(name, "must be a list of texts");
        into.emplace_back(*value);
      }
    }
  }
  const Json* take(std::string_view name) {
    for (std::size_t i = 0; i < object_.size(); ++i) {
      if (object_.name(i) == name) return seen_[i] = true, &object_.value(i);
    }
    return nullptr;
  }
  void refuse(std::string_view name, std::string_view what) {
    if (!error_) error_ = bad(name, what);
  }
  const std::optional<Error>& finish() {
    for (std::size_t i = 0; i < object_.size(); ++i) {
      if (!seen_[i]) refuse(object_.name(i), "unknown");
    }
    return error_;
  }

 private:
  const Json& object_;
  std::vector<bool> seen_;
  std::optional<Error> error_;
};

void read_choices(Members& members, ClientSettings& s) {
  std::string word;
  members.text("token_endpoint_auth_method", word);
  if (!word.empty()) {
    if (const auto method = parse_client_auth(word)) {
      s.auth = *method;
    } else {
      members.refuse("token_endpoint_auth_method", "unknown");
    }
  }
  std::vector<std::string> grants;
  members.list("grant_types", grants);
  if (!grants.empty()) s.grants.clear();
  for (const std::string& name : grants) {
    if (const auto grant = parse_grant_type(name)) {
      s.grants.push_back(*grant);
    } else {
      members.refuse("grant_types", "unknown: " + name);
    }
  }
  word.clear();
  members.text("scope", word);
  if (!word.empty()) s.scopes = split_scopes(word);
  word.clear();
  members.text("id_token_signed_response_alg", word);
  if (!word.empty()) {
    const auto algorithm = crypto::parse_jose_algorithm(word);
    using enum crypto::JoseAlgorithm;
    if (algorithm && (*algorithm == es256 || *algorithm == rs256 || *algorithm == eddsa)) {
      s.id_token_algorithm = *algorithm;
    } else {
      members.refuse("id_token_signed_response_alg", "must be ES256, RS256 or EdDSA");
    }
  }
  word.clear();
  members.text("subject_type", word);
  if (word == "pairwise" || word == "public") {
    s.pairwise = word == "pairwise";
  } else if (!word.empty()) {
    members.refuse("subject_type", "must be public or pairwise");
  }
}

}  // namespace

std::string to_json(const ClientSettings& s) {
  nlohmann::json j;
  j["token_endpoint_auth_method"] = name_of(s.auth);
  for (const GrantType grant : s.grants) j["grant_types"].push_back(name_of(grant));
  j["scope"] = join_scopes(s.scopes);
  j["id_token_signed_response_alg"] = crypto::name_of(s.id_token_algorithm);
  j["subject_type"] = s.pairwise ? "pairwise" : "public";
  const auto list = [&](const char* name, const std::vector<std::string>& values) {
    if (!values.empty()) j[name] = values;
  };
  list("redirect_uris", s.redirect_uris);
  list("post_logout_redirect_uris", s.post_logout_redirect_uris);
  list("audiences", s.audiences);
  list("own_audiences", s.own_audiences);
  list("roles", s.roles);
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) j[name] = value;
  };
  text("backchannel_logout_uri", s.backchannel_logout_uri);
  text("jwks", s.jwks);
  text("jwks_uri", s.jwks_uri);
  if (s.self_registered) j["self_registered"] = true;
  text("tls_client_auth_subject_dn", s.tls_subject);
  text("tls_client_auth_san", s.tls_san);
  text("tls_client_certificate_sha256", s.tls_sha256);
  text("sector_identifier", s.sector);
  text("logo_uri", s.logo_uri);
  text("client_uri", s.client_uri);
  text("policy_uri", s.policy_uri);
  text("tos_uri", s.tos_uri);
  j["first_party"] = s.first_party;
  j["mfa"] = s.mfa;
  j["require_pkce"] = s.require_pkce;
  j["require_pushed_authorization_requests"] = s.require_par;
  j["dpop_bound_access_tokens"] = s.require_dpop;
  j["tls_client_certificate_bound_access_tokens"] = s.certificate_bound;
  j["session_refresh"] = s.session_refresh;
  if (s.default_max_age_s) j["default_max_age"] = *s.default_max_age_s;
  j["access_token_seconds"] = s.access_token_s;
  j["refresh_token_seconds"] = s.refresh_token_s;
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<ClientSettings> settings_from_json(std::string_view text) {
  const auto json = Json::parse(text);
  if (!json) return fail(ErrorCode::invalid, "the client's settings are not a JSON object");
  return settings_from_json(*json);
}

Result<ClientSettings> settings_from_json(const Json& json, ClientSettings s) {
  if (!json.is_object()) return fail(ErrorCode::invalid, "the client's settings are not a JSON object");
  Members members(json);
  read_choices(members, s);
  members.list("redirect_uris", s.redirect_uris);
  members.list("post_logout_redirect_uris", s.post_logout_redirect_uris);
  members.list("audiences", s.audiences);
  members.list("own_audiences", s.own_audiences);
  members.list("roles", s.roles);
  members.text("backchannel_logout_uri", s.backchannel_logout_uri);
  members.text("jwks", s.jwks);
  members.text("jwks_uri", s.jwks_uri);
  members.flag("self_registered", s.self_registered);
  members.text("tls_client_auth_subject_dn", s.tls_subject);
  members.text("tls_client_auth_san", s.tls_san);
  members.text("tls_client_certificate_sha256", s.tls_sha256);
  members.text("sector_identifier", s.sector);
  members.text("logo_uri", s.logo_uri);
  members.text("client_uri", s.client_uri);
  members.text("policy_uri", s.policy_uri);
  members.text("tos_uri", s.tos_uri);
  members.flag("first_party", s.first_party);
  members.flag("mfa", s.mfa);
  members.flag("require_pkce", s.require_pkce);
  members.flag("require_pushed_authorization_requests", s.require_par);
  members.flag("dpop_bound_access_tokens", s.require_dpop);
  members.flag("tls_client_certificate_bound_access_tokens", s.certificate_bound);
  members.flag("session_refresh", s.session_refresh);
  members.number("default_max_age", s.default_max_age_s);
  members.number("access_token_seconds", s.access_token_s);
  members.number("refresh_token_seconds", s.refresh_token_s);
  if (const auto& error = members.finish()) return tl::unexpected(*error);
  return s;
}

}  // namespace gatehouse::identity
