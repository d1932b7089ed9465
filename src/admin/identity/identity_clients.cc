// Clients: the applications that may ask for tokens.

#include <fmt/format.h>

#include "admin/identity/identity_api.h"
#include "admin/identity/identity_views.h"
#include "codec/form.h"

namespace gatehouse::admin {
namespace {

using codec::Json;

}  // namespace

Answer IdentityApi::clients(const Asked& asked) {
  identity::Clients& clients = p_.provider.clients();
  const std::string& method = asked.call.method;
  if (asked.pieces.size() == 1) {
    if (method == "POST") return create_client(asked);
    if (method != "GET") return not_here("GET, POST");
    const auto query = codec::Form::parse(asked.call.query);
    if (!query) return problem(400, "The query has a broken escape.");
    auto limit = limit_of(*query, 100, 1000);
    if (!limit) return identity_problem(limit.error());
    auto list = clients.list(*limit, query->get_or("after", ""));
    return list ? identity_json(clients_json(*list)) : identity_problem(list.error());
  }
  const std::string& id = asked.pieces[1];
  const std::string target = "client:" + id;
  if (asked.pieces.size() == 2) {
    if (method == "DELETE") return done(asked, "client.remove", target, clients.remove(id));
    if (method == "PATCH") return change_client(asked);
    if (method != "GET") return not_here("GET, PATCH, DELETE");
    auto client = clients.get(id);
    return client ? identity_json(client_json(*client)) : identity_problem(client.error());
  }
  if (asked.pieces.size() != 3 || asked.pieces[2] != "secret") return nothing_here();
  if (method != "POST") return not_here("POST");
  auto secret = clients.renew_secret(id);
  const Status status = secret ? Status{} : tl::unexpected(secret.error());
  Answer answer = done(asked, "client.secret.renew", target, status);
  if (!secret) return answer;
  auto client = clients.get(id);
  return client ? identity_json(client_json(*client, *secret)) : identity_problem(client.error());
}

Answer IdentityApi::create_client(const Asked& asked) {
  if (const auto unknown = unknown_member(asked.body, {"client_id", "client_name", "settings"}))
    return problem(400, *unknown);
  identity::NewClient wanted;
  wanted.id = asked.body.find_string("client_id").value_or("");
  wanted.name = asked.body.find_string("client_name").value_or("");
  if (const Json* settings = asked.body.find("settings")) {
    auto read = identity::settings_from_json(*settings);
    if (!read) return identity_problem(read.error());
    wanted.settings = std::move(*read);
  }
  auto created = p_.provider.clients().create(std::move(wanted));
  const Status status = created ? Status{} : tl::unexpected(created.error());
  Answer answer = done(asked, "client.create", created ? "client:" + created->client.id : std::string(), status);
  return created ? identity_json(client_json(created->client, created->secret), 201) : answer;
}

// What is named changes, the rest stays: the settings that there are, with those that were sent in their place.
Answer IdentityApi::change_client(const Asked& asked) {
  if (const auto unknown = unknown_member(asked.body, {"client_name", "enabled", "settings"}))
    return problem(400, *unknown);
  identity::Clients& clients = p_.provider.clients();
  const std::string& id = asked.pieces[1];
  auto client = clients.get(id);
  if (!client) return identity_problem(client.error());
  Status status;
  const Json* settings = asked.body.find("settings");
  const auto name = asked.body.find_string("client_name");
  if (settings != nullptr || name) {
    identity::ClientSettings merged = client->settings;
    if (settings != nullptr) {
      auto read = identity::settings_from_json(*settings, client->settings);
      if (!read) return identity_problem(read.error());
      merged = std::move(*read);
    }
    status = clients.change(id, name.value_or(client->name), merged);
  }
  if (const Json* enabled = asked.body.find("enabled"); status && enabled != nullptr) {
    if (!enabled->boolean()) return problem(400, "'enabled' must be true or false.");
    status = clients.set_enabled(id, *enabled->boolean());
  }
  Answer answer = done(asked, "client.change", "client:" + id, status);
  if (!status) return answer;
  auto now = clients.get(id);
  return now ? identity_json(client_json(*now)) : identity_problem(now.error());
}

}  // namespace gatehouse::admin
