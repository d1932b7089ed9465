#include "identity/factors/enrolled.h"

#include <fmt/format.h>

#include "identity/ids.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kColumns =
    "id, user_id, kind, label, data_sealed, version, credential_id, counter, created_at, used_at";
constexpr std::size_t kLabelBytesMax = 64;

Status written(Result<store::Rows> rows) {
  if (!rows) return tl::unexpected(std::move(rows.error()));
  return {};
}

// Codes go to the address that is the factor's data; it is its label, too, until its owner gives it another.
bool is_address(FactorKind kind) noexcept { return kind == FactorKind::email || kind == FactorKind::sms; }

// The label's column is not sealed: an address stays out of it.
std::string stored_label(FactorKind kind, std::string_view label, std::string_view data) {
  if (is_address(kind) && label.find(data) != std::string_view::npos) return {};
  return as_plain_text(label, kLabelBytesMax);
}

}  // namespace

std::string_view name_of(FactorKind kind) noexcept {
  switch (kind) {
    case FactorKind::totp: return "totp";
    case FactorKind::webauthn: return "webauthn";
    case FactorKind::email: return "email";
    case FactorKind::sms: return "sms";
    case FactorKind::recovery: break;
  }
  return "recovery";
}

std::optional<FactorKind> parse_factor_kind(std::string_view name) noexcept {
  for (const FactorKind kind :
       {FactorKind::totp, FactorKind::webauthn, FactorKind::email, FactorKind::sms, FactorKind::recovery}) {
    if (name_of(kind) == name) return kind;
  }
  return std::nullopt;
}

Result<Factor> EnrolledFactors::read(const store::Row& row) {
  Factor factor;
  factor.id = row[0].text();
  factor.user_id = row[1].text();
  const auto kind = parse_factor_kind(row[2].text());
  if (!kind) return fail(ErrorCode::internal, "a factor of a kind that this program doesn't know");
  factor.kind = *kind;
  factor.label = row[3].text();
  factor.version = static_cast<std::uint64_t>(row[5].integer());
  factor.credential_id = row[6].bytes();
  factor.counter = row[7].integer();
  factor.created_s = row[8].integer();
  factor.used_s = row[9].integer();
  auto data = keyring_.open(kFactorData.path(factor.id), factor.version, row[4].bytes());
  if (!data) return tl::unexpected(std::move(data.error()).while_("reading a factor"));
  factor.data = std::move(*data);
  if (factor.label.empty() && is_address(factor.kind)) factor.label = factor.data.expose();
  return factor;
}

Result<std::vector<Factor>> EnrolledFactors::of_user(std::string_view user_id) {
  const auto rows = database_.run(
      fmt::format("SELECT {} FROM factors WHERE user_id = $1 ORDER BY created_at, id", kColumns), {user_id});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Factor> factors;
  for (const store::Row& row : rows->rows) {
    auto factor = read(row);
    if (!factor) return tl::unexpected(std::move(factor.error()));
    factors.push_back(std::move(*factor));
  }
  return factors;
}

Result<std::optional<Factor>> EnrolledFactors::find(std::string_view id) {
  const auto rows = database_.run(fmt::format("SELECT {} FROM factors WHERE id = $1", kColumns), {id});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  auto factor = read(rows->rows[0]);
  if (!factor) return tl::unexpected(std::move(factor.error()));
  return std::optional<Factor>(std::move(*factor));
}

Result<std::optional<Factor>> EnrolledFactors::find_credential(std::string_view credential_id) {
  const auto rows = database_.run(fmt::format("SELECT {} FROM factors WHERE credential_id = $1", kColumns),
                                  {store::Bytes{std::string(credential_id)}});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  auto factor = read(rows->rows[0]);
  if (!factor) return tl::unexpected(std::move(factor.error()));
  return std::optional<Factor>(std::move(*factor));
}

Result<std::string> EnrolledFactors::add(NewFactor wanted) {
  const WallTime now = clock_.wall();
  const std::string id = new_id(now);
  auto sealed = keyring_.seal(kFactorData.path(id), 1, wanted.data.expose());
  if (!sealed) return tl::unexpected(std::move(sealed.error()));
  auto done = database_.transact([&](store::Executor& tx) -> Status {
    if (wanted.kind == FactorKind::recovery) {
      auto replaced = written(tx.run("DELETE FROM factors WHERE user_id = $1 AND kind = 'recovery'", {wanted.user_id}));
      if (!replaced) return replaced;
    }
    const auto count = tx.run("SELECT COUNT(*) FROM factors WHERE user_id = $1", {wanted.user_id});
    if (!count) return tl::unexpected(count.error());
    if (count->rows.at(0).at(0).integer() >= kPerUserMax) {
      return fail(ErrorCode::exhausted, "as many factors as one may have", ErrorSource::downstream);
    }
    return written(tx.run(
        "INSERT INTO factors (id, user_id, kind, label, data_sealed, version, credential_id, counter, created_at) "
        "VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8)",
        {id, wanted.user_id, name_of(wanted.kind), stored_label(wanted.kind, wanted.label, wanted.data.expose()),
         store::Bytes{*sealed},
         wanted.credential_id.empty() ? store::Value() : store::Value(store::Bytes{wanted.credential_id}),
         wanted.counter, seconds_of(now)}));
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return id;
}

Result<bool> EnrolledFactors::remove(std::string_view user_id, std::string_view id) {
  const auto rows = database_.run("DELETE FROM factors WHERE id = $1 AND user_id = $2", {id, user_id});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed > 0;
}

Result<std::int64_t> EnrolledFactors::remove_all(std::string_view user_id) {
  const auto rows = database_.run("DELETE FROM factors WHERE user_id = $1", {user_id});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed;
}

Status EnrolledFactors::rename(std::string_view user_id, std::string_view id, std::string_view label) {
  const auto factor = find(id);
  if (!factor) return tl::unexpected(factor.error());
  if (!*factor) return fail(ErrorCode::not_found, "no such factor", ErrorSource::downstream);
  const auto rows = database_.run("UPDATE factors SET label = $3 WHERE id = $1 AND user_id = $2",
                                  {id, user_id, stored_label((*factor)->kind, label, (*factor)->data.expose())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->changed == 0) return fail(ErrorCode::not_found, "no such factor", ErrorSource::downstream);
  return {};
}

Result<bool> EnrolledFactors::advance(std::string_view id, std::int64_t to) {
  const auto rows = database_.run("UPDATE factors SET counter = $2, used_at = $3 WHERE id = $1 AND counter < $2",
                                  {id, to, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed > 0;
}

Result<bool> EnrolledFactors::exchange_counter(std::string_view id, std::int64_t from, std::int64_t to) {
  const auto rows = database_.run("UPDATE factors SET counter = $3, used_at = $4 WHERE id = $1 AND counter = $2",
                                  {id, from, to, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed > 0;
}

Result<bool> EnrolledFactors::exchange_data(const Factor& factor, std::string_view data) {
  auto sealed = keyring_.seal(kFactorData.path(factor.id), factor.version + 1, data);
  if (!sealed) return tl::unexpected(std::move(sealed.error()));
  const auto rows = database_.run(
      "UPDATE factors SET data_sealed = $2, version = version + 1, used_at = $3 WHERE id = $1 AND version = $4",
      {factor.id, store::Bytes{std::move(*sealed)}, seconds_of(clock_.wall()), factor.version});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed > 0;
}

}  // namespace gatehouse::identity
