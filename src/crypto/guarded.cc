#include "crypto/guarded.h"

#include <sodium/core.h>
#include <sodium/utils.h>

#include <cstring>

#include "base/check.h"

namespace gatehouse::crypto {

GuardedKey::GuardedKey(std::string_view bytes) : size_(bytes.size()) {
  static const bool ready = sodium_init() >= 0;  // draws the canary of its guarded pages
  GH_CHECK(ready && !bytes.empty());
  // A limit on locked memory (RLIMIT_MEMLOCK) makes it swappable, no more: libsodium goes on, and so do we.
  bytes_ = static_cast<char*>(sodium_malloc(size_));
  GH_CHECK(bytes_);
  std::memcpy(bytes_, bytes.data(), size_);
  GH_CHECK(sodium_mprotect_readonly(bytes_) == 0);
}

GuardedKey::~GuardedKey() {
  if (bytes_) sodium_free(bytes_);  // makes it writable and zeroes it
}

}  // namespace gatehouse::crypto
