#pragma once
// The keys of sign-in cookies: derived from the keys of the keyring, so that a rotation of it is one of theirs.
//
// A new key seals cookies kSettle after it was made: by then every gateway of the store has read it (`follow`, every
// second), and reads what the others seal. A gateway that cannot reach its store reads such a cookie once it can. A
// cookie under a key of before opens as long as that key is in the ring, and is sealed anew when it is renewed.
// Thread safety: `follow` from one thread at a time; the sealer as CookieSealer. The keyring outlives it.

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "gateway/login/cookie_sealer.h"
#include "secrets/keyring.h"

namespace gatehouse::app {

class CookieKeys {
 public:
  static constexpr Duration kSettle = std::chrono::seconds(3);

  CookieKeys(const secrets::Keyring& keyring, const Clock& clock);

  // What the keyring has read since. Costs nothing while that is the same.
  void follow();
  const gateway::CookieSealer& sealer() const noexcept { return sealer_; }

 private:
  struct State {
    std::vector<std::uint32_t> ids;
    std::uint32_t sealing = 0;
    bool operator==(const State&) const = default;
  };
  State state() const;
  std::vector<gateway::CookieKey> derived(const State& state) const;

  const secrets::Keyring& keyring_;
  const Clock& clock_;
  State state_;
  gateway::CookieSealer sealer_;
};

}  // namespace gatehouse::app
