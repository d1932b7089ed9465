#include "identity/provider/device_codes.h"

#include <array>

#include "crypto/digest.h"
#include "crypto/random.h"
#include "identity/provider/client.h"
#include "identity/seconds.h"
#include "identity/token_hash.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kAlphabet = "BCDFGHJKLMNPQRSTVWXZ";  // RFC 8628 §6.1

std::string make_user_code() {
  std::string code;
  while (code.size() < 9) {
    std::array<std::uint8_t, 16> random;
    crypto::random_bytes(random);
    for (const std::uint8_t byte : random) {
      if (byte >= 240 || code.size() == 9) continue;  // 240 is a multiple of 20: no letter is likelier
      code += kAlphabet[byte % kAlphabet.size()];
      if (code.size() == 4) code += '-';
    }
  }
  return code;
}

}  // namespace

store::Bytes DeviceCodes::hash_of_user_code(std::string_view typed) const {
  std::string code;
  for (const char c : typed.substr(0, 64)) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if (kAlphabet.find(upper) != std::string_view::npos) code += upper;
  }
  return {std::string(crypto::as_text(crypto::hmac_sha256(key_.expose(), code)))};
}

Result<StartedDevice> DeviceCodes::start(const DeviceRequest& request) {
  const std::int64_t lifetime = std::chrono::duration_cast<std::chrono::seconds>(kLifetime).count();
  for (int attempt = 0;; ++attempt) {
    StartedDevice started{crypto::random_token(), make_user_code(), lifetime, kIntervalSeconds};
    auto stored = database_.run(
        "INSERT INTO device_codes (device_hash, user_code_hash, client_id, scopes, resources, state, interval_s, "
        "expires_at) VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7)",
        {token_hash(started.device_code), hash_of_user_code(started.user_code), request.client_id,
         join_scopes(request.scopes), join_scopes(request.resources), kIntervalSeconds,
         seconds_of(clock_.wall() + kLifetime)});
    if (stored) return started;
    // Somebody else's device shows the same letters.
    if (stored.error().code != ErrorCode::conflict || attempt == 3) return tl::unexpected(stored.error());
  }
}

Result<std::optional<DeviceRequest>> DeviceCodes::find(std::string_view user_code) {
  auto rows = database_.run(
      "SELECT client_id, scopes, resources FROM device_codes "
      "WHERE user_code_hash = $1 AND state = 'pending' AND expires_at > $2",
      {hash_of_user_code(user_code), seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  const store::Row& row = rows->rows.front();
  return DeviceRequest{row[0].text(), split_scopes(row[1].text()), split_scopes(row[2].text())};
}

Result<bool> DeviceCodes::allow(std::string_view user_code, const Grant& grant, const GrantRequest& request) {
  auto done = database_.run(
      "UPDATE device_codes SET state = 'allowed', grant_id = $1, request = $2 "
      "WHERE user_code_hash = $3 AND state = 'pending' AND expires_at > $4",
      {grant.id, to_form(request), hash_of_user_code(user_code), seconds_of(clock_.wall())});
  if (!done) return tl::unexpected(done.error());
  return done->changed == 1;
}

Result<bool> DeviceCodes::deny(std::string_view user_code) {
  auto done = database_.run("UPDATE device_codes SET state = 'denied' WHERE user_code_hash = $1 AND state = 'pending'",
                            {hash_of_user_code(user_code)});
  if (!done) return tl::unexpected(done.error());
  return done->changed == 1;
}

Result<DeviceCodes::Polled> DeviceCodes::poll(std::string_view device_code, std::string_view client_id) {
  const std::int64_t now = seconds_of(clock_.wall());
  const store::Bytes hash = token_hash(device_code.substr(0, 256));
  auto rows = database_.run(
      "SELECT state, grant_id, request, interval_s, polled_at, expires_at FROM device_codes "
      "WHERE device_hash = $1 AND client_id = $2",
      {hash, client_id});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return Polled{};
  const store::Row& row = rows->rows.front();
  const std::string& state = row[0].text();
  if (state == "denied") return Polled{Poll::denied, {}, {}};
  if (state == "used") return Polled{};
  if (row[5].integer() <= now) return Polled{Poll::expired, {}, {}};
  if (state == "allowed") {
    auto used =
        database_.run("UPDATE device_codes SET state = 'used' WHERE device_hash = $1 AND state = 'allowed'", {hash});
    if (!used) return tl::unexpected(used.error());
    auto request = request_from_form(row[2].text());
    if (used->changed == 0 || !request) return Polled{};
    return Polled{Poll::allowed, row[1].text(), std::move(*request)};
  }
  // RFC 8628 §3.5: who asks too often has to wait five seconds longer from then on.
  const bool too_soon = now - row[4].integer() < row[3].integer();
  auto noted =
      database_.run("UPDATE device_codes SET polled_at = $1, interval_s = interval_s + $2 WHERE device_hash = $3",
                    {now, too_soon ? 5 : 0, hash});
  if (!noted) return tl::unexpected(noted.error());
  return Polled{too_soon ? Poll::slow_down : Poll::pending, {}, {}};
}

}  // namespace gatehouse::identity
