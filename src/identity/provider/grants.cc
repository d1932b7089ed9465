#include "identity/provider/grants.h"

#include <fmt/format.h>

#include <charconv>

#include "codec/form.h"
#include "crypto/random.h"
#include "identity/provider/client.h"
#include "identity/seconds.h"
#include "identity/token_hash.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kGrantColumns =
    "g.id, g.client_id, g.user_id, g.session_id, g.scopes, g.resources, g.offline, g.created_at, g.expires_at, "
    "g.revoked_at";
constexpr std::size_t kGrantColumnCount = 10;

Grant read_grant(const store::Row& row) {
  Grant grant;
  grant.id = row[0].text();
  grant.client_id = row[1].text();
  grant.user_id = row[2].text();
  grant.session_id = row[3].text();
  grant.scopes = split_scopes(row[4].text());
  grant.resources = split_scopes(row[5].text());
  grant.offline = row[6].integer() != 0;
  grant.created_s = row[7].integer();
  grant.expires_s = row[8].integer();
  grant.revoked_s = row[9].integer();
  return grant;
}

store::Value maybe(const std::string& text) { return text.empty() ? store::Value() : store::Value(text); }

}  // namespace

std::string to_form(const GrantRequest& r) {
  codec::FormWriter form;
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) form.add(name, value);
  };
  text("redirect_uri", r.redirect_uri);
  text("code_challenge", r.code_challenge);
  text("nonce", r.nonce);
  text("id_token_claims", r.id_token_claims);
  text("userinfo_claims", r.userinfo_claims);
  if (r.authentication.time_s != 0) form.add("auth_time", std::to_string(r.authentication.time_s));
  text("amr", r.authentication.amr);
  if (r.authentication.mfa) form.add("mfa", "1");
  text("jkt", r.confirmation.jkt);
  text("x5t", r.confirmation.x5t_s256);
  return form.text();
}

std::optional<GrantRequest> request_from_form(std::string_view encoded) {
  const auto form = codec::Form::parse(encoded);
  if (!form) return std::nullopt;
  const auto text = [&](std::string_view name) { return std::string(form->get_or(name, "")); };
  GrantRequest r;
  r.redirect_uri = text("redirect_uri");
  r.code_challenge = text("code_challenge");
  r.nonce = text("nonce");
  r.id_token_claims = text("id_token_claims");
  r.userinfo_claims = text("userinfo_claims");
  const std::string_view time = form->get_or("auth_time", "0");
  if (std::from_chars(time.data(), time.data() + time.size(), r.authentication.time_s).ec != std::errc{})
    return std::nullopt;
  r.authentication.amr = text("amr");
  r.authentication.mfa = form->get("mfa").has_value();
  r.confirmation.jkt = text("jkt");
  r.confirmation.x5t_s256 = text("x5t");
  return r;
}

Result<Grant> Grants::begin(Grant grant, Duration lifetime) {
  grant.id = crypto::random_token().substr(0, 22);
  grant.created_s = seconds_of(clock_.wall());
  grant.expires_s = grant.created_s + seconds_of(lifetime);
  auto stored = database_.run(
      "INSERT INTO grants (id, client_id, user_id, session_id, scopes, resources, offline, created_at, expires_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      {grant.id, grant.client_id, maybe(grant.user_id), maybe(grant.session_id), join_scopes(grant.scopes),
       join_scopes(grant.resources), grant.offline ? 1 : 0, grant.created_s, grant.expires_s});
  if (!stored) return tl::unexpected(stored.error());
  return grant;
}

Result<std::string> Grants::issue_code(const Grant& grant, const GrantRequest& request) {
  std::string code = crypto::random_token();
  auto stored =
      database_.run("INSERT INTO codes (code_hash, grant_id, request, expires_at) VALUES ($1, $2, $3, $4)",
                    {token_hash(code), grant.id, to_form(request), seconds_of(clock_.wall() + kCodeLifetime)});
  if (!stored) return tl::unexpected(stored.error());
  return code;
}

namespace {

Result<std::string> store_refresh_token(store::Executor& in, const Grant& grant, const GrantRequest& request,
                                        std::int64_t now, Duration lifetime) {
  std::string token = crypto::random_token();
  auto stored = in.run(
      "INSERT INTO refresh_tokens (token_hash, grant_id, request, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
      {token_hash(token), grant.id, to_form(request), now, std::min(now + seconds_of(lifetime), grant.expires_s)});
  if (!stored) return tl::unexpected(stored.error());
  return token;
}

}  // namespace

Result<std::string> Grants::issue_refresh_token(const Grant& grant, const GrantRequest& request, Duration lifetime) {
  return store_refresh_token(database_, grant, request, seconds_of(clock_.wall()), lifetime);
}

Result<Grants::Presented> Grants::look_up(std::string_view sql, std::string_view token) {
  Presented presented;
  if (token.empty() || token.size() > 256) {
    presented.refusal = Refusal::unknown;
    return presented;
  }
  auto rows = database_.run(sql, {token_hash(token)});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) {
    presented.refusal = Refusal::unknown;
    return presented;
  }
  const store::Row& row = rows->rows.front();
  presented.grant = read_grant(row);
  auto request = request_from_form(row[kGrantColumnCount].text());
  if (!request) return fail(ErrorCode::internal, "a stored grant cannot be read");
  presented.request = std::move(*request);
  const std::int64_t now = seconds_of(clock_.wall());
  if (presented.grant.revoked_s != 0) {
    presented.refusal = Refusal::revoked;
  } else if (row[kGrantColumnCount + 2].integer() != 0) {
    presented.refusal = Refusal::used;
  } else if (row[kGrantColumnCount + 1].integer() <= now || presented.grant.expires_s <= now) {
    presented.refusal = Refusal::expired;
  }
  return presented;
}

Result<Grants::Presented> Grants::look_up_code(std::string_view code) {
  static const std::string sql = fmt::format(
      "SELECT {}, c.request, c.expires_at, c.used_at FROM codes c JOIN grants g ON g.id = c.grant_id "
      "WHERE c.code_hash = $1",
      kGrantColumns);
  return look_up(sql, code);
}

Result<Grants::Presented> Grants::look_up_refresh_token(std::string_view token) {
  static const std::string sql = fmt::format(
      "SELECT {}, t.request, t.expires_at, t.used_at FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id "
      "WHERE t.token_hash = $1",
      kGrantColumns);
  return look_up(sql, token);
}

Result<bool> Grants::use_code(std::string_view code, const Grant& grant) {
  auto used = database_.run("UPDATE codes SET used_at = $1 WHERE code_hash = $2 AND used_at = 0",
                            {seconds_of(clock_.wall()), token_hash(code)});
  if (!used) return tl::unexpected(used.error());
  if (used->changed == 1) return true;
  if (auto revoked = revoke(grant); !revoked) return tl::unexpected(revoked.error());
  return false;
}

Result<std::optional<std::string>> Grants::rotate_refresh_token(std::string_view token, const Grant& grant,
                                                                const GrantRequest& request, Duration lifetime) {
  std::optional<std::string> next;
  const auto body = [&](store::Executor& tx) -> Status {
    next.reset();
    const std::int64_t now = seconds_of(clock_.wall());
    auto used = tx.run("UPDATE refresh_tokens SET used_at = $1 WHERE token_hash = $2 AND used_at = 0",
                       {now, token_hash(token)});
    if (!used) return tl::unexpected(used.error());
    if (used->changed == 0) return {};
    auto made = store_refresh_token(tx, grant, request, now, lifetime);
    if (!made) return tl::unexpected(made.error());
    next = std::move(*made);
    return {};
  };
  if (auto done = database_.transact(body); !done) return tl::unexpected(done.error());
  if (next) return next;
  if (auto revoked = revoke(grant); !revoked) return tl::unexpected(revoked.error());
  return next;
}

Result<std::optional<Grant>> Grants::find(std::string_view id) {
  auto rows = database_.run(fmt::format("SELECT {} FROM grants g WHERE g.id = $1", kGrantColumns), {id});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return read_grant(rows->rows.front());
}

Status Grants::revoke_where(std::string_view condition, store::Parameters parameters) {
  const std::int64_t now = seconds_of(clock_.wall());
  store::Parameters all;
  all.reserve(parameters.size() + 1);
  all.emplace_back(now);
  for (store::Value& parameter : parameters) all.push_back(std::move(parameter));
  const auto body = [&](store::Executor& tx) -> Status {
    auto revoked = tx.run(fmt::format("UPDATE grants SET revoked_at = $1 WHERE revoked_at = 0 AND {} "
                                      "RETURNING id, expires_at",
                                      condition),
                          all);
    if (!revoked) return tl::unexpected(revoked.error());
    for (const store::Row& row : revoked->rows) {
      if (auto told = revocations_.add(tx, RevokedKind::grant, row[0].text(), row[1].integer()); !told) return told;
    }
    return {};
  };
  if (auto done = database_.transact(body); !done) return done;
  return revocations_.refresh();  // here it holds at once
}

Status Grants::revoke(const Grant& grant) { return revoke_where("id = $2", {grant.id}); }
Status Grants::revoke_by_client_and_user(std::string_view client_id, std::string_view user_id) {
  return revoke_where("client_id = $2 AND user_id = $3", {client_id, user_id});
}
Status Grants::revoke_by_session(std::string_view session_id) {
  return revoke_where("session_id = $2 AND offline = 0", {session_id});
}

Result<std::vector<std::string>> Grants::clients_of_session(std::string_view session_id) {
  return clients_where("session_id", session_id);
}

Result<std::vector<std::string>> Grants::clients_of_user(std::string_view user_id) {
  return clients_where("user_id", user_id);
}

Result<std::vector<std::string>> Grants::clients_where(std::string_view column, std::string_view value) {
  auto rows = database_.run(fmt::format("SELECT DISTINCT client_id FROM grants WHERE {} = $1", column), {value});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::string> clients;
  for (const store::Row& row : rows->rows) clients.push_back(row[0].text());
  return clients;
}

Status Grants::remove_expired() {
  const std::int64_t now = seconds_of(clock_.wall());
  // Codes and refresh tokens go with their grant; a used one must be known for as long as it could be brought again.
  for (const std::string_view sql :
       {"DELETE FROM grants WHERE expires_at < $1", "DELETE FROM pushed_requests WHERE expires_at < $1",
        "DELETE FROM device_codes WHERE expires_at < $1", "DELETE FROM used_once WHERE expires_at < $1"}) {
    if (auto done = database_.run(sql, {now}); !done) return tl::unexpected(done.error());
  }
  return {};
}

}  // namespace gatehouse::identity
