#pragma once
// Session ticket keys that rotate by themselves. See TlsTicketKeys in tls.h.

#include <openssl/evp.h>

#include <array>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "crypto/tls.h"

namespace gatehouse::crypto {

struct TicketKey {
  std::array<std::uint8_t, 16> name{};
  std::array<std::uint8_t, 32> cipher{};  // AES-256-CBC
  std::array<std::uint8_t, 32> mac{};     // HMAC-SHA-256
  ~TicketKey() { explicit_bzero(this, sizeof *this); }
};

class RotatingTicketKeys final : public TlsTicketKeys {
 public:
  static constexpr Duration kRotation = std::chrono::hours(8);

  explicit RotatingTicketKeys(const Clock& clock);

  TicketKey current();
  struct Found {
    TicketKey key;
    bool is_current;
  };
  std::optional<Found> find(const std::uint8_t* name);

  // The callback of SSL_CTX_set_tlsext_ticket_key_evp_cb, for the keys in `context`'s slot.
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int sealing);
  void attach(SSL_CTX* context);  // must outlive the context

 private:
  void rotate_if_due();  // under the lock

  const Clock& clock_;
  // One short lock per handshake, which costs a thousand times as much.
  std::mutex mutex_;
  MonotonicTime rotated_at_;
  TicketKey current_;
  std::optional<TicketKey> previous_;
};

}  // namespace gatehouse::crypto
