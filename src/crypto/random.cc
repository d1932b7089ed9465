#include "crypto/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/check.h"
#include "codec/base64.h"

namespace gatehouse::crypto {

void random_bytes(std::span<std::uint8_t> into) noexcept {
  while (!into.empty()) {
    const ssize_t got = ::getrandom(into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    GH_CHECK(got > 0);
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

SecretBytes random_secret(std::size_t bytes) {
  SecretBytes secret(bytes);
  random_bytes(secret.bytes());
  return secret;
}

std::string random_token() { return codec::base64url_encode(random_secret(32).expose()); }

}  // namespace gatehouse::crypto
