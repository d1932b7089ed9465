#pragma once
// Checkpoints: the signed statement that a log had so many entries, and this root. C2SP tlog-checkpoint, which is a
// C2SP signed-note with Ed25519 signatures:
//
//   origin\n size\n base64(root)\n [lines that extend it]\n \n — name base64(key id ‖ signature)\n …
//
// Thread safety: immutable once made. Invariant: what is parsed is in the one form that is written: a size has no
// leading zeros, base64 is canonical, no line is empty but the one before the signatures.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"
#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::crypto {
class SigningKey;
class VerificationKey;
}  // namespace gatehouse::crypto

namespace gatehouse::audit {

inline constexpr std::size_t kNoteBytesMax = 64 * 1024;

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Hash root{};

  std::string body() const;  // without signatures
  bool operator==(const Checkpoint&) const = default;
};

// A public key by which checkpoints are judged. As text ("vkey"): name+8 hex digits+base64(0x01 ‖ key), or 0x04 in
// front of the key of a witness, whose signatures say a time, too (C2SP tlog-cosignature).
class NoteVerifier {
 public:
  static Result<NoteVerifier> parse(std::string_view vkey);
  NoteVerifier(NoteVerifier&&) noexcept;
  NoteVerifier& operator=(NoteVerifier&&) noexcept;
  ~NoteVerifier();

  const std::string& name() const noexcept { return name_; }
  const std::string& vkey() const noexcept { return vkey_; }
  // invalid: no note, or no checkpoint; denied: this key has not signed it.
  Result<Checkpoint> open(std::string_view note) const;
  // The lines of `signatures` that this key made for `body`, as they stand there; empty: none.
  std::string signature_lines(std::string_view body, std::string_view signatures) const;

 private:
  NoteVerifier(std::string name, std::string vkey, std::uint8_t algorithm, std::string id,
               std::unique_ptr<const crypto::VerificationKey> key);
  bool signs(std::string_view body, std::string_view line) const;

  std::string name_, vkey_;
  std::uint8_t algorithm_;
  std::string id_;  // four bytes
  std::unique_ptr<const crypto::VerificationKey> key_;
};

class NoteSigner {
 public:
  static NoteSigner generate();
  // What `pkcs8` gave. The name follows from the key: gatehouse/audit/ and 16 hex digits.
  static Result<NoteSigner> from_pkcs8(const SecretBytes& der);
  SecretBytes pkcs8() const;
  NoteSigner(NoteSigner&&) noexcept;
  NoteSigner& operator=(NoteSigner&&) noexcept;
  ~NoteSigner();

  const std::string& name() const noexcept { return name_; }  // and the origin of its log
  std::string vkey() const;
  std::string sign(const Checkpoint& checkpoint) const;

 private:
  explicit NoteSigner(std::unique_ptr<const crypto::SigningKey> key);
  std::unique_ptr<const crypto::SigningKey> key_;
  std::string public_bytes_, name_, id_;
};

// The first three lines of a note, whoever signed it; `body` and `signatures` are set to its parts.
Result<Checkpoint> parse_checkpoint(std::string_view note, std::string_view* body = nullptr,
                                    std::string_view* signatures = nullptr);
std::string base64_of(const Hash& hash);
Result<Hash> hash_from_base64(std::string_view text);

}  // namespace gatehouse::audit
