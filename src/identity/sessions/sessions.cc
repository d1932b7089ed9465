#include "identity/sessions/sessions.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/keyed_hash.h"
#include "crypto/random.h"
#include "identity/seconds.h"
#include "identity/sessions/session_row.h"
#include "identity/store_errors.h"
#include "identity/token_hash.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kIdCharacters = 22;  // 132 bits
constexpr std::size_t kDeviceBytesMax = 64;

SessionPtr read(const store::Row& row) { return std::make_shared<const Session>(read_session(row)); }

}  // namespace

Sessions::Sessions(store::Database& database, Accounts& accounts, Revocations& revocations, const Clock& clock,
                   Options options, std::size_t cached_max)
    : database_(database),
      accounts_(accounts),
      revocations_(revocations),
      clock_(clock),
      options_(options),
      remembered_(cached_max) {}

bool Sessions::is_over(const Session& session, std::int64_t now_s) const noexcept {
  return now_s >= session.expires_s || now_s >= session.seen_s + seconds_of(options_.idle);
}

void Sessions::remember(const store::Bytes& hash, SessionPtr session) {
  const WallTime now = clock_.wall();
  const WallTime expires = time_of(session->expires_s);
  remembered_.insert(crypto::keyed_hash(hash.data), hash.data, now, expires,
                     {std::move(session), clock_.now() + kFresh});
}

Result<StartedSession> Sessions::start(std::string_view user_id, const Proof& proof, std::string_view device,
                                       std::string_view client_ip) {
  const std::int64_t now_s = seconds_of(clock_.wall());
  StartedSession started;
  started.token = crypto::random_token();
  Session& session = started.session;
  session.id = crypto::random_token().substr(0, kIdCharacters);
  session.user_id = user_id;
  session.auth_s = session.created_s = session.seen_s = now_s;
  session.factor_s = proof.mfa ? now_s : 0;
  session.amr = proof.amr;
  session.device = as_plain_text(device, kDeviceBytesMax);
  session.client_ip = client_ip;
  session.expires_s = now_s + seconds_of(options_.absolute);
  const store::Bytes hash = token_hash(started.token);
  auto done = database_.transact([&](store::Executor& tx) -> Status {
    // Those that were used longest ago make room.
    std::int64_t ended = 0;
    auto made_room = end_where(tx,
                               "id IN (SELECT id FROM sessions WHERE user_id = $1 ORDER BY seen_at DESC, created_at "
                               "DESC LIMIT 1000 OFFSET $2)",
                               {user_id, kPerUserMax - 1}, ended);
    if (!made_room) return made_room;
    auto added = tx.run(fmt::format("INSERT INTO sessions (token_hash, {}) VALUES "
                                    "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                                    kSessionColumns),
                        {hash, session.id, session.user_id, session.auth_s, session.factor_s, session.amr,
                         session.device, session.client_ip, session.created_s, session.seen_s, session.expires_s});
    if (!added) return tl::unexpected(std::move(added.error()));
    return {};
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  remember(hash, std::make_shared<const Session>(session));
  return started;
}

Result<SessionPtr> Sessions::load(const store::Bytes& hash) {
  const auto rows =
      database_.run(fmt::format("SELECT {} FROM sessions WHERE token_hash = $1", kSessionColumns), {hash});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) {
    remembered_.erase(crypto::keyed_hash(hash.data), hash.data);
    return SessionPtr();
  }
  SessionPtr session = read(rows->rows[0]);
  remember(hash, session);
  // Ended between our reading and our remembering it: the one who ended it may not have found it to forget.
  if (revocations_.covers(RevokedKind::session, session->id, session->auth_s)) return SessionPtr();
  return session;
}

// A session is worth what its user is: gone, disabled or signed out everywhere, it is over.
Result<SessionPtr> Sessions::with_user(SessionPtr session) {
  const auto user = accounts_.find(session->user_id);
  if (!user) return tl::unexpected(user.error());
  if (!*user || !(*user)->active() || session->auth_s < (*user)->sessions_after_s) return SessionPtr();
  return session;
}

SessionPtr Sessions::touch(const store::Bytes& hash, SessionPtr session, std::int64_t now_s) {
  if (now_s < session->seen_s + seconds_of(kSeenEvery)) return session;
  // The condition keeps a slower gateway from setting it back. That it could not be written is no reason to refuse.
  const auto written =
      database_.run("UPDATE sessions SET seen_at = $2 WHERE token_hash = $1 AND seen_at < $2", {hash, now_s});
  auto seen = std::make_shared<Session>(*session);
  seen->seen_s = now_s;
  if (written || store_is_gone(written.error())) remember(hash, seen);
  return seen;
}

Result<SessionPtr> Sessions::find(std::string_view token) {
  if (!may_be_token(token)) return SessionPtr();
  const store::Bytes hash = token_hash(token);
  const std::int64_t now_s = seconds_of(clock_.wall());
  SessionPtr known;
  bool fresh = false;
  remembered_.find(crypto::keyed_hash(hash.data), hash.data, clock_.wall(), [&](const Remembered& entry) {
    known = entry.session;
    fresh = entry.fresh_until > clock_.now();
  });
  if (known && revocations_.covers(RevokedKind::session, known->id, known->auth_s)) {
    remembered_.erase(crypto::keyed_hash(hash.data), hash.data);
    return SessionPtr();
  }
  if (!fresh || is_over(*known, now_s)) {  // over by what we remember: another gateway may have seen it since
    auto loaded = load(hash);
    if (loaded) {
      known = std::move(*loaded);
    } else if (!known || !store_is_gone(loaded.error())) {
      return loaded;
    } else {
      remember(hash, known);  // and don't wait for the store with every request
    }
  }
  if (!known || is_over(*known, now_s)) return SessionPtr();
  auto good = with_user(std::move(known));
  if (!good || !*good) return good;
  return touch(hash, std::move(*good), now_s);
}

Result<StartedSession> Sessions::renew(std::string_view token, const Proof& proof) {
  const store::Bytes old_hash = token_hash(token);
  StartedSession renewed;
  renewed.token = crypto::random_token();
  const store::Bytes hash = token_hash(renewed.token);
  const std::int64_t now_s = seconds_of(clock_.wall());
  const auto rows =
      database_.run(fmt::format("UPDATE sessions SET token_hash = $2, auth_at = $3, seen_at = $3, amr = $4, "
                                "factor_at = CASE WHEN $5 = 1 THEN $3 ELSE 0 END "
                                "WHERE token_hash = $1 AND expires_at > $3 RETURNING {}",
                                kSessionColumns),
                    {old_hash, hash, now_s, proof.amr, proof.mfa ? 1 : 0});
  remembered_.erase(crypto::keyed_hash(old_hash.data), old_hash.data);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return fail(ErrorCode::not_found, "no such session", ErrorSource::downstream);
  const SessionPtr session = read(rows->rows[0]);
  remember(hash, session);
  renewed.session = *session;
  return renewed;
}

Result<std::vector<Session>> Sessions::list(std::string_view user_id) {
  const std::int64_t now_s = seconds_of(clock_.wall());
  const auto rows = database_.run(
      fmt::format("SELECT {} FROM sessions WHERE user_id = $1 ORDER BY seen_at DESC, id", kSessionColumns), {user_id});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Session> sessions;
  for (const store::Row& row : rows->rows) {
    const SessionPtr session = read(row);
    if (!is_over(*session, now_s)) sessions.push_back(*session);
  }
  return sessions;
}

Result<SessionPtr> Sessions::find_by_id(std::string_view sid) {
  const auto rows = database_.run(fmt::format("SELECT {} FROM sessions WHERE id = $1", kSessionColumns), {sid});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return SessionPtr();
  SessionPtr session = read(rows->rows[0]);
  if (is_over(*session, seconds_of(clock_.wall()))) return SessionPtr();
  return with_user(std::move(session));
}

// Each that ends is made known to the other gateways, and to what was issued in it.
Status Sessions::end_where(store::Executor& in, std::string_view condition, store::Parameters parameters,
                           std::int64_t& ended) {
  const auto rows = in.run(fmt::format("DELETE FROM sessions WHERE {} RETURNING id", condition), parameters);
  if (!rows) return tl::unexpected(rows.error());
  const std::int64_t until_s = seconds_of(clock_.wall()) + seconds_of(Revocations::kKeep);
  for (const store::Row& row : rows->rows) {
    if (auto told = revocations_.add(in, RevokedKind::session, row[0].text(), until_s); !told) return told;
  }
  ended = static_cast<std::int64_t>(rows->rows.size());
  return {};
}

Result<bool> Sessions::end(std::string_view user_id, std::string_view sid) {
  std::int64_t ended = 0;
  auto done = database_.transact([&](store::Executor& tx) {
    return end_where(tx, "id = $1 AND user_id = $2", {sid, user_id}, ended);
  });
  if (done && ended > 0) done = revocations_.refresh();
  if (!done) return tl::unexpected(std::move(done.error()));
  return ended > 0;
}

Result<bool> Sessions::end_by_id(std::string_view sid) {
  std::int64_t ended = 0;
  auto done = database_.transact([&](store::Executor& tx) { return end_where(tx, "id = $1", {sid}, ended); });
  if (done && ended > 0) done = revocations_.refresh();
  if (!done) return tl::unexpected(std::move(done.error()));
  return ended > 0;
}

Result<std::int64_t> Sessions::end_all(std::string_view user_id, std::string_view except_sid) {
  std::int64_t ended = 0;
  std::vector<std::string> names{std::string(user_id)};
  if (other_names_ && except_sid.empty()) {
    auto others = other_names_(user_id);
    if (!others) return tl::unexpected(std::move(others.error()));
    names.insert(names.end(), others->begin(), others->end());
  }
  auto done = database_.transact([&](store::Executor& tx) {
    auto over = end_where(tx, "user_id = $1 AND id <> $2", {user_id, except_sid}, ended);
    if (!except_sid.empty()) return over;
    // With all of them go the tokens that were given beside a session.
    for (const std::string& name : names) {
      if (over) over = revocations_.add(tx, RevokedKind::user, name, seconds_of(clock_.wall() + Revocations::kKeep));
    }
    return over;
  });
  // With one left over there is no moment before which all is over.
  if (done && except_sid.empty()) done = accounts_.set_sessions_after(user_id, seconds_of(clock_.wall()));
  if (!done && done.error().code == ErrorCode::not_found) done = {};  // the user is gone, and so are the sessions
  if (done && (ended > 0 || except_sid.empty())) done = revocations_.refresh();
  if (!done) return tl::unexpected(std::move(done.error()));
  return ended;
}

Status Sessions::remove_expired() {
  const std::int64_t now_s = seconds_of(clock_.wall());
  const auto removed = database_.run(
      "DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT 1000)",
      {now_s});
  if (!removed) return tl::unexpected(removed.error());
  return {};
}

}  // namespace gatehouse::identity
