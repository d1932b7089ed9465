#pragma once
// What one gateway tells the others, and how it is written: everything but rates, which are numbers in Redis (see
// rate_exchange.h). A notice is sealed, so that neither a client's address nor a user's name is in Redis in the clear,
// and nobody makes one up who cannot read the key.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"

namespace gatehouse::gateway {

struct Notice {
  enum class Kind : std::uint8_t {
    ban,             // network, since, until, forget, level, reason, again
    unban,           // network
    failures,        // key, count, window, threshold
    attacks,         // the same, and address, first, longest, reason: past the threshold its address is banned
    forgiven,        // key
    login_failures,  // name, count: of the identity provider's throttle
    login_forgotten  // name
  };
  Kind kind = Kind::failures;
  std::uint64_t key = 0;
  std::uint32_t count = 1;
  std::uint32_t threshold = 1;
  Duration window{}, first{}, longest{};
  Network network;  // of attacks: the address
  WallTime since{}, until{}, forget{};
  std::uint32_t level = 0;
  bool again = false;  // told because the server lost it: what has been lifted meanwhile stays lifted
  std::string reason, name;
};

std::string to_text(const Notice& notice);  // JSON, times in milliseconds
// Null when it is none of ours, or says what makes no sense.
std::optional<Notice> read_notice(std::string_view text);

}  // namespace gatehouse::gateway
