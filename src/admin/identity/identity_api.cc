#include "admin/identity/identity_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "admin/identity/identity_views.h"
#include "codec/form.h"

namespace gatehouse::admin {
namespace {

using codec::Form;
using codec::Json;
using identity::Outcome;

constexpr std::string_view kUsersPath = "/v1/users", kGroupsPath = "/v1/groups", kClientsPath = "/v1/clients",
                           kSessionsPath = "/v1/sessions", kSigningKeysPath = "/v1/signing-keys",
                           kDataKeysPath = "/v1/data-keys", kAuditPath = "/v1/audit-events";

bool is_below(std::string_view path, std::string_view root) noexcept {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

std::string actor_of(const Call& call) {
  if (!call.caller.empty()) return "admin:" + call.caller;
  if (call.connection->credentials) return fmt::format("admin:uid={}", call.connection->credentials->uid);
  return "admin:token";
}

Answer identity_json(std::string body, int status) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

Answer identity_problem(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found: return problem(404, error.message);
    case ErrorCode::invalid: return problem(400, error.message);
    case ErrorCode::conflict:
    case ErrorCode::denied: return problem(409, error.message);
    case ErrorCode::unavailable:
    case ErrorCode::exhausted: return problem(503, error.message);
    default: return problem(500, error.message);
  }
}

Answer not_here(std::string_view allowed) {
  Answer answer = problem(405, "This method does not apply here.");
  answer.allow = allowed;
  return answer;
}

Answer nothing_here() { return problem(404, "There is nothing here; docs/admin-api.yaml lists what there is."); }

Result<std::size_t> limit_of(const Form& query, std::size_t otherwise, std::size_t most) {
  const auto text = query.get("limit");
  if (!text) return otherwise;
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc{} || end != text->data() + text->size() || limit == 0 || limit > most)
    return fail(ErrorCode::invalid, fmt::format("'limit' is a number from 1 to {}.", most));
  return limit;
}

bool IdentityApi::serves(std::string_view path) noexcept {
  const auto roots = {kUsersPath,       kGroupsPath,   kClientsPath, kSessionsPath,
                      kSigningKeysPath, kDataKeysPath, kAuditPath};
  return std::any_of(roots.begin(), roots.end(), [&](std::string_view root) { return is_below(path, root); });
}

Answer IdentityApi::answer(const Call& call) {
  Asked asked{call, {}, actor_of(call), {}};
  std::string_view rest = std::string_view(call.path).substr(4);  // behind "/v1/"
  for (;;) {
    const std::string_view piece = rest.substr(0, rest.find('/'));
    // In a path `+` is itself, and not a space.
    std::string escaped;
    for (const char c : piece) escaped += c == '+' ? std::string("%2B") : std::string(1, c);
    const auto decoded = Form::parse("v=" + escaped);
    if (!decoded || decoded->entries().size() != 1 || decoded->get_or("v", "").empty()) return nothing_here();
    asked.pieces.emplace_back(decoded->get_or("v", ""));
    if (piece.size() == rest.size()) break;
    rest.remove_prefix(piece.size() + 1);
  }
  auto body = Json::parse(call.body.empty() ? std::string_view("{}") : std::string_view(call.body));
  if (!body || !body->is_object()) return problem(400, "The body must be a JSON object.");
  asked.body = std::move(*body);
  const std::string& root = asked.pieces.front();
  if (root == "users") return users(asked);
  if (root == "groups") return groups(asked);
  if (root == "clients") return clients(asked);
  if (root == "sessions") return sessions(asked);
  if (root == "signing-keys") return signing_keys(asked);
  if (root == "data-keys") return data_keys(asked);
  return audit_events(asked);
}

Answer IdentityApi::done(const Asked& asked, std::string_view action, std::string_view target, const Status& status,
                         identity::AuditTrail::Details details) {
  p_.audit.record(asked.actor, action, target, status ? Outcome::ok : Outcome::refused, details);
  return status ? identity_json("{}") : identity_problem(status.error());
}

Result<identity::UserPtr> IdentityApi::find_user(std::string_view id_or_name) {
  auto user = p_.accounts.find_by_username(id_or_name);
  if (user && *user == nullptr) user = p_.accounts.find(id_or_name);
  if (user && *user == nullptr) return fail(ErrorCode::not_found, fmt::format("There is no user {}.", id_or_name));
  return user;
}

// Sessions

Answer IdentityApi::list_sessions(const Asked& asked) {
  const auto query = Form::parse(asked.call.query);
  if (!query || query->repeated()) return problem(400, "The query has a broken escape, or a parameter twice.");
  for (const auto& [name, value] : query->entries()) {
    if (name != "after" && name != "limit")
      return problem(400, fmt::format("'{}' is no parameter: after and limit are.", name));
  }
  const auto limit = limit_of(*query, 100, identity::SessionList::kLimitMax);
  if (!limit) return identity_problem(limit.error());
  auto page = p_.session_list.newest(*limit, query->get_or("after", ""));
  return page ? identity_json(session_page_json(*page)) : identity_problem(page.error());
}

Answer IdentityApi::sessions(const Asked& asked) {
  if (asked.pieces.size() == 1) return asked.call.method == "GET" ? list_sessions(asked) : not_here("GET");
  if (asked.pieces.size() != 2) return nothing_here();
  if (asked.call.method != "DELETE") return not_here("DELETE");
  auto ended = p_.sessions.end_by_id(asked.pieces[1]);
  Status status;
  if (!ended) status = tl::unexpected(ended.error());
  if (ended && !*ended) status = fail(ErrorCode::not_found, "There is no such session.");
  return done(asked, "session.end", "session:" + asked.pieces[1], status);
}

Answer IdentityApi::end_sessions_of(const Asked& asked, const identity::User& user) {
  if (asked.call.method == "GET") {
    auto list = p_.sessions.list(user.id);
    return list ? identity_json(sessions_json(*list)) : identity_problem(list.error());
  }
  if (asked.call.method != "DELETE") return not_here("GET, DELETE");
  auto ended = p_.sessions.end_all(user.id);
  const Status status = ended ? Status{} : tl::unexpected(ended.error());
  Answer answer = done(asked, "session.end_all", "user:" + user.id, status);
  return status ? identity_json(fmt::format(R"({{"ended":{}}})", *ended)) : answer;
}

// Keys that sign tokens

Answer IdentityApi::signing_keys(const Asked& asked) {
  identity::SigningKeys& keys = p_.provider.signing_keys();
  if (asked.pieces.size() == 1) {
    if (asked.call.method != "GET") return not_here("GET");
    const auto set = keys.current();
    return set ? identity_json(signing_keys_json(*set)) : problem(503, "There are no keys yet.");
  }
  if (asked.pieces.size() != 2 || asked.pieces[1] != "rotate") return nothing_here();
  if (asked.call.method != "POST") return not_here("POST");
  if (const auto unknown = unknown_member(asked.body, {})) return problem(400, *unknown);
  const Status status = keys.rotate_now();
  Answer answer = done(asked, "signing_keys.rotate", "", status);
  return status ? identity_json(signing_keys_json(*keys.current())) : answer;
}

// Keys that seal what is stored

Answer IdentityApi::show_data_keys() {
  auto report = p_.resealer.report();
  return report ? identity_json(data_keys_json(*report, p_.root_key_kind)) : identity_problem(report.error());
}

Answer IdentityApi::data_keys(const Asked& asked) {
  if (asked.pieces.size() == 1) return asked.call.method == "GET" ? show_data_keys() : not_here("GET");
  if (asked.pieces.size() != 2 || asked.pieces[1] != "rotate") return nothing_here();
  if (asked.call.method != "POST") return not_here("POST");
  if (const auto unknown = unknown_member(asked.body, {})) return problem(400, *unknown);
  const Status status = p_.keyring.rotate();
  const std::string key = std::to_string(p_.keyring.current_key());
  Answer answer = done(asked, "data_keys.rotate", "", status, {{"key", key}});
  return status ? show_data_keys() : answer;
}

// Audit

Answer IdentityApi::audit_events(const Asked& asked) {
  if (asked.pieces.size() != 1) return nothing_here();
  if (asked.call.method != "GET") return not_here("GET");
  const auto query = Form::parse(asked.call.query);
  if (!query) return problem(400, "The query has a broken escape.");
  identity::AuditFilter filter;
  for (const auto& [name, value] : query->entries()) {
    if (name == "target") {
      filter.target = value;
    } else if (name == "before") {
      filter.before_id = value;
    } else if (name != "limit") {
      return problem(400, fmt::format("'{}' is no parameter: target, before and limit are.", name));
    }
  }
  auto limit = limit_of(*query, filter.limit, identity::AuditTrail::kLimitMax);
  if (!limit) return identity_problem(limit.error());
  filter.limit = *limit;
  auto events = p_.audit.list(filter);
  return events ? identity_json(audit_json(*events)) : identity_problem(events.error());
}

}  // namespace gatehouse::admin
