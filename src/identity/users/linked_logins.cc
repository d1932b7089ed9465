#include "identity/seconds.h"
#include "identity/users/federation.h"

namespace gatehouse::identity {

Result<std::optional<std::string>> LinkedLogins::user_of(std::string_view issuer, std::string_view subject) {
  const auto rows =
      database_.run("SELECT user_id FROM federated_identities WHERE issuer = $1 AND subject = $2", {issuer, subject});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return std::optional<std::string>((*rows->first())[0].text());
}

Status LinkedLogins::link(store::Executor& in, std::string_view user_id, std::string_view issuer,
                          std::string_view subject) {
  const auto added = in.run(
      "INSERT INTO federated_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (issuer, subject) DO NOTHING",
      {issuer, subject, user_id, seconds_of(clock_.wall())});
  if (!added) return tl::unexpected(added.error());
  if (added->changed == 0) {
    const auto owner =
        in.run("SELECT user_id FROM federated_identities WHERE issuer = $1 AND subject = $2", {issuer, subject});
    if (!owner) return tl::unexpected(owner.error());
    if (owner->empty() || (*owner->first())[0].text() != user_id)
      return fail(ErrorCode::conflict, "the login is another user's", ErrorSource::downstream);
    return {};
  }
  const auto count = in.run("SELECT COUNT(*) FROM federated_identities WHERE user_id = $1", {user_id});
  if (!count) return tl::unexpected(count.error());
  if ((*count->first())[0].integer() > static_cast<std::int64_t>(kPerUserMax))
    return fail(ErrorCode::exhausted, "the user has too many linked logins", ErrorSource::downstream);
  return {};
}

Status LinkedLogins::link(std::string_view user_id, std::string_view issuer, std::string_view subject) {
  return database_.transact([&](store::Executor& tx) { return link(tx, user_id, issuer, subject); });
}

Result<bool> LinkedLogins::unlink(std::string_view user_id, std::string_view issuer, std::string_view subject) {
  const auto removed =
      database_.run("DELETE FROM federated_identities WHERE issuer = $1 AND subject = $2 AND user_id = $3",
                    {issuer, subject, user_id});
  if (!removed) return tl::unexpected(removed.error());
  return removed->changed > 0;
}

Result<std::int64_t> LinkedLogins::unlink_all(std::string_view user_id) {
  const auto removed = database_.run("DELETE FROM federated_identities WHERE user_id = $1", {user_id});
  if (!removed) return tl::unexpected(removed.error());
  return removed->changed;
}

Result<std::vector<LinkedLogin>> LinkedLogins::list(std::string_view user_id) {
  const auto rows = database_.run(
      "SELECT issuer, subject, created_at FROM federated_identities WHERE user_id = $1 "
      "ORDER BY created_at, issuer, subject",
      {user_id});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<LinkedLogin> list;
  for (const store::Row& row : rows->rows) list.push_back({row[0].text(), row[1].text(), row[2].integer()});
  return list;
}

}  // namespace gatehouse::identity
