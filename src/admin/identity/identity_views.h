#pragma once
// What the admin API says of people and applications, as JSON, and how it says no.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/calls.h"
#include "admin/service_sink.h"
#include "codec/form.h"
#include "codec/json.h"
#include "identity/audit.h"
#include "identity/factors/enrolled.h"
#include "identity/provider/client.h"
#include "identity/provider/signing_keys.h"
#include "identity/sessions/session_list.h"
#include "identity/sessions/sessions.h"
#include "identity/users/accounts.h"
#include "identity/users/federation.h"
#include "secrets/reseal.h"

namespace gatehouse::admin {

Answer identity_json(std::string body, int status = 200);
Answer identity_problem(const Error& error);
Answer not_here(std::string_view allowed);
Answer nothing_here();
// `limit` of the query, from 1 to `most`.
Result<std::size_t> limit_of(const codec::Form& query, std::size_t otherwise, std::size_t most);

// `link`: of an invitation; empty: none.
std::string user_json(const identity::User& user, std::string_view link = {});
std::string users_json(const std::vector<identity::UserPtr>& users);
std::string groups_json(const std::vector<identity::Group>& groups);
std::string group_json(const identity::Group& group);
std::string logins_json(const std::vector<identity::LinkedLogin>& logins);
std::string factors_json(const std::vector<identity::Factor>& factors);
std::string sessions_json(const std::vector<identity::Session>& sessions);
std::string session_page_json(const identity::SessionPage& page);
// `secret`: shown once; empty: not shown.
std::string client_json(const identity::Client& client, std::string_view secret = {});
std::string clients_json(const std::vector<identity::Client>& clients);
std::string signing_keys_json(const identity::SigningKeySet& keys);
std::string data_keys_json(const secrets::Resealer::Report& report, std::string_view root_key_kind);
std::string audit_json(const std::vector<identity::AuditEvent>& events);

}  // namespace gatehouse::admin
