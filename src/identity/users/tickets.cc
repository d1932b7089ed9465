#include "identity/users/tickets.h"

#include <fmt/format.h>

#include "codec/base64.h"
#include "codec/form.h"
#include "crypto/random.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/token_hash.h"

namespace gatehouse::identity {
namespace {

Duration lifetime_of(TicketKind kind) noexcept {
  switch (kind) {
    case TicketKind::invite: return Tickets::kInvite;
    case TicketKind::verify_email: return Tickets::kVerifyEmail;
    case TicketKind::reset: return Tickets::kReset;
    case TicketKind::first_admin: break;
  }
  return Tickets::kFirstAdmin;
}

// What a ticket is bound to. Each part changes with what must make it void.
std::string binding_of(TicketKind kind, const User* user) {
  if (user == nullptr) return {};
  std::string state = fmt::format("{}\n{}\n{}", user->id, name_of(user->state), user->password_at_s);
  // An address is proved while another is still in force.
  if (kind != TicketKind::verify_email) state += '\n' + email_key(user->profile.email);
  return codec::base64url_encode(crypto::as_text(crypto::sha256(state)));
}

}  // namespace

std::string_view name_of(TicketKind kind) noexcept {
  switch (kind) {
    case TicketKind::invite: return "invite";
    case TicketKind::verify_email: return "verify_email";
    case TicketKind::reset: return "reset";
    case TicketKind::first_admin: break;
  }
  return "first_admin";
}

Result<std::string> Tickets::issue(TicketKind kind, const User* user, std::string_view email) {
  std::string token = crypto::random_token();
  const store::Bytes hash = token_hash(token);
  const std::int64_t now_s = seconds_of(clock_.wall());
  codec::FormWriter data;
  data.add("binding", binding_of(kind, user)).add("email", email);
  auto sealed = keyring_.seal(kTicketData.path(hash.data), 1, data.text());
  if (!sealed) return tl::unexpected(std::move(sealed.error()));
  const store::Value owner = user == nullptr ? store::Value() : store::Value(user->id);
  auto done = database_.transact([&](store::Executor& tx) -> Status {
    auto made_room = tx.run(
        fmt::format("DELETE FROM tickets WHERE token_hash IN (SELECT token_hash FROM tickets WHERE kind = $1 AND {} "
                    "ORDER BY created_at DESC LIMIT 1000 OFFSET $2)",
                    user == nullptr ? "user_id IS NULL" : "user_id = $3"),
        user == nullptr ? store::Parameters{name_of(kind), kOpenMax - 1}
                        : store::Parameters{name_of(kind), kOpenMax - 1, user->id});
    if (!made_room) return tl::unexpected(std::move(made_room.error()));
    auto added = tx.run(
        "INSERT INTO tickets (token_hash, kind, user_id, data_sealed, version, created_at, expires_at) "
        "VALUES ($1, $2, $3, $4, 1, $5, $6)",
        {hash, name_of(kind), owner, store::Bytes{*sealed}, now_s, now_s + seconds_of(lifetime_of(kind))});
    if (!added) return tl::unexpected(std::move(added.error()));
    return {};
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return token;
}

Result<std::optional<Ticket>> Tickets::open(TicketKind kind, std::string_view token, const store::Row& row) {
  Ticket ticket{kind, row[0].text(), {}, row[3].integer()};
  const auto plain = keyring_.open(kTicketData.path(token_hash(token).data),
                                   static_cast<std::uint64_t>(row[2].integer()), row[1].bytes());
  if (!plain) return tl::unexpected(plain.error());
  const auto data = codec::Form::parse(plain->expose());
  if (!data) return fail(ErrorCode::internal, "a stored ticket does not parse");
  ticket.email = data->get_or("email", "");
  if (ticket.user_id.empty()) return ticket;
  accounts_.forget(ticket.user_id);  // as it is now, not as it was ten seconds ago
  const auto user = accounts_.find(ticket.user_id);
  if (!user) return tl::unexpected(user.error());
  if (!*user || (*user)->state == UserState::disabled) return std::nullopt;
  if (data->get_or("binding", "") != binding_of(kind, user->get())) return std::nullopt;
  return ticket;
}

Result<std::optional<Ticket>> Tickets::look(TicketKind kind, std::string_view token) {
  if (!may_be_token(token)) return std::nullopt;
  const auto rows = database_.run(
      "SELECT user_id, data_sealed, version, expires_at FROM tickets "
      "WHERE token_hash = $1 AND kind = $2 AND expires_at > $3",
      {token_hash(token), name_of(kind), seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return open(kind, token, rows->rows[0]);
}

Result<std::optional<Ticket>> Tickets::use(TicketKind kind, std::string_view token) {
  if (!may_be_token(token)) return std::nullopt;
  const auto rows = database_.run(
      "DELETE FROM tickets WHERE token_hash = $1 AND kind = $2 AND expires_at > $3 "
      "RETURNING user_id, data_sealed, version, expires_at",
      {token_hash(token), name_of(kind), seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return open(kind, token, rows->rows[0]);
}

Status Tickets::revoke_all(std::string_view user_id) {
  const auto rows = database_.run("DELETE FROM tickets WHERE user_id = $1", {user_id});
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

Status Tickets::remove_expired() {
  const auto rows = database_.run(
      "DELETE FROM tickets WHERE token_hash IN (SELECT token_hash FROM tickets WHERE expires_at <= $1 LIMIT 1000)",
      {seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

}  // namespace gatehouse::identity
