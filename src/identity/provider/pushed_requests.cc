#include "identity/provider/pushed_requests.h"

#include "crypto/random.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/token_hash.h"

namespace gatehouse::identity {

Result<std::string> PushedRequests::keep(std::string_view client_id, std::string_view parameters, WallTime now) {
  std::string uri = std::string(kPrefix) + crypto::random_token();
  store::Bytes hash = token_hash(uri);
  auto sealed = keyring_.seal(kPushedRequest.path(hash.data), 1, parameters);
  if (!sealed) return tl::unexpected(std::move(sealed.error()));
  auto stored = database_.run(
      "INSERT INTO pushed_requests (uri_hash, client_id, parameters, parameters_sealed, version, expires_at) "
      "VALUES ($1, $2, '', $3, 1, $4)",
      {std::move(hash), client_id, store::Bytes{std::move(*sealed)}, seconds_of(now + kLifetime)});
  if (!stored) return tl::unexpected(std::move(stored.error()));
  return uri;
}

Result<std::optional<std::string>> PushedRequests::take(std::string_view uri, std::string_view client_id,
                                                        WallTime now) {
  const store::Bytes hash = token_hash(uri);
  auto rows = database_.run(
      "DELETE FROM pushed_requests WHERE uri_hash = $1 AND client_id = $2 "
      "RETURNING parameters, parameters_sealed, version, expires_at",
      {hash, client_id});
  if (!rows) return tl::unexpected(std::move(rows.error()));
  const store::Row* row = rows->first();
  if (row == nullptr || (*row)[3].integer() <= seconds_of(now)) return std::nullopt;
  if ((*row)[1].is_null()) return (*row)[0].text();  // kept by a program of before
  const auto plain =
      keyring_.open(kPushedRequest.path(hash.data), static_cast<std::uint64_t>((*row)[2].integer()), (*row)[1].bytes());
  if (!plain) return tl::unexpected(plain.error());
  return std::string(plain->expose());
}

}  // namespace gatehouse::identity
