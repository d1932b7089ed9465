#include "crypto/ticket_keys.h"

#include <openssl/core_names.h>

#include <algorithm>

#include "base/check.h"
#include "crypto/openssl.h"
#include "crypto/random.h"

namespace gatehouse::crypto {
namespace {

int keys_slot() {
  static const int slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

TicketKey fresh_key() {
  TicketKey key;
  random_bytes(key.name);
  random_bytes(key.cipher);
  random_bytes(key.mac);
  return key;
}

bool set_mac(EVP_MAC_CTX* mac, TicketKey& key) {
  char digest[] = "SHA2-256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

std::shared_ptr<TlsTicketKeys> TlsTicketKeys::create(const Clock& clock) {
  return std::make_shared<RotatingTicketKeys>(clock);
}

RotatingTicketKeys::RotatingTicketKeys(const Clock& clock)
    : clock_(clock), rotated_at_(clock.now()), current_(fresh_key()) {}

void RotatingTicketKeys::rotate_if_due() {
  const Duration age = clock_.now() - rotated_at_;
  if (age < kRotation) return;
  // After two periods without a handshake the current key has served its time as the previous one too.
  if (age < 2 * kRotation) {
    previous_ = current_;
  } else {
    previous_.reset();
  }
  current_ = fresh_key();
  rotated_at_ = clock_.now();
}

TicketKey RotatingTicketKeys::current() {
  const std::lock_guard lock(mutex_);
  rotate_if_due();
  return current_;
}

std::optional<RotatingTicketKeys::Found> RotatingTicketKeys::find(const std::uint8_t* name) {
  const std::lock_guard lock(mutex_);
  rotate_if_due();
  if (std::equal(current_.name.begin(), current_.name.end(), name)) return Found{current_, true};
  if (previous_ && std::equal(previous_->name.begin(), previous_->name.end(), name)) return Found{*previous_, false};
  return std::nullopt;
}

// Returns 1: use the ticket; 2: use it and issue a new one; 0: unknown key, a full handshake; -1: fatal.
int RotatingTicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                  EVP_MAC_CTX* mac, int sealing) {
  auto* keys = static_cast<RotatingTicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_slot()));
  if (!keys) return -1;
  const EVP_CIPHER* aes = Algorithms::get().aes256_cbc;
  if (sealing) {
    TicketKey key = keys->current();
    std::copy(key.name.begin(), key.name.end(), name);
    random_bytes({iv, 16});
    const bool ready = EVP_EncryptInit_ex2(cipher, aes, key.cipher.data(), iv, nullptr) == 1 && set_mac(mac, key);
    return ready ? 1 : -1;
  }
  std::optional<Found> found = keys->find(name);
  if (!found) return 0;
  if (EVP_DecryptInit_ex2(cipher, aes, found->key.cipher.data(), iv, nullptr) != 1 || !set_mac(mac, found->key)) {
    return -1;
  }
  // A TLS 1.3 client uses a ticket once (RFC 8446 appendix C.4): without a new one its next handshake is a full one.
  return found->is_current && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

void RotatingTicketKeys::attach(SSL_CTX* context) {
  GH_CHECK(SSL_CTX_set_ex_data(context, keys_slot(), this) == 1);
  GH_CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &RotatingTicketKeys::on_ticket) == 1);
}

}  // namespace gatehouse::crypto
