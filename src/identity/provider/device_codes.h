#pragma once
// The device authorization grant (RFC 8628): a device shows a code, its user allows it elsewhere, the device asks until
// then.
//
// User codes are eight letters of an alphabet without vowels and look-alikes (20^8: 34 bits), good for ten minutes, and
// kept as keyed hashes; guessing is bounded by the caller, who counts wrong ones (RFC 8628 §5.1).
// Thread safety: any thread; all calls block for the store.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "identity/provider/grants.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

struct DeviceRequest {
  std::string client_id;
  std::vector<std::string> scopes, resources;
};

struct StartedDevice {
  std::string device_code, user_code;  // "BCDF-GHJK"
  std::int64_t expires_in_s = 0, interval_s = 0;
};

class DeviceCodes {
 public:
  static constexpr Duration kLifetime = std::chrono::minutes(10);
  static constexpr std::int64_t kIntervalSeconds = 5;

  DeviceCodes(store::Database& database, const secrets::Keyring& keyring, const Clock& clock)
      : database_(database), key_(keyring.derive("device user codes")), clock_(clock) {}

  Result<StartedDevice> start(const DeviceRequest& request);

  // What the user is asked about. Nullopt: no such code waits. The code may be typed with or without dash, in any case.
  Result<std::optional<DeviceRequest>> find(std::string_view user_code);
  // False: it does not wait any more.
  Result<bool> allow(std::string_view user_code, const Grant& grant, const GrantRequest& request);
  Result<bool> deny(std::string_view user_code);

  enum class Poll : std::uint8_t { pending, slow_down, allowed, denied, expired, unknown };
  struct Polled {
    Poll state = Poll::unknown;
    std::string grant_id;  // when allowed: it is used up with this call
    GrantRequest request;
  };
  Result<Polled> poll(std::string_view device_code, std::string_view client_id);

 private:
  store::Bytes hash_of_user_code(std::string_view typed) const;

  store::Database& database_;
  const SecretBytes key_;
  const Clock& clock_;
};

}  // namespace gatehouse::identity
