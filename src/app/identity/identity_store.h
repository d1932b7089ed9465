#pragma once
// What identity, the gateway's own sign-in and the keeping of events share: the store, the keys under which it is kept,
// what seals their cookies, and what is over before its time.
//
// Thread safety: as its parts. Lifetime: opened before both, `stop`ped after them.

#include <memory>

#include "app/identity/cookie_keys.h"
#include "app/identity/housekeeper.h"
#include "gateway/config.h"
#include "identity/sessions/revocations.h"
#include "secrets/keyring.h"
#include "secrets/reseal.h"
#include "store/database.h"

namespace gatehouse::app {

class IdentityStore {
 public:
  // Who needs it: people who sign in, or the keys of events alone. Those need no tables of identity, and nothing to be
  // done in the background.
  enum class Use : std::uint8_t { identity, events };
  // Makes what is missing. The error is for whoever starts the program.
  static Result<std::unique_ptr<IdentityStore>> open(const gateway::Config& config, Use use, const Clock& clock);

  store::Database& database() noexcept { return *database_; }
  secrets::Keyring& keyring() noexcept { return *keyring_; }
  // What follows is there for Use::identity only.
  secrets::Resealer& resealer() noexcept { return *resealer_; }
  // Under keys that `gatehouse keys rotate` replaces (cookie_keys.h).
  const gateway::CookieSealer& cookies() const noexcept { return cookie_keys_->sealer(); }
  identity::Revocations& revocations() noexcept { return *revocations_; }

  void start();  // the background work; after privileges are dropped
  void stop() { housekeeper_.stop(); }

 private:
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<secrets::Keyring> keyring_;
  std::unique_ptr<secrets::Resealer> resealer_;
  std::unique_ptr<CookieKeys> cookie_keys_;
  std::unique_ptr<identity::Revocations> revocations_;
  Housekeeper housekeeper_;
};

// Says it to the log if it was not done.
void tell(std::string_view doing, const Status& status);

}  // namespace gatehouse::app
