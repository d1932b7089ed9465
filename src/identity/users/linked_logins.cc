#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "crypto/digest.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/users/federation.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kMovedAtOnce = 50;
constexpr std::uint64_t kVersion = 1;  // a link never changes

}  // namespace

// An issuer is a URL and has no line break.
store::Bytes LinkedLogins::hash_of(std::string_view issuer, std::string_view subject) const {
  return {std::string(crypto::as_text(crypto::hmac_sha256(key_.expose(), fmt::format("{}\n{}", issuer, subject))))};
}

// False: somebody has it already.
Result<bool> LinkedLogins::insert(store::Executor& in, std::string_view user_id, std::string_view issuer,
                                  std::string_view subject, std::int64_t created_s) {
  store::Bytes hash = hash_of(issuer, subject);
  auto sealed = keyring_.seal(kLinkedSubject.path(hash.data), kVersion, subject);
  if (!sealed) return tl::unexpected(std::move(sealed.error()));
  auto added = in.run(
      "INSERT INTO linked_logins (login_hash, issuer, subject_sealed, version, user_id, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (login_hash) DO NOTHING",
      {std::move(hash), issuer, store::Bytes{std::move(*sealed)}, static_cast<std::int64_t>(kVersion), user_id,
       created_s});
  if (!added) return tl::unexpected(std::move(added.error()));
  return added->changed > 0;
}

// What is here already stays whose it is: a program of before could not see it when it linked the same login.
Result<std::size_t> LinkedLogins::move(store::Executor& in, std::string_view condition,
                                       const store::Parameters& parameters) {
  auto rows =
      in.run(fmt::format("SELECT issuer, subject, user_id, created_at FROM federated_identities WHERE {} LIMIT {}",
                         condition, kMovedAtOnce),
             parameters);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  for (const store::Row& row : rows->rows) {
    auto added = insert(in, row[2].text(), row[0].text(), row[1].text(), row[3].integer());
    if (!added) return tl::unexpected(std::move(added.error()));
    auto removed =
        in.run("DELETE FROM federated_identities WHERE issuer = $1 AND subject = $2", {row[0].text(), row[1].text()});
    if (!removed) return tl::unexpected(std::move(removed.error()));
  }
  return rows->rows.size();
}

Status LinkedLogins::move_one(store::Executor& in, std::string_view issuer, std::string_view subject) {
  auto moved = move(in, "issuer = $1 AND subject = $2", {issuer, subject});
  return moved ? Status{} : tl::unexpected(std::move(moved.error()));
}

Status LinkedLogins::move_old() {
  // Asked first without a transaction: mostly there is nothing.
  auto any = database_.run("SELECT 1 FROM federated_identities LIMIT 1");
  if (!any) return tl::unexpected(std::move(any.error()));
  if (any->empty()) return {};
  return database_.transact([&](store::Executor& tx) -> Status {
    auto moved = move(tx, "1 = 1", {});
    return moved ? Status{} : tl::unexpected(std::move(moved.error()));
  });
}

Result<std::optional<std::string>> LinkedLogins::user_of(std::string_view issuer, std::string_view subject) {
  for (const auto& [sql, parameters] :
       {std::pair<std::string_view, store::Parameters>("SELECT user_id FROM linked_logins WHERE login_hash = $1",
                                                       {hash_of(issuer, subject)}),
        std::pair<std::string_view, store::Parameters>(
            "SELECT user_id FROM federated_identities WHERE issuer = $1 AND subject = $2", {issuer, subject})}) {
    auto rows = database_.run(sql, parameters);
    if (!rows) return tl::unexpected(std::move(rows.error()));
    if (!rows->empty()) return std::optional<std::string>((*rows->first())[0].text());
  }
  return std::nullopt;
}

Status LinkedLogins::link(store::Executor& in, std::string_view user_id, std::string_view issuer,
                          std::string_view subject) {
  if (auto moved = move_one(in, issuer, subject); !moved) return moved;
  const auto added = insert(in, user_id, issuer, subject, seconds_of(clock_.wall()));
  if (!added) return tl::unexpected(added.error());
  if (!*added) {
    const auto owner = in.run("SELECT user_id FROM linked_logins WHERE login_hash = $1", {hash_of(issuer, subject)});
    if (!owner) return tl::unexpected(owner.error());
    if (owner->empty() || (*owner->first())[0].text() != user_id)
      return fail(ErrorCode::conflict, "the login is another user's", ErrorSource::downstream);
    return {};
  }
  const auto count = in.run(
      "SELECT (SELECT COUNT(*) FROM linked_logins WHERE user_id = $1) + "
      "(SELECT COUNT(*) FROM federated_identities WHERE user_id = $1)",
      {user_id});
  if (!count) return tl::unexpected(count.error());
  if ((*count->first())[0].integer() > static_cast<std::int64_t>(kPerUserMax))
    return fail(ErrorCode::exhausted, "the user has too many linked logins", ErrorSource::downstream);
  return {};
}

Status LinkedLogins::link(std::string_view user_id, std::string_view issuer, std::string_view subject) {
  return database_.transact([&](store::Executor& tx) { return link(tx, user_id, issuer, subject); });
}

Result<bool> LinkedLogins::unlink(std::string_view user_id, std::string_view issuer, std::string_view subject) {
  bool any = false;
  const Status done = database_.transact([&](store::Executor& tx) -> Status {
    if (auto moved = move_one(tx, issuer, subject); !moved) return moved;
    const auto removed =
        tx.run("DELETE FROM linked_logins WHERE login_hash = $1 AND user_id = $2", {hash_of(issuer, subject), user_id});
    if (!removed) return tl::unexpected(removed.error());
    any = removed->changed > 0;
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return any;
}

Result<std::int64_t> LinkedLogins::unlink_all(std::string_view user_id) {
  std::int64_t count = 0;
  const Status done = database_.transact([&](store::Executor& tx) -> Status {
    count = 0;
    for (const std::string_view table : {"linked_logins", "federated_identities"}) {
      const auto removed = tx.run(fmt::format("DELETE FROM {} WHERE user_id = $1", table), {user_id});
      if (!removed) return tl::unexpected(removed.error());
      count += removed->changed;
    }
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return count;
}

Result<std::vector<LinkedLogin>> LinkedLogins::list(std::string_view user_id) {
  std::vector<LinkedLogin> list;
  const auto sealed = database_.run(
      "SELECT login_hash, version, issuer, subject_sealed, created_at FROM linked_logins WHERE user_id = $1",
      {user_id});
  if (!sealed) return tl::unexpected(sealed.error());
  for (const store::Row& row : sealed->rows) {
    const auto subject = keyring_.open(kLinkedSubject.path(row[0].bytes()),
                                       static_cast<std::uint64_t>(row[1].integer()), row[3].bytes());
    if (!subject) return tl::unexpected(subject.error());
    list.push_back({row[2].text(), std::string(subject->expose()), row[4].integer()});
  }
  const auto open =
      database_.run("SELECT issuer, subject, created_at FROM federated_identities WHERE user_id = $1", {user_id});
  if (!open) return tl::unexpected(open.error());
  for (const store::Row& row : open->rows) list.push_back({row[0].text(), row[1].text(), row[2].integer()});
  std::sort(list.begin(), list.end(), [](const LinkedLogin& a, const LinkedLogin& b) {
    return std::tie(a.created_s, a.issuer, a.subject) < std::tie(b.created_s, b.issuer, b.subject);
  });
  return list;
}

}  // namespace gatehouse::identity
