#include "admin/identity/identity_views.h"

#include "admin/members.h"
#include "identity/seconds.h"

namespace gatehouse::admin {
namespace {

using codec::JsonWriter;

template <class Write>
std::string object(Write write) {
  std::string out;
  JsonWriter json(out);
  {
    Members members(json);
    write(json, members);
  }
  json.flush();
  return out;
}

void text_if(Members& members, std::string_view name, std::string_view value) {
  if (!value.empty()) members.text(name, value);
}

void time_if(Members& members, std::string_view name, std::int64_t seconds) {
  if (seconds != 0) members.time(name, identity::time_of(seconds));
}

void write_user(Members& members, const identity::User& user) {
  members.text("id", user.id);
  members.text("username", user.username);
  members.text("state", name_of(user.state));
  text_if(members, "name", user.profile.name);
  text_if(members, "given_name", user.profile.given_name);
  text_if(members, "family_name", user.profile.family_name);
  text_if(members, "email", user.profile.email);
  if (!user.profile.email.empty()) members.boolean("email_verified", user.email_verified);
  text_if(members, "phone_number", user.profile.phone_number);
  text_if(members, "locale", user.profile.locale);
  members.texts("roles", user.own_roles);
  members.texts("effective_roles", user.roles);
  members.texts("groups", user.groups);
  members.boolean("has_password", user.has_password);
  members.time("created", identity::time_of(user.created_s));
  members.time("updated", identity::time_of(user.updated_s));
}

void write_session(Members& members, const identity::Session& session) {
  members.text("id", session.id);
  members.text("user_id", session.user_id);
  members.text("amr", session.amr);
  members.text("device", session.device);
  members.text("client_ip", session.client_ip);
  members.time("authenticated", identity::time_of(session.auth_s));
  time_if(members, "second_factor", session.factor_s);
  members.time("created", identity::time_of(session.created_s));
  members.time("seen", identity::time_of(session.seen_s));
  members.time("expires", identity::time_of(session.expires_s));
}

void write_group(Members& members, const identity::Group& group) {
  members.text("name", group.name);
  members.text("description", group.description);
  members.texts("roles", group.roles);
  members.number("members", group.members);
  members.time("created", identity::time_of(group.created_s));
}

void write_client(JsonWriter& json, Members& members, const identity::Client& client) {
  members.text("client_id", client.id);
  members.text("client_name", client.name);
  members.boolean("enabled", client.enabled);
  members.time("created", client.created);
  members.time("updated", client.updated);
  members.name("settings");
  json.raw(to_json(client.settings));
}

template <class List, class Write>
std::string list_of(std::string_view name, const List& list, Write write) {
  return object([&](JsonWriter& json, Members& members) {
    members.name(name);
    write_list(json, list, [&](const auto& one) {
      Members inner(json);
      write(json, inner, one);
    });
  });
}

}  // namespace

std::string user_json(const identity::User& user, std::string_view link) {
  return object([&](JsonWriter&, Members& members) {
    write_user(members, user);
    text_if(members, "invitation", link);
  });
}

std::string users_json(const std::vector<identity::UserPtr>& users) {
  return list_of("users", users,
                 [](JsonWriter&, Members& members, const identity::UserPtr& user) { write_user(members, *user); });
}

std::string group_json(const identity::Group& group) {
  return object([&](JsonWriter&, Members& members) { write_group(members, group); });
}

std::string groups_json(const std::vector<identity::Group>& groups) {
  return list_of("groups", groups,
                 [](JsonWriter&, Members& members, const identity::Group& group) { write_group(members, group); });
}

std::string logins_json(const std::vector<identity::LinkedLogin>& logins) {
  return list_of("logins", logins, [](JsonWriter&, Members& members, const identity::LinkedLogin& login) {
    members.text("issuer", login.issuer);
    members.text("subject", login.subject);
    members.time("linked", identity::time_of(login.created_s));
  });
}

std::string factors_json(const std::vector<identity::Factor>& factors) {
  return list_of("factors", factors, [](JsonWriter&, Members& members, const identity::Factor& factor) {
    members.text("id", factor.id);
    members.text("kind", name_of(factor.kind));
    members.text("label", factor.label);
    members.time("created", identity::time_of(factor.created_s));
    time_if(members, "used", factor.used_s);
  });
}

std::string sessions_json(const std::vector<identity::Session>& sessions) {
  return list_of("sessions", sessions, [](JsonWriter&, Members& members, const identity::Session& session) {
    write_session(members, session);
  });
}

std::string session_page_json(const identity::SessionPage& page) {
  return object([&](JsonWriter& json, Members& members) {
    members.name("sessions");
    write_list(json, page.sessions, [&](const identity::ListedSession& one) {
      Members inner(json);
      inner.text("username", one.username);
      write_session(inner, one.session);
    });
    text_if(members, "next", page.next);
  });
}

std::string client_json(const identity::Client& client, std::string_view secret) {
  return object([&](JsonWriter& json, Members& members) {
    write_client(json, members, client);
    text_if(members, "client_secret", secret);
  });
}

std::string clients_json(const std::vector<identity::Client>& clients) {
  return list_of("clients", clients, [](JsonWriter& json, Members& members, const identity::Client& client) {
    write_client(json, members, client);
  });
}

std::string signing_keys_json(const identity::SigningKeySet& keys) {
  return list_of("keys", keys.entries(),
                 [](JsonWriter&, Members& members, const identity::SigningKeySet::Entry& entry) {
                   members.text("id", entry.view.id);
                   members.text("algorithm", entry.view.algorithm);
                   members.text("state", identity::state_at(entry.view, SystemClock::instance().wall()));
                   members.time("created", entry.view.created);
                   members.time("signs_from", entry.view.signs_from);
                   members.time("signs_until", entry.view.signs_until);
                   members.time("published_until", entry.view.published_until);
                 });
}

std::string data_keys_json(const secrets::Resealer::Report& report, std::string_view root_key_kind) {
  return object([&](JsonWriter& json, Members& members) {
    members.text("root_key", root_key_kind);
    members.number("root_keys", report.root_keys);
    members.number("lost", report.lost);
    members.number("unopened", report.unopened);
    members.name("keys");
    write_list(json, report.keys, [&](const secrets::Resealer::Key& key) {
      Members inner(json);
      inner.number("id", key.view.id);
      inner.text("state", key.view.state);
      inner.time("created", key.view.created);
      inner.number("records", key.records);
    });
  });
}

std::string audit_json(const std::vector<identity::AuditEvent>& events) {
  return list_of("events", events, [](JsonWriter& json, Members& members, const identity::AuditEvent& event) {
    members.text("id", event.id);
    members.time("time", identity::time_of(event.at_s));
    members.text("actor", event.actor);
    members.text("action", event.action);
    members.text("target", event.target);
    members.text("outcome", event.outcome == identity::Outcome::ok ? "ok" : "refused");
    text_if(members, "request_id", event.request_id);
    members.name("details");
    Members details(json);
    for (const auto& [name, value] : event.details) details.text(name, value);
  });
}

}  // namespace gatehouse::admin
