#include "app/identity/cookie_keys.h"

#include <algorithm>

namespace gatehouse::app {

CookieKeys::CookieKeys(const secrets::Keyring& keyring, const Clock& clock)
    : keyring_(keyring), clock_(clock), state_(state()), sealer_(derived(state_), state_.sealing) {}

void CookieKeys::follow() {
  State now = state();
  if (now == state_) return;
  auto keys = derived(now);
  // Somebody has read the keyring between the two questions: the next second finds both of one time.
  if (keys.size() != now.ids.size()) return;
  sealer_.use(std::move(keys), now.sealing);
  state_ = std::move(now);
}

CookieKeys::State CookieKeys::state() const {
  State state;
  const std::vector<secrets::KeyView> keys = keyring_.keys();  // the oldest first
  for (const secrets::KeyView& key : keys) {
    state.ids.push_back(key.id);
    // The first needs no time: there is none before it that the others could know.
    if (state.sealing == 0 || key.created + kSettle <= clock_.wall()) state.sealing = key.id;
  }
  return state;
}

std::vector<gateway::CookieKey> CookieKeys::derived(const State& state) const {
  std::vector<gateway::CookieKey> keys;
  for (const std::uint32_t id : state.ids) {
    if (auto key = keyring_.derive_from(id, "login cookies")) keys.push_back({id, std::move(*key)});
  }
  return keys;
}

}  // namespace gatehouse::app
