#pragma once
// The second factors that users have: rows of table factors, their secrets sealed.
//
// Thread safety: any thread; all calls block for the store.
// What must happen once (a step of TOTP, a recovery code, a rise of a signature counter) is one statement with its
// condition in it: of any number of callers, one gets it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

enum class FactorKind : std::uint8_t { totp, webauthn, email, sms, recovery };
std::string_view name_of(FactorKind kind) noexcept;  // as in the table
std::optional<FactorKind> parse_factor_kind(std::string_view name) noexcept;

struct Factor {
  std::string id, user_id;
  FactorKind kind = FactorKind::totp;
  std::string label;          // what its owner calls it
  SecretBytes data;           // as its kind needs
  std::string credential_id;  // of webauthn, raw
  std::int64_t counter = 0;   // webauthn: signature counter; totp: the last step that was used
  std::int64_t created_s = 0, used_s = 0;
  std::uint64_t version = 0;
};

struct NewFactor {
  std::string user_id;
  FactorKind kind = FactorKind::totp;
  std::string label;
  SecretBytes data;
  std::string credential_id = {};
  std::int64_t counter = 0;
};

class EnrolledFactors {
 public:
  static constexpr std::int64_t kPerUserMax = 20;

  EnrolledFactors(store::Database& database, secrets::Keyring& keyring, const Clock& clock)
      : database_(database), keyring_(keyring), clock_(clock) {}

  Result<std::vector<Factor>> of_user(std::string_view user_id);  // the oldest first
  Result<std::optional<Factor>> find(std::string_view id);
  Result<std::optional<Factor>> find_credential(std::string_view credential_id);

  // ErrorCode::conflict: this credential is somebody's already; exhausted: kPerUserMax. A user's recovery codes are one
  // factor: a new set takes the place of the old.
  Result<std::string> add(NewFactor wanted);
  // False: there is none of this user's.
  Result<bool> remove(std::string_view user_id, std::string_view id);
  Result<std::int64_t> remove_all(std::string_view user_id);
  Status rename(std::string_view user_id, std::string_view id, std::string_view label);

  // True: `to` is now the last that was used. False: it, or a later one, was used before.
  Result<bool> advance(std::string_view id, std::int64_t to);
  // For counters that may stay at zero (synced passkeys): sets what an assertion brought, if the counter is still
  // `from`. False: another assertion was faster.
  Result<bool> exchange_counter(std::string_view id, std::int64_t from, std::int64_t to);
  // True: `data` took the place of what `factor` holds. False: it changed meanwhile.
  Result<bool> exchange_data(const Factor& factor, std::string_view data);

 private:
  Result<Factor> read(const store::Row& row);

  store::Database& database_;
  secrets::Keyring& keyring_;
  const Clock& clock_;
};

}  // namespace gatehouse::identity
