#include "crypto/aead.h"

#include "base/check.h"
#include "crypto/openssl.h"
#include "crypto/random.h"

namespace gatehouse::crypto {
namespace {

// Each thread keeps one context; a reset (which wipes the key schedule) follows every use.
class CipherContext {
 public:
  CipherContext() : context_(local()) {}
  ~CipherContext() { EVP_CIPHER_CTX_reset(context_); }
  EVP_CIPHER_CTX* get() const noexcept { return context_; }

 private:
  static EVP_CIPHER_CTX* local() {
    using Context = std::unique_ptr<EVP_CIPHER_CTX, OpensslFree<EVP_CIPHER_CTX_free>>;
    thread_local const Context context(EVP_CIPHER_CTX_new());
    GH_CHECK(context);
    return context.get();
  }
  EVP_CIPHER_CTX* context_;
};

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
int length_of(std::string_view text) { return static_cast<int>(text.size()); }

}  // namespace

AeadKey::AeadKey(const SecretBytes& key) : key_(key.expose()) { GH_CHECK(key.size() == kKeyBytes); }

AeadKey AeadKey::generate() { return AeadKey(random_secret(kKeyBytes)); }

std::string AeadKey::seal(std::string_view plain, std::string_view associated) const {
  GH_CHECK(plain.size() <= kMessageBytesMax && associated.size() <= kMessageBytesMax);
  const CipherContext context;
  std::string sealed(plain.size() + kOverheadBytes, '\0');
  auto* nonce = reinterpret_cast<unsigned char*>(sealed.data());
  auto* text = nonce + kNonceBytes;
  random_bytes({nonce, kNonceBytes});
  int written = 0;
  GH_CHECK(EVP_EncryptInit_ex2(context.get(), Algorithms::get().aes256_gcm, bytes_of(key_.expose()), nonce, nullptr) ==
               1 &&
           EVP_EncryptUpdate(context.get(), nullptr, &written, bytes_of(associated), length_of(associated)) == 1 &&
           EVP_EncryptUpdate(context.get(), text, &written, bytes_of(plain), length_of(plain)) == 1 &&
           written == length_of(plain) && EVP_EncryptFinal_ex(context.get(), text + plain.size(), &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, text + plain.size()) == 1);
  return sealed;
}

std::optional<SecretBytes> AeadKey::open(std::string_view sealed, std::string_view associated) const {
  if (sealed.size() < kOverheadBytes || sealed.size() > kMessageBytesMax + kOverheadBytes) return std::nullopt;
  GH_CHECK(associated.size() <= kMessageBytesMax);
  const CipherContext context;
  const std::string_view text = sealed.substr(kNonceBytes, sealed.size() - kOverheadBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  SecretBytes plain(text.size());
  unsigned char nothing[1];
  unsigned char* into = plain.empty() ? nothing : plain.bytes().data();
  int written = 0;
  GH_CHECK(EVP_DecryptInit_ex2(context.get(), Algorithms::get().aes256_gcm, bytes_of(key_.expose()), bytes_of(sealed),
                               nullptr) == 1 &&
           EVP_DecryptUpdate(context.get(), nullptr, &written, bytes_of(associated), length_of(associated)) == 1 &&
           EVP_DecryptUpdate(context.get(), into, &written, bytes_of(text), length_of(text)) == 1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1);
  // The one step that depends on what came; it leaves no entry in OpenSSL's error queue. `plain` is wiped on its way
  // out.
  if (EVP_DecryptFinal_ex(context.get(), into, &written) != 1) return std::nullopt;
  return plain;
}

}  // namespace gatehouse::crypto
