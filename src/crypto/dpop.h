#pragma once
// Demonstrating Proof of Possession (RFC 9449): a proof that a request's sender has the private key that its token is
// bound to.
//
// Thread safety: pure functions. Not decided here: that the proof was never seen before. The caller remembers
// `replay_key` until `replay_until`, in one step that fails when it is there already (RFC 9449 §11.1), and refuses a
// request with more than one DPoP field (§4.3, item 1).

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "crypto/jwk.h"

namespace gatehouse::crypto {

enum class DpopStatus : std::uint8_t {
  ok,
  malformed,     // no JWT of this type, or a claim is missing or of another kind
  algorithm,     // not allowed, or not the key's
  key,           // the embedded key is private, weak or of an unknown kind
  signature,     // made with another key
  method,        // `htm` is not the request's
  uri,           // `htu` is not the request's
  stale,         // issued too long ago, or in the future
  nonce,         // none, or not one of ours: answer use_dpop_nonce with a fresh one (§8)
  access_token,  // `ath` is not the digest of the token it came with
  binding,       // the token is bound to another key
};
std::string_view name_of(DpopStatus status) noexcept;

struct DpopExpectation {
  std::string_view method;  // "POST"
  std::string_view uri;  // scheme, host and path of the request; query and fragment are not looked at (§4.3, item 9)
  AlgorithmSet algorithms = AlgorithmSet::all();
  std::optional<std::string_view> access_token;  // at a protected resource: the token as it came
  std::string_view thumbprint;                   // the key that token, code or grant is bound to (`jkt`); empty: any
  std::span<const std::string> nonces;           // one of them is demanded; empty: none is
  Duration age_max = std::chrono::seconds(60);
  Duration leeway = std::chrono::seconds(30);  // for clocks that differ, to either side
};

struct DpopProof {
  std::string thumbprint;  // of the key: what a token is to be bound to (`cnf.jkt`)
  std::string replay_key;  // SHA-256 over key, `jti` and URI, base64url
  WallTime replay_until{};
};

DpopStatus verify_dpop(std::string_view proof, const DpopExpectation& expected, WallTime now, DpopProof& out);

// `ath`: base64url of the token's SHA-256 (§4.2).
std::string dpop_token_digest(std::string_view access_token);

// Nonces that nobody has to remember: the HMAC of a step of time under a key that all gateways of a deployment derive.
class DpopNonces {
 public:
  explicit DpopNonces(SecretBytes key, Duration step = std::chrono::minutes(2)) : key_(std::move(key)), step_(step) {}
  std::string current(WallTime now) const { return at(now, 0); }
  // Now accepted: the current and the one before it.
  std::array<std::string, 2> accepted(WallTime now) const { return {at(now, 0), at(now, -1)}; }

 private:
  std::string at(WallTime now, std::int64_t offset) const;
  SecretBytes key_;
  Duration step_;
};

}  // namespace gatehouse::crypto
